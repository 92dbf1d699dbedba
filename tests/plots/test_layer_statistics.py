"""What goes on in each layer."""

import math

import numpy as np
import pytest

import plaingrad as pg
from plaingrad import plots
from plaingrad.errors import DataError, RunError
from plaingrad.history import History
from plaingrad.insight.doctor.evidence import Look
from plaingrad.insight.facts import LayerFacts, ParameterFacts
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


def test_a_run_and_its_looks_give_one_picture(tmp_path):
    run = pg.train(read_recipe("digits", RECIPE), tmp_path / "run")
    figure = plots.layers(run)
    assert {"affine1", "relu1", "spread of outputs", "gradient", "update / weights"} <= set(texts(figure))
    assert drawn(figure) == drawn(plots.layers(pg.open_run(run.run).history))


def test_last_values_and_one_scale_for_all_rows():
    looks = [look(step, [layer("one", std=1.0), layer("two", std=100.0 / (1 + step))]) for step in (0, 99)]
    axes = column(plots.layers(looks), "spread of outputs")
    one, two = (np.asarray(line.get_ydata()) for line in axes.lines[:2])
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
    assert len(axes.lines) == 2 + 1 + 1 + 1, "two curves and their ends, the dead units and their end"


def test_a_legend_for_what_is_orange():
    dead, alive = (
        [look(step, [layer("relu1", zero=0.5, dead=own)]) for step in (0, 9)] for own in (0.2, 0.0)
    )
    assert "dead units" in texts(plots.layers(dead))
    assert "dead units" not in texts(plots.layers(dead, legend=False))
    assert "dead units" not in texts(plots.layers(alive))


def test_updates_are_relative_to_the_weights():
    axes = column(
        plots.layers([look(s, [layer("one")], [("one", 0.02)]) for s in (0, 9)]), "update / weights"
    )
    assert [own.get_text() for own in axes.texts] == ["0.01"]


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
