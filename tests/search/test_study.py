"""Whole searches, with tiny networks on the embedded digits: what they find, and what they leave behind."""

import csv
import fcntl
import math
import re

import pytest

from plaingrad import diagnosis, evaluation, training
from plaingrad.errors import RecipeError, RunError, SearchError
from plaingrad.recipe import changed, read_recipe
from plaingrad.run_folder import RunFolder
from plaingrad.search import crew
from plaingrad.search.folder import StudyFolder
from plaingrad.search.tuning import resume_study, tune

SMALL = read_recipe("digits", ["training.epochs=2", "network.hidden=[8]", "data.train=200"])
LR = {"space": {"optimizer.lr": {"log-uniform": [1e-4, 1e-1]}}}
# Half of the settings learn nothing, and no two of the others are alike.
HOPELESS = {
    "space": {"optimizer.lr": [1e-12, 0.05], "network.label_smoothing": {"uniform": [0.0, 0.2]}},
}


@pytest.fixture(scope="module", autouse=True)
def two_processors():
    """Two workers are allowed wherever these tests run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crew, "processors", lambda: 2)
        yield


def run_of(result, relative):
    return RunFolder.open(result.path / relative)


def by_number(result):
    return sorted(result.trials, key=lambda own: own.number)


def settings_of(result):
    return [own.settings for own in by_number(result)]


# A grid of four settings with two seeds each


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def grid(tmp_path_factory, told):
    space = {
        "description": "a grid",
        "fixed": {"training.batch_size": 25},
        "space": {"optimizer": {"lr": [1e-12, 0.03]}, "network": {"hidden": [[8], [12, 8]]}},
    }
    out = tmp_path_factory.mktemp("grid") / "study"
    return tune(SMALL, space, method="grid", seeds=2, seed=5, jobs=2, out=out, tell=told.append)


def test_grid_settings_once_each(grid):
    # Trials have the grid's order: the last field changes fastest.
    assert settings_of(grid) == [
        {"optimizer.lr": lr, "network.hidden": hidden} for lr in (1e-12, 0.03) for hidden in ([8], [12, 8])
    ]
    assert [own.state for own in grid.trials] == ["complete"] * 4


def test_grid_best(grid):
    best = grid.best
    assert best.settings["optimizer.lr"] == 0.03
    assert best.score == max(own.score for own in grid.trials)
    assert all(len(own.accuracies) == 2 and own.spread is not None for own in grid.trials)
    assert [grid.as_good(own) for own in grid.trials if own.settings["optimizer.lr"] == 1e-12] == [
        False,
        False,
    ]
    assert by_number(grid)[0].weights < by_number(grid)[1].weights


def test_every_run_is_a_run_folder(grid):
    runs = [(own, relative) for own in grid.trials for relative in own.runs]
    assert len({relative for _, relative in runs}) == 8
    for own, relative in runs:
        folder = run_of(grid, relative)
        recipe = folder.recipe()
        assert relative == f"trials/{own.number:04d}-seed-{recipe.seed}"
        assert recipe.optimizer["lr"] == own.settings["optimizer.lr"]
        assert recipe.network.hidden == own.settings["network.hidden"]
        assert [recipe.training.batch_size, recipe.training.epochs, recipe.data.train] == [25, 2, 200]
        assert folder.history().result["best_val_accuracy"] == own.accuracies[recipe.seed - 5]
    assert {run_of(grid, relative).recipe().seed for _, relative in runs} == {5, 6}


def test_trials_do_not_open_the_test_set(grid):
    for own in grid.trials:
        for relative in own.runs:
            assert run_of(grid, relative).history().result["test_accuracy"] is None
            assert not (grid.path / relative / "report.html").exists()


def test_the_test_set_is_opened_once_for_the_best(grid):
    (opening,) = grid.openings
    assert opening.trial == grid.best.number
    assert opening.seeds == (7, 8, 9)  # which no trial had
    assert len(opening.test) == len(opening.validation) == len(opening.runs) == 3
    for seed, relative, validation in zip(opening.seeds, opening.runs, opening.validation, strict=True):
        recipe, result = run_of(grid, relative).recipe(), run_of(grid, relative).history().result
        assert recipe.seed == seed
        assert changed(recipe, {"seed": 5}).digest == run_of(grid, grid.best.runs[0]).recipe().digest
        assert result["best_val_accuracy"] == validation


def test_runs_can_be_evaluated(grid):
    (opening,) = grid.openings
    measured = evaluation.evaluate(grid.path / opening.runs[0])
    assert measured["test"]["accuracy"] == opening.test[0]
    assert measured["test"]["samples"] == opening.samples
    trial = evaluation.evaluate(grid.path / grid.best.runs[1])
    assert trial["validation"]["accuracy"] == grid.best.accuracies[1]
    assert trial["validation"]["samples"] == grid.best.samples


def test_results_csv_and_page(grid):
    rows = list(csv.DictReader((grid.path / "results.csv").read_text().splitlines()))
    assert [int(row["trial"]) for row in rows] == [own.number for own in grid.trials]
    assert [float(row["optimizer.lr"]) for row in rows] == [
        own.settings["optimizer.lr"] for own in grid.trials
    ]
    assert (grid.path / "results.csv").read_text() == grid.to_csv()
    assert "</html>" in (grid.path / "study.html").read_text()


def test_what_is_told(grid, told):
    assert sorted(own.number for own in told if not isinstance(own, str)) == [0, 1, 2, 3]
    (sentence,) = (own for own in told if isinstance(own, str))
    assert f"trial {grid.best.number}, again with the seeds 7, 8, 9" in sentence


def test_the_same_best_is_not_tested_again(grid):
    heard = []
    again = resume_study(grid.path, tell=heard.append)
    assert heard == []
    assert again.openings == grid.openings
    assert [own.to_dict() for own in again.trials] == [own.to_dict() for own in grid.trials]


def test_a_changed_space_is_another_study(grid):
    file = grid.path / "study.toml"
    text = file.read_text()
    for old, new in {"0.03": "0.04", "epochs = 2": "epochs = 3", "seeds = 2": "seeds = 3"}.items():
        assert text.count(old) >= 1
        file.write_text(text.replace(old, new))
        try:
            with pytest.raises(RunError, match="searches another space, or another recipe.*undo the change"):
                resume_study(grid.path)
        finally:
            file.write_text(text)


def test_a_study_of_another_version(grid):
    file = grid.path / "study.toml"
    text = file.read_text()
    file.write_text(re.sub("^version = 1", "version = 2", text, flags=re.M))
    try:
        with pytest.raises(RunError, match="is of version 2 .* reads version 1"):
            resume_study(grid.path)
    finally:
        file.write_text(text)


def test_a_damaged_journal(grid):
    file = grid.path / "journal.log"
    lines = file.read_bytes()
    file.write_bytes(lines.replace(b"\n", b"\nwhat?\n", 1))
    try:
        with pytest.raises(RunError, match="journal.log: line 2 is not a record of a study"):
            resume_study(grid.path)
    finally:
        file.write_bytes(lines)


def test_another_process_is_at_it(grid):
    with (grid.path / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # held by another opening of the file, as by another process
        with pytest.raises(RunError, match="is being searched by another process.*wait for it"):
            resume_study(grid.path)
    folder = StudyFolder.open(grid.path)
    folder.lock()  # given back
    folder.unlock()


def test_a_study_is_not_written_over(grid):
    with pytest.raises(RunError, match=f"^{grid.path} is in use; .*--resume {grid.path}$"):
        tune(SMALL, LR, out=grid.path)


def test_what_cannot_be_resumed(grid, tmp_path):
    with pytest.raises(RunError, match=f"^{tmp_path} is not a study: it holds no study.toml$"):
        resume_study(tmp_path)
    with pytest.raises(RunError, match="is stored in its own folder: leave out --storage"):
        resume_study(grid.path, storage="postgresql://localhost/none")
    with pytest.raises(RecipeError, match="the grid has 4 settings"):
        resume_study(grid.path, trials=3)


# Random searches


@pytest.fixture(scope="module")
def random(tmp_path_factory):
    out = tmp_path_factory.mktemp("random") / "study"
    return tune(SMALL, LR, method="random", trials=5, jobs=1, final_seeds=0, out=out)


def test_a_closed_test_set(random):
    assert random.openings == ()
    assert not (random.path / "final").exists()
    assert len(random.trials) == 5


def test_the_number_of_jobs_changes_nothing(random, tmp_path):
    two = tune(SMALL, LR, method="random", trials=5, jobs=2, final_seeds=0, out=tmp_path / "study")
    assert settings_of(two) == settings_of(random)
    assert [own.accuracies for own in by_number(two)] == [own.accuracies for own in by_number(random)]
    assert [own.curve for own in by_number(two)] == [own.curve for own in by_number(random)]


@pytest.fixture(scope="module")
def improved(tmp_path_factory):
    """A study of one trial, and the same with four more, of which one is better."""
    out = tmp_path_factory.mktemp("improved") / "study"
    first = tune(SMALL, LR, method="random", trials=1, final_seeds=1, out=out)
    heard = []
    return first, resume_study(out, trials=5, jobs=2, tell=heard.append), heard


def test_resuming_goes_on_with_the_same_draws(improved, random):
    first, more, _ = improved
    assert settings_of(first) == settings_of(random)[:1]
    assert settings_of(more) == settings_of(random)
    assert [own.accuracies for own in by_number(more)] == [own.accuracies for own in by_number(random)]
    assert more.seconds > first.seconds


def test_a_new_best_opens_the_test_set_again(improved):
    first, more, heard = improved
    assert more.best.number != first.best.number == 0
    assert [own.trial for own in more.openings] == [0, more.best.number]
    assert more.openings[0] == first.openings[0]
    assert [own.seeds for own in more.openings] == [(1,), (2,)]  # fresh again
    assert f"trial {more.best.number}, again with the seeds 2" in heard[-1]
    assert "opened 2 times" in (more.path / "study.html").read_text()


# Settings that come to grief


@pytest.fixture(scope="module")
def troubled(tmp_path_factory):
    space = {
        "fixed": {"optimizer.name": "sgd", "network.normalization": "none"},
        "space": {
            "optimizer": {"lr": [0.1, 1e30]},
            "network": {"loss": ["softmax", "hinge"], "label_smoothing": [0.0, 0.1]},
        },
    }
    out = tmp_path_factory.mktemp("troubled") / "study"
    return tune(SMALL, space, method="grid", seeds=2, final_seeds=0, out=out)


def test_a_setting_that_diverges(troubled):
    own = by_number(troubled)[4]
    assert own.settings == {"optimizer.lr": 1e30, "network.loss": "softmax", "network.label_smoothing": 0.0}
    assert own.state == "diverged"
    assert re.search(r"finite|NaN|infinit", own.failure)
    assert "step" in own.failure
    assert own.diagnosis.startswith(diagnosis.diagnose(troubled.path / own.runs[0]).findings[0].what)
    assert own.score is None
    assert own.runs == ("trials/0004-seed-0",)  # its other seed is not tried
    assert run_of(troubled, own.runs[0]).recipe().optimizer["lr"] == 1e30


def test_a_setting_that_no_network_can_have(troubled):
    own = by_number(troubled)[3]
    assert own.settings["network.loss"] == "hinge"
    assert own.settings["network.label_smoothing"] == 0.1
    assert own.state == "failed"
    assert "network.label_smoothing is for loss" in own.failure
    assert own.runs == ()


def test_the_search_goes_on(troubled):
    states = [own.state for own in by_number(troubled)]
    assert states == ["complete"] * 3 + ["failed"] + ["diverged"] * 3 + ["failed"]
    assert troubled.best.settings["optimizer.lr"] == 0.1
    text = (troubled.path / "results.csv").read_text()
    assert by_number(troubled)[4].failure in {row["failure"] for row in csv.DictReader(text.splitlines())}


def test_no_trial_ends_well(tmp_path):
    space = {
        "fixed": {"optimizer.name": "sgd", "network.normalization": "none"},
        "space": {"optimizer.lr": [1e30, 1e31]},
    }
    with pytest.raises(
        SearchError, match=f"^no trial of {tmp_path / 'study'} ended well; trial 0: .*"
    ) as caught:
        tune(SMALL, space, method="grid", out=tmp_path / "study")
    assert "\n" not in str(caught.value)
    assert (tmp_path / "study" / "results.csv").is_file()
    assert not (tmp_path / "study" / "final").exists()


# Pruning


@pytest.fixture(scope="module", params=["median", "hyperband"])
def pruned(request, tmp_path_factory):
    out = tmp_path_factory.mktemp(request.param) / "study"
    recipe = changed(SMALL, {"training.epochs": 9})
    return tune(
        recipe,
        HOPELESS,
        method="random",
        trials=24,
        seeds=2,
        prune=request.param,
        jobs=2,
        seed=1,
        final_seeds=0,
        out=out,
    )


def test_hopeless_settings_are_pruned(pruned):
    stopped = [own for own in pruned.trials if own.state == "pruned"]
    hopeless = [own for own in pruned.trials if own.settings["optimizer.lr"] == 1e-12]
    assert len(hopeless) > 5
    assert sum(own.state == "pruned" for own in hopeless) >= len(hopeless) // 2 - 2
    for own in stopped:
        assert 1 <= len(own.curve) < 9
        assert [index for index, _ in own.curve] == list(range(1, len(own.curve) + 1))
        assert own.accuracies == (max(accuracy for _, accuracy in own.curve),)
        assert own.runs == (f"trials/{own.number:04d}-seed-1",)  # other seeds are not worth it
    assert stopped[0].accuracy is not None


def test_pruned_trials_never_win(pruned):
    states = [own.state for own in pruned.trials]
    assert states == sorted(states)  # complete, then pruned
    assert set(states) == {"complete", "pruned"}
    assert pruned.best.settings["optimizer.lr"] == 0.05


def test_a_pruned_run_can_be_gone_on_with(pruned):
    own = next(own for own in pruned.trials if own.state == "pruned")
    folder = run_of(pruned, own.runs[0])
    assert folder.history().result is None
    assert [record.val_accuracy for record in folder.history().records] == [
        accuracy for _, accuracy in own.curve
    ]
    folder.load()
    training.resume(folder.path, test=False)
    records = folder.history().records
    assert len(records) == 9
    assert [record.val_accuracy for record in records][: len(own.curve)] == [
        accuracy for _, accuracy in own.curve
    ]
    assert folder.history().result is not None


# Time


def steps_done(study):
    """How far each of the two trials has got, by its newest checkpoint."""
    return [newest_step(RunFolder(study / "trials" / f"{number:04d}-seed-3")) for number in (0, 1)]


def newest_step(folder):
    try:
        return folder.newest_checkpoint().values["step"]
    except RunError:  # time was up before the worker was ready
        return 0


def go_on_until_both_are_further(study, minutes):
    """Sittings of two or three seconds each, the first of which is enough where a worker starts in less."""
    before = steps_done(study)
    for sitting in range(1, 26):
        result = resume_study(study, minutes=minutes + sitting * 0.04, jobs=2)
        if all(now > then for now, then in zip(steps_done(study), before, strict=True)):
            return result
    raise AssertionError(f"stuck at {steps_done(study)}")


def test_time_runs_out(tmp_path):
    recipe = changed(SMALL, {"training.epochs": 1_000_000})
    out = tmp_path / "study"
    first = tune(recipe, LR, method="random", minutes=0.02, jobs=2, out=out, seed=3)
    assert first.best is None
    assert [own.state for own in by_number(first)] == ["waiting"] * 2
    assert first.openings == ()
    again = resume_study(out)  # no time is left, so nothing is done
    assert settings_of(again) == settings_of(first)
    reached = go_on_until_both_are_further(out, 0.02)
    further = go_on_until_both_are_further(out, reached.seconds / 60)
    for more in (reached, further):  # the same two trials, still
        assert settings_of(more) == settings_of(first)
        assert [own.state for own in by_number(more)] == ["waiting"] * 2
    assert further.seconds > reached.seconds > first.seconds
    assert (out / "study.html").is_file()


# What is refused before anything is begun


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"space": None}, "what is to be searched"),
        ({"space": {"space": {}}}, r"space: \[space\] is missing or empty"),
        ({"space": {"space": {"optimizer.lrr": [1, 2]}}}, "space, optimizer.lrr = 1: .*did you mean 'lr'"),
        ({"recipe": None}, "space names no recipe"),
        ({"recipe": "digit"}, "there is no recipe 'digit'"),
        ({"method": "gird"}, "method must be grid, random, tpe, got 'gird'"),
        ({"prune": "x"}, "prune must be"),
        ({"trials": 0}, "trials"),
        ({"trials": 2.5}, "trials"),
        ({"minutes": -1}, "minutes"),
        ({"minutes": math.nan}, "minutes"),
        ({"seeds": 0}, "seeds"),
        ({"seed": -1}, "seed"),
        ({"final_seeds": -1}, "final_seeds"),
        ({"jobs": 0}, "jobs"),
        ({"jobs": 3}, "3 jobs are more than the 2 processors"),
        ({"storage": "postgresql://localhost/x"}, "a study in a database needs a name"),
        ({"method": "grid"}, "optimizer.lr: a grid needs to know how many values"),
    ],
)
def test_what_is_refused(more, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = {"recipe": SMALL, "space": LR, "trials": 1} | more
    with pytest.raises(RecipeError, match=f"^{sentence}") as caught:
        tune(given.pop("recipe"), given.pop("space"), **given)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_space_names_the_recipe_and_the_rest(tmp_path):
    space = LR | {"recipe": "digits", "method": "random", "trials": 2, "seeds": 2, "prune": "median"}
    space |= {"fixed": {"training.epochs": 1, "data.train": 100, "network.hidden": [8]}}
    result = tune(space=space, final_seeds=0, out=tmp_path / "study")
    assert [result.recipe, result.method, result.seeds, result.prune] == ["digits", "random", 2, "median"]
    assert len(result.trials) == 2
    assert run_of(result, result.trials[0].runs[0]).recipe().data.train == 100
