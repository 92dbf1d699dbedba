"""The pre-flight as a whole: of a recipe, of models of one's own, and what its report says."""

import json

import numpy as np
import pytest

import plaingrad as pg
from plaingrad.data import Dataset, Split
from plaingrad.errors import DataError, RecipeError
from plaingrad.insight.preflight import CHECKS, Line, PreflightReport, preflight
from plaingrad.readiness import gradient_table
from preflight.runs import blobs, maker
from preflight.test_start_lines import Student, student

SMALL = ["network.hidden=[12]", "training.epochs=3"]
QUICK = ["values", "duplicates", "initial-loss", "gradient-flow"]


def test_of_a_recipe():
    heard = []
    report = pg.preflight(pg.read_recipe("digits", SMALL), on_line=heard.append)
    assert report.ok
    assert [line.name for line in report.lines] == list(CHECKS)
    assert tuple(heard) == report.lines
    assert {line.state for line in report.lines} <= {"pass", "warn"}
    assert report["time"].numbers["steps"] == 75
    assert report["time"].numbers["start"] > 0
    assert report["learning-rate"].numbers["lr"] == pytest.approx(3e-3, rel=0.05)


def test_of_a_recipe_with_a_mistake():
    broken = pg.read_recipe("digits", [*SMALL, "optimizer.lr=1e30", "network.loss=negative-log-likelihood",
                                       "network.label_smoothing=0"])  # fmt: skip
    report = pg.preflight(broken, only=["initial-loss", "time", "labels"])
    assert not report.ok
    assert [line.state for line in report.lines] == ["pass", "fail", "fail"]


def test_only_the_lines_wanted_in_their_own_order():
    report = pg.preflight(pg.read_recipe("digits", SMALL), only=reversed(QUICK))
    assert [line.name for line in report.lines] == QUICK


def test_is_the_same_twice():
    once, again = (preflight(maker(), only=[*QUICK, "overfit", "labels"]).to_dict() for _ in range(2))
    assert once == again


def test_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pg.preflight(pg.read_recipe("digits", SMALL), only=["time", "overfit"])
    assert not list(tmp_path.iterdir())


def test_of_a_model_of_ones_own():
    settings = student(reg=0.0, hidden=100) | {"rule": pg.SGD(0.1)}
    report = preflight(maker(**settings))
    states = {line.name: line.state for line in report.lines}
    assert states["activations"] == "skipped"
    assert states["gradients"] == states["overfit"] == "pass"
    assert "fail" not in states.values(), report
    assert preflight(maker(**student("wrong sign")), only=["gradients"]).ok is False


def test_wrong_calls():
    recipe = pg.read_recipe("digits", SMALL)
    with pytest.raises(RecipeError, match="no line 'speed'; .*time"):
        pg.preflight(recipe, only=["speed"])
    with pytest.raises(RecipeError, match="no line 'speed'"):
        preflight(maker(), only=["speed"])
    solver = maker()()
    with pytest.raises(RecipeError, match="same model twice"):
        preflight(lambda: solver)
    with pytest.raises(RecipeError, match="make_solver"):
        preflight(lambda: None)
    with pytest.raises(RecipeError, match="make_solver must be a function"):
        preflight(solver)
    for ask in (pg.preflight, gradient_table):
        with pytest.raises(RecipeError, match="recipe must be an object such as plaingrad.read_recipe"):
            ask("digits")
    with pytest.raises(DataError):
        pg.preflight(pg.read_recipe("digits", ["data.name=cifar10", "data.path=/nowhere"]))


def test_a_solver_that_shares_its_model():
    model = pg.FullyConnectedNet((4,), input_shape=12, classes=4)
    with pytest.raises(RecipeError, match="new one each time"):
        preflight(lambda: pg.Solver(model, blobs()))


def test_a_report_reads_and_stores_well():
    report = PreflightReport(
        (
            Line("values", "pass", "inputs from 0 to 1", numbers={"low": 0.0}),
            Line("labels", "warn", "word " * 25, "do this", {"error": float("nan"), "counts": (1, 2)}),
            Line("time", "skipped", "no reason"),
        )
    )
    assert report.ok
    assert report.summary == "1 passed, 1 warning, 0 failed, 1 skipped"
    assert report["time"].state == "skipped"
    lines = repr(report).splitlines()
    assert lines[0] == "✓ values          inputs from 0 to 1"
    assert lines[1].startswith("! labels          word word")
    assert lines[2].startswith(" " * 18 + "word")
    assert lines[3] == " " * 18 + "→ do this"
    assert max(map(len, lines)) <= 110
    stored = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert stored["ok"] is True
    assert stored["lines"][1]["numbers"] == {"error": None, "counts": [1, 2]}
    failed = PreflightReport((*report.lines, Line("memory", "fail", "too much")))
    assert not failed.ok
    assert failed.summary == "1 passed, 1 warning, 1 failed, 1 skipped"


def test_a_whole_report_can_be_stored():
    report = preflight(maker(), only=[name for name in CHECKS if name not in ("gradients", "learning-rate")])
    json.dumps(report.to_dict(), allow_nan=False)


def test_a_handful_of_samples():
    X, y = np.random.default_rng(0).standard_normal((3, 6)), np.array([0, 1, 0])
    split = Split(X, y)
    data = Dataset("few", ("a", "b"), split, split.first(0), split.first(0))

    def make():
        return pg.Solver(pg.FullyConnectedNet((5,), input_shape=6, classes=2), data, batch_size=100, epochs=2)

    report = preflight(make)
    assert report.ok, report
    assert report["overfit"].numbers["samples"] == 3


class OnlyThirties(Student):
    def loss(self, X, y=None):
        if y is not None and len(y) != 30:
            raise ValueError("batches of thirty alone")
        return super().loss(X, y)


class TellsClasses(Student):
    def loss(self, X, y=None):
        return super().loss(X).argmax(axis=1) if y is None else super().loss(X, y)

    def predict(self, X):
        return self.loss(X)


class CannotPredict(Student):
    def predict(self, X):
        raise NotImplementedError("some day")


def test_a_line_in_which_a_model_of_ones_own_raises_is_skipped():
    settings = student() | {"model": OnlyThirties, "batch_size": 30}
    report = preflight(maker(**settings), only=["values", "gradient-flow", "time"])
    assert [line.state for line in report.lines] == ["pass", "skipped", "pass"]
    assert report["gradient-flow"].finding == "the model raised ValueError: batches of thirty alone"


def test_an_error_within_a_network_is_not_hidden(monkeypatch):
    def raises(subject):
        raise ValueError("ours")

    monkeypatch.setitem(CHECKS, "values", raises)
    with pytest.raises(ValueError, match="ours"):
        preflight(maker(), only=["values"])


def test_a_model_without_scores():
    settings = student() | {"model": TellsClasses}
    assert preflight(maker(**settings), only=["initial-loss"])["initial-loss"].state == "skipped"


def test_a_run_that_will_fail_at_its_evaluation():
    settings = student() | {"model": CannotPredict}
    found = preflight(maker(**settings), only=["time"])["time"]
    assert found.state == "fail"
    assert found.finding == "the run fails at its first evaluation: NotImplementedError: some day"


def test_the_table_of_gradients():
    report = gradient_table(pg.read_recipe("digits", SMALL), samples=5)
    assert report.ok, report
    assert "affine1.weight" in str(report)
