"""Layers made of layers: in a row, around a shortcut, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Self

from plaingrad.errors import ShapeError
from plaingrad.network.layer import Array, Combinator, Layer, Pass, Shape
from plaingrad.ops import namespace


@dataclass(frozen=True, init=False)
class Sequential(Combinator):
    """Layers one after the other:  out = f_k(… f_2(f_1(x))).

    >>> Sequential(Flatten(), Affine(100), ReLU(), Affine(10))
    """

    layers: tuple[Layer, ...]

    def __init__(self, *layers: Layer, name: str = "") -> None:
        _require_layers("Sequential", layers)
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "name", name)

    @cached_property
    def has_parameters(self) -> bool:  # type: ignore[override]
        """Whether any of the layers has parameters."""
        return any(layer.has_parameters for layer in self.layers)

    @cached_property
    def _first_to_learn(self) -> int:
        """The index of the first layer with parameters: nothing below it needs a gradient of its own."""
        return next((i for i, layer in enumerate(self.layers) if layer.has_parameters), len(self.layers))

    def children(self) -> tuple[Layer, ...]:
        """The layers."""
        return self.layers

    def named(self, new_name: Callable[[str], str]) -> Self:
        """Name this and every layer inside."""
        return Sequential(
            *(layer.named(new_name) for layer in self.layers), name=self.name or new_name(self.kind)
        )  # type: ignore[return-value]

    def output_shape(self, shape: Shape) -> Shape:
        """The last layer's output shape."""
        for layer in self.layers:
            shape = layer.output_shape(shape)
        return shape

    def leaves(self, shape: Shape) -> Iterator[tuple[Layer, Shape]]:
        """The layers inside, in order."""
        for layer in self.layers:
            yield from layer.leaves(shape)
            shape = layer.output_shape(shape)

    def forward_through(self, x: Array, run: Pass) -> tuple[Array, Any]:
        """Each layer on the one before it."""
        caches = []
        for layer in self.layers:
            x, cache = run.forward(layer, x)
            caches.append(cache)
        return x, caches

    def backward_through(self, dout: Array, cache: Any, run: Pass, *, needs_dx: bool) -> Array | None:
        """The chain rule, from the last layer to the first that has something to learn."""
        stop = 0 if needs_dx else self._first_to_learn
        for i in range(len(self.layers) - 1, stop - 1, -1):
            dout = run.backward(self.layers[i], dout, cache[i], needs_dx=needs_dx or i > stop)
        return dout if needs_dx else None


@dataclass(frozen=True)
class Residual(Combinator):
    """out = body(x) + shortcut(x), where the shortcut is x itself unless one is given.

    Source: He, Zhang, Ren & Sun 2016, arXiv:1512.03385, eq. 1 and 2.
    """

    body: Layer
    shortcut: Layer | None = None

    @property
    def has_parameters(self) -> bool:  # type: ignore[override]
        """Whether body or shortcut has parameters."""
        return self.body.has_parameters or (self.shortcut is not None and self.shortcut.has_parameters)

    def children(self) -> tuple[Layer, ...]:
        """The body, and the shortcut if there is one."""
        return (self.body, self.shortcut) if self.shortcut else (self.body,)

    def named(self, new_name: Callable[[str], str]) -> Self:
        """Name this, the body and the shortcut."""
        return replace(
            self,
            name=self.name or new_name(self.kind),
            body=self.body.named(new_name),
            shortcut=self.shortcut and self.shortcut.named(new_name),
        )

    def output_shape(self, shape: Shape) -> Shape:
        """The body's output shape, which the shortcut's must equal."""
        out = self.body.output_shape(shape)
        short = self.shortcut.output_shape(shape) if self.shortcut else shape
        if out != short:
            raise ShapeError(
                f"{self.called} adds its body's output {out} to its shortcut's {short}: make them "
                "equal, or give it a shortcut layer that changes the shape"
            )
        return out

    def leaves(self, shape: Shape) -> Iterator[tuple[Layer, Shape]]:
        """The body's layers, then the shortcut's."""
        yield from self.body.leaves(shape)
        if self.shortcut:
            yield from self.shortcut.leaves(shape)

    def forward_through(self, x: Array, run: Pass) -> tuple[Array, Any]:
        """The sum of body and shortcut."""
        out, body_cache = run.forward(self.body, x)
        short, short_cache = run.forward(self.shortcut, x) if self.shortcut else (x, None)
        return out + short, (body_cache, short_cache)

    def backward_through(self, dout: Array, cache: Any, run: Pass, *, needs_dx: bool) -> Array | None:
        """A sum sends its gradient to both terms; x was used twice, so its two gradients add."""
        body_cache, short_cache = cache
        dx = run.backward(self.body, dout, body_cache, needs_dx=needs_dx)
        dshort = run.backward(self.shortcut, dout, short_cache, needs_dx=needs_dx) if self.shortcut else dout
        return dx + dshort if needs_dx else None  # type: ignore[operator]


