"""What a study remembers in its journal: trials and their draws, and what is done about a damaged journal."""

import json
import math
from collections import Counter

import optuna
import pytest

from plaingrad.errors import RunError, StorageError
from plaingrad.recipe import read_recipe
from plaingrad.search.plan import VERSION, Plan
from plaingrad.search.results import Opening
from plaingrad.search.space_file import space_of
from plaingrad.search.storage import opened
from plaingrad.search.store import Store

DIGITS = read_recipe("digits")
FIELDS = {
    "optimizer.lr": {"log-uniform": [1e-5, 1e-1]},
    "network.dropout": {"uniform": [0.0, 0.5]},
    "training.batch_size": {"integer": [50, 500], "step": 50},
    "network.hidden": [[8], [16], [16, 8]],
}


def a_plan(fields=None, **more):
    return Plan(DIGITS, space_of({"space": fields or FIELDS}), **{"method": "random"} | more)


@pytest.fixture
def store(tmp_path):
    with opened(tmp_path, "s", a_plan(), None) as own:
        yield own


def draw(folder, plan, count, *, score=None):
    """So many settings, in order; each trial ends with `score` of its setting."""
    folder.mkdir(exist_ok=True)
    with opened(folder, "s", plan, None) as store:
        return go_on(store, count, score)


def draw_in_memory(plan, count):
    """The same, where nothing is written."""
    storage = optuna.storages.InMemoryStorage()
    return go_on(
        Store(optuna.create_study(storage=storage, direction="maximize"), storage, plan, made=True), count
    )


def go_on(store, count, score=None):
    settings = []
    for _ in range(count):
        trial = store.claim(new=True)
        settings.append(store.plan.space.suggest(trial))
        reached = score(settings[-1]) if score else 0.5
        store.finish(trial, "complete", {"accuracies": [reached]}, reached)
    return settings


def test_draws_are_distributed_as_the_space_says():
    settings = draw_in_memory(a_plan(seed=1), 500)
    lr = [(math.log10(own["optimizer.lr"]) + 5) / 4 for own in settings]
    dropout = [own["network.dropout"] / 0.5 for own in settings]
    for values in (lr, dropout):  # both uniform on [0, 1] by now
        assert all(0 <= value <= 1 for value in values)
        assert chi_square(Counter(int(10 * value) for value in values), 10) < 27.9  # p = 0.001
    batch_sizes = Counter(own["training.batch_size"] for own in settings)
    assert set(batch_sizes) == set(range(50, 501, 50))  # both ends, and nothing between the steps
    assert chi_square(batch_sizes, 10) < 27.9
    hidden = Counter(json.dumps(own["network.hidden"]) for own in settings)
    assert set(hidden) == {"[8]", "[16]", "[16, 8]"}
    assert chi_square(hidden, 3) < 13.8
    # And fields are drawn independently of each other.
    means = sum(lr) / 500, sum(dropout) / 500
    both = sum((a - means[0]) * (b - means[1]) for a, b in zip(lr, dropout, strict=True)) / 500
    assert abs(both * 12) < 4 / math.sqrt(500)


def chi_square(counts, kinds):
    expected = sum(counts.values()) / kinds
    return sum((count - expected) ** 2 / expected for count in counts.values()) + expected * (
        kinds - len(counts)
    )


def test_a_logarithmic_integer():
    plan = a_plan({"training.batch_size": {"integer": [1, 8], "log": True}})
    drawn = Counter(own["training.batch_size"] for own in draw_in_memory(plan, 300))
    assert set(drawn) == set(range(1, 9))
    assert drawn[1] > 2 * drawn[8]


def test_draws_depend_on_seed_and_number_alone(tmp_path):
    one = draw(tmp_path / "one", a_plan(seed=1), 6)
    assert draw(tmp_path / "again", a_plan(seed=1), 6) == one
    assert draw(tmp_path / "other", a_plan(seed=2), 6) != one
    assert len({json.dumps(own) for own in one}) == 6
    # In two sittings, with other results, several at a time and told in another order.
    assert draw(tmp_path / "sittings", a_plan(seed=1), 2, score=lambda own: 0.9) == one[:2]
    with opened(tmp_path / "sittings", "s", a_plan(seed=1), None) as store:
        trials, found = [], []
        for _ in range(4):
            trials.append(store.claim(new=True))
            found.append(store.plan.space.suggest(trials[-1]))
        for trial in reversed(trials):
            store.finish(trial, "failed", {})
    assert found == one[2:]


