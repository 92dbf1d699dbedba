"""Splitting labelled samples into training, validation and test sets."""

from __future__ import annotations

import numpy as np

from plaingrad.errors import DataError


def stratified_order(labels: np.ndarray, *, seed: int) -> np.ndarray:
    """An order of the samples, every stretch of which holds the classes in about their proportions.

    labels (N,), integers.  Returns indices (N,): one random sample of each class comes first, so that
    however the order is cut, the first part knows every class; the rest follow class by class at even
    distances, with a random jitter.  A stretch of n samples then differs from the exact proportion by at
    most two samples per class.  The same seed gives the same order.
    """
    random = np.random.default_rng(seed)
    position = np.empty(len(labels))
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        rank = np.arange(len(members))
        jitter = random.random(len(members)) * (rank > 0)
        position[members] = (rank + jitter) / len(members)
    return np.argsort(position, kind="stable")


def stratified_split(
    labels: np.ndarray, *, validation: int | float, test: int | float, seed: int, name: str
) -> dict[str, np.ndarray]:
    """Indices of "train", "validation" and "test", cut from `stratified_order`, which they keep.

    `validation` and `test` are counts, or fractions of all samples if they are floats.  Raises DataError
    if nothing would be left to train on; `name` begins its message.
    """
    total = len(labels)
    n_validation = resolve_count(validation, total, f"{name}: validation")
    n_test = resolve_count(test, total, f"{name}: test")
    n_train = total - n_validation - n_test
    if n_train < 1:
        raise DataError(
            f"{name}: {n_validation} validation and {n_test} test images of {total} leave none to train on; "
            "ask for fewer"
        )
    order = stratified_order(labels, seed=seed)
    train, held_out, tested = np.split(order, [n_train, n_train + n_validation])
    return {"train": train, "validation": held_out, "test": tested}


def resolve_count(share: int | float, total: int, where: str) -> int:
    """`share` as a number of samples out of `total`: an int is that number, a float a fraction of it.

    Raises DataError, which begins with `where`, for a negative number, more samples than there are, or a
    fraction outside [0, 1).
    """
    if isinstance(share, float):
        if not 0 <= share < 1:
            raise DataError(
                f"{where}: {share} is no fraction; give one from 0 up to but not 1, or a whole number"
            )
        return round(share * total)
    if not 0 <= share <= total:
        raise DataError(f"{where}: {share} images asked for, but there are {total}")
    return share
