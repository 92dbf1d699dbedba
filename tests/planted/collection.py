"""All bugs of all shelves."""

from __future__ import annotations

from . import (
    activations,
    affine,
    classes,
    classic,
    convolution,
    dropout,
    layers,
    losses,
    modern,
    networks,
    normalization,
    pooling,
    reductions,
    sharing,
)

FAMILIES = (
    affine, activations, losses, dropout, normalization, convolution, pooling, networks, sharing, classes, layers,
    classic, modern, reductions,
)  # fmt: skip
BUGS = {bug.id: bug for family in FAMILIES for bug in family.BUGS}
