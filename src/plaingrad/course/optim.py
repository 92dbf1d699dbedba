"""`optim`: the update rules of `plaingrad.optim` as `rule(w, dw, config) -> next_w, config`.

config is a dict; what it lacks is filled in, and the rule's state is kept in it.  None is an empty one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from plaingrad.errors import ShapeError
from plaingrad.optim import SGD, Adam, Momentum, RMSProp, Rule

__all__ = ["adam", "rmsprop", "sgd", "sgd_momentum"]

Array = np.ndarray
Config = dict[str, Any]


def sgd(w: Array, dw: Array, config: Config | None = None) -> tuple[Array, Config]:
    """Gradient descent.  config: learning_rate (1e-2)."""
    config = _filled(config, learning_rate=1e-2)
    return _step(SGD(), w, dw, config)


def sgd_momentum(w: Array, dw: Array, config: Config | None = None) -> tuple[Array, Config]:
    """With momentum.  config: learning_rate (1e-2), momentum (0.9); state: velocity."""
    config = _filled(config, learning_rate=1e-2, momentum=0.9)
    return _step(Momentum(momentum=config["momentum"]), w, dw, config)


def rmsprop(w: Array, dw: Array, config: Config | None = None) -> tuple[Array, Config]:
    """RMSProp.  config: learning_rate (1e-2), decay_rate (0.99), epsilon (1e-8); state: cache."""
    config = _filled(config, learning_rate=1e-2, decay_rate=0.99, epsilon=1e-8)
    return _step(RMSProp(decay=config["decay_rate"], eps=config["epsilon"]), w, dw, config)


def adam(w: Array, dw: Array, config: Config | None = None) -> tuple[Array, Config]:
    """Adam.  config: learning_rate (1e-3), beta1 (0.9), beta2 (0.999), epsilon (1e-8); state: m, v, t.

    t, from 0, counts the steps taken: it is raised before the step, and the corrections use the new one.
    """
    config = _filled(config, learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, t=0)
    config["t"] += 1
    rule = Adam(beta1=config["beta1"], beta2=config["beta2"], eps=config["epsilon"])
    return _step(rule, w, dw, config, t=config["t"])


def _filled(config: Config | None, **defaults: Any) -> Config:
    config = {} if config is None else config
    for key, value in defaults.items():
        config.setdefault(key, value)
    return config


def _step(rule: Rule, w: Array, dw: Array, config: Config, *, t: int = 1) -> tuple[Array, Config]:
    if np.shape(w) != np.shape(dw):
        raise ShapeError(f"the gradient has shape {np.shape(dw)}, but its parameter {np.shape(w)}")
    state = {slot: config.get(slot, zeros) for slot, zeros in rule.init(w).items()}
    next_w, state = rule.update(w, dw, state, lr=config["learning_rate"], t=t)
    config.update(state)
    return next_w, config
