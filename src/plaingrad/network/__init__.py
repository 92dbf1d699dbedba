"""Networks: specs of layers, the combinators that join them, and the numbers they are run on."""

from plaingrad.network.combinators import Branch, Residual, Sequential
from plaingrad.network.convnets import VGG, FastNet, FourConvNet, LeNet, ResNet, ThreeLayerConvNet
from plaingrad.network.description import described
from plaingrad.network.flat import FlatDict
from plaingrad.network.image_layers import AvgPool2d, Conv2d, GlobalAvgPool2d, MaxPool2d
from plaingrad.network.initializers import He, Normal, Uniform, Xavier
from plaingrad.network.layer import Layer, Pass
from plaingrad.network.layers import (
    ELU,
    GELU,
    Affine,
    Dropout,
    Dropout2d,
    Flatten,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Scale,
    Sigmoid,
    SiLU,
    Tanh,
)
from plaingrad.network.network import Network
from plaingrad.network.normalization_layers import BatchNorm, GroupNorm, LayerNorm
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
    "VGG",
    "Affine",
    "AvgPool2d",
    "BatchNorm",
    "Branch",
    "Conv2d",
    "Dropout",
    "Dropout2d",
    "FastNet",
    "FlatDict",
    "Flatten",
    "FourConvNet",
    "FullyConnectedNet",
    "GlobalAvgPool2d",
    "GroupNorm",
    "He",
    "Hinge",
    "Layer",
    "LayerNorm",
    "LeNet",
    "LeakyReLU",
    "LogSoftmax",
    "MaxPool2d",
    "MeanSquaredError",
    "NegativeLogLikelihood",
    "Network",
    "Normal",
    "Objective",
    "Pass",
    "ReLU",
    "ResNet",
    "Residual",
    "Scale",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SoftmaxCrossEntropy",
    "Tanh",
    "ThreeLayerConvNet",
    "TwoLayerNet",
    "Uniform",
    "Xavier",
    "described",
]
