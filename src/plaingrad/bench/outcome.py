"""What a workload's measurement gave: medians, ratios to plaingrad, operations a second, memory."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from plaingrad.bench.workloads import Workload, multiply_adds

COLUMNS = (
    "contender",
    "ms a step",
    "min–max",
    "÷ plaingrad",
    "GFLOP/s",
    "of ceiling",
    "MB in all",
    "MB to train",
    "",
)
RIGHT = range(1, 8)
SUMMARY_COLUMNS = (
    "workload", "what", "plaingrad ms", "PyTorch's best ms", "÷ plaingrad", "GFLOP/s", "of ceiling", "setting", "",
)  # fmt: skip
SUMMARY_RIGHT = range(2, 7)

# The part of the processors that a large matrix product has, if nothing else wants them, is more than this.
_OURS = 0.9


@dataclass(frozen=True)
class Result:
    """A contender's milliseconds a step, round by round; its memory where that is known.

    ratio: the median over rounds of its time divided by plaingrad's in the same round.
    peak_mb: the largest resident memory of a process in which it alone trained.  training_mb: what of that
    came after imports, data and weights were there.
    """

    name: str
    library: str
    setting: str
    parameters: int
    ms: list[float]
    ratio: float
    peak_mb: float | None = None
    training_mb: float | None = None

    @property
    def median_ms(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.ms)


@dataclass(frozen=True)
class Outcome:
    """A workload's results, plaingrad's first, and why contenders that are here could not train it.

    flop: floating-point operations of the products in one training step; a multiply-add is two.
    products_gflops, products_processors: what large float32 matrix products reached, and how many
    processors were at work on them, the last ones before a round each.
    """

    workload: Workload
    rounds: int
    steps: int
    flop: int
    threads: int
    products_gflops: list[float]
    products_processors: list[float]
    results: list[Result]
    failed: dict[str, str]

    @classmethod
    def of(
        cls,
        workload: Workload,
        told: dict[str, Any],
        memory: dict[str, Any],
        *,
        rounds: int,
        steps: int,
        threads: int,
    ) -> Outcome:
        """From what the measuring processes told; memory by contender's name."""
        ours = next(own["ms"] for own in told["contenders"] if own["name"] == "plaingrad")
        results = [
            Result(
                **{field: own[field] for field in ("name", "library", "setting", "parameters", "ms")},
                ratio=statistics.median(theirs / we for theirs, we in zip(own["ms"], ours, strict=True)),
                **(memory.get(own["name"]) or {}),
            )
            for own in told["contenders"]
        ]
        flop = 2 * multiply_adds(workload.build()) * workload.batch
        products = (told["products_gflops"], told["products_processors"])
        return cls(workload, rounds, steps, flop, threads, *products, results, told["failed"])

    @property
    def ours(self) -> Result:
        """plaingrad's."""
        return next(result for result in self.results if result.name == "plaingrad")

    @property
    def best_of_pytorch(self) -> Result | None:
        """PyTorch's in its fastest setting."""
        theirs = [result for result in self.results if result.library == "PyTorch"]
        return min(theirs, key=lambda result: result.median_ms, default=None)

    @property
    def ceiling_gflops(self) -> float:
        """The best of the large matrix products."""
        return max(self.products_gflops)

    @property
    def notes(self) -> list[str]:
        """What a reader of the table should know."""
        said = [f"{name} could not: {why}" for name, why in self.failed.items()]
        if self.busy:
            said.append(
                f"the machine was busy with something else: large matrix products had {self._at_work:.1f} "
                f"processors of {self.threads}; these times are worth little"
            )
        return said

    @property
    def busy(self) -> bool:
        """Whether something else had a part of the machine."""
        return self._at_work < _OURS * self.threads

    def gflops(self, result: Result) -> float:
        """Operations a second, in thousand millions."""
        return self.flop / result.median_ms / 1e6

    @property
    def title(self) -> str:
        """The workload, and how often it was measured."""
        times = f"{self.rounds} round{'s' * (self.rounds != 1)} of {self.steps} step{'s' * (self.steps != 1)}"
        return (
            f"{self.workload.id}: {self.workload.title}; n = {times}; {self.flop / 1e6:,.1f} MFLOP a step, "
            f"ceiling {self.ceiling_gflops:.0f} GFLOP/s"
        )

    def rows(self) -> list[tuple[str, ...]]:
        """Rows for a table of COLUMNS."""
        best = self.best_of_pytorch
        return [
            (
                result.name,
                three_digits(result.median_ms),
                f"{three_digits(min(result.ms))}–{three_digits(max(result.ms))}",
                f"{three_digits(result.ratio)}×",
                *self._speed(result),
                _megabytes(result.peak_mb),
                _megabytes(result.training_mb),
                "PyTorch's best" if result is best else "",
            )
            for result in self.results
        ]

    def summary_row(self) -> tuple[str, ...]:
        """A row for the table of SUMMARY_COLUMNS: plaingrad beside PyTorch's best."""
        best = self.best_of_pytorch
        theirs = (
            ("–", "–") if best is None else (three_digits(best.median_ms), f"{three_digits(best.ratio)}×")
        )
        own = (self.workload.id, self.workload.title, three_digits(self.ours.median_ms))
        setting, note = best.setting if best else "", "machine busy" if self.busy else ""
        return (*own, *theirs, *self._speed(self.ours), setting, note)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, with every round."""
        best = self.best_of_pytorch
        return {
            "id": self.workload.id,
            "title": self.workload.title,
            "batch": self.workload.batch,
            "rounds": self.rounds,
            "steps": self.steps,
            "flop_per_step": self.flop,
            "ceiling_gflops": self.ceiling_gflops,
            "products_gflops": self.products_gflops,
            "products_processors": self.products_processors,
            "best_of_pytorch": best and best.name,
            "failed": self.failed,
            "contenders": [
                {
                    "name": result.name,
                    "parameters": result.parameters,
                    "median_ms": result.median_ms,
                    "ratio_to_plaingrad": result.ratio,
                    "gflops": self.gflops(result),
                    "of_ceiling": self.gflops(result) / self.ceiling_gflops,
                    "peak_mb": result.peak_mb,
                    "training_mb": result.training_mb,
                    "ms": result.ms,
                }
                for result in self.results
            ],
        }

    @property
    def _at_work(self) -> float:
        return statistics.median(self.products_processors)

    def _speed(self, result: Result) -> tuple[str, str]:
        gflops = self.gflops(result)
        return f"{gflops:.1f}", f"{gflops / self.ceiling_gflops:.0%}"


def three_digits(value: float) -> str:
    """As many as mean something, but no more than two after the point: 0.12, 1.23, 12.3, 123, 1234."""
    return f"{value:.{max(0, 3 - len(str(int(value))))}f}"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int]) -> str:
    """A Markdown table."""
    rule = ["---:" if i in right else "---" for i in range(len(columns))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, rule, *rows))


def _megabytes(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"
