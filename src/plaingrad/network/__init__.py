"""Networks: specs of layers, the combinators that join them, and the numbers they are run on."""

from plaingrad.network.combinators import Branch, Residual, Sequential
from plaingrad.network.flat import FlatDict
from plaingrad.network.initializers import He, Normal, Xavier
from plaingrad.network.layer import Layer, Pass
from plaingrad.network.layers import (
    ELU,
    GELU,
    Affine,
    BatchNorm,
    Dropout,
    Flatten,
    LayerNorm,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Tanh,
)
from plaingrad.network.network import Network
from plaingrad.network.objectives import (
    Hinge,
    MeanSquaredError,
    NegativeLogLikelihood,
    Objective,
    SoftmaxCrossEntropy,
)
from plaingrad.network.zoo import FullyConnectedNet, TwoLayerNet

__all__ = [
    "ELU",
    "GELU",
    "Affine",
    "BatchNorm",
    "Branch",
    "Dropout",
    "FlatDict",
    "Flatten",
    "FullyConnectedNet",
    "He",
    "Hinge",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "LogSoftmax",
    "MeanSquaredError",
    "NegativeLogLikelihood",
    "Network",
    "Normal",
    "Objective",
    "Pass",
    "ReLU",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SoftmaxCrossEntropy",
    "Tanh",
    "TwoLayerNet",
    "Xavier",
]
