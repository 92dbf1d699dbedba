"""Runs: what a watch sees is recorded, goes on with a resumed run, and is read back without trust."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import os
import shutil
import signal

import numpy as np
import pytest

import plaingrad as pg
from doctor.models import finding
from plaingrad import checkpoint, diagnosis, findings, training
from plaingrad.errors import Interrupted, NonFiniteError, RecipeError, RunError
from plaingrad.insight.doctor import Watch, rules
from plaingrad.recipe import read_recipe
from plaingrad.run_folder import RunFolder

SMALL = [
    "network.hidden=[12]",
    "training.epochs=4",
    "data.train=200",
    "schedule.name=constant",
    "optimizer.lr=0.03",
]


def small(*overrides):
    return read_recipe("digits", [*SMALL, *overrides])


class Keep(pg.Callback):
    """Keeps the watch that the run made for itself."""

    def on_start(self, solver):
        self.watch = next(own for own in solver.callbacks if isinstance(own, Watch))


class Stop(pg.Callback):
    def on_step(self, solver, loss):
        if solver.step == 10:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module", autouse=True)
def unhurried():
    """Every look when it is due, however long it takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "Watch", functools.partial(Watch, share=math.inf))
        yield


@pytest.fixture(scope="module")
def finished(unhurried, tmp_path_factory):
    out, keep = tmp_path_factory.mktemp("runs") / "finished", Keep()
    training.train(small(), out, callbacks=[keep])
    return out, keep.watch


@pytest.fixture
def run(finished, tmp_path):
    """A copy of a finished run, to be damaged."""
    return shutil.copytree(finished[0], tmp_path / "run")


def evidence(folder, **more):
    return diagnosis.evidence_of(RunFolder.open(folder), **more)


def weights(folder):
    return checkpoint.newest(RunFolder.open(folder).checkpoints)[0].arrays


def lines(folder):
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def drop(folder, *kinds):
    """As if lines of these types had never been written."""
    kept = [line for line in lines(folder) if line["type"] not in kinds]
    (folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in kept))


SEEN = ("setup", "order", "probes", "look", "measured", "non_finite", "data")


def test_what_is_read_back_is_what_the_watch_gathered(finished):
    out, watch = finished
    assert evidence(out) == watch.evidence()


def test_without_a_watch_the_run_is_the_same_and_the_folder_says_less(finished, tmp_path):
    training.train(small(), tmp_path / "run", watch=False)
    for name, array in weights(tmp_path / "run").items():
        np.testing.assert_array_equal(array, weights(finished[0])[name], err_msg=name)
    assert {line["type"] for line in lines(tmp_path / "run")} == {"step", "epoch", "time", "end"}


