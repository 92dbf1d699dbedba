"""`classifiers.fc_net`: the course's networks of affine layers.  Brings the layers along, as there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from plaingrad.course import layer_utils
from plaingrad.course.classifiers.base import CourseNetwork
from plaingrad.course.conventions import drop_rate, no_dropout
from plaingrad.course.layer_utils import *  # noqa: F403 (the course's module has these names too)
from plaingrad.network import FlatDict

__all__ = ["FullyConnectedNet", "TwoLayerNet"]
__all__ += layer_utils.__all__

Array = np.ndarray


class TwoLayerNet(CourseNetwork):
    """affine – ReLU – affine – softmax in float64; L2 is ½·reg·ΣW²."""

    def __init__(
        self,
        input_dim: int = 3 * 32 * 32,
        hidden_dim: int = 100,
        num_classes: int = 10,
        weight_scale: float = 1e-3,
        reg: float = 0.0,
    ) -> None:
        super().__init__([hidden_dim], input_dim, num_classes, weight_scale=weight_scale, reg=reg)


class FullyConnectedNet(CourseNetwork):
    """{affine – [normalisation] – ReLU – [dropout]} × (L − 1) – affine – softmax; L2 is ½·reg·ΣW².

    dropout, or dropout_keep_ratio as newer years call it: the probability to keep a unit, 1 for no
    dropout (before 2018 it was the probability to drop one: see `plaingrad.course.install`).  With a
    `seed` the masks are the same at each call, for gradient checks; without, they are drawn anew from
    NumPy's global generator.  use_batchnorm: how older years say normalization="batchnorm".
    """

    def __init__(
        self,
        hidden_dims: Sequence[int],
        input_dim: int = 3 * 32 * 32,
        num_classes: int = 10,
        dropout: float | None = None,
        normalization: Literal["batchnorm", "layernorm"] | None = None,
        reg: float = 0.0,
        weight_scale: float = 1e-2,
        dtype: Any = np.float32,
        seed: int | None = None,
        *,
        dropout_keep_ratio: float | None = None,
        use_batchnorm: bool = False,
    ) -> None:
        if dropout_keep_ratio is not None:
            if dropout is not None:
                raise ValueError("dropout and dropout_keep_ratio are two names of one number; give one")
            if not 0 < dropout_keep_ratio <= 1:
                raise ValueError(
                    f"dropout_keep_ratio must be above 0 and at most 1, got {dropout_keep_ratio}"
                )
            rate = 1 - dropout_keep_ratio
        else:
            rate = drop_rate(no_dropout() if dropout is None else dropout)
        super().__init__(
            hidden_dims,
            input_dim,
            num_classes,
            weight_scale=weight_scale,
            reg=reg,
            dropout=rate,
            normalization="batchnorm" if use_batchnorm else normalization,
            seed=0 if seed is None else seed,
            dtype=dtype,
        )
        self.normalization = "batchnorm" if use_batchnorm else normalization
        self.num_layers = len(hidden_dims) + 1
        self.use_dropout = rate > 0
        self._new_masks = self.use_dropout and seed is None
        for name, values in self.state.items():
            if name.endswith("running_var"):  # the course starts from 0, PyTorch and plaingrad from 1
                values[...] = 0

    @property
    def bn_params(self) -> list[dict[str, Array]]:
        """For each normalisation layer its running statistics, as views; empty dicts for layer normalisation."""
        if self.normalization is None:
            return []
        return [dict(self.state.groups.get(f"batchnorm{i}", {})) for i in range(1, self.num_layers)]

    def loss_and_gradients(
        self, X: Array, y: Array, *, needs_dx: bool = False
    ) -> tuple[float, FlatDict, Array | None]:
        """As its base, on new dropout masks unless there is a seed."""
        if self._new_masks:
            self.step = int(np.random.randint(2**31))
        return super().loss_and_gradients(X, y, needs_dx=needs_dx)
