from .curves import accuracy as accuracy
from .curves import history as history
from .curves import loss as loss
from .first_layer import weights as weights
from .images import samples as samples
from .layer_statistics import layers as layers
from .matrix import confusion as confusion
from .reliability import calibration as calibration
