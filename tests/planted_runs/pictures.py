"""A picture of each condition: the loss of a planted run beside its twin's, and what shows the trouble."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plaingrad.insight.doctor import CONDITIONS
from plaingrad.plots.style import BLUE, ORANGE

from . import panels
from .pairs import HEALTHY, PLANTED, Pair

_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888",
    "axes.labelcolor": "#444",
    "xtick.color": "#444",
    "ytick.color": "#444",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8e8e8",
    "legend.frameon": False,
    "svg.hashsalt": "plaingrad",  # the same run gives the same bytes
    "svg.fonttype": "none",  # as paths, letters would be most of the file
}

SEED = 0
_POINTS = 150  # of a curve: a file stays small, and no eye tells more apart

# For each condition the run that shows it, whether the loss is drawn on a logarithmic scale, and the second panel.
SHOWN: dict[str, tuple[str, bool, panels.Panel]] = {
    "learning_rate_too_low": ("digits-mlp-300th", False, panels.accuracy),
    "learning_rate_too_high": ("digits-conv-adam-0.1", False, panels.accuracy),
    "vanishing_gradients": ("digits-sigmoid-6-deep", False, panels.gradients),
    "exploding_gradients": ("digits-deep-10-deep", True, panels.gradients),
    "dead_relus": ("digits-mlp-bias", False, panels.dead),
    "saturated_units": ("digits-sigmoid-normal-3", True, panels.saturated),
    "bad_initial_scale": ("digits-mlp-normal-3", True, panels.outputs),
    "overfitting": ("digits-conv-80-images", False, panels.generalization),
    "too_little_capacity": ("digits-mlp-2-units", False, panels.training_accuracy),
    "too_much_regularization": ("digits-deep-decay", False, panels.weights),
    "stopped_too_early": ("digits-conv-2-epochs", False, panels.accuracy),
    "no_shuffling": ("digits-mlp-sorted", False, panels.order),
    "unnormalized_input": ("digits-mlp-bytes", True, panels.inputs),
    "label_noise": ("digits-mlp-40", False, panels.neighbours),
    "misaligned_labels": ("digits-mlp-permuted", False, panels.neighbours),
    "class_never_predicted": ("digits-conv-relabelled", False, panels.predicted),
    "class_imbalance": ("digits-conv-long-tail", False, panels.class_counts),
    "batch_too_small_for_batchnorm": ("digits-mlp_bn-2", False, panels.accuracy),
    "batchnorm_in_training_mode": ("digits-student_bn-always", False, panels.repeated),
    "dropout_at_evaluation": ("digits-student_dropout-always", False, panels.repeated),
    "nll_of_raw_scores": ("digits-two_layer-sgd", False, panels.accuracy),
    "softmax_twice": ("digits-conv-layer", False, panels.accuracy),
    "loss_not_averaged": ("digits-student-sum-low-rate", True, panels.batch_size),
    "gradients_not_reset": ("digits-student-user", True, panels.gradient_norm),
    "frozen_layers": ("digits-deep-layer", False, panels.changes),
    "test_data_in_training": ("digits-conv-validation", False, panels.accuracy),
    "plateau": ("digits-mlp-batch-8", False, panels.accuracy),
    "non_finite": ("digits-mlp-rate", True, panels.gradient_norm),
}


def draw_all(folder: Path) -> None:
    """Draw the picture of every condition into `folder`, as CONDITION.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    for condition in CONDITIONS:
        (folder / f"{condition}.svg").write_bytes(drawn(condition))


def drawn(condition: str) -> bytes:
    """The picture of a condition, SVG."""
    slug, logarithmic, panel = SHOWN[condition]
    pair = Pair.trained(f"{condition}/{slug}", SEED)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(7.2, 2.7), layout="constrained")
        left, right = figure.subplots(1, 2)
        _losses(left, pair, logarithmic=logarithmic)
        panel(right, pair)
        for axes in (left, right):
            axes.minorticks_off()
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    return _compact(out.getvalue()).encode()


def _compact(svg: str) -> str:
    """The same picture with coordinates to hundredths of a point, and without indentation."""
    lines = (line.strip() for line in svg.splitlines())
    rounded = (line if "<text" in line else re.sub(r"(\d\.\d\d)\d+", r"\1", line) for line in lines)
    return "\n".join(rounded) + "\n"


def _losses(axes: Axes, pair: Pair, *, logarithmic: bool) -> None:
    """The training loss of both runs: the mean over stretches of steps."""
    for side, color, name in ((pair.healthy, BLUE, HEALTHY), (pair.planted, ORANGE, PLANTED)):
        losses = np.asarray(side.solver.loss_history)
        steps = np.arange(1, len(losses) + 1)
        stretches = np.array_split(np.arange(len(losses)), min(len(losses), _POINTS))
        x = np.array([steps[own].mean() for own in stretches])
        y = np.array([losses[own].mean() for own in stretches])
        axes.plot(x, y, color=color, linewidth=1.4, label=name, marker="o" if len(x) < 12 else None, ms=3)
        if side is pair.planted and len(losses) < len(pair.healthy.solver.loss_history):
            axes.plot(x[-1], y[-1], "o", color=color, ms=5)
        if not side.finished:
            axes.plot(x[-1], y[-1], "x", color=color, ms=8, mew=2, label="then NaN")
    axes.set(xlabel="step", ylabel="training loss")
    if logarithmic:
        axes.set_yscale("log")
    axes.legend()
