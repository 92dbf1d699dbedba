"""Hypotheses about wrong gradients, each a plain function: evidence in, a proved name or None out.

`CAUSES` are asked in this order; the first that holds names the mistake.  Those that hold exactly and
everywhere come before those that hold at some elements, and the more specific before the more general.
"""

from plaingrad.insight.gradients.causes.chain import step_back
from plaingrad.insight.gradients.causes.form import single_precision, stale_cache, truncated
from plaingrad.insight.gradients.causes.multiples import (
    bias_mean_for_sum,
    dropout_scale,
    missing_mean,
    penalty,
    scaled,
    sign,
    zero,
)
from plaingrad.insight.gradients.causes.order import exchanged, permuted, shifted, transposed, turned_factor
from plaingrad.insight.gradients.causes.places import mask_missing, one_hot_missing, partly_scaled
from plaingrad.insight.gradients.causes.statistics import statistics_constant, wrong_axis
from plaingrad.insight.gradients.causes.sums import overwritten

CAUSES = (
    zero,
    stale_cache,
    single_precision,
    sign,
    dropout_scale,
    missing_mean,
    bias_mean_for_sum,
    penalty,
    scaled,
    exchanged,
    transposed,
    permuted,
    one_hot_missing,
    mask_missing,
    truncated,
    turned_factor,
    shifted,
    step_back,
    statistics_constant,
    wrong_axis,
    overwritten,
    partly_scaled,
)

__all__ = ["CAUSES"]
