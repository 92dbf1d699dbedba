"""The doctor during training: what is certain is said once, and nothing it does ends a run."""

from __future__ import annotations

import math

import pytest

import plaingrad as pg
from doctor import models
from doctor.models import finding
from plaingrad.errors import NonFiniteError


def told(examine, *, epochs=4, lr=0.05, **more):
    said = []
    doctor = pg.Doctor(said.append, share=math.inf, examine=examine, **more)
    models.solver(models.Student(), doctor, epochs=epochs, lr=lr).train()
    return said, doctor


def test_what_is_certain_is_said_once():
    said, _ = told(lambda evidence: (finding("overfitting", 0.95), finding("plateau", 0.6)))
    assert said == ["doctor: It is overfitting. (95 % sure) Try: Change it."]


def test_what_becomes_certain_is_said_then():
    said, _ = told(lambda e: (finding("overfitting", 1.0),) if len(e.evaluations) > 2 else ())
    assert len(said) == 1


def test_how_certain_is_a_choice():
    said, _ = told(lambda evidence: (finding("plateau", 0.6),), sure=0.5)
    assert len(said) == 1


def test_it_hears_of_the_end_and_that_the_run_goes_on_before():
    seen = []
    told(lambda evidence: seen.append(evidence.finished) or ())
    assert seen[-1] is True
    assert set(seen[:-1]) == {False}


def test_rules_that_fail_end_no_run():
    def examine(evidence):
        raise ZeroDivisionError("a rule is wrong")

    said, doctor = told(examine)
    assert said == []
    assert "a rule is wrong" in doctor.problem


def test_a_listener_that_fails_ends_no_run():
    def tell(sentence):
        raise BrokenPipeError("nobody reads")

    doctor = pg.Doctor(tell, examine=lambda evidence: (finding(),))
    solver = models.solver(models.Student(), doctor)
    solver.train()
    assert solver.step == solver.total_steps


def test_it_speaks_before_a_run_ends_in_a_value_that_is_not_finite():
    said = []
    with pytest.raises(NonFiniteError):
        models.solver(models.Student(), pg.Doctor(said.append), lr=1e200).train()
    assert said
    assert all(sentence.startswith("doctor: ") for sentence in said)


def test_by_default_it_prints_and_uses_every_rule(capsys):
    with pytest.raises(NonFiniteError):
        models.solver(models.Student(), pg.Doctor(), lr=1e200).train()
    assert capsys.readouterr().out.startswith("doctor: ")


def test_of_a_second_run_it_speaks_anew():
    said = []
    doctor = pg.Doctor(said.append, share=math.inf, examine=lambda evidence: (finding("overfitting", 0.95),))
    for _ in range(2):
        models.solver(models.Student(), doctor).train()
    assert len(said) == 2
