"""A file of the user's own: found, loaded, guessed, and what is missing said in one sentence."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from plaingrad.errors import RecipeError
from plaingrad.insight.gradients.user_file import check_file

STUDENT = Path(__file__).with_name("student.py").read_text(encoding="utf-8")

PAIR = """
import numpy as np

def affine_forward(x, w, b):
    return x @ w + b, (x, w)

def affine_backward(dout, cache):
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.mean(axis=0)

def odd_forward(a, options):
    return a[options["at"]], (a, options)

def odd_backward(dout, cache):
    gradient = np.zeros_like(cache[0])
    gradient[cache[1]["at"]] = dout
    return gradient

affine_inputs = np.ones((3, 2)), np.arange(8.0).reshape(2, 4), np.zeros(4)
"""

NETWORKS = """
import numpy as np
import plaingrad as pg

def flat(input_dim, num_classes, dtype=np.float32, seed=1):
    assert dtype is np.float64
    return pg.FullyConnectedNet([4], input_shape=input_dim, classes=num_classes, dtype=dtype, seed=seed)

made = pg.FullyConnectedNet([4], input_shape=(2, 3), classes=4)
layer = pg.BatchNorm()

class Guessed:
    def __init__(self, hidden_dim):
        self.net = pg.FullyConnectedNet([hidden_dim], input_shape=9, classes=2, dtype=np.float64)
        self.params = dict(self.net.params)

    def loss(self, X, y=None):
        assert X.shape[1:] == (9,)
        for name, value in self.params.items():
            self.net.params[name] = value
        return self.net.loss(X, y)

class Closed:
    params = {"b": np.zeros(3)}

    def loss(self, X, y=None):
        raise ValueError("no such samples")

class Needy(Guessed):
    def __init__(self, alphabet):
        super().__init__(alphabet)

class Neither:
    pass
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    def write(text, name="mine.py"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield write
    for name in set(sys.modules) - before:
        if name.startswith("plaingrad_checked_"):
            del sys.modules[name]


def test_a_class(file):
    name = file(STUDENT)
    assert check_file(f"{name}:Student").ok


def test_its_line_is_found(file):
    name = file(STUDENT.replace('bug=""', 'bug="mean for sum"'))
    finding = check_file(f"{name}:Student").findings[0]
    assert finding.likely == "bias_mean_for_sum"
    assert finding.line.startswith("mine.py:")


@pytest.mark.parametrize("target", ["affine", "affine_forward"])
@pytest.mark.parametrize("own_inputs", [True, False])
def test_a_pair_on_its_inputs_or_guessed_ones(file, target, own_inputs):
    name = file(PAIR if own_inputs else PAIR.replace("affine_inputs", "others"))
    report = check_file(f"{name}:{target}")
    assert (report.findings[0].likely, report.findings[0].parameter) == ("bias_mean_for_sum", "b")
    assert report["x"].size == (6 if own_inputs else 20)


@pytest.mark.parametrize("target", ["flat", "made", "Guessed"])
def test_functions_instances_and_guesses(file, target):
    report = check_file(f"{file(NETWORKS)}:{target}")
    assert report.ok, report


def test_given_shapes_and_classes(file):
    report = check_file(f"{file(NETWORKS)}:flat", input_shape=(7,), classes=4)
    assert report.ok
    assert report["affine1.weight"].size == 28
    assert check_file(f"{file(NETWORKS)}:layer", input_shape=(3, 4, 4)).ok


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("mine.py", "FILE.py:NAME"),
        ("other.py:Net", "there is no file other.py"),
        ("mine.py:Guesed", "has no 'Guesed'; did you mean 'Guessed'"),
        ("mine.py:Neither", "without params and loss"),
        ("mine.py:Needy", "needs 'alphabet'"),
        ("mine.py:Closed", r"shape of Closed cannot be guessed .*no such samples; give.*--input-shape"),
        ("mine.py:layer", "--input-shape"),
    ],
)
def test_what_is_missing(file, target, words):
    file(NETWORKS)
    with pytest.raises(RecipeError, match=words) as raised:
        check_file(target)
    assert raised.value.exit_code == 2
    assert "\n" not in str(raised.value)


def test_inputs_that_cannot_be_guessed(file):
    with pytest.raises(RecipeError, match=r"odd_forward\(a, options\).*odd_inputs"):
        check_file(f"{file(PAIR)}:odd")


def test_a_shape_that_does_not_fit(file):
    with pytest.raises(RecipeError, match=r"does not take samples of shape \(5,\)"):
        check_file(f"{file(NETWORKS)}:made", input_shape=(5,))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\ny = undefined\n", "line 2: importing it raised NameError"),
        ("def f(:\n    pass\n", "line 1: importing it raised SyntaxError"),
        ("import sys\nsys.exit(3)\n", "line 2: importing it raised SystemExit"),
    ],
)
def test_a_file_that_fails(file, text, words):
    with pytest.raises(RecipeError, match=words):
        check_file(f"{file(text)}:Net")


