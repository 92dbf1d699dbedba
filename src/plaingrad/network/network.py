"""A network: layers, their numbers in one flat buffer, an objective.  It is a model: `params` and `loss`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from html import escape
from typing import Any, Self, overload

import numpy as np

import plaingrad.kernels  # noqa: F401  (registers them for the functions of ops)
from plaingrad import ops
from plaingrad.errors import ShapeError
from plaingrad.network.flat import FlatDict
from plaingrad.network.fusion import fused
from plaingrad.network.initializers import Draws
from plaingrad.network.layer import Layer, Pass, Shape
from plaingrad.network.objectives import Objective, SoftmaxCrossEntropy

Array = np.ndarray


class Network:
    """Layers applied to samples of `input_shape`, with a loss.

    layers: a Layer, usually `Sequential(...)`.  input_shape: of one sample, such as (3, 32, 32).
    objective: the loss.  reg: L2 strength; the loss gains ½ · reg · ΣW² over weights (not biases, not
    normalisation parameters).  seed: of the initial weights and of dropout.  dtype: of all numbers.
    rng: draws the initial weights; by default a generator made from `seed`.

    `params` and `state` are dicts of named views into flat buffers.  `step` is the position in
    training from which dropout draws its masks; the Solver advances it.

    Raises ShapeError, naming the layer, if shapes do not fit.

    >>> net = Network(Sequential(Flatten(), Affine(100), ReLU(), Affine(10)), (3, 32, 32))
    >>> loss, grads = net.loss(X, y)
    """

    def __init__(
        self,
        layers: Layer,
        input_shape: Shape | int,
        *,
        objective: Objective | None = None,
        reg: float = 0.0,
        seed: int = 0,
        dtype: Any = np.float32,
        rng: Draws | None = None,
    ) -> None:
        self.input_shape: Shape = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
        if not all(isinstance(n, int | np.integer) and n > 0 for n in self.input_shape):
            raise ShapeError(f"input_shape must hold whole numbers above 0, got {self.input_shape}")
        if not isinstance(layers, Layer):
            raise TypeError(f"layers must be a Layer, such as Sequential(...), got {layers!r}")
        if not np.issubdtype(dtype, np.floating):
            raise TypeError(f"dtype must be a floating type such as numpy.float32, got {dtype!r}")
        if not 0 <= reg < np.inf:
            raise ValueError(f"reg must be 0 or more, got {reg}")
        self._layers = layers.named(_Namer(_chosen_names(layers)))
        self._fused = fused(self._layers)
        self.objective = objective or SoftmaxCrossEntropy()
        self.reg, self.seed, self.step = reg, seed, 0
        self.output_shape = self.layers.output_shape(self.input_shape)
        rng = rng or np.random.default_rng(seed)
        params, state, decayed = {}, {}, set()
        placed: dict[str, tuple[Layer, Shape]] = {}
        for layer, shape in self.layers.leaves(self.input_shape):
            if layer.name in placed:
                _check_shared(layer, shape, *placed[layer.name])
                continue
            placed[layer.name] = layer, shape
            own = layer.init(shape, rng)
            params |= {f"{layer.name}.{name}": value for name, value in own.items()}
            decayed |= {f"{layer.name}.{name}" for name in own if name in layer.decayed}
            state |= {f"{layer.name}.{name}": value for name, value in layer.init_state(shape).items()}
        self._params = _filled(params, dtype, decayed)
        self._state = _filled(state, dtype)

    @property
    def layers(self) -> Layer:
        """The layers as they were given, each with its name."""
        return self._layers

    @property
    def params(self) -> FlatDict:
        """Every parameter by name; assigning a dict of the same names copies the values in."""
        return self._params

    @params.setter
    def params(self, values: Mapping[str, Any]) -> None:
        self._params.assign(values)

    @property
    def state(self) -> FlatDict:
        """What training gathers without optimising it: running means and variances."""
        return self._state

    @state.setter
    def state(self, values: Mapping[str, Any]) -> None:
        self._state.assign(values)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of parameters, state and scores."""
        return self._params.flat.dtype

    @overload
    def loss(self, X: Array, y: None = None) -> Array: ...
    @overload
    def loss(self, X: Array, y: Array) -> tuple[float, FlatDict]: ...
    def loss(self, X: Array, y: Array | None = None) -> Array | tuple[float, FlatDict]:
        """Without y: scores (N, C) in evaluation mode.  With y: the loss and its gradients, in training mode.

        X (N, *input_shape); y as the objective takes it, usually integers (N,).  The gradients have
        the names and the layout of `params`.  Raises ShapeError or DataError for what does not fit.
        """
        if y is None:
            return self.scores(X)
        loss, grads, _ = self.loss_and_gradients(X, y)
        return loss, grads

    def loss_and_gradients(
        self, X: Array, y: Array, *, needs_dx: bool = False
    ) -> tuple[float, FlatDict, Array | None]:
        """As `loss(X, y)`, and the gradient of the input where `needs_dx` asks for it."""
        run, layers = self._pass(train=True), self._running()
        scores, cache = run.forward(layers, self._input(X))
        loss, loss_cache = self.objective.forward(scores, np.asarray(y))
        dx = run.backward(layers, self.objective.backward(loss_cache), cache, needs_dx=needs_dx)
        grads = self._params.like()
        for (layer, name), gradient in run.gradients.items():
            grads[f"{layer}.{name}"] = gradient
        if len(run.gradients) < len(grads):
            missing = sorted(set(grads) - {".".join(key) for key in run.gradients})
            raise ShapeError(
                f"no gradient came back for {', '.join(missing)}: the layer's backward must return one for "
                "each parameter, and its has_parameters must be True"
            )
        if self.reg:
            weights = slice(self._params.size_first)
            w = self._params.flat[weights]
            loss = loss + 0.5 * self.reg * (w @ w)
            grads.flat[weights] += self.reg * w
        return float(loss), grads, dx

    def scores(self, X: Array) -> Array:
        """The last layer's output (N, C) in evaluation mode."""
        return self._pass(train=False).forward(self._running(), self._input(X))[0]

    def predict(self, X: Array) -> Array:
        """The class with the highest score, integers (N,)."""
        return self.scores(X).argmax(axis=1)

    def probabilities(self, X: Array) -> Array:
        """Softmax of the scores (N, C).  Meaningful if the network was trained with cross-entropy."""
        return ops.softmax_forward(self.scores(X))[0]

    def first_non_finite(self, X: Array) -> str | None:
        """The name of the first layer whose output on X, in training mode, holds NaN or infinity, or None.

        The running statistics are left as they were.
        """
        found: list[str] = []

        def look(layer: Layer, out: Array) -> None:
            if not found and not np.isfinite(out).all():
                found.append(layer.name)

        run = self._pass(train=True, observe=look)
        run.state = self._state.copy().groups
        with np.errstate(all="ignore"):
            run.forward(self.layers, self._input(X))
        return found[0] if found else None

    def astype(self, dtype: Any) -> Self:
        """A copy of the network whose numbers have another dtype."""
        other = object.__new__(type(self))
        other.__dict__ = self.__dict__ | {
            "_params": self._params.copy(dtype),
            "_state": self._state.copy(dtype),
        }
        return other

    def summary(self) -> str:
        """A table of the layers: output shape, parameters and multiply-adds per sample."""
        rows = self.table()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        align = (str.ljust, str.ljust, str.rjust, str.rjust)
        lines = ["  ".join(map(lambda to, cell, width: to(cell, width), align, row, widths)) for row in rows]
        rule = "─" * len(lines[0])
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])

    def _repr_html_(self) -> str:
        """The summary, as a notebook shows it."""

        def line(row: tuple[str, ...], tag: str) -> str:
            sides = ("left", "left", "right", "right")
            cells = zip(map(escape, row), sides, strict=True)
            return "".join(f'<{tag} style="text-align: {side}">{cell}</{tag}>' for cell, side in cells)

        head, *rows = self.table()
        lines = [line(head, "th"), *(line(row, "td") for row in rows)]
        return f"<table>{''.join(f'<tr>{cells}</tr>' for cells in lines)}</table>"

    def table(self) -> list[tuple[str, ...]]:
        """The rows of the summary as text: a head, the layers, the total."""
        rows, counted = [("layer", "output", "parameters", "multiply-adds")], set()
        sizes = {name: sum(v.size for v in group.values()) for name, group in self._params.groups.items()}
        work = 0
        for layer, shape in self.layers.leaves(self.input_shape):
            size = sizes.get(layer.name, 0)
            own = "shared" if size and layer.name in counted else f"{size:,}"
            counted.add(layer.name)
            work += layer.multiply_adds(shape)
            out = " × ".join(map(str, layer.output_shape(shape)))
            rows.append((layer.name, out, own, f"{layer.multiply_adds(shape):,}"))
        rows.append(("total", "", f"{self._params.flat.size:,}", f"{work:,}"))
        return rows

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.input_shape} -> {self.output_shape}, "
            f"{self._params.flat.size:,} parameters, {self.dtype}>"
        )

    def _running(self) -> Layer:
        """The layers with neighbours joined; under `plain()`, as they were given."""
        return self._layers if ops.is_plain() else self._fused

    def _pass(self, *, train: bool, observe: Callable[[Layer, Array], None] | None = None) -> Pass:
        return Pass(self._params.groups, self._state.groups, train, (self.seed, self.step), observe)

    def _input(self, X: Array) -> Array:
        X = np.asarray(X, dtype=self.dtype)
        if X.ndim and not len(X):
            raise ShapeError("the batch X is empty; give it at least one sample")
        if X.shape[1:] != self.input_shape:
            raise ShapeError(
                f"the network expects X of shape (N, {', '.join(map(str, self.input_shape))}), "
                f"got {X.shape}: reshape X, or build the network for this shape"
            )
        return X


