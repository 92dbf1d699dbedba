"""What a gradient check found, to read, to print and to store."""

from __future__ import annotations

import math
import textwrap
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class GradientRow:
    """What the check found for one array.

    error: the worst relative error.  index: where, or None for a projection; `analytic` and `numeric`
    are the two values compared there.  checked: how many of the array's `size` elements were compared;
    kinks: how many were not, because the function bends right there.  nearby: how many, of those and of
    those too small to measure, are right where all arrays are moved a little.  problem: a sentence, empty
    if the gradient is right.
    """

    name: str
    size: int
    checked: int = 0
    error: float = math.nan
    index: tuple[int, ...] | None = None
    analytic: float = math.nan
    numeric: float = math.nan
    kinks: int = 0
    nearby: int = 0
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong with this gradient."""
        return not self.problem


@dataclass(frozen=True)
class GradientFinding:
    """One mistake.

    parameter: the array it shows in first, counted from the loss backwards; "" if it concerns the call
    as a whole.  error: the worst relative error of its gradient, NaN where none could be computed.
    where: which elements are wrong, in words.  likely: the mistake's code, as docs/gradient-check.md
    lists them.  explanation: the evidence, in numbers, and the line of code to look at.  line: that
    line, "file:number: source", or "" where no source is at hand.  follows: the arrays that are wrong
    because of this.
    """

    parameter: str
    error: float
    where: str
    likely: str
    explanation: str
    line: str = ""
    follows: tuple[str, ...] = ()

    def __str__(self) -> str:
        subject = f" in {self.parameter}" if self.parameter else ""
        error = "" if math.isnan(self.error) else f" (error {self.error:.2g}; {self.where})"
        wrapped = textwrap.wrap(self.explanation, 96, break_long_words=False, break_on_hyphens=False)
        return "\n  ".join([f"{self.likely}{subject}{error}", *wrapped])


@dataclass(frozen=True, repr=False)
class GradientReport:
    """The result of `check_gradients`: a row for each array, and a finding for each mistake.

    `findings` begins with the main one.  `problems` are sentences that concern the call as a whole.
    Printed or shown in a notebook, it is a table followed by the findings.
    """

    method: str
    tolerance: float
    rows: tuple[GradientRow, ...]
    problems: tuple[str, ...] = ()
    findings: tuple[GradientFinding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every gradient is right."""
        return not self.problems and not self.findings and all(row.ok for row in self.rows)

    def __getitem__(self, name: str) -> GradientRow:
        """The row of the array called `name`."""
        return {row.name: row for row in self.rows}[name]

    def to_dict(self) -> dict[str, Any]:
        """The same in numbers, strings, lists and dicts as JSON has them; None for what was not measured."""
        rows = [asdict(row) | {"ok": row.ok} for row in self.rows]
        return {
            "ok": self.ok,
            "method": self.method,
            "tolerance": self.tolerance,
            "problems": list(self.problems),
            "findings": [{k: _plain(v) for k, v in asdict(found).items()} for found in self.findings],
            "rows": [{key: _plain(value) for key, value in row.items()} for row in rows],
        }

    def __repr__(self) -> str:
        verdict = "every gradient agrees" if self.ok else "WRONG"
        title = f"Gradient check ({self.method}, tolerance {self.tolerance:g}): {verdict}"
        table = [
            ("array", "error", "checked", "worst at", "analytic", "numeric", ""),
            *map(_cells, self.rows),
        ]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        left = (0, 3, 6)  # names and words to the left, numbers to the right
        lines = [
            "  ".join(
                cell.ljust(width) if i in left else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in table
        ]
        explained = [line for found in self.findings for line in ("", str(found))]
        sentences = [] if explained else [*self.problems, *(row.problem for row in self.rows if row.problem)]
        return "\n".join([title, *(lines if self.rows else []), *sentences, *explained])


def _cells(row: GradientRow) -> tuple[str, ...]:
    remark = "ok" if row.ok else "WRONG"
    if row.kinks:
        remark += f", {row.kinks} at a kink"
    if row.nearby:
        remark += f", {row.nearby} compared nearby"
    numbers = (row.error, row.analytic, row.numeric)
    error, analytic, numeric = ("-" if math.isnan(x) else f"{x:.3g}" for x in numbers)
    where = "-" if row.index is None else str(row.index)
    return row.name, error, f"{row.checked:,} of {row.size:,}", where, analytic, numeric, remark


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return list(value) if isinstance(value, tuple) else value
