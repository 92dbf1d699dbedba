"""Runs: the folder, exact resume, and everything that can go wrong on the way."""

import concurrent.futures
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import plaingrad as pg
from plaingrad import checkpoint, history, recorder, training
from plaingrad.errors import DataError, Interrupted, NonFiniteError, RecipeError, RunError
from plaingrad.evaluation import evaluate, predict
from plaingrad.recipe import read_recipe
from plaingrad.run_folder import RunFolder

SMALL = [
    "network.hidden=[12]",
    "training.epochs=4",
    "training.checkpoint_seconds=0",
    "data.train=200",
    "schedule.name=constant",
    "optimizer.lr=0.03",
]


def small(*overrides):
    return read_recipe("digits", [*SMALL, *overrides])


class At(pg.Callback):
    """Does something after a step."""

    def __init__(self, step, action):
        self.step, self.action = step, action

    def on_step(self, solver, loss):
        if solver.step == self.step:
            self.action(solver)


def interrupt(step, number=signal.SIGINT):
    return At(step, lambda solver: os.kill(os.getpid(), number))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "finished"
    return training.train(small(), out), out


@pytest.fixture
def run(finished, tmp_path):
    """A copy of a finished run, to be damaged."""
    return shutil.copytree(finished[1], tmp_path / "run")


def weights(folder):
    return checkpoint.newest(RunFolder.open(folder).checkpoints)[0].arrays


def test_the_folder_of_a_run(finished):
    result, out = finished
    assert {p.name for p in out.iterdir()} == {
        "recipe.toml",
        "history.jsonl",
        "checkpoints",
        "predictions.safetensors",
        "report.html",
    }
    assert result.steps == 16
    assert result.run == str(out)
    written = tomllib.loads((out / "recipe.toml").read_text("utf-8"))
    assert written["run"]["numpy"] == np.__version__
    assert written["run"]["data_sha256"] == small().data.build().sha256
    assert written["optimizer"]["beta1"] == 0.9, "defaults are written out"
    read = history.read(out / "history.jsonl")
    assert len(read.losses) == 16
    assert [r.epoch for r in read.records] == [1, 2, 3, 4]
    assert read.result["test_accuracy"] == result.test_accuracy
    assert len(checkpoint.found(out / "checkpoints")) == 2


def test_what_the_best_weights_say_of_each_sample_is_kept(finished):
    result, out = finished
    kept, data = RunFolder.open(out).predictions(), small().data.build()
    assert list(kept) == ["validation", "test"]
    assert kept["test"].accuracy == result.test_accuracy
    assert kept["validation"].accuracy == result.best_val_accuracy
    for part, own in kept.items():
        split = data.splits[part]
        np.testing.assert_array_equal(own.labels, split.labels)
        np.testing.assert_array_equal(own.images, split.images[own.chosen])
        assert own.classes == data.classes
        assert own.step == 16
        assert own.probabilistic
        assert own.files == ()
    measured = evaluate(out)
    assert kept["test"].calibration_error == pytest.approx(measured["test"]["ece"], rel=1e-6)
    assert kept["test"].confusion.tolist() == measured["test"]["confusion"]


def test_a_trial_of_a_search_keeps_its_test_set_closed(tmp_path, monkeypatch):
    looked = []
    accuracy = pg.Solver.accuracy
    monkeypatch.setattr(
        pg.Solver, "accuracy", lambda self, split, *args: looked.append(split) or accuracy(self, split, *args)
    )
    data = small().data.build()
    result = training.train(small(), tmp_path / "run", data=data, test=False)
    assert result.test_accuracy is None
    assert len(looked) == 2 * 4, "training and validation samples after each epoch, and nothing else"
    assert not any(split is data.test for split in looked)
    assert RunFolder.open(tmp_path / "run").predictions() == {}


def test_predictions_that_cannot_be_written_are_said(tmp_path, monkeypatch):
    def refuse(path, parts):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(training.predictions, "save", refuse)
    said = []
    result = training.train(small(), tmp_path / "run", warn=said.append)
    assert [text.partition(": ")[2] for text in said] == [
        "No space left on device; the report shows no samples"
    ]
    assert result.whole
    assert RunFolder.open(tmp_path / "run").predictions() == {}


