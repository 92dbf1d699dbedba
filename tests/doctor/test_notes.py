"""Notes: as lines of a file and back, and what no watch wrote."""

from __future__ import annotations

import json
import math

import pytest

from doctor import models
from doctor.test_watch import network, watched
from plaingrad.callbacks import EpochRecord
from plaingrad.data import as_dataset
from plaingrad.insight.data_facts import data_facts
from plaingrad.insight.doctor import Look, NonFinite, Order, Probes, Setup
from plaingrad.insight.doctor.notes import Measured, Note, from_line, gather, to_line


def line(note):
    """As a file holds it."""
    kind, values = to_line(note)
    return json.loads(json.dumps({"type": kind, **values}))


@pytest.mark.parametrize("model", [network(), models.Student()])
def test_every_note_of_a_run_comes_back_equal(model):
    watch = watched(model)
    assert {type(note.what) for note in watch.notes} == {Setup, Order, Probes, Look, Measured}
    facts = data_facts(as_dataset(models.points()))
    for note in [*watch.notes, Note(3, NonFinite(3, "affine1", (1, 2))), Note(9, facts)]:
        assert from_line(line(note)) == note


def test_what_a_later_version_adds_is_passed_over():
    note = Note(7, Order(0.1, None, 0.2, 0.3))
    assert from_line(line(note) | {"entropy": 3}) == note


@pytest.mark.parametrize("unmeasured", [None, 0.0])  # 0 is what older versions wrote
def test_a_class_without_samples_comes_back(unmeasured):
    note = Note(7, Measured(0.5, 0.6, (3, 0), (1.0, unmeasured)))
    assert from_line(line(note)) == note


LOOK = line(Note(1, Look(1, 2.0, 3.0)))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"loss": "much"}, "look.loss cannot be 'much'"),
        ({"loss": True}, "look.loss cannot be True"),
        ({"loss": "x" * 10_000}, "^look.loss cannot be 'xxxxx.{,40}$"),
        ({"loss": 10**400}, "look.loss cannot be 1000"),
        ({"step": 1.5}, "look.step cannot be 1.5"),
        ({"step": -1}, "look.step cannot be -1"),
        ({"step": 2**70}, "look.step cannot be"),
        ({"parameters": 3}, "look.parameters cannot be 3"),
        ({"parameters": [3]}, "look.parameters must be an object, got 3"),
        ({"parameters": [{"name": "W1"}]}, "look.parameters: .*missing"),
        ({"scores": [1]}, "look.scores must be an object"),
    ],
)
def test_what_no_watch_wrote_is_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        from_line(LOOK | wrong)


def test_what_is_missing_is_refused_if_it_must_be_there():
    with pytest.raises(ValueError, match="look: .*gradient_norm"):
        from_line({name: value for name, value in LOOK.items() if name != "gradient_norm"})


def test_gathering_takes_the_last_word_on_each_step():
    record = EpochRecord(1.0, 10, 0.1, 2.0, 0.5, None, 1.0)
    notes = [
        Note(0, Setup(lr=1.0)),
        Note(10, Look(10, 1.0, 1.0)),
        Note(0, Look(0, 2.0, 1.0)),
        Note(10, Measured(train_loss=1.5)),
        Note(10, Look(10, 3.0, 1.0)),
        Note(10, Measured(train_loss=2.5)),
        Note(10, Setup(lr=2.0)),
        Note(20, NonFinite(20, "W1")),
        Note(21, NonFinite(21, "W2")),
    ]
    evidence = gather(notes, losses=[1, 2], records=[record], classes=3)
    assert evidence.setup.lr == 2.0
    assert [(look.step, look.loss) for look in evidence.looks] == [(0, 2.0), (10, 3.0)]
    assert evidence.evaluations[0].train_loss == 2.5
    assert evidence.evaluations[0].train_accuracy == 0.5
    assert evidence.non_finite.where == "W1"


def test_newer_facts_of_the_data_replace_those_noted():
    noted, newer = (data_facts(as_dataset(models.points(count))) for count in (80, 120))
    assert gather([Note(9, noted)]).data == noted
    assert gather([Note(9, noted)], data=newer).data == newer
    assert gather([]).data is None


def test_probes_that_were_asked_again_hold_all_answers():
    start, end = Probes(company=0.1), Probes(repeat=0.5, company=0.1)
    assert gather([Note(0, start), Note(9, end)]).probes == end


def test_an_order_once_known_to_repeat_stays_known():
    first, later = Order(1.0, True, 0.5, 0.5), Order(1.0, None, 0.5, 0.5)
    assert gather([Note(5, first), Note(9, later)]).order == first


def test_a_learning_rate_that_is_no_number_is_not_known():
    records = [EpochRecord(1.0, 10, rate, 2.0, 0.5, None, 1.0) for rate in (math.nan, 0.1)]
    assert [own.lr for own in gather([], records=records).evaluations] == [None, 0.1]
