"""What a data set looks like, measured: ranges, constant features, duplicates, labels beside nearest neighbours."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

from plaingrad.data import Dataset, Split
from plaingrad.insight.facts import DataFacts

Array = np.ndarray

_STREAM = 4  # told apart from the other draws that start from the same seed
_QUERIES = 500  # samples whose nearest neighbour is looked for: one standard error of 10 % is then 1.3 %
_SHUFFLES = 200
_CHUNK = 1024  # samples at a time, where all of them are looked at


def data_facts(data: Dataset, *, samples: int = 2000, seed: int = 0) -> DataFacts:
    """Look at a data set as training will see it; see DataFacts.

    Duplicates, constant features, values that are not finite and class counts are of all samples; means,
    deviations and neighbours of `samples` of each split, drawn with `seed`.  Takes about a second for
    CIFAR-10, and no more memory than a few thousand samples and a digest of each.
    """
    rng = np.random.default_rng((seed, _STREAM))
    held_out = data.test if len(data.test) else data.validation
    train, train_chosen, broken = _sample(data.train, samples, rng)
    other, other_chosen, broken_other = _sample(held_out, samples, rng)
    digests = {part: _digests(split, data.train) for part, split in data.splits.items()}
    deviations = train.std(axis=0)
    varying = deviations[deviations > 1e-6 * np.abs(train).max(axis=0, initial=0.0)]  # the rest is rounding
    overall = float(train.std())
    stored = sum(_not_finite(split.images) for split in data.splits.values())
    neighbours = _neighbours(
        train, data.train.labels[train_chosen], digests["train"][train_chosen], other,
        held_out.labels[other_chosen], rng,
    )  # fmt: skip
    return DataFacts(
        name=data.name,
        train=len(data.train),
        validation=len(data.validation),
        test=len(data.test),
        class_counts=tuple(np.bincount(data.train.labels, minlength=len(data.classes)).tolist()),
        mean=float(train.mean()),
        std=overall,
        low=float(train.min()),
        high=float(train.max()),
        smallest_std=float(varying.min(initial=np.inf)) if varying.size else 0.0,
        largest_std=float(varying.max(initial=0.0)),
        constant_features=_constant(data.train.images),
        not_finite=stored or broken + broken_other,
        offset=float(np.abs(train.mean(axis=0)).max() / overall) if overall else 0.0,
        train_in_test=_shared(digests["test"], digests["train"]),
        train_in_validation=_shared(digests["validation"], digests["train"]),
        training_twice=len(digests["train"]) - len(np.unique(digests["train"])),
        neighbour_agreement=neighbours.agreement,
        neighbour_chance=neighbours.chance,
        neighbour_error=neighbours.error,
        test_neighbour_agreement=neighbours.held_out,
        test_mean=float(other.mean()) if other.size else None,
        test_std=float(other.std()) if other.size else None,
    )


def _sample(split: Split, samples: int, rng: np.random.Generator) -> tuple[Array, Array, int]:
    """Rows (n, D), float64, as batches hold them; which samples they are; how many values were not finite.

    These are replaced by the mean of the others, so that one of them does not hide everything else.
    """
    count = len(split)
    chosen = np.arange(count) if count <= samples else np.sort(rng.choice(count, samples, replace=False))
    if not count:
        return np.zeros((0, 0)), chosen, 0
    with np.errstate(all="ignore"):  # what is not finite is counted
        rows = split.batch(chosen)[0].reshape(len(chosen), -1).astype(np.float64)
    finite = np.isfinite(rows)
    if not finite.all():
        rows[~finite] = rows[finite].mean() if finite.any() else 0.0
    return rows, chosen, int(rows.size - finite.sum())


def _digests(split: Split, train: Split) -> Array:
    """A digest of each sample, uint64 (N,), of its values as the training set would store them."""
    found: list[bytes] = []
    for start in range(0, len(split), _CHUNK):
        rows = np.ascontiguousarray(split.images[start : start + _CHUNK], dtype=train.images.dtype)
        found += [hashlib.blake2b(row.data, digest_size=8).digest() for row in rows.reshape(len(rows), -1)]
    return np.frombuffer(b"".join(found), dtype=np.uint64)


def _shared(digests: Array, others: Array) -> int | None:
    """How many are among the others; None for none at all."""
    return int(np.isin(digests, others).sum()) if len(digests) else None


def _constant(images: Array) -> float:
    """The share of features that are the same in all images."""
    return float((images.max(axis=0) == images.min(axis=0)).mean())


def _not_finite(images: Array) -> int:
    if images.dtype.kind != "f":
        return 0
    return sum(
        int((~np.isfinite(images[start : start + _CHUNK])).sum()) for start in range(0, len(images), _CHUNK)
    )


class _Neighbours(NamedTuple):
    """As in DataFacts."""

    agreement: float | None = None
    chance: float | None = None
    error: float | None = None
    held_out: float | None = None


def _neighbours(
    X: Array, y: Array, digests: Array, other_X: Array, other_y: Array, rng: np.random.Generator
) -> _Neighbours:
    """Labels beside those of nearest neighbours; of samples that are there twice, one is looked at."""
    once = np.sort(np.unique(digests, return_index=True)[1])
    X, y = X[once], y[once]
    if len(X) < 2:
        return _Neighbours()
    queries = rng.permutation(len(X))[:_QUERIES]
    nearest = _nearest(X[queries], X, itself=queries)
    # What shuffled labels give, found by shuffling: it allows for classes of unequal sizes and for samples
    # that are many others' neighbour.
    shuffled = [
        float((order[nearest] == order[queries]).mean())
        for order in (rng.permutation(y) for _ in range(_SHUFFLES))
    ]
    held_out = None
    if len(other_X):
        some = rng.permutation(len(other_X))[:_QUERIES]
        held_out = float((y[_nearest(other_X[some], X)] == other_y[some]).mean())
    return _Neighbours(
        agreement=float((y[nearest] == y[queries]).mean()),
        chance=float(np.mean(shuffled)),
        error=float(np.std(shuffled)),
        held_out=held_out,
    )


def _nearest(queries: Array, X: Array, itself: Array | None = None) -> Array:
    """For each query the row of X at the smallest Euclidean distance, but not the one at `itself`."""
    centre = X.mean(axis=0)  # distances stay, and rounding is that of differences
    rows, wanted = (X - centre).astype(np.float32), (queries - centre).astype(np.float32)
    distances = np.square(rows).sum(axis=1) - 2 * wanted @ rows.T  # and |query|², the same for all
    if itself is not None:
        distances[np.arange(len(wanted)), itself] = np.inf
    return distances.argmin(axis=1)