@pytest.mark.parametrize("method", ["random", "tpe"])
def test_queued_trials_are_drawn_like_new_ones(tmp_path, method):
    drawn = draw(tmp_path / "new", a_plan(method=method), 12)
    with opened(tmp_path, "s", a_plan(method=method), None) as store:
        store.plan_trials(12)
        queued = []
        while (trial := store.claim(new=False)) is not None:
            queued.append(store.plan.space.suggest(trial))
            store.finish(trial, "complete", {"accuracies": [0.5]}, 0.5)
    assert queued == drawn


def peak(setting):
    """Highest at a learning rate of 1e-3 and without dropout."""
    return 1 - abs(math.log10(setting["optimizer.lr"]) + 3) / 4 - setting["network.dropout"]


def test_tpe_can_be_repeated_and_learns(tmp_path):
    tpe = a_plan(method="tpe", seed=4)
    found = draw(tmp_path / "one", tpe, 40, score=peak)
    assert draw(tmp_path / "two", tpe, 40, score=peak) == found
    blind = draw(tmp_path / "random", a_plan(seed=4), 40, score=peak)
    assert sum(map(peak, found[20:])) > sum(map(peak, blind[20:])) + 1


def test_tpe_goes_on_where_it_was(tmp_path):
    tpe = a_plan(method="tpe")
    whole = draw(tmp_path / "whole", tpe, 20, score=peak)
    first = draw(tmp_path / "parts", tpe, 13, score=peak)
    assert first + draw(tmp_path / "parts", tpe, 7, score=peak) == whole


def test_a_grid_is_tried_once(tmp_path):
    plan = a_plan(
        {
            "network.hidden": [[8], [16, 8]],
            "optimizer.lr": {"log-uniform": [1e-4, 0.1], "points": 4},
            "network.dropout": {"uniform": [0.0, 0.5], "step": 0.25},
        },
        method="grid",
    )
    with opened(tmp_path, "s", plan, None) as store:
        store.plan_trials(24)
        tried = []
        for _ in range(10):
            trial = store.claim(new=False)
            tried.append(plan.space.suggest(trial))
            store.finish(trial, "complete", {"accuracies": [0.5]}, 0.5)
        store.claim(new=False)  # and now the machine stops
    with opened(tmp_path, "s", plan, None) as store:
        store.take_over()
        store.plan_trials(24)  # asked for again: none is added
        while (trial := store.claim(new=False)) is not None:
            tried.append(plan.space.suggest(trial))
            store.finish(trial, "complete", {"accuracies": [0.5]}, 0.5)
        assert sorted(own.number for own in store.results()) == list(range(24))
    key = json.dumps
    assert sorted(map(key, tried)) == sorted(map(key, plan.space.grid()))


def test_how_trials_end(store):
    ended = {"complete": 0.9, "pruned": None, "diverged": None, "failed": None}
    for state, score in ended.items():
        trial = store.claim(new=True)
        store.plan.space.suggest(trial)
        store.finish(trial, state, {"accuracies": [0.9], "samples": 400, "runs": [state]}, score)
    running = store.claim(new=True)
    setting = store.plan.space.suggest(running)
    results = {own.state: own for own in store.results()}
    assert set(results) == {*ended, "running"}
    assert [results[state].runs for state in ended] == [(state,) for state in ended]
    assert results["running"].settings == setting
    assert results["complete"].accuracies == (0.9,)


def test_a_trial_that_is_run_again_keeps_its_number_and_setting(store):
    store.claim(new=True)
    trial = store.claim(new=True)
    setting = store.plan.space.suggest(trial)
    store.report(trial, 1, 0.4)
    assert store.again(trial)
    again = store.claim(new=False)
    assert again.number != trial.number
    assert store.plan.space.suggest(again) == setting
    store.report(again, 1, 0.4)  # noted before, and told a second time
    store.finish(again, "complete", {"accuracies": [0.6]}, 0.6)
    (own,) = (own for own in store.results() if own.state == "complete")
    assert [own.number, own.settings, own.accuracies] == [1, setting, (0.6,)]
    assert own.curve == ((1, 0.4),)


