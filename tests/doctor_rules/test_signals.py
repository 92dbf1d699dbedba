"""Gradients, units and the first weights."""

from __future__ import annotations

from dataclasses import replace

import pytest

from doctor_rules.runs import (
    STEPS,
    bare,
    data,
    evaluations,
    healthy,
    layer,
    look,
    looks,
    losses,
    scores,
    weight,
)
from plaingrad.insight.doctor.rules import examine, scale, signal, units
from plaingrad.insight.facts import ParameterFacts


def deep(gradients, kind="relu"):
    """Looks at hidden layers with these gradients, from the first to the last."""
    layers = tuple(layer(f"{kind}{i}", kind, gradient=g) for i, g in enumerate(gradients, start=1))
    return healthy(looks=looks(layers=layers))


def test_gradients_that_fade_vanish_and_those_that_grow_explode():
    vanished = signal.vanishing_gradients(deep([1e-5, 1e-4, 1e-2, 1.0], "sigmoid"))
    assert vanished is not None
    assert "sigmoid1" in vanished.what
    assert not signal.exploding_gradients(deep([1e-5, 1e-4, 1e-2, 1.0]))
    exploded = signal.exploding_gradients(deep([1e3, 50.0, 5.0, 1.0]))
    assert exploded is not None
    assert exploded.remedy == {"training.clip_norm": 1.0}
    assert not signal.vanishing_gradients(deep([1e3, 50.0, 5.0, 1.0]))


def test_a_factor_of_ten_is_neither():
    for gradients in ([0.1, 0.3, 0.5, 1.0], [10.0, 5.0, 2.0, 1.0]):
        run = deep(gradients)
        assert not signal.vanishing_gradients(run)
        assert not signal.exploding_gradients(run)


def test_without_layers_biases_tell():
    def parameters(sizes):
        return tuple(
            ParameterFacts(f"{letter}{i}", 64, 1.0, 0.1, g, 1e-3)
            for i, g in enumerate(sizes, start=1)
            for letter in "Wb"
        )

    seen = looks(layers=(), parameters=parameters([1e-5, 1e-3, 0.1, 1.0, 1.0]))
    assert signal.vanishing_gradients(healthy(looks=seen))


def test_a_bias_before_a_normalisation_has_no_gradient_and_proves_nothing():
    names = (
        "W1",
        "b1",
        "gamma1",
        "beta1",
        "W2",
        "b2",
        "gamma2",
        "beta2",
        "W3",
        "b3",
        "gamma3",
        "beta3",
        "W4",
        "b4",
    )
    gradients = {"b1": 1e-9, "b2": 2e-9, "b3": 5e-9}
    parameters = tuple(ParameterFacts(n, 64, 1.0, 0.1, gradients.get(n, 1.0), 1e-3) for n in names)
    assert not signal.vanishing_gradients(healthy(looks=looks(layers=(), parameters=parameters)))


def dying(shares):
    """Looks at which so many units of relu1 are dead."""
    return tuple(
        look(step, layers=(layer("relu1", "relu", dead=share),))
        for step, share in zip((0, 10, 100, STEPS), shares, strict=True)
    )


def test_units_that_die_are_found_with_the_step_from_which_they_were_dead():
    finding = units.dead_relus(healthy(looks=dying([0.0, 0.5, 0.95, 0.97])))
    assert finding is not None
    assert finding.sure == 0.95
    assert any("from step 100 on" in e for e in finding.evidence)
    assert finding.remedy == {"optimizer.lr": 0.01}
    born = units.dead_relus(healthy(looks=dying([1.0, 1.0, 1.0, 1.0])))
    assert born is not None
    assert born.remedy == {}
    assert not units.dead_relus(healthy(looks=dying([0.2, 0.3, 0.4, 0.4])))


def test_saturated_from_the_start_counts_but_not_later():
    def seen(*shares):
        return tuple(
            look(s, layers=(layer("tanh1", "tanh", saturated=v),))
            for s, v in zip((0, 10, 400), shares, strict=True)
        )

    assert units.saturated_units(healthy(looks=seen(0.8, 0.8, 0.6)))
    assert not units.saturated_units(healthy(looks=seen(0.05, 0.1, 0.6)))


def first(gain, std, loss):
    """A first look at weights of this gain and scores of this size."""
    parameters = (*weight("affine1.weight", gain=gain), *weight("affine2.weight", gain=gain))
    return look(0, parameters=parameters, scores=scores(std=std, loss=loss))


def test_large_weights_with_large_scores_are_a_bad_scale_but_large_inputs_are_not():
    assert scale.bad_initial_scale(healthy(looks=(first(10.0, 90.0, 120.0),)))
    assert not scale.bad_initial_scale(healthy(looks=(first(1.4, 90.0, 120.0),)))
    assert not scale.bad_initial_scale(healthy(looks=(first(3.0, 2.0, 3.0),)))


def test_small_weights_are_a_bad_scale_only_if_the_loss_stays():
    stuck = (first(1e-3, 1e-6, 2.3026), look(40, scores=scores(loss=2.3024)))
    assert scale.bad_initial_scale(healthy(looks=stuck))
    learning = (first(1e-3, 1e-6, 2.3026), look(40, scores=scores(loss=1.9)))
    assert not scale.bad_initial_scale(healthy(looks=learning))


def test_from_losses_alone_only_a_huge_first_loss_counts():
    def run(start):
        return bare(losses=losses(lambda p: start / (1 + 50 * p)))

    assert scale.bad_initial_scale(run(40.0))
    assert not scale.bad_initial_scale(run(4.0))


def test_dead_units_are_not_blamed_on_weights_of_the_right_size():
    dead = tuple(
        look(s, layers=(layer("relu1", "relu", dead=1.0),), scores=scores(std=0.0, spread=0.0, loss=2.3026))
        for s in (0, 10, 40, STEPS)
    )
    run = healthy(looks=dead, evaluations=evaluations([0.1] * 10, [0.1] * 10), data=data())
    assert [f.condition for f in examine(run)] == ["dead_relus"]


@pytest.mark.parametrize("rule", [signal.vanishing_gradients, units.dead_relus, scale.bad_initial_scale])
def test_values_that_are_not_finite_raise_nothing(rule):
    broken = look(0, layers=tuple(layer(f"relu{i}", "relu", gradient=float("nan")) for i in range(4)))
    rule(healthy(looks=(replace(broken, scores=scores(std=float("nan"), loss=float("nan"))),)))
