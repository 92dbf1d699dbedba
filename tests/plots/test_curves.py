"""The curves of a run, whatever the run is given as and whatever is in it."""

import numpy as np
import pytest

import plaingrad as pg
from plaingrad import plots
from plaingrad.errors import RunError
from plaingrad.history import History
from plaingrad.plots.progress import Progress
from plaingrad.recipe import read_recipe
from plaingrad.run_folder import RunFolder
from plots.runs import RECIPE, drawn, falling, lines, record, texts


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return pg.train(read_recipe("digits", RECIPE), tmp_path_factory.mktemp("runs") / "run")


@pytest.mark.parametrize("how", ["folder", "path", "text", "result", "opened"])
def test_a_run_in_any_form(result, how):
    folder = RunFolder.open(result.run)
    forms = {"folder": folder, "path": folder.path, "text": result.run, "result": result}
    found = lines(plots.history(forms.get(how) or pg.open_run(result.run)))
    assert set(found) == {"step", "train-loss", "val-loss", "train", "val", "rate"}
    records = folder.history().records
    np.testing.assert_allclose(found["val"].get_ydata(), [own.val_accuracy for own in records])
    np.testing.assert_allclose(found["val"].get_xdata(), [own.epoch for own in records])
    np.testing.assert_allclose(found["step"].get_ydata(), folder.history().losses)
    assert f"best {100 * result.best_val_accuracy:.4g} %" in str(found["val"].get_label())


def test_a_solver():
    data = pg.load_data("digits", train=60)
    net = pg.FullyConnectedNet([5], input_shape=data.input_shape)
    solver = pg.Solver(net, data, epochs=2, batch_size=20, schedule=pg.Cosine(), rule=pg.SGD(lr=0.5))
    solver.train()
    found = lines(plots.history(solver))
    np.testing.assert_allclose(found["step"].get_ydata(), solver.loss_history)
    np.testing.assert_allclose(found["rate"].get_ydata(), [solver.learning_rate_at(i) for i in range(6)])


def test_the_learning_rate_of_a_run_is_that_of_its_schedule(result):
    folder = RunFolder.open(result.run)
    rate = lines(plots.loss(folder))["rate"]
    records = folder.history().records
    at = {round(x, 6): y for x, y in zip(rate.get_xdata(), rate.get_ydata(), strict=True)}
    assert len(at) > len(records), "of every step, not of the evaluations alone"
    for own in records:
        assert at[round(own.epoch, 6)] == pytest.approx(own.lr)


@pytest.mark.parametrize("wrong", [3, None, [1.0], {"loss": [1.0]}])
def test_what_is_no_run(wrong):
    with pytest.raises(RunError, match="a run is given as"):
        plots.history(wrong)


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(RunError, match="not a run folder"):
        plots.history(tmp_path)


