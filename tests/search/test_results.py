"""What a search has found: scores over several seeds, the order, how sure it is, and the table as CSV."""

import csv
import io
import json
from pathlib import Path
from statistics import stdev

import pytest

from plaingrad.search.results import Opening, StudyResult, TrialResult, ranked


def a_trial(number, *accuracies, state="complete", **more):
    return TrialResult(
        number, state, more.pop("settings", {}), accuracies=accuracies, **{"samples": 400} | more
    )


def a_study(*trials, scales=None, seeds=1, **more):
    return StudyResult(
        "s", Path("s"), "digits", "tpe", "none", seeds, scales or {}, ranked([*trials]), **more
    )


def test_mean_spread_and_score():
    trial = a_trial(0, 0.8, 0.9, 1.0)
    assert trial.accuracy == pytest.approx(0.9)
    assert trial.spread == pytest.approx(0.1)
    assert trial.standard_error == pytest.approx(0.1 / 3**0.5)
    assert trial.score == pytest.approx(0.9 - 0.1 / 3**0.5)


def test_one_seed():
    trial = a_trial(0, 0.8)
    assert trial.spread is None
    assert trial.score == trial.accuracy - trial.standard_error
    assert trial.standard_error == pytest.approx((0.8 * 0.2 / 400) ** 0.5)  # of so many yes and no
    assert a_trial(0, 0.8, samples=0).standard_error is None


def test_no_seed():
    trial = a_trial(0, state="failed")
    assert [trial.accuracy, trial.spread, trial.standard_error, trial.score] == [None] * 4


def test_a_lucky_run_loses_against_a_steady_setting():
    lucky, steady = a_trial(0, 0.99, 0.80, 0.92), a_trial(1, 0.89, 0.90, 0.91)
    assert max(lucky.accuracies) > max(steady.accuracies)
    assert lucky.accuracy > steady.accuracy  # even on average
    result = a_study(lucky, steady, seeds=3)
    assert result.best is steady
    assert result.as_good(lucky)  # though nobody can tell


def test_the_steadier_of_two_equal_means_wins():
    wild, steady = a_trial(0, 0.8, 1.0), a_trial(1, 0.89, 0.91)
    assert a_study(wild, steady).best is steady


def test_seeds_that_agree_by_chance_are_no_surer_than_their_samples_allow():
    alike, spread = a_trial(0, 0.99, 0.99, 0.99), a_trial(1, 0.99, 0.995, 0.99)
    assert alike.spread == 0
    assert alike.standard_error == pytest.approx((0.99 * 0.01 / 400 / 3) ** 0.5)
    assert a_study(alike, spread, seeds=3).best is spread


def test_as_good():
    best = a_trial(0, 0.90)
    # Two standard errors of a difference of two accuracies near 0.9 on 400 samples: 0.042.
    near, far = a_trial(1, 0.87), a_trial(2, 0.84)
    pruned, failed = a_trial(3, 0.90, state="pruned"), a_trial(4, state="failed")
    result = a_study(far, pruned, near, best, failed)
    assert result.best is best
    assert [result.as_good(own) for own in (best, near, far, pruned, failed)] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert not a_study(pruned).as_good(pruned)


def test_as_good_where_all_seeds_agree():
    best, other = a_trial(0, 0.9, 0.9), a_trial(1, 0.8, 0.8)
    assert [a_study(best, other).as_good(own) for own in (best, other)] == [True, False]


def test_ranking():
    trials = [
        a_trial(0, state="waiting"),
        a_trial(1, state="failed"),
        a_trial(2, 0.5),
        a_trial(3, state="diverged", curve=((1, 0.3),)),
        a_trial(4, 0.99, state="pruned", curve=((1, 0.99),)),
        a_trial(5, 0.7),
        a_trial(6, 0.2, state="pruned", curve=((1, 0.1), (2, 0.2))),
        a_trial(7, 0.7),
        a_trial(8, state="running"),
        a_trial(9, 0.1, state="pruned", curve=((1, 0.1),)),
    ]
    expected = [5, 7, 2, 6, 4, 9, 3, 1, 8, 0]
    assert [own.number for own in ranked(trials)] == expected
    assert [own.number for own in ranked(trials[::-1])] == expected


def test_a_pruned_trial_never_wins():
    assert a_study(a_trial(0, 0.99, state="pruned"), a_trial(1, 0.1)).best.number == 1
    assert a_study(a_trial(0, 0.99, state="pruned")).best is None
    assert a_study().best is None


