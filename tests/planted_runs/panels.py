"""The second panel of a condition's picture: the quantity that shows the trouble."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from plaingrad.insight.facts import LayerFacts
from plaingrad.plots.style import BLUE, GREY, ORANGE

from .pairs import HEALTHY, PLANTED, Pair

Panel = Callable[[Axes, Pair], None]


def accuracy(axes: Axes, pair: Pair) -> None:
    """Validation accuracy at each evaluation."""
    _accuracies(axes, pair, "val_accuracy", "validation accuracy")


def training_accuracy(axes: Axes, pair: Pair) -> None:
    """Training accuracy at each evaluation."""
    _accuracies(axes, pair, "train_accuracy", "training accuracy")


def _accuracies(axes: Axes, pair: Pair, name: str, label: str) -> None:
    for side, color, who in pair.both:
        records = side.solver.records
        size = 5 if len(records) < 3 else 3  # a point or two would disappear on the twin's curve
        mark = "o" if len(records) < 30 else None
        shares = [getattr(record, name) for record in records]
        axes.plot([record.epoch for record in records], shares, color=color, marker=mark, ms=size, label=who)
    axes.set(xlabel="epoch", ylabel=label, ylim=(0, 1.02))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.legend()


def generalization(axes: Axes, pair: Pair) -> None:
    """Accuracy on training and on validation images."""
    for side, color, who in pair.both:
        epochs = [r.epoch for r in side.solver.records]
        training = [r.train_accuracy for r in side.solver.records]
        validation = [r.val_accuracy or 0.0 for r in side.solver.records]
        axes.plot(epochs, training, "--", color=color, linewidth=1.2, label=f"{who}, training")
        axes.plot(epochs, validation, color=color, linewidth=1.5, label=f"{who}, validation")
    axes.set(xlabel="epoch", ylabel="accuracy", ylim=(0, 1.02))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(fontsize=8)


def gradients(axes: Axes, pair: Pair) -> None:
    """The gradient of the loss with respect to each layer's outputs, before the first step."""
    for side, color, who in pair.both:
        sizes = [layer.gradient for layer in side.layers(0, ("affine", "conv")) if layer.gradient is not None]
        axes.plot(range(1, len(sizes) + 1), sizes, "o-", ms=3, color=color, label=who)
    axes.set(xlabel="layer", ylabel="gradient at its outputs (RMS)", yscale="log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()


def outputs(axes: Axes, pair: Pair) -> None:
    """The standard deviation of each layer's outputs, before the first step."""
    for side, color, who in pair.both:
        layers = side.layers(0, ("affine", "conv"))
        axes.plot(
            range(1, len(layers) + 1), [layer.std for layer in layers], "o-", ms=3, color=color, label=who
        )
    axes.set(xlabel="layer", ylabel="deviation of its outputs", yscale="log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()


def dead(axes: Axes, pair: Pair) -> None:
    """The share of ReLUs that are 0 for a whole batch, as training goes on."""
    _share(axes, pair, ("relu",), lambda layer: layer.dead, "units that are 0 for all samples")


def saturated(axes: Axes, pair: Pair) -> None:
    """The share of outputs at a bound of the activation, as training goes on."""
    _share(axes, pair, ("sigmoid", "tanh"), lambda layer: layer.saturated, "outputs at a bound")


def _share(
    axes: Axes, pair: Pair, kinds: Sequence[str], share: Callable[[LayerFacts], float | None], label: str
) -> None:
    for side, color, who in pair.both:
        seen = [
            (look.step, [share(o) or 0.0 for o in look.layers if o.kind in kinds])
            for look in side.evidence.looks
        ]
        axes.plot([s for s, _ in seen], [float(np.mean(v)) for _, v in seen], color=color, label=who)
    axes.set(xlabel="step", ylabel=label, ylim=(-0.02, 1.02))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend()


def weights(axes: Axes, pair: Pair) -> None:
    """The norm of all weights, as training goes on."""
    for side, color, who in pair.both:
        norms = [math.hypot(*(p.norm for p in look.parameters)) for look in side.evidence.looks]
        axes.plot([look.step for look in side.evidence.looks], norms, color=color, label=who)
    axes.set(xlabel="step", ylabel="norm of all parameters", yscale="log")
    axes.legend()


def gradient_norm(axes: Axes, pair: Pair) -> None:
    """The norm of the gradient, as training goes on."""
    last = pair.planted.evidence.looks[-1].step
    for side, color, who in pair.both:
        looks = [
            look for look in side.evidence.looks if look.step <= last and math.isfinite(look.gradient_norm)
        ]
        axes.plot(
            [o.step for o in looks], [o.gradient_norm for o in looks], "o-", ms=3, color=color, label=who
        )
    axes.set(xlabel="step", ylabel="norm of the gradient", yscale="log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()


def order(axes: Axes, pair: Pair) -> None:
    """The labels that every other batch of the first epoch holds."""
    for (side, color, who), size in zip(pair.both, (2.5, 5), strict=True):
        sampler, labels = side.solver.sampler, side.solver.data.train.labels
        present = [
            (step, own)
            for step in range(0, side.solver.steps_per_epoch, 2)
            for own in set(labels[sampler(step)])
        ]
        axes.plot(*zip(*present, strict=True), "o", color=color, ms=size, linestyle="none", label=who)
    axes.set(
        xlabel="step of the first epoch",
        ylabel="labels in its batch",
        ylim=(-0.5, 12),
        yticks=range(0, 10, 3),
    )
    axes.legend(ncols=2, loc="upper left")


def inputs(axes: Axes, pair: Pair) -> None:
    """How the values of the inputs are distributed."""
    for side, color, who in pair.both:
        X = side.solver.data.train.batch(np.arange(500))[0].ravel()
        edges = np.sinh(np.linspace(np.arcsinh(X.min()), np.arcsinh(X.max()), 25))
        axes.hist(X, bins=edges, color=color, alpha=0.75, label=f"{who}: {X.min():.3g} to {X.max():.3g}")
    axes.set(
        xlabel="input value", ylabel="how many", yscale="log", xscale="asinh", xticks=[-2, 0, 2, 10, 50, 250]
    )
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_ylim(top=axes.get_ylim()[1] * 30)
    axes.legend(loc="upper left")


def neighbours(axes: Axes, pair: Pair) -> None:
    """How often a training image has the label of the image most like it."""
    facts = [side.evidence.data for side, _, _ in pair.both]
    shares = [own.neighbour_agreement or 0.0 for own in facts if own]
    bars = axes.bar([HEALTHY, PLANTED], shares, color=[BLUE, ORANGE], width=0.55)
    axes.bar_label(bars, [f"{share:.0%}" for share in shares])
    chance = (facts[1] and facts[1].neighbour_chance) or 0.0
    axes.axhline(chance, color=GREY, linestyle="--", linewidth=1.2, label="labels at random")
    axes.set(ylabel="label like the nearest image's", ylim=(0, 1.1))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(loc="upper right")


def predicted(axes: Axes, pair: Pair) -> None:
    """How often each class is predicted on the validation images."""
    _bars(axes, pair, [side.evidence.evaluations[-1].predicted for side, _, _ in pair.both], "predictions")


def class_counts(axes: Axes, pair: Pair) -> None:
    """How many training images each class has."""
    counts = [np.bincount(side.solver.data.train.labels, minlength=10).tolist() for side, _, _ in pair.both]
    _bars(axes, pair, counts, "training images")


def changes(axes: Axes, pair: Pair) -> None:
    """How far each layer's weight moved in the steps that were looked at, in units of its size."""
    moved = []
    for side, _, _ in pair.both:
        names = [p.name for p in side.evidence.looks[0].parameters if p.name.endswith("weight")]
        facts = [
            [p for look in side.evidence.looks for p in look.parameters if p.name == name] for name in names
        ]
        moved.append([float(np.mean([p.update / p.norm for p in own])) for own in facts])
    _bars(axes, pair, moved, "relative change in a step")
    axes.set(xlabel="layer", xticks=range(len(moved[0])), xticklabels=range(1, len(moved[0]) + 1))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=2))


def _bars(axes: Axes, pair: Pair, heights: Sequence[Sequence[float] | None], label: str) -> None:
    for offset, (_, color, who), own in zip((-0.2, 0.2), pair.both, heights, strict=True):
        assert own is not None
        axes.bar(np.arange(len(own)) + offset, own, width=0.4, color=color, label=who)
    axes.set(xlabel="class", ylabel=label, ylim=(0, axes.get_ylim()[1] * 1.3))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(ncols=2, loc="upper left")


def repeated(axes: Axes, pair: Pair) -> None:
    """The scores of one validation image that is evaluated 30 times, each time beside other images."""
    for side, color, who in pair.both:
        model, validation = side.solver.model, side.solver.data.validation
        X, y = validation.batch(np.arange(len(validation)))
        rng = np.random.default_rng(0)
        scores = [model.loss(X[[0, *rng.integers(1, len(X), 15)]])[0] for _ in range(30)]
        axes.plot(
            range(1, 31),
            [float(own[y[0]] - own.mean()) for own in scores],
            "o-",
            ms=3,
            linewidth=0.8,
            color=color,
            label=who,
        )
    axes.set(xlabel="evaluation of one and the same image", ylabel="score of its class")
    axes.legend()


def batch_size(axes: Axes, pair: Pair) -> None:
    """The loss of ten images, and of the same ten repeated."""
    for side, color, who in pair.both:
        X, y = side.solver.data.train.batch(np.tile(np.arange(10), 20))
        sizes = [10, 20, 50, 100, 200]
        axes.plot(
            sizes,
            [side.solver.model.loss(X[:n], y[:n])[0] for n in sizes],
            "o-",
            ms=3,
            color=color,
            label=who,
        )
    axes.set(xlabel="batch size: the same 10 images repeated", ylabel="loss", xscale="log", yscale="log")
    axes.legend()