ONE_LAYER = """
import numpy as np


class Net:
    def __init__(self):
        self.params = {params}

    def loss(self, X, y=None):
        scores = X @ self.params["W"]
        if y is None:
            return scores
        {before}
        d = scores - y[:, None]
        return {returned}
"""
RIGHT = {
    "params": '{"W": np.ones((4, 1))}',
    "before": "pass",
    "returned": '(d**2).sum() / 2, {"W": X.T @ d}',
}


def test_the_net_that_the_following_spoil_is_right(file):
    file(ONE_LAYER.format(**RIGHT))
    assert check_file("mine.py:Net").ok


@pytest.mark.parametrize(
    ("spoiled", "words"),
    [
        ({"before": "raise KeyError('W9')"}, "mine.py, line 13: the loss of Net raised KeyError: 'W9'"),
        ({"before": "raise SystemExit(3)"}, "mine.py, line 13: the loss of Net raised SystemExit: 3"),
        ({"before": "raise ValueError('one\\ntwo')"}, "raised ValueError: one two"),
        (
            {"before": "self.n = getattr(self, 'n', 0) + 1; assert self.n < 4"},
            "checking Net raised AssertionError$",
        ),
        ({"params": "[np.ones((4, 1))]"}, "params must be a dict of names and arrays, got list"),
        ({"params": '{"W": np.ones((4, 1)), "s": 1.0}'}, r"params\['s'\] must be a NumPy array.*got float"),
    ],
)
def test_what_the_files_own_code_raises_is_one_sentence(file, spoiled, words):
    file(ONE_LAYER.format(**RIGHT | spoiled))
    with pytest.raises(RecipeError, match=words) as raised:
        check_file("mine.py:Net")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        ('{"W": X.T @ d}, (d**2).sum()', "it returned a tuple of dict, float64"),
        ("(d**2).sum()", "it returned float64"),
        ('d[:, 0] ** 2, {"W": X.T @ d}', r"one number as the loss, not an array of shape \(6,\)"),
    ],
)
def test_a_loss_that_returns_something_else_is_a_finding(file, returned, words):
    file(ONE_LAYER.format(**RIGHT | {"returned": returned}))
    (found,) = check_file("mine.py:Net").findings
    assert found.likely == "shape"
    assert re.search(words, found.explanation)


def test_too_few_classes(file):
    file(ONE_LAYER.format(**RIGHT))
    with pytest.raises(RecipeError, match="at least 1 class, got 0"):
        check_file("mine.py:Net", classes=0)


PAIRS = """
import numpy as np


def lonely_forward(x):
    return x, None


def fussy_forward(a, q):
    raise ValueError("q is a string")


def fussy_backward(dout, cache):
    return dout


def sized_inputs():
    return 1 / 0


def sized_forward(x):
    return x, None


def sized_backward(dout, cache):
    return dout


def wordy_forward(x):
    return "x", None


def wordy_backward(dout, cache):
    return dout
"""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lonely", "lonely_forward but no lonely_backward"),
        ("fussy", r"cannot be guessed \(mine.py, line 10: fussy_forward raised ValueError: q is a string\)"),
        ("sized", "mine.py, line 18: sized_inputs raised ZeroDivisionError"),
    ],
)
def test_pairs_that_cannot_be_run(file, name, words):
    file(PAIRS)
    with pytest.raises(RecipeError, match=words):
        check_file(f"mine.py:{name}")


def test_an_output_that_is_no_number_is_a_finding(file):
    file(PAIRS)
    (found,) = check_file("mine.py:wordy").findings
    assert found.explanation.startswith("The output must be an array of numbers, not str.")


def test_a_model_of_words_and_one_of_a_single_vector(file):
    file("""
import numpy as np


class Words:
    def __init__(self):
        self.params = {"E": np.random.default_rng(0).standard_normal((9, 3))}

    def loss(self, X, y=None):
        scores = self.params["E"][X].mean(axis=1)
        if y is None:
            return scores
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        d = (p - np.eye(3)[y]) / len(y)
        dE = np.zeros((9, 3))
        np.add.at(dE, X, d[:, None] / X.shape[1])
        return -np.log(p[np.arange(len(y)), y]).mean(), {"E": dE}


class Vector:
    def __init__(self):
        self.params = {"b": np.zeros(()), "w": np.arange(4.0)}

    def loss(self, X, y=None):
        out = X @ self.params["w"] + self.params["b"]
        if y is None:
            return out
        d = out - y
        return (d @ d) / 2, {"w": X.T @ d, "b": d.sum()}
""")
    assert check_file("mine.py:Words").ok
    assert check_file("mine.py:Vector").ok