NAN = float("nan")
HISTORIES = {
    "empty": History(),
    "one step": History([2.3]),
    "one evaluation": History([2.3], [record(1, 1)]),
    "gaps": History([2.3, NAN, float("inf"), 2.1, 1.9, NAN], [record(6, 3)]),
    "nothing finite": History([NAN] * 5, [record(5, 5, lr=NAN, train=NAN, val=NAN)]),
    "diverging": History([2.3] * 50 + [1e3, 1e10, 1e38, 1e300]),
    "no validation": History([1.0, 2.0], [record(2, 2, val=None)]),
    "negative": History([-1.0, -2.0, -1000.0]),
    "zero": History([1e3, 1.0, 0.0]),
    "records alone": History([], [record(10, 10), record(20, 10)]),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_anything_that_a_history_may_hold(name):
    for draw in (plots.history, plots.loss, plots.accuracy):
        assert drawn(draw(HISTORIES[name])).startswith(b"\x89PNG")


def test_what_is_not_there_is_not_in_the_legend():
    figure = plots.history(HISTORIES["no validation"])
    assert set(lines(figure)) == {"step", "train", "rate"}
    assert not any("validation" in text for text in texts(figure))
    assert not lines(plots.history(HISTORIES["nothing finite"]))
    assert "no finite loss is on record" in texts(plots.history(HISTORIES["empty"]))


def test_without_a_legend():
    assert "training" in texts(plots.accuracy(falling(100, 10)))
    assert "training" not in texts(plots.accuracy(falling(100, 10), legend=False))


def test_the_loss_is_logarithmic_only_over_decades():
    def scale(losses):
        return plots.loss(History(losses)).axes[0].get_yscale()

    assert scale([2.3, 1.0, 0.5]) == "linear"
    assert scale(np.logspace(1, -4, 200).tolist()) == "log"
    assert scale([*np.logspace(1, -4, 200), 0.0]) == "linear", "0 has no logarithm"


def upright(axes):
    """Where there are thin lines from the bottom to the top, and what is written beside them."""
    places = {line.get_xdata()[0] for line in axes.lines if list(line.get_ydata()) == [0, 1]}
    return places, [own.get_text() for own in axes.texts]


def test_the_best_evaluation_is_marked_in_loss_and_accuracy():
    records = [record(10 * i, 10, val=val) for i, val in ((1, 0.3), (2, 0.7), (3, 0.7), (4, NAN))]
    history = History(np.linspace(2, 1, 40).tolist(), records)
    for figure in (plots.loss(history), plots.accuracy(history), plots.history(history)):
        assert upright(figure.axes[0]) == ({2.0}, ["best"])
    assert upright(plots.loss(History([1.0, 2.0], [record(2, 2, val=None)])).axes[0]) == (set(), [])


def test_where_a_run_broke_off():
    history = History([2.3] * 10, seen=[{"type": "non_finite", "step": 10, "where": None}])
    assert upright(plots.loss(history).axes[0]) == ({10.0}, ["not finite from here"])
    history.seen[0]["step"] = 10**8  # no such step: the line stays in the picture
    assert upright(plots.loss(history).axes[0]) == ({10.0}, ["not finite from here"])


def test_huge_losses_are_written_with_their_power():
    axes = plots.loss(History([1e6, 2e6, 3e6])).axes[0]
    axes.figure.canvas.draw()
    assert all(
        "e6" in label.get_text()
        for label in axes.get_yticklabels()
        if axes.get_ylim()[0] <= label.get_position()[1]
    )


def test_epochs_are_whole():
    for epochs in (1, 2, 3, 40):
        axes = plots.accuracy(falling(10 * epochs, 10)).axes[0]
        assert all(tick == round(tick) for tick in axes.get_xticks())


def test_loss_and_accuracy_are_of_one_size():
    run = falling(100, 10)
    assert plots.loss(run).get_size_inches().tolist() == plots.accuracy(run).get_size_inches().tolist()


def test_a_gap_stays_a_gap():
    y = lines(plots.loss(HISTORIES["gaps"]))["step"].get_ydata()
    np.testing.assert_array_equal(np.isnan(y), [False, True, True, False, False, True])


def test_a_long_run_is_thinned_without_losing_its_peak():
    history = falling(100_000, 500)
    history.losses[33_333] = 50.0
    figure = plots.loss(history)
    y = lines(figure)["step"].get_ydata()
    assert len(y) <= 600
    assert max(y) == 50.0
    assert lines(figure)["mean"].get_label() == "mean of 1,666 steps"


def test_epochs_where_they_are_known_and_steps_where_not():
    assert plots.loss(falling(100, 10)).axes[-1].get_xlabel() == "epoch"
    assert plots.loss(History([1.0, 2.0])).axes[-1].get_xlabel() == "step"
    told = History([1.0, 2.0], seen=[{"type": "setup", "step": 0, "steps_per_epoch": 4}])
    assert Progress.of(told).at(2) == 0.5


def test_losses_of_evaluations_that_no_number_can_be_are_left_out():
    seen = [
        {"type": "measured", "step": 1, "train_loss": 1.0, "val_loss": "<b>"},
        {"type": "measured", "step": 2, "train_loss": NAN},
        {"type": "measured", "step": 1, "train_loss": 3.0},
    ]
    found = lines(plots.loss(History([1.0, 2.0], seen=seen)))
    assert "val-loss" not in found
    np.testing.assert_array_equal(found["train-loss"].get_ydata(), [3.0, NAN])


def test_the_style_is_the_houses_and_leaves_nothing_behind():
    import matplotlib

    with matplotlib.rc_context({"lines.linewidth": 9, "axes.facecolor": "black"}):
        before = dict(matplotlib.rcParams)
        figure = plots.accuracy(falling(100, 10))
        assert dict(matplotlib.rcParams) == before
    assert lines(figure)["val"].get_linewidth() < 3
    assert drawn(figure) == drawn(plots.accuracy(falling(100, 10)))


def test_a_notebook_shows_a_picture_by_itself():
    data, size = plots.accuracy(falling(100, 10))._repr_png_()
    assert data.startswith(b"\x89PNG")
    assert set(size) == {"width", "height"}