def test_damaged_predictions_are_said(run):
    (run / "predictions.safetensors").write_bytes(b"no")
    with pytest.raises(RunError, match="predictions.safetensors is damaged"):
        RunFolder.open(run).predictions()
    training.resume(run)
    assert len(RunFolder.open(run).predictions()) == 2, "the end of training writes them anew"


def test_predictions_of_your_own_images_name_their_files(tmp_path):
    for label in "ab":
        (tmp_path / "own" / label).mkdir(parents=True)
        for index in range(10):
            shade = index + 100 * (label == "b")
            Image.new("RGB", (70, 35), (shade, 0, 0)).save(tmp_path / "own" / label / f"{shade}.png")
    recipe = small("data.train=2", f"data.name={tmp_path}/own", "data.validation=3", "data.test=4")
    training.train(recipe, tmp_path / "run")
    kept = RunFolder.open(tmp_path / "run").predictions()
    assert [len(own) for own in kept.values()] == [3, 4]
    for own in kept.values():
        assert own.images.shape[1:] == (3, 32, 64)
        assert [int(Path(name).stem) for name in own.files] == own.images[:, 0, 5, 5].tolist()
        assert [name[:2] for name in own.files] == [f"{own.classes[label]}/" for label in own.labels]


def test_the_time_of_every_part_is_noted(finished):
    recorded = history.read(finished[1] / "history.jsonl")
    assert set(recorded.times) == {
        "batches",
        "forward and backward",
        "update",
        "evaluation",
        "first look",
        "watching",
        "facts of the data",
        "writing",
    }
    assert all(seconds > 0 for seconds in recorded.times.values())
    steps = [step for step, _ in recorded.laps]
    assert steps == sorted(steps)
    assert set(steps) == {4, 8, 12, 16}
    last = (finished[1] / "history.jsonl").read_text().splitlines()[-1]
    assert '"type": "end"' in last


def test_times_of_several_sittings_add_up(tmp_path):
    out = tmp_path / "run"
    with pytest.raises(Interrupted):
        training.train(small(), out, callbacks=[interrupt(6)])
    first = history.read(out / "history.jsonl")
    assert first.laps[-1][0] == 6
    training.resume(out)
    both = history.read(out / "history.jsonl")
    assert both.laps[: len(first.laps)] == first.laps
    assert both.times["update"] > first.times["update"]
    assert first.times["callbacks"] > 0, "those of the user's own"


def test_the_resolved_recipe_gives_the_same_run(finished, tmp_path):
    training.train(read_recipe(finished[1] / "recipe.toml"), tmp_path / "again")
    ours, theirs = weights(tmp_path / "again"), weights(finished[1])
    assert {n: a.tobytes() for n, a in ours.items()} == {n: a.tobytes() for n, a in theirs.items()}


EXTRAS = [
    "training.ema=0.9",
    "training.accumulate=3",
    'training.lr_factors={"*.bias"=2.0, affine1=0.5}',
    "augmentation.flip=random",
    "augmentation.crop=1",
    "data.doubled=true",
    "optimizer.weight_decay=0.2",
]


@pytest.mark.parametrize("extra", EXTRAS)
def test_every_extra_has_its_effect(finished, tmp_path, extra):
    training.train(small(extra, "training.iterations=16"), tmp_path)
    ours, theirs = (weights(folder)["best-params/affine1.weight"] for folder in (tmp_path, finished[1]))
    assert not np.array_equal(ours, theirs)


def test_an_interrupted_run_with_all_extras_goes_on_to_the_same_bytes(tmp_path):
    result = training.train(small(*EXTRAS), tmp_path / "whole")
    with pytest.raises(Interrupted, match="after step 11"):
        training.train(small(*EXTRAS), tmp_path / "run", callbacks=[interrupt(11)])
    resumed = training.resume(tmp_path / "run")
    ours, theirs = weights(tmp_path / "run"), weights(tmp_path / "whole")
    assert {n: a.tobytes() for n, a in ours.items()} == {n: a.tobytes() for n, a in theirs.items()}
    assert not np.array_equal(ours["average-params/affine1.weight"], ours["params/affine1.weight"])
    assert resumed.test_accuracy == result.test_accuracy == evaluate(tmp_path / "run")["test"]["accuracy"]


