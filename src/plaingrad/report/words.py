"""What pages say in words: numbers as one would say them, and the result of a run in one sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from plaingrad.history import History


def percent(fraction: float | None, digits: int = 1) -> str:
    """A fraction as per cent, or a dash; all and nothing are what is written 100 and 0, whatever rounding says."""
    if fraction is None or not math.isfinite(fraction):
        return "–"
    while digits < 6 and 0 < fraction < 1 and round(100 * fraction, digits) in (0, 100):
        digits += 1
    text = f"{100 * fraction:.{digits}f}"
    return f"{text} %" if float(text) or not fraction else f"{100 * fraction:.1g} %"


def duration(seconds: float) -> str:
    """A time as one would say it."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return "{:,} h {} min".format(*divmod(minutes, 60))


def counted(number: float, things: str) -> str:
    """A number of things: "1 epoch", "3.5 epochs", "1,470 steps"."""
    text = f"{number:,.2f}".rstrip("0").rstrip(".")
    return f"{text} {things.removesuffix('s') if text == '1' else things}"


def stated(values: Mapping[str, Any] | None, name: str, most: float = 1e15) -> float | None:
    """A number from 0 to `most` among the values of a record, which anybody may have written; None for all else."""
    value = (values or {}).get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        return None
    return float(value)


def headline(history: History, samples: dict[str, int], what: str = "images") -> tuple[str, str]:
    """The result of a run in one sentence, and how sure it is; the second may be empty.

    samples: how many samples there are in "test" and "validation", where that is known.
    """
    result, records = history.result, history.records
    broken = next((line for line in history.seen if line["type"] == "non_finite"), None)
    measured = [own for own in records if own.val_accuracy is not None]
    best = max(measured, key=lambda own: own.val_accuracy or 0.0, default=None)
    reached = ""
    if best is not None:
        reached = (
            f"{percent(best.val_accuracy)} of {_of(samples, 'validation', what)} were named right at best."
        )
    elif records:
        reached = (
            f"{percent(records[-1].train_accuracy)} of the training {what} looked at were named right last."
        )
    if result is None and broken is not None:
        where = broken.get("where")
        place = (
            {"input": "the input", "loss": "the loss"}.get(where, where) if isinstance(where, str) else "it"
        )
        return (
            f"This run broke off at step {broken['step']:,}: a value in {place} was no finite number.",
            f"Until then, {reached}" if reached else "",
        )
    if result is None:
        if not history.losses and not records:
            return "This run has recorded nothing yet.", ""
        return f"This run has not ended: {_done(history)} on record.", f"So far, {reached}" if reached else ""
    took, test = _took(result), stated(result, "test_accuracy", most=1)
    if test is not None:
        said = f"{percent(test)} of {_of(samples, 'test', what)} are named right{took}."
        chosen = f"The weights are those of epoch {best.epoch:.4g}, the best on validation." if best else ""
        return said, " ".join(filter(None, (_interval(test, samples.get("test")), chosen)))
    highest = stated(result, "best_val_accuracy", most=1)
    if highest is not None:
        said = f"{percent(highest)} of {_of(samples, 'validation', what)} were named right at best{took}."
        many = f"It is the best of {counted(len(measured), 'evaluations')}, chosen by these very {what}."
        return said, many if len(measured) > 1 else _interval(highest, samples.get("validation"))
    return f"Training ended{took}.", reached[:1].upper() + reached[1:]


def _done(history: History) -> str:
    """How far a run got, and how far it was to go where that is known: "14 of 400 epochs are"."""
    setup = next((line for line in reversed(history.seen) if line["type"] == "setup"), {})
    total, each = stated(setup, "total_steps"), stated(setup, "steps_per_epoch")
    if not history.records:
        done = counted(len(history.losses), "steps")
        return f"{done} is" if done.startswith("1 ") else f"{done} are"
    epochs = history.records[-1].epoch
    if total and each and total >= each * epochs:
        return f"{counted(epochs, '').strip()} of {counted(total / each, 'epochs')} are"
    done = counted(epochs, "epochs")
    return f"{done} is" if done.startswith("1 ") else f"{done} are"


def _of(samples: dict[str, int], part: str, what: str) -> str:
    return f"{samples[part]:,} {part} {what}" if samples.get(part) else f"the {part} {what}"


def _took(result: Mapping[str, Any]) -> str:
    epochs, seconds = stated(result, "epochs"), stated(result, "seconds")
    if epochs is None or seconds is None:
        return ""
    return f" after {counted(epochs, 'epochs')}, in {duration(seconds)} of training"


def _interval(accuracy: float, count: int | None) -> str:
    """Between which shares the true one may lie, by so many samples alone: Wilson's interval.

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953.  Unlike a standard error it says something of 100 %.
    """
    if not count:
        return ""
    z = 1.96
    middle = (accuracy + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(accuracy * (1 - accuracy) / count + (z / (2 * count)) ** 2) / (1 + z * z / count)
    low, high = (min(max(round(end, 9), 0.0), 1.0) for end in (middle - half, middle + half))
    return f"Between {percent(low)} and {percent(high)}, with 95 % confidence."
