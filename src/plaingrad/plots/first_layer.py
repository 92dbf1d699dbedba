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

_TILE = 24  # pixels of a filter, however small it is


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
        folder = run_folder(net)
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
        axes.imshow(grid, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set_axis_off()
        if len(shown) > 1:
            axes.set_title(title, fontsize=9, color=DARK, loc="left")
    return figure


def weight_grid(weight: Array, input_shape: tuple[int, ...], *, most: int = 100) -> bytes | None:
    """The first `most` units of a first layer as pictures of what they look for; PNG.

    weight (D, units) over samples of `input_shape`, or filters (F, C, kh, kw) on their C channels; None
    if those are not grey or colour images.
    """
    grid = _grid(weight, input_shape, most)
    if grid is None:
        return None
    from PIL import Image

    picture = Image.fromarray(grid[..., 0] if grid.shape[-1] == 1 else grid)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def first_weight(net: Model) -> Array | None:
    """The weights of the first layer that has any, or None."""
    return next((own for name, own in net.params.items() if name.endswith(".weight")), None)


def initial_network(folder: RunFolder, net: Any) -> Any:
    """A run's network as it was before the first step: recipe and seed tell all of it."""
    return folder.recipe().build(net.input_shape, net.output_shape[0])


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


def _grid(weight: Array, input_shape: tuple[int, ...], most: int) -> Array | None:
    """uint8 (rows, columns, C): the first units in a grid, or None if their inputs are no images."""
    if len(input_shape) != 3 or input_shape[0] not in (1, 3):
        return None
    columns = None
    if weight.ndim == 4 and weight.shape[1] == input_shape[0]:
        enlarged = max(1, _TILE // max(weight.shape[2:]))  # so that gaps between them are thin
        units = weight[:most].repeat(enlarged, axis=2).repeat(enlarged, axis=3)
        columns = min(len(units), 12)
    elif weight.ndim == 2 and weight.shape[0] == np.prod(input_shape):
        units = weight.T[:most].reshape(-1, *input_shape)
    else:
        return None
    units = units.transpose(0, 2, 3, 1).astype(np.float64)
    units = np.nan_to_num(units, nan=0.0, posinf=0.0, neginf=0.0)  # of a run that broke off
    return tile_grid(units, ubound=255.0, padding=1, columns=columns).round().clip(0, 255).astype(np.uint8)