@pytest.mark.parametrize(
    ("before", "after"),
    [("ema = 0.9", "ema = 0.8"), ("accumulate = 3", "accumulate = 1"), ("crop = 1", "crop = 2")],
)
def test_extras_changed_since_are_noticed(tmp_path, before, after):
    with pytest.raises(Interrupted):
        training.train(small(*EXTRAS), tmp_path, callbacks=[interrupt(2)])
    recipe = (tmp_path / "recipe.toml").read_text("utf-8")
    assert before in recipe
    (tmp_path / "recipe.toml").write_text(recipe.replace(before, after), "utf-8")
    with pytest.raises(RunError, match="was changed since"):
        training.resume(tmp_path)


def test_without_validation_the_last_weights_are_kept_and_tested(tmp_path):
    result = training.train(small("data.validation=0", "optimizer.lr=0.3"), tmp_path / "run")
    assert evaluate(tmp_path / "run")["test"]["accuracy"] == result.test_accuracy
    kept = weights(tmp_path / "run")
    np.testing.assert_array_equal(kept["best-params/affine1.weight"], kept["params/affine1.weight"])


@pytest.mark.parametrize("stop", [1, 4, 6, 15])
def test_an_interrupted_run_goes_on_to_the_same_bytes(finished, tmp_path, stop):
    out = tmp_path / "run"
    with pytest.raises(Interrupted, match=f"after step {stop}; a checkpoint is saved, .*--resume") as caught:
        training.train(small(), out, callbacks=[interrupt(stop)])
    assert caught.value.signal == 2
    assert not (out / "report.html").exists()
    result = training.resume(out)
    assert {n: a.tobytes() for n, a in weights(out).items()} == {
        n: a.tobytes() for n, a in weights(finished[1]).items()
    }
    assert result.test_accuracy == finished[0].test_accuracy
    ours, theirs = (history.read(folder / "history.jsonl") for folder in (out, finished[1]))
    assert ours.losses == theirs.losses
    assert [r.val_accuracy for r in ours.records] == [r.val_accuracy for r in theirs.records]