@dataclass(frozen=True, init=False)
class Branch(Combinator):
    """Several paths on the same input, their outputs concatenated (features or channels) or added.

    >>> Branch(Affine(50), Sequential(Affine(20), Tanh()), join="concatenate")  # 70 features
    """

    paths: tuple[Layer, ...]
    join: Literal["concatenate", "add"]

    def __init__(
        self, *paths: Layer, join: Literal["concatenate", "add"] = "concatenate", name: str = ""
    ) -> None:
        if join not in ("concatenate", "add"):
            raise ValueError(f'Branch joins by "concatenate" or "add", not {join!r}')
        if not paths:
            raise ValueError("Branch needs at least one path")
        _require_layers("Branch", paths)
        object.__setattr__(self, "paths", paths)
        object.__setattr__(self, "join", join)
        object.__setattr__(self, "name", name)

    @property
    def has_parameters(self) -> bool:  # type: ignore[override]
        """Whether any path has parameters."""
        return any(path.has_parameters for path in self.paths)

    def children(self) -> tuple[Layer, ...]:
        """The paths."""
        return self.paths

    def named(self, new_name: Callable[[str], str]) -> Self:
        """Name this and every path."""
        return Branch(
            *(path.named(new_name) for path in self.paths),
            join=self.join,
            name=self.name or new_name(self.kind),
        )  # type: ignore[return-value]

    def output_shape(self, shape: Shape) -> Shape:
        """All paths' sizes along the first axis added up, or the one shape that all share."""
        shapes = [path.output_shape(shape) for path in self.paths]
        comparable = shapes if self.join == "add" else [s[1:] for s in shapes]
        if len(set(comparable)) > 1:
            what = "add up" if self.join == "add" else "stand side by side"
            raise ShapeError(f"{self.called}: paths with outputs {', '.join(map(str, shapes))} do not {what}")
        return shapes[0] if self.join == "add" else (sum(s[0] for s in shapes), *shapes[0][1:])

    def leaves(self, shape: Shape) -> Iterator[tuple[Layer, Shape]]:
        """The layers of the first path, then of the second, ..."""
        for path in self.paths:
            yield from path.leaves(shape)

    def forward_through(self, x: Array, run: Pass) -> tuple[Array, Any]:
        """Every path on x, then the join."""
        outs, caches = zip(*(run.forward(path, x) for path in self.paths), strict=True)
        out = sum(outs[1:], start=outs[0]) if self.join == "add" else namespace(x).concat(outs, axis=1)
        return out, (caches, [o.shape[1] for o in outs])

    def backward_through(self, dout: Array, cache: Any, run: Pass, *, needs_dx: bool) -> Array | None:
        """Each path gets its slice of the gradient (all of it after a sum); x's gradients add."""
        caches, sizes = cache
        dx, start = None, 0
        for path, path_cache, size in zip(self.paths, caches, sizes, strict=True):
            own = dout if self.join == "add" else dout[:, start : start + size, ...]
            start += size
            dpath = run.backward(path, own, path_cache, needs_dx=needs_dx)
            if needs_dx:  # a path may give its own even where nobody asks
                dx = dpath if dx is None else dx + dpath
        return dx


def _require_layers(what: str, layers: tuple[Layer, ...]) -> None:
    for layer in layers:
        if not isinstance(layer, Layer):
            raise TypeError(f"{what} takes layers, such as ReLU(), got {layer!r}")
