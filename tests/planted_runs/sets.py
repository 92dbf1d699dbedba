"""The data sets of the shelf, and what is done to them before a run."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np

import plaingrad as pg
from plaingrad.data import Split

CIFAR = "cifar10"
DIGITS = "digits"
Change = Callable[[pg.Dataset, np.random.Generator], pg.Dataset]


def cifar_folder() -> str | None:
    """The folder that holds CIFAR-10, None where none is named."""
    return os.environ.get("PLAINGRAD_DATA_DIR")


@cache
def stored(name: str, train: int, validation: int, test: int) -> pg.Dataset:
    """The first so many images of a data set, as they are stored."""
    folder = cifar_folder() if name == CIFAR else None
    return pg.load_data(name, folder, train=train, validation=validation, test=test)


class Source:
    """A data set by seed: so many images, changed by `changes` in order, then normalised.

    normalization None leaves the batches as the changes made them.
    """

    def __init__(
        self,
        name: str,
        sizes: tuple[int, int, int],
        normalization: str | None = "standard",
        changes: tuple[Change, ...] = (),
    ) -> None:
        self.name, self.sizes, self.normalization, self.changes = name, sizes, normalization, changes

    def __call__(self, seed: int) -> pg.Dataset:
        data = stored(self.name, *self.sizes)
        rng = np.random.default_rng((seed, 71))
        for change in self.changes:
            data = change(data, rng)
        return data if self.normalization is None else data.normalized(self.normalization)

    def but(self, *changes: Change, normalization: str | None = "") -> Source:
        """The same with further changes, or another normalisation."""
        kind = self.normalization if normalization == "" else normalization
        return Source(self.name, self.sizes, kind, (*self.changes, *changes))


DIGITS_ALL = Source(DIGITS, (1297, 200, 300))
CIFAR_SMALL = Source(CIFAR, (4000, 1000, 1000), "channels")
CIFAR_LARGE = Source(CIFAR, (10000, 1000, 1000), "channels")


def first(train: int) -> Change:
    """The first `train` training samples only."""
    return lambda data, rng: data.subset(train=train)


def _relabelled(split: Split, labels: np.ndarray) -> Split:
    return replace(split, labels=labels.astype(split.labels.dtype))


def noisy(share: float, *, parts: tuple[str, ...] = ("train",)) -> Change:
    """A share of the labels replaced by one of the other classes, at random."""

    def change(data: pg.Dataset, rng: np.random.Generator) -> pg.Dataset:
        for part in parts:
            split = data.splits[part]
            wrong = rng.random(len(split)) < share
            other = (split.labels + rng.integers(1, len(data.classes), len(split))) % len(data.classes)
            data = replace(data, **{part: _relabelled(split, np.where(wrong, other, split.labels))})
        return data

    return change


def confused(label: int, taken_for: int, share: float) -> Change:
    """A share of the training samples of one class labelled as another."""

    def change(data: pg.Dataset, rng: np.random.Generator) -> pg.Dataset:
        labels = data.train.labels
        wrong = (labels == label) & (rng.random(len(labels)) < share)
        return replace(data, train=_relabelled(data.train, np.where(wrong, taken_for, labels)))

    return change


def permuted(*, parts: tuple[str, ...] = ("train",)) -> Change:
    """Images shuffled and labels not, as when two arrays are shuffled by two calls."""

    def change(data: pg.Dataset, rng: np.random.Generator) -> pg.Dataset:
        for part in parts:
            split = data.splits[part]
            data = replace(data, **{part: replace(split, images=split.images[rng.permutation(len(split))])})
        return data

    return change


def shifted(rows: int, *, parts: tuple[str, ...] = ("train",)) -> Change:
    """Labels that are those of the row so many places before, as after a header line that was read as data."""

    def change(data: pg.Dataset, rng: np.random.Generator) -> pg.Dataset:
        for part in parts:
            split = data.splits[part]
            data = replace(data, **{part: _relabelled(split, np.roll(split.labels, rows))})
        return data

    return change


def chosen(split: Split, keep: np.ndarray) -> Split:
    """The samples of a split at `keep`, indices or a mask."""
    return replace(split, images=split.images[keep], labels=split.labels[keep])


def thinned(shares: Callable[[int], float], *, parts: tuple[str, ...] = ("train",)) -> Change:
    """Of each class the share shares(class), at least one sample of each where that is above 0."""

    def change(data: pg.Dataset, rng: np.random.Generator) -> pg.Dataset:
        for part in parts:
            split = data.splits[part]
            kept = []
            for label in range(len(data.classes)):
                members = np.flatnonzero(split.labels == label)
                count = int(np.ceil(shares(label) * len(members)))
                kept.append(rng.permutation(members)[:count])
            data = replace(data, **{part: chosen(split, np.sort(np.concatenate(kept)))})
        return data

    return change


def sorted_by_label(data: pg.Dataset, rng: np.random.Generator) -> pg.Dataset:
    """Training samples class after class, as a folder of folders is read."""
    return replace(data, train=chosen(data.train, np.argsort(data.train.labels, kind="stable")))


def copied_into_training(part: str, share: float = 1.0) -> Change:
    """A share of the samples of `part` among the training samples too."""

    def change(data: pg.Dataset, rng: np.random.Generator) -> pg.Dataset:
        other, train = data.splits[part], data.train
        taken = rng.permutation(len(other))[: round(share * len(other))]
        images = np.concatenate([train.images, other.images[taken]])
        labels = np.concatenate([train.labels, other.labels[taken]])
        order = rng.permutation(len(labels))
        return replace(data, train=replace(train, images=images[order], labels=labels[order]))

    return change


def normalized_by(shift: float, scale: float, *, parts: tuple[str, ...]) -> Change:
    """The map x -> (x - shift) * scale written by hand for some parts."""

    def change(data: pg.Dataset, rng: np.random.Generator) -> pg.Dataset:
        by_hand = pg.Normalization(np.asarray(shift), np.asarray(scale))
        changed = {part: replace(data.splits[part], normalization=by_hand) for part in parts}
        return replace(data, **changed)

    return change