def test_a_resumed_run_is_recorded_like_one_that_was_not_interrupted(finished, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(Interrupted):
        training.train(small(), out, callbacks=[Stop()])
    assert evidence(out).finished is False
    keep = Keep()
    training.resume(out, callbacks=[keep])
    for name, array in weights(out).items():
        np.testing.assert_array_equal(array, weights(finished[0])[name], err_msg=name)
    assert evidence(out) == evidence(finished[0]) == keep.watch.evidence()


def test_what_lies_beyond_the_checkpoint_no_longer_counts(run):
    """As after a crash: the lines after the checkpoint were written, then the run went on from it."""
    at = RunFolder.open(run).history()
    assert at.up_to(5).seen == [line for line in at.seen if line["step"] <= 5]
    with (run / "history.jsonl").open("a") as file:
        file.write(json.dumps({"type": "resume", "step": 5}) + "\n")
    assert max(look.step for look in evidence(run).looks) == 5


def test_a_folder_without_a_watch_tells_what_recipe_and_data_tell(run):
    before = evidence(run)
    drop(run, *SEEN)
    after = evidence(run)
    for name in ("losses", "order", "setup", "data", "classes", "finished"):
        assert getattr(after, name) == getattr(before, name), name
    assert after.looks == before.looks[:1]
    assert after.probes == before.probes
    assert [own.val_accuracy for own in after.evaluations] == [own.val_accuracy for own in before.evaluations]
    assert after.evaluations[-1].val_loss is None


def test_a_folder_without_a_watch_and_without_its_data(run):
    before = evidence(run)
    drop(run, *SEEN)
    text = (run / "recipe.toml").read_text()
    gone = f'name = "npz"\npath = "{run}/no.npz"\ntrain'
    (run / "recipe.toml").write_text(text.replace('name = "digits"\ntrain', gone))
    heard = []
    after = evidence(run, warn=heard.append)
    assert "no.npz" in heard[0]
    assert after.classes == 10
    assert (after.data, after.order, after.probes, after.looks) == (None, None, None, ())
    assert after.losses == before.losses
    assert "the data was not at hand" in [own.why for own in pg.diagnose(run).unjudged]


def test_the_doctor_needs_the_folder_alone(run):
    """The data is gone; its facts were noted when training ended, so nothing is missing."""
    before, diagnosed_before = evidence(run), pg.diagnose(run)
    folder = RunFolder.open(run)
    assert findings.recorded_evidence(folder) == before
    assert findings.recorded_evidence(folder, folder.history()) == before
    shutil.rmtree(run / "checkpoints")  # not even for the number of classes
    text = (run / "recipe.toml").read_text()
    gone = f'name = "npz"\npath = "{run}/no.npz"\ntrain'
    (run / "recipe.toml").write_text(text.replace('name = "digits"\ntrain', gone))
    heard = []
    assert evidence(run, warn=heard.append) == before
    assert str(pg.diagnose(run, warn=heard.append)) == str(diagnosed_before)
    assert not heard, "what is known need not be looked for"
    evidence(run, data_path=str(run / "elsewhere.npz"), warn=heard.append)
    assert "elsewhere.npz" in heard[0], "who says where the data lies hears that it does not"


def test_facts_of_the_data_are_noted_once_where_a_report_is_written(finished, tmp_path):
    noted = [line for line in lines(finished[0]) if line["type"] == "data"]
    assert len(noted) == 1
    assert noted[0]["step"] == 16
    training.resume(shutil.copytree(finished[0], tmp_path / "again"))
    assert sum(line["type"] == "data" for line in lines(tmp_path / "again")) == 1
    training.train(small(), tmp_path / "trial", test=False)
    assert not [line for line in lines(tmp_path / "trial") if line["type"] == "data"]


def test_a_run_of_a_version_that_noted_no_data(run):
    before = evidence(run)
    drop(run, "data", "time")
    assert findings.recorded_evidence(RunFolder.open(run)) == dataclasses.replace(before, data=None)
    assert evidence(run) == before, "the data is still there, and looked at"
    made = findings.diagnosed(RunFolder.open(run), findings.recorded_evidence(RunFolder.open(run)))
    assert "the data was not at hand" in [own.why for own in made.unjudged]


def test_data_that_was_changed_is_not_looked_at(run):
    drop(run, "data")
    text = (run / "recipe.toml").read_text()
    digest = small().data.build().sha256
    assert digest in text
    (run / "recipe.toml").write_text(text.replace(digest, "0" * 64))
    heard = []
    assert evidence(run, warn=heard.append).data is None
    assert "the digests differ" in heard[0]


@pytest.mark.parametrize(
    "line",
    [
        '{"type": "look", "step": "one"}',
        '{"type": "look"}',
        '{"type": "look", "step": 1}',
        '{"type": "look", "step": 1, "loss": [], "gradient_norm": 1}',
        '{"type": "setup", "step": 0, "lr": "fast"}',
        '{"type": "order", "step": 3, "consecutive": 1}',
        '{"type": "probes", "step": 0, "repeat": "yes"}',
        '{"type": "measured", "step": 4, "predicted": 4}',
        '{"type": "measured", "step": 4, "predicted": [0.5]}',
        '{"type": "non_finite", "step": 4}',
        '{"type": "data", "step": 4}',
        '{"type": "data", "step": 4, "name": 3}',
    ],
)
def test_a_line_that_no_watch_wrote(run, line):
    file = run / "history.jsonl"
    file.write_text(f"{line}\n{file.read_text()}")
    with pytest.raises(RunError, match="history.jsonl"):
        pg.diagnose(run)


def test_a_run_that_is_none(tmp_path):
    with pytest.raises(RunError, match="not a run folder"):
        pg.diagnose(tmp_path)


def test_a_run_that_ended_in_a_value_that_is_not_finite(tmp_path):
    with pytest.raises(NonFiniteError):
        training.train(small("optimizer.lr=1e30", "optimizer.name=sgd"), tmp_path / "run")
    read = evidence(tmp_path / "run")
    assert read.non_finite is not None
    assert read.data is not None, "noted, for the report is read then"
    assert read.non_finite.step == len(read.losses)
    assert read.finished is False
    assert not pg.diagnose(tmp_path / "run").ok


def test_a_diagnosis_of_a_run_names_the_command(run, monkeypatch):
    monkeypatch.setattr(rules, "examine", lambda evidence: (finding(optimizer__lr=0.01),))
    assert f"plaingrad train {run}/recipe.toml --set optimizer.lr=0.01" in str(pg.diagnose(run))


@pytest.mark.parametrize(
    "remedy", [{"optimizer__rate": 0.1}, {"optimizer__lr": -1.0}, {"optimizer__lr": 0.03}, {}]
)
def test_no_command_for_what_the_recipe_cannot_take_or_has_already(run, monkeypatch, remedy):
    monkeypatch.setattr(
        rules, "examine", lambda evidence: (finding(**remedy), finding("plateau", 0.3, **remedy))
    )
    made = pg.diagnose(run)
    assert made.findings[0].remedy == made.hints[0].remedy == {}
    assert "plaingrad train" not in str(made)


def one(**remedy):
    return pg.Diagnosis((finding("non_finite"), finding(**remedy)))


def test_a_change_is_tried_beside_the_run_as_it_was(run):
    before = sorted(p.name for p in run.rglob("*"))
    trial = diagnosis.try_change(run, one(optimizer__lr=1e-6), steps=12)
    assert trial.changes == ("optimizer.lr=1e-06",)
    assert (trial.before.steps, trial.after.steps) == (12, 12)
    assert trial.before.loss < trial.after.loss
    assert trial.before.val_accuracy > trial.after.val_accuracy
    assert trial.measured == 200
    assert "worse" in trial.verdict
    assert "one seed" in trial.verdict.lower()
    assert sorted(p.name for p in run.rglob("*")) == before
    assert json.loads(json.dumps(trial.to_dict()))["before"]["steps"] == 12


def test_the_first_training_of_a_trial_goes_as_the_run_went(run):
    trial = diagnosis.try_change(run, one(optimizer__lr=1e-6), steps=4)
    assert trial.before.loss == pytest.approx(RunFolder.open(run).history().losses[3])


def test_another_batch_size_sees_as_many_epochs(run):
    trial = diagnosis.try_change(run, one(training__batch_size=20), steps=8)
    assert (trial.before.steps, trial.after.steps) == (8, 20)
    assert trial.before.epochs == trial.after.epochs == 2


def test_a_change_that_does_nothing_makes_no_clear_difference(run):
    trial = diagnosis.try_change(run, one(optimizer__lr=0.03), steps=8)
    assert dataclasses.replace(trial.before, seconds=0) == dataclasses.replace(trial.after, seconds=0)
    assert trial.verdict.startswith("No clear difference")


def test_a_change_that_repairs_and_one_that_breaks(run, tmp_path):
    with pytest.raises(NonFiniteError):
        training.train(small("optimizer.lr=1e30", "optimizer.name=sgd"), tmp_path / "broken")
    repaired = diagnosis.try_change(tmp_path / "broken", one(optimizer__lr=0.1), steps=8)
    assert "not finite" in repaired.before.failure or "nan" in repaired.before.failure
    assert "failed without the change and not with it" in repaired.verdict
    still = diagnosis.try_change(tmp_path / "broken", one(optimizer__lr=1e29), steps=8)
    assert still.verdict.startswith("Both trainings failed")


def test_there_is_nothing_to_try_without_a_remedy(run):
    assert diagnosis.try_change(run, pg.Diagnosis((one().findings[0],))) is None


def test_a_trial_takes_no_nonsense(run):
    for wrong in ({"steps": 0}, {"seconds": 0}, {"seconds": float("nan")}):
        with pytest.raises(RecipeError, match=next(iter(wrong))):
            diagnosis.try_change(run, one(optimizer__lr=0.1), **wrong)
    with pytest.raises(RecipeError, match="no such field"):
        diagnosis.try_change(run, one(optimizer__rate=0.1))