def test_a_trial_whose_worker_dies_every_time_has_failed(store):
    trial = store.claim(new=True)
    store.plan.space.suggest(trial)
    assert store.again(trial, died="killed by signal 9")
    trial = store.claim(new=False)
    assert store.again(trial, died="killed by signal 9")
    assert not store.again(store.claim(new=False), died="killed by signal 9")
    assert store.claim(new=False) is None
    (own,) = store.results()
    assert [own.number, own.state] == [0, "failed"]
    assert "3 times" in own.failure
    assert "killed by signal 9" in own.failure


def test_what_is_kept(tmp_path):
    opening = Opening(3, (1, 2), (0.9, 0.91), (0.88, 0.89), 300, "2030-01-02T03:04:05+00:00", ("a", "b"))
    with opened(tmp_path, "s", a_plan(), None) as store:
        assert store.made
        assert [store.planned, store.openings, store.seconds] == [None, (), 0.0]
        store.plan_trials(3)
        store.opened(opening)
        store.searched(2.5)
    with opened(tmp_path, "s", a_plan(), None) as store:
        assert not store.made
        assert [store.planned, store.waiting, store.openings, store.seconds] == [3, 3, (opening,), 2.5]


def test_another_search_under_that_name(tmp_path):
    draw(tmp_path, a_plan(), 1)
    for other in (a_plan(seed=1), a_plan(method="tpe"), a_plan({"optimizer.lr": [1, 2]})):
        with (
            pytest.raises(RunError, match="searches another space.*--out$"),
            opened(tmp_path, "s", other, None),
        ):
            pass
    with opened(tmp_path, "s", a_plan(minutes=3.0), None) as store:  # more time is no other search
        assert len(store.results()) == 1


def test_another_version(tmp_path):
    draw(tmp_path, a_plan(), 1)
    journal = tmp_path / "journal.log"
    text = journal.read_text()
    assert f'"version": {VERSION}' in text or f'"version":{VERSION}' in text
    journal.write_text(
        text.replace(f'"version": {VERSION}', '"version": 99').replace(f'"version":{VERSION}', '"version":99')
    )
    with (
        pytest.raises(RunError, match=f"is of version 99, and this plaingrad reads version {VERSION}"),
        opened(tmp_path, "s", a_plan(), None),
    ):
        pass


def test_a_last_line_cut_short_is_left_out(tmp_path):
    whole = draw(tmp_path / "whole", a_plan(), 5)
    draw(tmp_path / "torn", a_plan(), 3)
    journal = tmp_path / "torn" / "journal.log"
    complete = journal.read_bytes()
    journal.write_bytes(complete + b'{"op_code": 6, "trial_id": 0, "user_a')
    with opened(tmp_path / "torn", "s", a_plan(), None) as store:
        assert journal.read_bytes().startswith(complete + b'{"op_code"')
        assert [own.settings for own in store.results()] == whole[:3]
        assert go_on(store, 2) == whole[3:]


def test_a_lock_that_a_kill_left_behind(tmp_path):
    draw(tmp_path, a_plan(), 2)
    (tmp_path / "journal.log.lock").write_text("")
    with opened(tmp_path, "s", a_plan(), None) as store:
        assert len(store.results()) == 2


@pytest.mark.parametrize("damage", ["not json", "[1, 2]", "3", "{}", 5000 * "[", "\0\0\0"])
def test_a_journal_damaged_in_the_middle(tmp_path, damage):
    draw(tmp_path, a_plan(), 2)
    journal = tmp_path / "journal.log"
    lines = journal.read_text().splitlines()
    lines[4] = damage
    journal.write_text("\n".join(lines) + "\n")
    with (
        pytest.raises(RunError, match=f"^{journal}: line 5 is not a record of a study"),
        opened(tmp_path, "s", a_plan(), None),
    ):
        pass
    assert journal.read_text().splitlines() == lines  # nothing is made worse


def test_a_journal_that_is_something_else(tmp_path):
    (tmp_path / "journal.log").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    with (
        pytest.raises(RunError, match="journal.log: line 1 is not a record"),
        opened(tmp_path, "s", a_plan(), None),
    ):
        pass


def test_a_journal_that_cannot_be_opened(tmp_path):
    (tmp_path / "journal.log").mkdir()
    with (
        pytest.raises(StorageError, match="journal.log cannot be read or written: .*--resume"),
        opened(tmp_path, "s", a_plan(), None),
    ):
        pass
