"""Stacks of layers written as plain values, as in TOML."""

from __future__ import annotations

import tomllib
from dataclasses import fields

import numpy as np
import pytest

from plaingrad.errors import RecipeError
from plaingrad.network import (
    Affine,
    Branch,
    Conv2d,
    Flatten,
    MaxPool2d,
    Network,
    Normal,
    ReLU,
    Residual,
    Sequential,
    Tanh,
    Xavier,
    described,
)
from plaingrad.network.description import KINDS
from plaingrad.network.fusion import Joined
from plaingrad.network.layer import Combinator, Layer
from plaingrad.recipe import check


def from_toml(text):
    return described(tomllib.loads(f"layers = {text}")["layers"], classes=10)


def test_words_and_tables():
    assert from_toml('["flatten", {kind = "affine", units = 7, bias = false}, "tanh"]') == Sequential(
        Flatten(), Affine(7, bias=False), Tanh()
    )


def test_every_field_reaches_the_layer():
    assert from_toml(
        '[{kind = "conv", filters = 4, size = [3, 5], stride = 2, padding = [1, 0], name = "stem"}]'
    ) == Sequential(Conv2d(4, (3, 5), stride=2, padding=(1, 0), name="stem"))
    assert from_toml('[{kind = "max-pool", window = 3, stride = 2}]') == Sequential(MaxPool2d(3, 2))


def test_units_may_be_as_many_as_classes():
    assert from_toml('[{kind = "affine", units = "classes"}]') == Sequential(Affine(10))


def test_initialisers():
    assert from_toml('[{kind = "affine", units = 3, weight_init = "xavier"}]') == Sequential(
        Affine(3, weight_init=Xavier())
    )
    assert from_toml('[{kind = "affine", units = 3, weight_init = 0.01}]') == Sequential(
        Affine(3, weight_init=Normal(0.01))
    )


def test_combinators():
    assert from_toml(
        '[{kind = "residual", body = [{kind = "affine", units = 3}], shortcut = ["relu"]}, '
        '{kind = "residual", body = ["tanh"]}, '
        '{kind = "branch", paths = [["relu"], ["tanh", "relu"]], join = "add"}]'
    ) == Sequential(
        Residual(Sequential(Affine(3)), Sequential(ReLU())),
        Residual(Sequential(Tanh())),
        Branch(Sequential(ReLU()), Sequential(Tanh(), ReLU()), join="add"),
    )


def test_what_is_repeated_has_weights_of_its_own():
    layers = from_toml('[{kind = "repeat", times = 3, layers = [{kind = "affine", units = 4}, "relu"]}]')
    net = Network(layers, 4)
    assert [name for name in net.params if "weight" in name] == [f"affine{i}.weight" for i in (1, 2, 3)]
    assert not np.array_equal(net.params["affine1.weight"], net.params["affine2.weight"])


def test_every_layer_can_be_written():
    """A layer that is added to the library must be added to KINDS; those that a network joins are no one's to write."""

    def below(kind):
        return {kind, *(k for sub in kind.__subclasses__() for k in below(sub))}

    ours = {
        k
        for k in below(Layer)
        if k.__module__.startswith("plaingrad.network.") and not issubclass(k, Combinator | Joined)
    }
    bases = {"Layer", "Activation", "Pool2d"}
    assert {k for k in ours if k.__name__ not in bases} == set(KINDS.values())
    for word, kind in KINDS.items():
        assert word.replace("-", "").removesuffix("2d") == kind.__name__.lower().removesuffix("2d")
        assert "kind" not in {f.name for f in fields(kind)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", r"layers must be a list of layers"),
        ('"relu"', r"layers must be a list of layers"),
        ("[3]", r"layers\[0\] must be the name of a layer or a table"),
        ("[{units = 3}]", r"layers\[0\] must be the name of a layer or a table with its kind"),
        ('["relu", "convv"]', r"layers\[1\]: there is no layer 'convv'; did you mean 'conv'"),
        ('[{kind = "conv", filters = 3}]', r"layers\[0\]: conv needs size"),
        ('["conv"]', r"layers\[0\]: conv needs filters and size"),
        (
            '[{kind = "conv", filters = 3, sise = 3}]',
            r"layers\[0\].sise: conv has no such field; did you mean 'size'",
        ),
        (
            '[{kind = "conv", filters = 0, size = 3}]',
            r"layers\[0\]: conv: filters must be a whole number, 1 or more, got 0",
        ),
        ('[{kind = "conv", filters = 3, size = 3, stride = -1}]', r"conv: stride must be .* got -1"),
        (
            '[{kind = "conv", filters = 3, size = 3, groups = 2}]',
            r"conv: 3 filters do not divide into 2 groups",
        ),
        (
            '[{kind = "conv", filters = 3, size = 3, bias = 1}]',
            r"layers\[0\].bias must be true or false, got 1",
        ),
        ('[{kind = "dropout", rate = "x"}]', r"layers\[0\].rate must be a finite number, got 'x'"),
        ('[{kind = "scale", factor = inf}]', r"layers\[0\].factor must be a finite number, got inf"),
        ('[{kind = "scale", factor = "x"}]', r"layers\[0\].factor must be a finite number, got 'x'"),
        (
            '[{kind = "batchnorm", momentum = 1.5}]',
            r"layers\[0\]: BatchNorm: momentum must be from 0 to below 1",
        ),
        ('[{kind = "batchnorm", eps = -1}]', r"layers\[0\]: BatchNorm: eps must be 0 or more"),
        ('[{kind = "conv", filters = true, size = 3}]', r"conv: filters must be a whole number.* got True"),
        ('[{kind = "conv", filters = 3, size = true}]', r"conv: size must be a whole number.* got True"),
        ('[{kind = "affine", units = true}]', r"affine needs a whole number of units"),
        (
            '[{kind = "repeat", times = 1000000, layers = ["relu"]}]',
            r"layers\[0\].times must be at most 1000",
        ),
        ('[{kind = "dropout", rate = 1}]', r"layers\[0\]: dropout needs a rate from 0 to below 1"),
        ('[{kind = "affine", units = "ten"}]', r"layers\[0\]: affine needs a whole number of units"),
        (
            '[{kind = "affine", units = 3, weight_init = "best"}]',
            r"weight_init must be one of he, uniform, xavier, or",
        ),
        ('[{kind = "residual"}]', r"layers\[0\].body must be a list of layers"),
        ('[{kind = "residual", body = ["rel"]}]', r"layers\[0\].body\[0\]: there is no layer 'rel'"),
        ('[{kind = "residual", layers = ["relu"]}]', r"layers\[0\].layers: residual has no such field"),
        ('[{kind = "branch", paths = ["relu"]}]', r"layers\[0\].paths\[0\] must be a list of layers"),
        ('[{kind = "branch", paths = 3}]', r"layers\[0\].paths must be a list of lists"),
        (
            '[{kind = "branch", paths = [["relu"]], join = "sum"}]',
            r'layers\[0\]: Branch joins by "concatenate" or "add"',
        ),
        (
            '[{kind = "repeat", times = 0, layers = ["relu"]}]',
            r"layers\[0\].times must be a whole number, 1 or more",
        ),
    ],
)
def test_mistakes_are_told_with_their_place(text, message):
    with pytest.raises(RecipeError, match=message):
        from_toml(text)
    with pytest.raises(RecipeError, match=r"network\.layers"):
        check(tomllib.loads(f'[network]\nname = "layers"\nlayers = {text}'))
