"""Which arrays of a model are nearer to the loss, and which belong to one layer, by their names."""

from __future__ import annotations

import re

from plaingrad.insight.gradients.subjects import Subject


def from_the_loss(subject: Subject) -> list[str]:
    """The arrays' names from the last layer to the first, the input at the end; of a pair, as they are.

    By the numbers in their names where all have one, else by their order.
    """
    names = list(subject.arrays)
    if subject.kind == "pair":
        return names
    inputs = [name for name in names if name in ("X", "x")]
    own = [name for name in names if name not in inputs]
    numbers = {name: [int(n) for n in re.findall(r"\d+", name)] for name in own}
    plain = all(re.fullmatch(r"[^\d.]*\d+[^\d.]*", name) for name in own)
    if plain:
        own.sort(key=lambda name: numbers[name])
    return [*reversed(own), *inputs]


def stage_of(name: str) -> str:
    """What the parameters of one layer have in common: the name's number, or the part before its dot."""
    layer, dot, _ = name.rpartition(".")
    number = re.search(r"\d+", name)
    return layer if dot else number[0] if number else name
