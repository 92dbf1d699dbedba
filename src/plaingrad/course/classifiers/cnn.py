"""`classifiers.cnn`: the course's convolutional network.  Brings the layers along, as there."""

from __future__ import annotations

from typing import Any

import numpy as np

from plaingrad import network
from plaingrad.course import layer_utils
from plaingrad.course.classifiers.base import CourseNames
from plaingrad.course.layer_utils import *  # noqa: F403 (the course's module has these names too)

__all__ = ["ThreeLayerConvNet"]
__all__ += layer_utils.__all__


class ThreeLayerConvNet(CourseNames, network.ThreeLayerConvNet):
    """conv – ReLU – 2×2 max pool – affine – ReLU – affine – softmax; L2 is ½·reg·ΣW².

    input_dim: (C, H, W).  The convolution pads by (filter_size − 1)//2, so an odd filter_size keeps H and W.
    W1 (num_filters, C, filter_size, filter_size), W2 and W3 (features, units).
    """

    def __init__(
        self,
        input_dim: tuple[int, int, int] = (3, 32, 32),
        num_filters: int = 32,
        filter_size: int = 7,
        hidden_dim: int = 100,
        num_classes: int = 10,
        weight_scale: float = 1e-3,
        reg: float = 0.0,
        dtype: Any = np.float32,
    ) -> None:
        super().__init__(
            num_filters,
            filter_size,
            hidden_dim,
            std=weight_scale,
            input_shape=input_dim,
            classes=num_classes,
            reg=reg,
            dtype=dtype,
        )