class _Namer(Counter[str]):
    """Names layers by kind and number, affine1, relu1, affine2, ..., passing over the names that are `taken`."""

    def __init__(self, taken: set[str]) -> None:
        super().__init__()
        self.taken = taken

    def __call__(self, kind: str) -> str:
        while True:
            self[kind] += 1
            if (name := f"{kind}{self[kind]}") not in self.taken:
                return name


def _chosen_names(layers: Layer) -> set[str]:
    """The names that were chosen for layers, however deep inside they are."""
    names: set[str] = set()

    def visit(layer: Layer) -> None:
        if layer.name:
            names.add(layer.name)
        for child in layer.children():
            visit(child)

    visit(layers)
    return names


def _check_shared(layer: Layer, shape: Shape, other: Layer, other_shape: Shape) -> None:
    """Raise unless two layers of one name are equal and their inputs need parameters of the same shapes.

    A convolution may so be used on images of several sizes.
    """

    def parameters(shape: Shape) -> dict[str, Shape]:
        return {name: value.shape for name, value in layer.init(shape, np.random.default_rng(0)).items()}

    if layer != other or parameters(shape) != parameters(other_shape):
        raise ShapeError(
            f"two layers are called {layer.name!r} and would share their parameters, but they differ: "
            f"{other} on inputs {other_shape}, {layer} on inputs {shape}; rename one"
        )


def _filled(
    values: Mapping[str, Array], dtype: Any, first: set[str] | frozenset[str] = frozenset()
) -> FlatDict:
    made = FlatDict({name: value.shape for name, value in values.items()}, dtype, first)
    made.assign(values)
    return made
