"""Conventions that differ between the years of the course."""

from __future__ import annotations

from typing import Literal, get_args

DropoutP = Literal["keep", "drop"]

_dropout_p: DropoutP = "keep"


def set_dropout_p(meaning: DropoutP) -> None:
    """Say what a dropout probability means: to "keep" a unit (2018 and later) or to "drop" it (before)."""
    global _dropout_p
    if meaning not in get_args(DropoutP):
        raise ValueError(f'dropout_p must be "keep" or "drop", got {meaning!r}')
    _dropout_p = meaning


def no_dropout() -> float:
    """The value of `dropout` that means none."""
    return 1.0 if _dropout_p == "keep" else 0.0


def drop_rate(p: float) -> float:
    """The probability of dropping a unit that `p` stands for.  Raises ValueError if it is none below 1."""
    rate = 1 - p if _dropout_p == "keep" else p
    if not 0 <= rate < 1:
        allowed = "above 0 and at most 1" if _dropout_p == "keep" else "at least 0 and below 1"
        other = "drop" if _dropout_p == "keep" else "keep"
        raise ValueError(
            f"p = {p}: as the probability to {_dropout_p} a unit it must be {allowed}; if this notebook means "
            f'the probability to {other} one, say so with plaingrad.course.install(..., dropout_p="{other}")'
        )
    return rate
