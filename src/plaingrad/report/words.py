"""What pages say in words: numbers as one would say them, and the result of a run in one sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from plaingrad.history import History


def percent(fraction: float | None, digits: int = 1) -> str:
    """A fraction as per cent, or a dash."""
    return "–" if fraction is None or not math.isfinite(fraction) else f"{100 * fraction:.{digits}f} %"


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
        done = counted(records[-1].epoch, "epochs") if records else counted(len(history.losses), "steps")
        done += " is" if done.startswith("1 ") else " are"
        return f"This run has not ended: {done} on record.", f"So far, {reached}" if reached else ""
    took = _took(result)
    for part, name in (("test", "test_accuracy"), ("validation", "best_val_accuracy")):
        accuracy = stated(result, name, most=1)
        if accuracy is not None:
            said = f"{percent(accuracy)} of {_of(samples, part, what)} are named right{took}."
            return said, _doubt(accuracy, samples.get(part))
    return f"Training ended{took}.", reached[:1].upper() + reached[1:]


def _of(samples: dict[str, int], part: str, what: str) -> str:
    return f"{samples[part]:,} {part} {what}" if samples.get(part) else f"the {part} {what}"


def _took(result: Mapping[str, Any]) -> str:
    epochs, seconds = stated(result, "epochs"), stated(result, "seconds")
    if epochs is None or seconds is None:
        return ""
    return f" after {counted(epochs, 'epochs')}, in {duration(seconds)} of training"


def _doubt(accuracy: float, count: int | None) -> str:
    """What so many samples leave open."""
    if not count:
        return ""
    error = math.sqrt(accuracy * (1 - accuracy) / count)
    return f"So many samples leave a standard error of {100 * error:.1f} points." if error else ""
