"""What the tests of several pictures draw: histories made by hand, and a small run."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from plaingrad.callbacks import EpochRecord
from plaingrad.history import History

RECIPE = ["network.hidden=[9]", "training.epochs=3", "data.train=100"]


def record(
    step: int, per_epoch: int, *, lr: float = 1e-3, train: float = 0.5, val: float | None = 0.4
) -> EpochRecord:
    """An evaluation."""
    return EpochRecord(step / per_epoch, step, lr, 1.0, train, val, 0.1 * step)


def falling(steps: int, per_epoch: int) -> History:
    """A loss that falls with noise, evaluated after each epoch."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(steps)
    losses = 2 / (1 + np.arange(steps) / steps) + noise
    ends = range(per_epoch, steps + 1, per_epoch)
    return History(losses.tolist(), [record(end, per_epoch, val=0.3 + 0.5 * end / steps) for end in ends])


def lines(figure: Figure) -> dict[str, Line2D]:
    """The curves of a picture that a page can switch off, by key."""
    found = [(line.get_gid() or "", line) for axes in figure.axes for line in axes.lines]
    return {gid.removeprefix("series-"): line for gid, line in found if gid.startswith("series-")}


def drawn(figure: Figure) -> bytes:
    """The picture as PNG: whatever is wrong with it is found by now."""
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=50)
    return out.getvalue()


def texts(figure: Figure) -> Sequence[str]:
    """All that is written in a picture."""
    from matplotlib.text import Text

    return [own.get_text() for own in figure.findobj(Text) if isinstance(own, Text) and own.get_text()]
