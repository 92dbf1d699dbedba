"""What pages say in words."""

import math
import re

import pytest

from plaingrad.callbacks import EpochRecord
from plaingrad.history import History
from plaingrad.report.words import counted, duration, headline, percent, stated

RESULT = {"epochs": 20.0, "seconds": 12.34, "best_val_accuracy": 0.5, "test_accuracy": 0.25}
SAMPLES = {"test": 300, "validation": 1200}


def record(step, val=0.5, train=0.75):
    return EpochRecord(step / 2, step, 0.1, 1.5, train, val, 3.25)


BROKEN = {"type": "non_finite", "step": 1234, "where": "affine2"}


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0.0 s"), (0.04, "0.0 s"), (59.94, "59.9 s"), (59.95, "1 min 0 s"), (60, "1 min 0 s"),
        (119.4, "1 min 59 s"), (119.6, "2 min 0 s"), (3599.4, "59 min 59 s"), (3599.6, "1 h 0 min"),
        (3600, "1 h 0 min"), (90_000, "25 h 0 min"), (3600 * 1234, "1,234 h 0 min"),
    ],
)  # fmt: skip
def test_a_duration(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0 epochs"), (1, "1 epoch"), (1.004, "1 epoch"), (1.5, "1.5 epochs"), (3.25, "3.25 epochs"),
        (10, "10 epochs"), (100.0, "100 epochs"), (1470, "1,470 epochs"),
    ],
)  # fmt: skip
def test_a_number_of_things(number, said):
    assert counted(number, "epochs") == said


def test_a_share():
    assert percent(0.98765) == "98.8 %"
    assert percent(0.98765, 2) == "98.77 %"
    assert percent(None) == percent(math.nan) == percent(math.inf) == "–"


@pytest.mark.parametrize("junk", ["0.5", None, True, [0.5], {}, math.nan, math.inf, -0.1, 10**400])
def test_a_number_that_is_none(junk):
    assert stated({"name": junk}, "name") is None


def test_a_number_of_a_record():
    assert stated({"name": 2}, "name") == 2.0
    assert stated({"name": 2}, "name", most=1) is None
    assert stated({}, "name") is None
    assert stated(None, "name") is None


def test_the_result_of_a_run_with_a_test():
    history = History([1.0] * 4, [record(2), record(4)], result=RESULT)
    assert headline(history, SAMPLES) == (
        "25.0 % of 300 test images are named right after 20 epochs, in 12.3 s of training.",
        # By Wilson's formula, worked by hand; both evaluations are as good, and the first was kept.
        "Between 20.4 % and 30.2 %, with 95 % confidence. The weights are those of epoch 1, the best on validation.",
    )
    said, doubt = headline(history, {}, "samples")
    assert said.startswith("25.0 % of the test samples are named right")
    assert doubt == "The weights are those of epoch 1, the best on validation."


def test_the_result_of_a_run_without_a_test():
    result = RESULT | {"test_accuracy": None}
    said, doubt = headline(History([1.0] * 4, [record(4)], result=result), SAMPLES)
    assert said.startswith("50.0 % of 1,200 validation images were named right at best after 20 epochs")
    assert doubt == "Between 47.2 % and 52.8 %, with 95 % confidence."
    _, doubt = headline(History([1.0] * 4, [record(2), record(4)], result=result), SAMPLES)
    assert doubt == "It is the best of 2 evaluations, chosen by these very images."


def test_the_result_of_a_run_that_was_measured_on_training_samples_alone():
    nothing = {"test_accuracy": None, "best_val_accuracy": None}
    history = History([1.0] * 4, [record(4, val=None)], result=RESULT | nothing)
    assert headline(history, {}) == (
        "Training ended after 20 epochs, in 12.3 s of training.",
        "75.0 % of the training images looked at were named right last.",
    )


@pytest.mark.parametrize(
    ("accuracy", "sure"), [(0.0, "Between 0.0 % and 1.3 %"), (1.0, "Between 98.7 % and 100.0 %")]
)
def test_an_extreme_result_is_not_certain(accuracy, sure):
    said, doubt = headline(History(result=RESULT | {"test_accuracy": accuracy, "epochs": 1}), SAMPLES)
    assert said.startswith(f"{percent(accuracy)} of 300 test images are named right after 1 epoch, in")
    assert doubt.startswith(sure)


@pytest.mark.parametrize(
    ("fraction", "said"),
    [
        (1, "100.0 %"),
        (0.9996, "99.96 %"),
        (0.99996, "99.996 %"),
        (0, "0.0 %"),
        (1e-4, "0.01 %"),
        (1e-9, "1e-07 %"),
    ],
)
def test_all_and_nothing_are_not_rounded_to(fraction, said):
    assert percent(fraction) == said


def test_a_run_that_has_not_ended():
    assert headline(History(), {}) == ("This run has recorded nothing yet.", "")
    assert headline(History([1.0]), {}) == ("This run has not ended: 1 step is on record.", "")
    assert headline(History([1.0] * 1470), {})[0] == "This run has not ended: 1,470 steps are on record."
    assert headline(History([1.0] * 4, [record(2, 0.3), record(4, 0.2)]), {}) == (
        "This run has not ended: 2 epochs are on record.",
        "So far, 30.0 % of the validation images were named right at best.",
    )
    setup = {"type": "setup", "step": 0, "total_steps": 100, "steps_per_epoch": 2}
    said, _ = headline(History([1.0] * 4, [record(2), record(4)], [setup]), {})
    assert said == "This run has not ended: 2 of 50 epochs are on record."
    said, _ = headline(History([], [record(2)]), {})
    assert said == "This run has not ended: 1 epoch is on record."


def test_a_run_that_broke_off():
    assert headline(History([1.0], seen=[BROKEN]), {}) == (
        "This run broke off at step 1,234: a value in affine2 was no finite number.",
        "",
    )
    _, doubt = headline(History([1.0], [record(2)], seen=[BROKEN]), SAMPLES)
    assert doubt == "Until then, 50.0 % of 1,200 validation images were named right at best."
    said, _ = headline(History(seen=[BROKEN | {"where": "loss"}]), {})
    assert said == "This run broke off at step 1,234: a value in the loss was no finite number."
    said, _ = headline(History(seen=[{"type": "non_finite", "step": 0}]), {})
    assert said == "This run broke off at step 0: a value in it was no finite number."


JUNK = ["nonsense", None, True, [1], {"a": 1}, math.nan, math.inf, -math.inf, -1, 10**400]


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("name", [*RESULT, "all", "where"])
@pytest.mark.parametrize("measured", [True, False])
def test_no_junk_comes_into_a_sentence(name, junk, measured):
    result = dict.fromkeys(RESULT, junk) if name == "all" else RESULT | {name: junk}
    seen = [BROKEN | {"where": junk}] if name == "where" and junk != "nonsense" else []
    records = [record(2), record(4, None)] if measured else []
    for sentence in headline(History([1.0], records, seen, result=None if seen else result), SAMPLES):
        assert not re.search(r"nan|None|inf\b|inf %|nonsense|True|\[|\{|-1", sentence)
        assert sentence == "" or sentence[0].isupper() or sentence[0].isdigit()
        assert sentence == "" or sentence.endswith(".")
    if name != "where":
        said, doubt = headline(History([1.0], records, result=result), SAMPLES)
        assert "25.0 %" in said if name not in ("all", "test_accuracy") else "25.0 %" not in said
        assert doubt or not measured
