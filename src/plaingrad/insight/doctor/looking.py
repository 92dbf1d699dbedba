"""A look: what a model shows on one batch, seen on a copy of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from plaingrad.insight.doctor.evidence import Look
from plaingrad.insight.doctor.probes import copied
from plaingrad.insight.layer_facts import measured_pass, parameter_facts, score_facts
from plaingrad.model import Model
from plaingrad.network import Network
from plaingrad.optimizer import global_norm

Array = np.ndarray


def look_at(
    model: Model, X: Array, y: Array, *, step: int, before: Mapping[str, Array] | None = None
) -> Look:
    """What a copy of the model shows on a batch: loss and gradients, scores, and the layers of a Network.

    `before` holds the parameters before the last update.
    """
    model = copied(model)
    scores = np.asarray(model.loss(X.copy()))
    layers = measured_pass(model, X, y).layers if isinstance(model, Network) else ()
    loss, gradients = model.loss(X.copy(), y.copy())
    return Look(
        step=step,
        loss=float(loss),
        gradient_norm=global_norm(gradients),
        parameters=parameter_facts(model.params, gradients, before),
        layers=layers,
        scores=score_facts(scores, y) if scores.ndim == 2 else None,
    )
