"""The doctor's rules: one function for each condition, and what settles between them.

Every rule is a function from Evidence to a Finding or None.  It says nothing where evidence is missing, and
takes its thresholds from named constants above it, each with its reason.  How sure it is means:

- 1: proved, by an experiment on the model or by counting: it cannot be otherwise;
- 0.8: such evidence rarely has another cause;
- 0.5: more likely than not, but other causes remain.  What is below counts as a hint, not as a finding.
"""

from __future__ import annotations

from collections.abc import Callable

from plaingrad.insight.doctor.diagnosis import Finding
from plaingrad.insight.doctor.evidence import Evidence
from plaingrad.insight.doctor.rules.batches import batch_too_small_for_batchnorm, no_shuffling
from plaingrad.insight.doctor.rules.course import plateau, stopped_too_early
from plaingrad.insight.doctor.rules.generalization import (
    overfitting,
    too_little_capacity,
    too_much_regularization,
)
from plaingrad.insight.doctor.rules.inputs import test_data_in_training, unnormalized_input
from plaingrad.insight.doctor.rules.labels import (
    class_imbalance,
    class_never_predicted,
    label_noise,
    misaligned_labels,
)
from plaingrad.insight.doctor.rules.learning_rate import learning_rate_too_high, learning_rate_too_low
from plaingrad.insight.doctor.rules.losses import nll_of_raw_scores, non_finite, softmax_twice
from plaingrad.insight.doctor.rules.mistakes import (
    batchnorm_in_training_mode,
    dropout_at_evaluation,
    frozen_layers,
    gradients_not_reset,
    loss_not_averaged,
)
from plaingrad.insight.doctor.rules.precedence import settle
from plaingrad.insight.doctor.rules.scale import bad_initial_scale
from plaingrad.insight.doctor.rules.signal import exploding_gradients, vanishing_gradients
from plaingrad.insight.doctor.rules.units import dead_relus, saturated_units

Rule = Callable[[Evidence], Finding | None]

RULES: tuple[Rule, ...] = (
    learning_rate_too_low,
    learning_rate_too_high,
    vanishing_gradients,
    exploding_gradients,
    dead_relus,
    saturated_units,
    bad_initial_scale,
    overfitting,
    too_little_capacity,
    too_much_regularization,
    stopped_too_early,
    no_shuffling,
    unnormalized_input,
    label_noise,
    misaligned_labels,
    class_never_predicted,
    class_imbalance,
    batch_too_small_for_batchnorm,
    batchnorm_in_training_mode,
    dropout_at_evaluation,
    nll_of_raw_scores,
    softmax_twice,
    loss_not_averaged,
    gradients_not_reset,
    frozen_layers,
    test_data_in_training,
    plateau,
    non_finite,
)


def examine(evidence: Evidence) -> tuple[Finding, ...]:
    """Every condition that the evidence shows, most important first; see `precedence`."""
    findings = (rule(evidence) for rule in RULES)
    return settle(finding for finding in findings if finding is not None)
