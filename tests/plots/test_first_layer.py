"""The first layer's weights as pictures."""

import io
from types import SimpleNamespace

import numpy as np
import pytest

import plaingrad as pg
from plaingrad import plots
from plaingrad.errors import RunError, ShapeError
from plaingrad.plots.first_layer import first_weight, initial_network, weight_grid
from plaingrad.recipe import read_recipe
from plaingrad.run_folder import RunFolder
from plots.runs import RECIPE, drawn, texts


def picture_of(*arguments):
    from PIL import Image

    return Image.open(io.BytesIO(weight_grid(*arguments)))


def test_units_of_large_images_are_shrunk():
    weight = np.random.default_rng(0).standard_normal((3 * 224 * 224, 20)).astype(np.float32)
    picture = weight_grid(weight, (3, 224, 224))
    assert picture is not None
    assert len(picture) < 200_000
    halves = np.zeros((1, 60, 50, 1))  # a picture whose left half is bright
    halves[:, :, :25] = 1
    grid = np.asarray(picture_of(halves.reshape(3000, 1), (1, 60, 50)))
    assert grid.shape[:2] == (30, 25)
    assert grid[5, 3, 0] == 255
    assert grid[5, 20, 0] == 0


def test_weight_grid_only_for_images():
    weight = np.random.default_rng(0).standard_normal((3 * 13 * 14, 7))
    picture = picture_of(weight, (3, 13, 14))
    assert (picture.mode, picture.size) == ("RGBA", (7 * 15 - 1, 13)), "a pixel for each weight"
    assert picture_of(weight, (1, 39, 14)).mode == "LA"
    assert weight_grid(weight, (546,)) is None
    assert weight_grid(weight, (2, 39, 7)) is None
    assert weight_grid(weight[:-1], (3, 13, 14)) is None


def test_weight_grid_of_filters():
    filters = np.zeros((9, 3, 2, 2))
    filters[3, 0, 1, 0] = 1  # the fourth: red, lower left
    picture = np.asarray(picture_of(filters, (3, 8, 8)))
    assert picture.shape == (2 * 12 + 1, 8 * 12 + 7, 4), (
        "8 beside each other, 12 pixels each, and gaps of one"
    )
    rows, columns = np.nonzero(picture[..., :3].any(axis=-1))
    assert (rows.min(), rows.max()) == (6, 11)
    assert (columns.min(), columns.max()) == (3 * 13, 3 * 13 + 5)
    assert tuple(picture[11, 3 * 13]) == (255, 0, 0, 255)
    assert weight_grid(filters, (1, 8, 8)) is None


def test_between_the_units_there_is_nothing():
    opaque = np.asarray(picture_of(np.ones((10, 1, 3, 3)), (1, 8, 8)))[..., 1]
    assert not opaque[12].any()
    assert not opaque[:, 12::13].any()
    assert (opaque[:12, :12] == 255).all()
    assert (opaque[13:, 13:25] == 255).all()
    assert not opaque[13:, 25:].any(), "two in the last row"


def test_weights_that_are_not_finite():
    weight = np.random.default_rng(0).standard_normal((16, 3))
    weight[2, 1] = np.nan
    assert weight_grid(weight, (1, 4, 4)).startswith(b"\x89PNG")


def test_a_network():
    figure = plots.weights(pg.FullyConnectedNet([4], input_shape=(1, 5, 6)))
    assert len(figure.axes) == 1
    assert figure.axes[0].images[0].get_array().shape == (2 * 5, 4 * 2 * 6 + 3, 4)
    assert drawn(figure)


def test_two_networks_beside_each_other():
    one, other = (pg.LeNet(input_shape=(1, 28, 28), classes=4, seed=seed) for seed in (0, 1))
    before, after = (axes.images[0].get_array() for axes in plots.weights(one, before=other).axes)
    np.testing.assert_array_equal(after, plots.weights(one).axes[0].images[0].get_array())
    np.testing.assert_array_equal(before, plots.weights(other).axes[0].images[0].get_array())


def test_a_run_shows_its_first_weights_beside_its_best(tmp_path):
    recipe = read_recipe("digits", RECIPE)
    run = pg.train(recipe, tmp_path / "run")
    folder = RunFolder.open(run.run)
    network = folder.load()[0]
    initial = initial_network(folder, network)
    np.testing.assert_array_equal(initial.params.flat, recipe.build(network.input_shape, 10).params.flat)
    assert not np.array_equal(first_weight(initial), first_weight(network))
    figure = plots.weights(run)
    assert {"before training", "at the best checkpoint"} <= set(texts(figure))
    before, best = (axes.images[0].get_array() for axes in figure.axes)
    np.testing.assert_array_equal(before, plots.weights(initial).axes[0].images[0].get_array())
    np.testing.assert_array_equal(best, plots.weights(network).axes[0].images[0].get_array())


def test_inputs_that_are_no_images():
    with pytest.raises(ShapeError, match="only weights on grey or colour images"):
        plots.weights(pg.FullyConnectedNet([4], input_shape=7))


def test_what_has_no_such_weights(tmp_path):
    with pytest.raises(RunError, match="weights of a Network"):
        plots.weights(SimpleNamespace(params={"W1": np.zeros((3, 4))}))
    with pytest.raises(
        RunError, match="weights are those of a network, or of a run's folder or result, not of 4"
    ):
        plots.weights(4)
    (tmp_path / "recipe.toml").write_text(read_recipe("digits", RECIPE).to_toml())
    with pytest.raises(RunError, match="checkpoint"):
        plots.weights(tmp_path)
    (tmp_path / "history.jsonl").write_text('{"type": "non_finite", "step": 1, "where": null}\n')
    with pytest.raises(RunError, match="broke off before its first checkpoint"):
        plots.weights(tmp_path)