def test_a_run_killed_outright_goes_on_from_its_last_checkpoint(finished, tmp_path):
    out = tmp_path / "run"
    # The power goes: nothing is flushed, no handler runs.
    code = f"""
import os
import plaingrad as pg

class Die(pg.Callback):
    def on_step(self, solver, loss):
        if solver.step == 11:
            os._exit(9)

pg.train(pg.read_recipe("digits", {SMALL!r}), {str(out)!r}, callbacks=[Die()])
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    training.resume(out)
    assert {n: a.tobytes() for n, a in weights(out).items()} == {
        n: a.tobytes() for n, a in weights(finished[1]).items()
    }
    assert history.read(out / "history.jsonl").losses == history.read(finished[1] / "history.jsonl").losses


def test_the_command_to_go_on_is_one_for_a_shell(tmp_path):
    with pytest.raises(Interrupted, match="--resume '.*/my run'$"):
        training.train(small(), tmp_path / "my run", callbacks=[interrupt(3)])


def test_a_signal_that_comes_twice_at_once_is_one_signal(tmp_path):
    def twice(solver):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match=r"after step 3; a checkpoint is saved"):
        training.train(small(), tmp_path / "run", callbacks=[At(3, twice)])
    assert [p.name for p in checkpoint.found(tmp_path / "run" / "checkpoints")] == [
        "step-000000003.safetensors"
    ]


def test_a_signal_while_testing_waits_until_the_result_is_kept(tmp_path, monkeypatch):
    write = training.report.write

    def interrupted(run):
        os.kill(os.getpid(), signal.SIGINT)
        return write(run)

    monkeypatch.setattr(training.report, "write", interrupted)
    assert training.train(small(), tmp_path / "run").whole


def test_an_interrupted_run_that_cannot_be_saved_does_not_claim_to_be(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder.tempfile, "tempdir", str(tmp_path))
    full_disk(monkeypatch, lambda path: path.name < "step-000000009")
    with pytest.raises(Interrupted, match=r"the newest checkpoint is .*step-000000008") as caught:
        training.train(small(), tmp_path / "run", callbacks=[interrupt(10)], warn=lambda message: None)
    assert "is saved" not in str(caught.value)


def test_infinite_weights_are_not_saved_on_interruption(tmp_path):
    def both(solver):
        solver.model.params["affine1.weight"][0] = np.inf
        os.kill(os.getpid(), signal.SIGINT)

    said = []
    with pytest.raises(Interrupted, match=r"the newest checkpoint is .*step-000000004"):
        training.train(small(), tmp_path / "run", callbacks=[At(6, both)], warn=said.append)
    assert "affine1.weight is no longer finite" in said[0]


def test_a_recipe_changed_since_is_noticed(run):
    recipe = (run / "recipe.toml").read_text("utf-8")
    (run / "recipe.toml").write_text(recipe.replace("lr = 0.03", "lr = 0.5"), "utf-8")
    with pytest.raises(RunError, match="was changed since"):
        training.resume(run)
    (run / "recipe.toml").write_text(recipe.replace('description = "', 'description = "My '), "utf-8")
    training.resume(run)


def test_a_resumed_run_that_diverges_names_the_checkpoint_it_came_from(tmp_path):
    with pytest.raises(Interrupted):
        training.train(small(), tmp_path / "run", callbacks=[interrupt(5)])

    def poison(solver):
        solver.model.params["affine1.weight"][0] = np.inf

    with pytest.raises(NonFiniteError, match=r"last good checkpoint is .*step-000000005"):
        training.resume(tmp_path / "run", callbacks=[At(6, poison)])


def test_sigterm_is_an_interruption_too(tmp_path):
    with pytest.raises(Interrupted) as caught:
        training.train(small(), tmp_path / "run", callbacks=[interrupt(3, signal.SIGTERM)])
    assert caught.value.signal == 15


def test_a_finished_run_resumed_stays_as_it_is(run, finished):
    result = training.resume(run)
    assert (result.steps, result.test_accuracy) == (16, finished[0].test_accuracy)


def test_a_damaged_checkpoint_is_noticed_and_the_one_before_used(run, finished):
    newest = checkpoint.found(run / "checkpoints")[-1]
    newest.write_bytes(newest.read_bytes()[:-5])
    said = []
    training.resume(run, warn=said.append)
    assert len(said) == 1
    assert newest.name in said[0]
    assert "the one before is used, step-000000012" in said[0]
    assert (
        weights(run)["params/affine1.weight"].tobytes()
        == weights(finished[1])["params/affine1.weight"].tobytes()
    )


def test_no_usable_checkpoint(run):
    for path in checkpoint.found(run / "checkpoints"):
        path.write_bytes(b"nothing")
    with pytest.raises(RunError, match="no usable checkpoint"):
        training.resume(run)
    with pytest.raises(RunError, match="no usable checkpoint"):
        evaluate(run)


def test_a_checkpoint_of_another_network(run):
    recipe = (run / "recipe.toml").read_text("utf-8")
    (run / "recipe.toml").write_text(recipe.replace("    12,", "    13,"), "utf-8")
    for read in (training.resume, evaluate):
        with pytest.raises(RunError, match="does not belong to .*recipe.toml|was changed since"):
            read(run)


def test_other_data_than_before(run):
    recipe = (run / "recipe.toml").read_text("utf-8")
    (run / "recipe.toml").write_text(recipe.replace("train = 200", "train = 190"), "utf-8")
    with pytest.raises(RunError, match="other data"):
        training.resume(run)


def test_folders_that_are_not_runs(tmp_path):
    for use in (training.resume, evaluate, RunFolder.open):
        with pytest.raises(RunError, match="is not a run folder"):
            use(tmp_path)
    (tmp_path / "recipe.toml").write_text("= nonsense")
    with pytest.raises(RunError, match="cannot be read"):
        training.resume(tmp_path)


def test_a_folder_in_use_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(RunError, match="is in use"):
        training.train(small(), tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "precious"
    with pytest.raises(RunError, match="cannot be made"):
        training.train(small(), tmp_path / "thesis.txt" / "run")
    with pytest.raises(RunError, match="is in use"):
        training.train(small(), tmp_path / "thesis.txt")


def test_bad_data_makes_no_folder(tmp_path):
    with pytest.raises(DataError):
        training.train(small("data.name='cifar10'", f"data.path='{tmp_path}'"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("override", "error", "words"),
    [
        ("training.lr_factors.afine1=0.1", RecipeError, "is called 'afine1'; did you mean 'affine1'"),
        ("augmentation.crop=8", DataError, "choose a smaller padding"),
    ],
)
def test_extras_that_fit_neither_network_nor_images_make_no_folder(tmp_path, override, error, words):
    with pytest.raises(error, match=words):
        training.train(small(override), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_on_your_own_data_is_found_again_from_another_folder(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    monkeypatch.chdir(tmp_path)
    np.savez(
        "own's.npz", images=rng.integers(0, 256, (60, 1, 4, 4), dtype=np.uint8), labels=np.arange(60) % 3
    )
    result = training.train(read_recipe("digits", [*SMALL[:3]], {"data.name": "own's.npz"}), tmp_path / "run")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert evaluate("../run")["test"]["accuracy"] == result.test_accuracy
    assert training.resume("../run").test_accuracy == result.test_accuracy


def _claims(path):
    try:
        RunFolder.new(path, "toy")
    except RunError:
        return False
    return True


def test_names_of_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = []
    for _ in range(2):
        folder = RunFolder.new(None, "toy")
        names.append(folder.path.name)
    assert len(set(names)) == 2
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        at_once = list(pool.map(lambda _: RunFolder.new(None, "toy").path.name, range(8)))
    assert len(set(at_once)) == 8
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(_claims, ["same"] * 8))
    assert sum(claims) == 1, "one folder is one run's"
    assert all(name.startswith("toy-") for name in names)


def test_a_loss_that_is_not_finite_keeps_the_last_good_checkpoint(tmp_path):
    def poison(solver):
        solver.model.params["affine1.weight"][0] = np.inf

    with pytest.raises(
        NonFiniteError, match=r"at step 10 .*affine1.*last good checkpoint is .*step-000000008"
    ):
        training.train(small(), tmp_path / "run", callbacks=[At(10, poison)])
    kept = weights(tmp_path / "run")
    assert all(np.isfinite(array).all() for array in kept.values())
    recorded = history.read(tmp_path / "run" / "history.jsonl")
    assert recorded.seen[-1]["type"] == "data"
    assert recorded.laps[-1][0] == 10
    assert (tmp_path / "run" / "report.html").exists(), "the report of such a run is wanted most"


@pytest.mark.parametrize("failure", [OSError(30, "Read-only file system"), RuntimeError("a mistake of ours")])
def test_a_report_that_fails_does_not_hide_why_the_run_did(tmp_path, monkeypatch, failure):
    def refuse(run):
        raise failure

    monkeypatch.setattr(training.report, "write", refuse)
    with pytest.raises(NonFiniteError):
        training.train(small("optimizer.lr=1e30", "optimizer.name=sgd"), tmp_path / "run")


def test_a_trial_of_a_search_that_diverges_writes_no_report(tmp_path):
    with pytest.raises(NonFiniteError):
        training.train(small("optimizer.lr=1e30", "optimizer.name=sgd"), tmp_path / "run", test=False)
    assert not (tmp_path / "run" / "report.html").exists()
    assert not any(line["type"] == "data" for line in history.read(tmp_path / "run" / "history.jsonl").seen)


def test_weights_gone_infinite_are_not_saved(tmp_path):
    def poison(solver):
        solver.model.params["affine1.weight"][0] = np.inf

    # Step 8 ends an epoch: a checkpoint is due just after the weights went.
    with pytest.raises(NonFiniteError, match="last good checkpoint is .*step-000000004"):
        training.train(small(), tmp_path / "run", callbacks=[At(8, poison)])


def full_disk(monkeypatch, fits):
    """Make every checkpoint whose path does not satisfy `fits` fail as on a full disk; predictions have room."""
    save = checkpoint.save

    def refuse(path, arrays, values):
        if path.name.startswith("step-") and not fits(path):
            raise OSError(28, "No space left on device")
        save(path, arrays, values)

    monkeypatch.setattr(recorder.checkpoint, "save", refuse)


def test_a_disk_that_is_full_for_a_while(tmp_path, monkeypatch):
    full_disk(monkeypatch, lambda path: path.name > "step-000000009")
    said = []
    result = training.train(small(), tmp_path / "run", warn=said.append)
    assert len(said) == 1, "a disk that stays full is spoken of once"
    assert "No space left on device; training goes on" in said[0]
    assert result.checkpoint.endswith("step-000000016.safetensors")
    assert result.whole


def test_a_disk_that_stays_full_gets_the_weights_elsewhere(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(recorder.tempfile, "tempdir", str(tmp_path))
    full_disk(monkeypatch, lambda path: "plaingrad-rescued" in str(path))
    said = []
    result = training.train(small(), tmp_path / "run", warn=said.append)
    rescued = recorder.Path(result.checkpoint)
    assert rescued.parent.parent == tmp_path
    assert rescued.parent.name.startswith("plaingrad-rescued-run-")
    assert rescued.name == "step-000000016.safetensors"
    assert not result.whole
    assert "the weights were saved to" in said[-1]
    saved = checkpoint.load(rescued).arrays
    assert saved["params/affine1.weight"].tobytes() == weights(finished[1])["params/affine1.weight"].tobytes()
    # What the message says to do works.
    monkeypatch.undo()
    (tmp_path / "run" / "checkpoints").mkdir(exist_ok=True)
    shutil.copy(result.checkpoint, tmp_path / "run" / "checkpoints")
    assert training.resume(tmp_path / "run").test_accuracy == result.test_accuracy


def test_nowhere_to_save_is_said(tmp_path, monkeypatch):
    full_disk(monkeypatch, lambda path: False)
    said = []
    result = training.train(small(), tmp_path / "run", warn=said.append)
    assert result.checkpoint is None
    assert "the newest weights are lost" in said[-1]
    assert result.test_accuracy > 0.5, "the result is still told"


def test_a_report_that_cannot_be_written_is_said(tmp_path, monkeypatch):
    def refuse(run):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(training.report, "write", refuse)
    said = []
    result = training.train(small(), tmp_path / "run", warn=said.append)
    assert result.report is None
    assert "Read-only file system" in said[-1]


def test_evaluate_agrees_with_training(finished):
    result, out = finished
    measured = evaluate(out)
    assert measured["test"]["accuracy"] == result.test_accuracy
    assert measured["validation"]["accuracy"] == result.best_val_accuracy
    assert measured["test"]["samples"] == 300
    assert 0 < measured["test"]["loss"] < 2.3


def test_predict(finished, tmp_path):
    from PIL import Image

    data = small().data.build()
    files = []
    for i in range(20):
        files.append(tmp_path / f"{i}.png")
        Image.fromarray(data.test.images[i, 0]).save(files[-1])
    predictions = predict(finished[1], files)
    network, normalization, _ = RunFolder.open(finished[1]).load()
    expected = network.predict(normalization.batch(data.test.images[:20]))
    assert [p.label for p in predictions] == [str(label) for label in expected]
    for p in predictions:
        assert sum(p.probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert p.probability == max(p.probabilities.values()) == p.probabilities[p.label]
    Image.fromarray(data.test.images[0, 0]).convert("RGB").resize((64, 48)).save(tmp_path / "big.jpg")
    assert len(predict(finished[1], [tmp_path / "big.jpg"])) == 1
    (tmp_path / "bad.png").write_bytes(b"\x89PNG nothing")
    with pytest.raises(DataError, match="bad.png"):
        predict(finished[1], [files[0], tmp_path / "bad.png"])