def test_count():
    result = a_study(a_trial(0, 0.5), a_trial(1, 0.5, state="pruned"), a_trial(2, state="failed"))
    assert [result.count("complete"), result.count("pruned", "failed"), result.count("running")] == [1, 2, 0]


SCALES = {"optimizer.lr": "log", "network.hidden": "choice", "network.activation": "choice"}


def test_csv_parses_back():
    setting = {"optimizer.lr": 0.00123456789012, "network.hidden": [64, 32], "network.activation": "relu"}
    failure = 'not finite, "NaN",\nin <b>layer</b> affine1'
    result = a_study(
        a_trial(0, 0.91, 0.93, settings=setting, seconds=1.5, weights=1234),
        a_trial(1, state="diverged", settings=setting | {"optimizer.lr": 1e30}, failure=failure, diagnosis="lower lr"),
        a_trial(2, 0.5, state="pruned", settings=setting),
        a_trial(3, state="waiting"),
        scales=SCALES, seeds=2)  # fmt: skip
    first, second, third, fourth = csv.DictReader(io.StringIO(result.to_csv()))
    assert list(first) == [
        "rank", "trial", "state", "accuracy", "spread", "seed 0", "seed 1", "seconds", "weights",
        *SCALES, "failure", "diagnosis"]  # fmt: skip
    assert float(first["optimizer.lr"]) == 0.00123456789012  # every digit
    assert json.loads(first["network.hidden"]) == [64, 32]
    assert first["network.activation"] == "relu"
    assert first["rank"] == "1"
    assert float(first["accuracy"]) == pytest.approx(0.92)
    assert float(first["spread"]) == pytest.approx(stdev([0.91, 0.93]), abs=1e-6)
    assert [float(first["seed 0"]), float(first["seed 1"])] == [0.91, 0.93]
    assert [float(first["seconds"]), int(first["weights"])] == [1.5, 1234]
    assert [second["trial"], second["state"], second["rank"]] == ["2", "pruned", ""]
    assert [second["seed 0"], second["seed 1"], second["spread"]] == ["0.500000", "", ""]
    assert [third["state"], third["failure"], third["diagnosis"]] == ["diverged", failure, "lower lr"]
    assert float(third["optimizer.lr"]) == 1e30
    assert [fourth["state"], fourth["optimizer.lr"]] == ["waiting", ""]
    assert {len(row) for row in csv.reader(io.StringIO(result.to_csv()))} == {len(first)}


def test_a_trial_from_plain_values():
    outcome = {"accuracies": [0.5, 0.6], "curve": [(1, 0.5)], "runs": ["trials/0003-seed-0"], "seconds": 2.0}
    trial = TrialResult.of(3, "complete", {"a": 1}, json.loads(json.dumps(outcome)))
    assert trial.accuracies == (0.5, 0.6)
    assert trial.runs == ("trials/0003-seed-0",)
    told = json.loads(json.dumps(trial.to_dict()))
    assert [told["number"], told["accuracies"], told["settings"]] == [3, [0.5, 0.6], {"a": 1}]


def test_a_trial_in_a_line():
    trial = a_trial(3, 0.9, 0.92, settings={"optimizer.lr": 0.00123456, "network.hidden": [8]}, seconds=1.23)
    assert trial.line == "trial 3  val 0.9100 ± 0.0141  1.2 s  optimizer.lr 0.001235, network.hidden [8]"
    failed = a_trial(4, state="failed", settings={"a": "x"}, failure="no such network")
    assert failed.line == "trial 4  failed  0.0 s  a x: no such network"


def test_openings_as_plain_values():
    own = Opening(
        3, (1, 2), (0.9, 0.91), (0.88, 0.89), 300, "2030-01-02T03:04:05+00:00", ("final/a", "final/b")
    )
    assert Opening.from_dict(json.loads(json.dumps(own.to_dict()))) == own


def test_a_study_as_plain_values():
    own = Opening(0, (1,), (0.9,), (0.88,), 300, "2030-01-02T03:04:05+00:00")
    result = a_study(a_trial(0, 0.9), a_trial(1, 0.8), openings=(own,), importance={"a": 1.0})
    told = json.loads(json.dumps(result.to_dict()))
    assert told["best"]["number"] == 0
    assert [trial["number"] for trial in told["trials"]] == [0, 1]
    assert told["test_set_openings"] == [json.loads(json.dumps(own.to_dict()))]
    assert json.loads(json.dumps(a_study().to_dict()))["best"] is None
