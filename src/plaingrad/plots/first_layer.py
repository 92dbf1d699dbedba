"""What the first layer of a network looks for: its weights as pictures."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from plaingrad.errors import RunError, ShapeError
from plaingrad.model import Model
from plaingrad.plots.progress import run_folder
from plaingrad.plots.style import DARK, new_figure, styled
from plaingrad.plots.tiles import tile_grid
from plaingrad.run_folder import RunFolder

Array = np.ndarray

_TILE = 12  # pixels of a filter, however small it is, so that the gap of one pixel is thin
_SIDE = 40  # pixels of a unit at most
_COLUMNS = 8  # so that a filter is 40 pixels and more on a page
_MANY = 64  # units, of which more stand side by side


@styled
def weights(net: Any, *, before: Any = None) -> Figure:
    """The weights of the first layer as pictures, each unit's (or filter's) stretched to its own range.

    net: a Network, or a run (its folder, a path, a training's Result), of which the best weights are shown
    beside the initial ones.  before: a Network whose weights are shown beside those of `net`.  Raises
    ShapeError if the first layer does not see grey or colour images, RunError if `net` is neither or the run
    has no checkpoint.
    """
    titles = "before", "after"
    if not hasattr(net, "params"):
        folder = _run_with_weights(net)
        net = folder.load()[0]
        if before is None:
            before, titles = initial_network(folder, net), ("before training", "at the best checkpoint")
    shown = [(title, own) for title, own in zip(titles, (before, net), strict=True) if own is not None]
    grids = [_grid_of(own) for _, own in shown]
    height, width = grids[0].shape[:2]
    each = 3.4
    figure = new_figure(each * len(grids), each * height / width + (0.3 if len(shown) > 1 else 0.1))
    for axes, (title, _), grid in zip(
        figure.subplots(1, len(grids), squeeze=False)[0], shown, grids, strict=True
    ):
        axes.imshow(grid, interpolation="nearest")
        axes.set_axis_off()
        if len(shown) > 1:
            axes.set_title(title, fontsize=9, color=DARK, loc="left")
    return figure


def weight_grid(weight: Array, input_shape: tuple[int, ...], *, most: int = 100) -> bytes | None:
    """The first `most` units of a first layer as pictures of what they look for; PNG, transparent between them.

    weight (D, units) over samples of `input_shape`, or filters (F, C, kh, kw) on their C channels; None
    if those are not grey or colour images.  A weight is a pixel, or a few where a filter is tiny: who shows
    the picture enlarges it.
    """
    grid = _grid(weight, input_shape, most)
    if grid is None:
        return None
    from PIL import Image

    gray = (grid[..., 0] == grid[..., 1]).all() and (grid[..., 0] == grid[..., 2]).all()
    out = io.BytesIO()
    Image.fromarray(grid[..., 2:] if gray else grid).save(out, "PNG")
    return out.getvalue()


def first_weight(net: Model) -> Array | None:
    """The weights of the first layer that has any, or None."""
    return next((own for name, own in net.params.items() if name.endswith(".weight")), None)


def initial_network(folder: RunFolder, net: Any) -> Any:
    """A run's network as it was before the first step: recipe and seed tell all of it."""
    return folder.recipe().build(net.input_shape, net.output_shape[0])


def _run_with_weights(run: Any) -> RunFolder:
    folder = run_folder(run, "weights are those of a network, or of a run's folder or result, not of")
    if not any(folder.checkpoints.glob("*")) and any(
        line["type"] == "non_finite" for line in folder.history().seen
    ):
        raise RunError(f"{folder.path} broke off before its first checkpoint: it has kept no weights to draw")
    return folder


def _grid_of(net: Any) -> Array:
    weight, shape = first_weight(net), getattr(net, "input_shape", None)
    if weight is None or shape is None:
        raise RunError(
            "only the weights of a Network, which says what its inputs are, can be drawn as pictures"
        )
    grid = _grid(weight, shape, 100)
    if grid is None:
        raise ShapeError(
            f"the first weights have shape {weight.shape} on inputs {shape}: only weights on grey or colour "
            "images, (1, H, W) or (3, H, W), can be drawn as pictures"
        )
    return grid


def _shrunk(units: Array) -> Array:
    """Units (N, C, H, W) of large images, each value the mean of a square: a page has room for so many pixels."""
    square = -(-max(units.shape[2:]) // _SIDE)
    if square == 1:
        return units
    count, channels, height, width = units.shape
    rows, columns = height // square or 1, width // square or 1
    cut = units[:, :, : rows * square, : columns * square]
    return cut.reshape(count, channels, rows, -1, columns, cut.shape[3] // columns).mean(axis=(3, 5))


def _grid(weight: Array, input_shape: tuple[int, ...], most: int) -> Array | None:
    """uint8 (rows, columns, 4): the first units in a grid, RGBA, or None if their inputs are no images."""
    if len(input_shape) != 3 or input_shape[0] not in (1, 3):
        return None
    if weight.ndim == 4 and weight.shape[1] == input_shape[0]:
        units = weight[:most]
    elif weight.ndim == 2 and weight.shape[0] == np.prod(input_shape):
        units = weight.T[:most].reshape(-1, *input_shape)
    else:
        return None
    units = _shrunk(units)
    enlarged = -(-_TILE // max(units.shape[2:]))
    units = units.repeat(enlarged, axis=2).repeat(enlarged, axis=3).transpose(0, 2, 3, 1).astype(np.float64)
    units = np.nan_to_num(units, nan=0.0, posinf=0.0, neginf=0.0)  # of a run that broke off
    count, height, width, channels = units.shape
    columns = min(count, _COLUMNS if count <= _MANY else 10)
    grid = tile_grid(units, ubound=255.0, padding=1, columns=columns).round().clip(0, 255).astype(np.uint8)
    opaque = np.full((*grid.shape[:2], 1), 255, np.uint8)
    opaque[height :: height + 1] = opaque[:, width :: width + 1] = 0
    if count % columns:  # the last row is not full
        opaque[-height:, count % columns * (width + 1) :] = 0
    return np.concatenate([grid.repeat(3 // channels, axis=2), opaque], axis=2)
