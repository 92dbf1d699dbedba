"""The shelf is sane: what the score says rests on it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from plaingrad.insight.doctor import CONDITIONS, Evidence, NonFinite

from .records import Record, decoded, load, save
from .sets import DIGITS, DIGITS_ALL, noisy, permuted, sorted_by_label, thinned
from .shelf import HEALTHY, PLANTED, SHELF, run_called


def test_ids_are_unique():
    assert not [name for name, times in Counter(run.id for run in SHELF).items() if times > 1]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_each_condition_is_planted_in_several_ways(condition):
    runs = [run for run in PLANTED if run.condition == condition]
    assert len(runs) >= 3
    assert len({run.network for run in runs}) >= 2
    assert {run.dataset for run in runs} == {"digits", "cifar10"}


def test_there_are_sixty_healthy_runs_on_both_data_sets():
    assert len(HEALTHY) >= 60
    assert len({run.network for run in HEALTHY}) >= 10
    assert min(Counter(run.dataset for run in HEALTHY).values()) >= 20


def test_what_may_also_be_said_are_conditions_with_a_reason():
    for run in PLANTED:
        assert run.condition not in run.also, run.id
        assert set(run.also) <= set(CONDITIONS), run.id
        assert all(run.also.values()), run.id


@pytest.mark.parametrize("run", [run for run in SHELF if run.dataset == DIGITS], ids=lambda run: run.id)
def test_the_seed_decides_the_run(run):
    one, same, other = run.make(3), run.make(3), run.make(4)
    steps = range(min(2, one.total_steps))

    def batches(solver):
        return [solver.data.train.batch(solver.sampler(step)) for step in steps]

    for (X, y), (X_same, y_same) in zip(batches(one), batches(same), strict=True):
        np.testing.assert_array_equal(X, X_same)
        np.testing.assert_array_equal(y, y_same)
    first, again, drawn = (solver.model.params for solver in (one, same, other))
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
    unlike = [name for name in first if not np.array_equal(first[name], drawn[name])]
    assert unlike or run.id.endswith("zeros")  # where all weights start at 0


def test_changes_of_data():
    plain = DIGITS_ALL(0)
    noised = DIGITS_ALL.but(noisy(0.4))(0)
    assert 0.35 < (noised.train.labels != plain.train.labels).mean() < 0.45
    assert (noised.validation.labels == plain.validation.labels).all()
    moved = DIGITS_ALL.but(permuted())(0)
    assert sorted(map(bytes, moved.train.images)) == sorted(map(bytes, plain.train.images))
    assert (moved.train.images != plain.train.images).any(axis=(1, 2, 3)).mean() > 0.99
    assert (np.diff(DIGITS_ALL.but(sorted_by_label)(0).train.labels) >= 0).all()
    counts = np.bincount(
        DIGITS_ALL.but(thinned(lambda label: float(label != 9)))(0).train.labels, minlength=10
    )
    assert counts[9] == 0
    assert counts[0] == np.bincount(plain.train.labels)[0]


def test_records_come_back_as_they_were(tmp_path):
    run = replace(run_called("stopped_too_early/digits-mlp-1-epoch"), id="a/b")
    from .records import trained

    record = trained(run, 2)
    assert record.evidence.looks
    assert record.evidence.data is not None
    save(record, tmp_path)
    assert load(tmp_path) == [record]


def test_evidence_that_is_not_finite_comes_back_too():
    found = Record(
        "a/b", 0, Evidence(losses=(1.0, float("inf")), non_finite=NonFinite(1, "relu1", (3,))), None, None
    )
    import json
    from dataclasses import asdict

    assert decoded(Record, json.loads(json.dumps(asdict(found)))) == found
