"""Time every kernel against the formula it stands in for: `python -m benchmarks.kernels`.

Each round runs the kernel and the formula one after the other (A B A B ...), forward and backward, on
arrays of the sizes that the workloads have; medians, and the median of the ratios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import plaingrad as pg
from benchmarks.__main__ import RESULTS, machine
from plaingrad import ops
from plaingrad.kernels.memory import channels_first
from plaingrad.machine import processors


def images(count: int, channels: int, size: int) -> np.ndarray:
    """Random images in channels-last memory, float32."""
    rng = np.random.default_rng(0)
    return channels_first(rng.standard_normal((count, size, size, channels)).astype(np.float32))


def conv(count: int, channels: int, size: int, filters: int, pixels: int, stride: int = 1) -> tuple[Any, ...]:
    """A convolution that keeps the size, or halves it."""
    rng = np.random.default_rng(1)
    w = rng.standard_normal((filters, channels, pixels, pixels)).astype(np.float32) / pixels**2
    where = {"stride": stride, "padding": pixels // 2}
    title = f"conv2d {channels}→{filters} {pixels}×{pixels}, {count}×{size}×{size}, stride {stride}"
    return title, "conv2d", (images(count, channels, size), w), where


def norm(count: int, channels: int, size: int) -> tuple[Any, ...]:
    """Batch normalisation."""
    ones = np.ones(channels, np.float32)
    return (
        f"batchnorm {count}×{channels}×{size}×{size}",
        "batchnorm",
        (images(count, channels, size), ones, ones),
        {},
    )


def plain(op: str, count: int, channels: int, size: int, **keywords: Any) -> tuple[Any, ...]:
    """An op on images alone."""
    return f"{op} {count}×{channels}×{size}×{size}", op, (images(count, channels, size),), keywords


ROWS = (
    conv(4, 3, 32, 6, 5),
    conv(128, 3, 32, 32, 3),
    conv(128, 32, 32, 32, 3),
    conv(128, 64, 16, 64, 3),
    conv(128, 128, 8, 128, 3),
    conv(128, 32, 32, 64, 3, stride=2),
    norm(128, 32, 32),
    norm(128, 128, 8),
    plain("max_pool2d", 4, 6, 28, window=2),
    plain("max_pool2d", 128, 32, 32, window=2),
    plain("gelu", 128, 32, 32),
)


def main() -> None:
    """Print a table and write every round."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--out", type=Path, default=RESULTS / "kernels.json")
    options = parser.parse_args()
    facts = machine(processors())
    print(", ".join(f"{key} {value}" for key, value in facts.items()))
    print(f"\nn = {options.rounds} rounds{'':31}{'ms kernel':>10}{'ms formula':>12}{'formula ÷ kernel':>18}")
    rows = [
        row
        for title, op, inputs, keywords in ROWS
        for row in measure(title, op, inputs, keywords, options.rounds)
    ]
    options.out.write_text(json.dumps({"machine": facts, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    print(f"\nevery round: {options.out}")


def measure(title: str, op: str, inputs: Any, keywords: Any, rounds: int) -> list[dict[str, Any]]:
    """Forward and backward of one op, by its kernel and by its formula."""
    forward, backward = getattr(ops, f"{op}_forward"), getattr(ops, f"{op}_backward")
    out, cache = forward(*inputs, **keywords)
    with pg.plain():
        plain_cache = forward(*inputs, **keywords)[1]
    dout = np.random.default_rng(2).standard_normal(out.shape).astype(np.float32)
    dout = channels_first(np.ascontiguousarray(dout.transpose(0, 2, 3, 1)))
    return [
        compare(f"{title}, forward", lambda: forward(*inputs, **keywords), None, rounds),
        compare(
            f"{title}, backward", lambda: backward(dout, cache), lambda: backward(dout, plain_cache), rounds
        ),
    ]


def compare(
    title: str, run: Callable[[], Any], run_plain: Callable[[], Any] | None, rounds: int
) -> dict[str, Any]:
    """Both, by turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds + 1):
        times[0].append(timed(run))
        with pg.plain():
            times[1].append(timed(run_plain or run))
    kernel, formula = (own[1:] for own in times)  # the first round warms up
    ratio = statistics.median(b / a for a, b in zip(kernel, formula, strict=True))
    medians = statistics.median(kernel), statistics.median(formula)
    print(f"{title:55}{medians[0]:>8.2f}{medians[1]:>12.2f}{ratio:>17.1f}×")
    return {"title": title, "ms_kernel": kernel, "ms_formula": formula, "ratio": ratio}


def timed(run: Callable[[], Any]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    run()
    return (time.perf_counter() - started) * 1e3


if __name__ == "__main__":
    main()
