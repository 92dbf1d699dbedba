"""What goes on in each layer."""

import math

import numpy as np
import pytest

import plaingrad as pg
from plaingrad import plots
from plaingrad.errors import DataError, RunError
from plaingrad.history import History
from plaingrad.insight.doctor.evidence import Look
from plaingrad.insight.doctor.notes import Note, to_line
from plaingrad.insight.facts import LayerFacts, ParameterFacts
from plaingrad.plots.style import ORANGE
from plaingrad.recipe import read_recipe
from plots.runs import RECIPE, drawn, texts


def layer(name, *, kind="affine", std=1.0, zero=0.0, dead=0.0, saturated=None, gradient=0.1):
    return LayerFacts(name, kind, 0.0, std, zero, dead, 10, saturated, gradient, math.isfinite(std))


def look(step, layers, updates=()):
    parameters = tuple(
        ParameterFacts(f"{name}.weight", 10, 2.0, 1.0, 0.1, update) for name, update in updates
    )
    return Look(step, 1.0, 1.0, parameters, tuple(layers))


def column(figure, title):
    return next(axes for axes in figure.axes if axes.get_title(loc="left") == title)


def curves(axes):
    return [line for line in axes.lines if (line.get_gid() or "").startswith("series-")]


def test_a_run_and_its_looks_give_one_picture(tmp_path):
    run = pg.train(read_recipe("digits", RECIPE), tmp_path / "run")
    figure = plots.layers(run)
    assert {"affine1", "relu1", "standard deviation", "gradient size", "update / weights"} <= set(
        texts(figure)
    )
    assert drawn(figure) == drawn(plots.layers(pg.open_run(run.run).history))


def test_last_values_and_one_scale_for_all_rows():
    looks = [look(step, [layer("one", std=1.0), layer("two", std=100.0 / (1 + step))]) for step in (0, 99)]
    axes = column(plots.layers(looks), "standard deviation")
    one, two = (np.asarray(line.get_ydata()) for line in curves(axes))
    assert [own.get_text() for own in axes.texts] == ["1", "1"]
    assert one[0] == one[1] > 0, "at the bottom of the first row"
    assert two[1] - 1 == pytest.approx(one[0]), "equal values are as high in their rows"
    assert two[0] < two[1], "and larger ones higher: rows go downwards"


def test_shares_of_zeros_dead_and_saturated_units():
    looks = [
        look(step, [layer("relu1", zero=0.5, dead=0.2), layer("tanh1", saturated=0.3)]) for step in (0, 9)
    ]
    axes = column(plots.layers(looks), "zero / saturated")
    assert [own.get_text() for own in axes.texts] == ["50 %", "30 %"]
    assert len(curves(axes)) == 2
    (dead,) = [line for line in axes.lines if line.get_color() == ORANGE and len(line.get_xdata()) == 2]
    assert np.ptp(dead.get_ydata()) == 0


def test_what_is_orange_is_said():
    dead, alive = (
        [look(step, [layer("relu1", zero=0.5, dead=own)]) for step in (0, 9)] for own in (0.2, 0.0)
    )
    assert "orange: dead units" in texts(plots.layers(dead))
    assert "orange: dead units" not in texts(plots.layers(alive))


def test_updates_are_relative_to_the_weights_and_the_number_is_their_median():
    updates = enumerate((0.0, 0.02, 0.04, 1e-9))  # 0 before the first; at last the schedule is near its end
    axes = column(
        plots.layers([look(s, [layer("one")], [("one", update)]) for s, update in updates]),
        "update / weights",
    )
    assert [own.get_text() for own in axes.texts] == ["0.01"]
    assert axes.get_xlabel() == "number: median"


def test_few_looks_are_dots_and_more_are_a_line():
    for count, style in ((3, "None"), (4, "-")):
        figure = plots.layers([look(step, [layer("one")]) for step in range(count)])
        (line,) = curves(column(figure, "standard deviation"))
        assert (line.get_linestyle(), line.get_marker()) == (style, "o")


def test_the_axis_is_as_long_as_the_run():
    looks = [look(step, [layer("one")]) for step in (0, 1)]
    lines = [to_line(Note(own.step, own)) for own in looks]
    history = History([1.0] * 500, seen=[{"type": kind, **values} for kind, values in lines])
    for figure in (plots.layers(looks, steps=500), plots.layers(history)):
        assert [axes.get_xticks().tolist() for axes in figure.axes] == [[0, 500]] * len(figure.axes)


def test_where_values_stop_being_finite():
    broken = LayerFacts("two", "affine", 0.0, 0.0, 0.0, 0.0, 10, None, math.nan, False)
    looks = [look(0, [layer("one"), layer("two")]), look(5, [layer("one", std=3.0), broken])]
    figure = plots.layers(looks)
    assert [own.get_text() for own in column(figure, "standard deviation").texts] == ["3", "not finite"]
    assert [own.get_text() for own in column(figure, "gradient size").texts] == ["0.1", "not finite"]


def test_of_many_layers_those_that_only_hand_on_are_left_out():
    def named(count):
        rows = [layer(f"{kind}{i}", kind=kind) for i in range(count) for kind in ("conv", "maxpool", "relu")]
        figure = plots.layers([look(step, rows) for step in (0, 1)])
        return {label.get_text() for label in figure.axes[0].get_yticklabels()}

    assert "maxpool1" in named(4)
    assert named(5) == {f"{kind}{i}" for i in range(5) for kind in ("conv", "relu")}


@pytest.mark.parametrize("count", [1, 40])
def test_any_number_of_layers(count):
    looks = [look(step, [layer(f"$layer$ {i} 猫") for i in range(count)]) for step in (0, 1, 2)]
    figure = plots.layers(looks)
    assert f"$layer$ {count - 1} ?" in texts(figure)
    assert figure.get_figheight() > 0.2 * count
    assert drawn(figure)


def test_one_look_and_numbers_that_are_not_finite():
    assert drawn(plots.layers([look(0, [layer("one")])]))
    broken = [look(0, [layer("one")]), look(5, [layer("one", std=math.nan, gradient=math.inf)])]
    assert drawn(plots.layers(broken))
    nothing = [look(0, [layer("one", std=0.0, gradient=0.0)])]
    assert drawn(plots.layers(nothing))


def test_nothing_watched():
    for nothing in ([], [Look(0, 1.0, 1.0)], History()):
        with pytest.raises(DataError, match="no layer was watched"):
            plots.layers(nothing)


def test_what_is_damaged_or_no_looks():
    with pytest.raises(RunError, match="step 3 is damaged"):
        plots.layers(History(seen=[{"type": "look", "step": 3, "loss": "high"}]))
    with pytest.raises(RunError, match="a run is given as"):
        plots.layers([1, 2])
