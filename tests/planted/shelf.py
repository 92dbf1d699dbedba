"""What a planted bug is, and the numbers it is made with."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np

from plaingrad.network import Layer, Network, Pass

Array = np.ndarray
Call = tuple[Any, ...]
Form = Literal["pair", "model", "layer"]
Make = Callable[..., Call]

CODES = (
    "sign", "missing_mean", "scaled", "reg_missing", "reg_factor", "bias_mean_for_sum", "transposed",
    "mask_missing", "dropout_scale", "one_hot_missing", "wrong_axis", "statistics_constant", "overwritten",
    "input_changed", "stale_cache", "permuted", "zero", "not_finite", "shape", "wrong_g_dtype",
    "nondeterministic", "unknown",
)  # fmt: skip


@dataclass(frozen=True)
class Bug:
    """A mistake as a student makes it, and what a careful teacher would call it.

    make(rng, switch) draws shapes and numbers and returns what `check_gradients` is called with; with the
    switch "" it is the correct twin of the same shapes and numbers.  code: the name that the checker should
    find.  parameters: the arrays whose gradients are wrong; empty where it is none in particular.
    also: other codes that are as true of it; why: the reason in a few words.
    """

    family: str
    form: Form
    make: Make
    op: str
    switch: str
    code: str
    parameters: tuple[str, ...]
    also: tuple[str, ...] = ()
    why: str = ""

    @property
    def id(self) -> str:
        return f"{self.op}/{self.switch}"

    def planted(self, seed: int) -> Call:
        """What `check_gradients` is called with, in shapes and numbers that the seed decides."""
        return self.make(self._rng(seed), self.switch)

    def twin(self, seed: int) -> Call:
        """The same without the bug."""
        return self.make(self._rng(seed), "")

    def accepts(self, code: str | None) -> bool:
        """Whether the code is a right name for this bug."""
        return code == self.code or code in self.also

    def _rng(self, seed: int) -> np.random.Generator:
        return np.random.default_rng((seed, zlib.crc32(self.id.encode())))


class Name:
    """The right name for a bug, and the parameters it is in; see `Bug`."""

    def __init__(self, code: str, *parameters: str, also: tuple[str, ...] = (), why: str = "") -> None:
        self.code, self.parameters, self.also, self.why = code, parameters, also, why


def plant(form: Form, make: Make, names: dict[str, Name], *, op: str = "", **options: Any) -> list[Bug]:
    """One bug for each switch of `make`, whose name the ids begin with unless `op` says otherwise.

    The options are handed to `make`.
    """
    family = make.__module__.rpartition(".")[2]
    drawn = partial(make, **options)
    return [
        Bug(family, form, drawn, op or make.__name__, switch, name.code, name.parameters, name.also, name.why)
        for switch, name in names.items()
    ]


def distinct(rng: np.random.Generator, count: int, low: int = 2, high: int = 7) -> list[int]:
    """Sizes from low to high, no two alike: a swapped axis cannot fit by chance."""
    return [int(n) for n in low + rng.permutation(high - low + 1)[:count]]


def normals(rng: np.random.Generator, *shapes: tuple[int, ...]) -> tuple[Array, ...]:
    """Standard normal arrays."""
    return tuple(rng.standard_normal(shape) for shape in shapes)


def labels(rng: np.random.Generator, n: int, classes: int) -> Array:
    """Labels (n,), not all of one class where that can be."""
    return (rng.permutation(n) + int(rng.integers(classes))) % classes


class Claim(NamedTuple):
    """What one plain call gives, without the checker; changed: whether any array handed over is another now."""

    out: Any
    gradients: dict[str, Any]
    changed: bool


def claimed(call: Call) -> Claim:
    """Run a subject forward and backward once, with a random upstream gradient where it takes one."""
    subject, *given = call
    if hasattr(subject, "loss"):
        model = subject.astype(np.float64) if isinstance(subject, Network) else subject
        handed = [*given, *model.params.values()]
        before = [a.copy() for a in handed]
        loss, gradients = model.loss(*given)
        return Claim(loss, dict(gradients), _differ(handed, before))
    forward, backward, inputs = _pair_of(subject, *given) if isinstance(subject, Layer) else call
    before = [a.copy() for a in inputs]
    out, cache = forward(*inputs)
    dout = np.random.default_rng(77).standard_normal(np.shape(out))
    kept = np.copy(dout)
    returned = backward(dout, cache)
    gradients = returned if isinstance(returned, tuple) else (returned,)
    changed = _differ([*inputs, dout], [*before, kept])
    return Claim(out, {str(i): g for i, g in enumerate(gradients) if g is not None}, changed)


def _pair_of(layer: Layer, x: Array) -> Call:
    """A layer as a pair of functions of x, with parameters around their initial values."""
    net = Network(layer, x.shape[1:], dtype=np.float64)
    net.params.flat += 0.3 * np.random.default_rng(78).standard_normal(net.params.flat.shape)
    run = Pass(net.params.groups, net.state.groups, train=True)

    def backward(dout: Array, cache: Any) -> tuple[Any, ...]:
        run.gradients.clear()
        dx = run.backward(net.layers, dout, cache)
        return dx, *run.gradients.values()

    return lambda x: run.forward(net.layers, x), backward, (x,)


def _differ(arrays: list[Array], others: list[Array]) -> bool:
    return any(not np.array_equal(a, b) for a, b in zip(arrays, others, strict=True))
