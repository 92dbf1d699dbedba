"""`classifiers`: the course's networks.

TwoLayerNet is the one of `fc_net`; `neural_net` has the older one, which trains itself.
"""

from plaingrad.course.classifiers.cnn import ThreeLayerConvNet
from plaingrad.course.classifiers.fc_net import FullyConnectedNet, TwoLayerNet

__all__ = ["FullyConnectedNet", "ThreeLayerConvNet", "TwoLayerNet"]
