"""Time every kernel beside PyTorch's and the formula it stands in for: `python -m benchmarks.kernels`.

Each round runs the kernel, PyTorch and the formula one after the other (A B C A B C ...), forward and
backward, on channels-last arrays of the sizes that the workloads have; medians, and medians of the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

RESULTS = Path(__file__).parent / "results"


class Row(NamedTuple):
    """An op, its inputs and keywords, the same in PyTorch, and its multiply-adds forward."""

    title: str
    op: str
    inputs: tuple[np.ndarray, ...]
    keywords: dict[str, Any]
    torch: Callable[..., Any]
    products: int = 0


def images(count: int, channels: int, size: int) -> np.ndarray:
    """Random images in channels-last memory, float32."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((count, size, size, channels)).astype(np.float32).transpose(0, 3, 1, 2)


def conv(
    count: int, channels: int, size: int, filters: int, pixels: int, stride: int = 1, pad: int | None = None
) -> Row:
    """A convolution that keeps the size unless padding or stride is given."""
    pad = pixels // 2 if pad is None else pad
    w = (
        np.random.default_rng(1).standard_normal((filters, channels, pixels, pixels)).astype(np.float32)
        / pixels**2
    )
    where = {"stride": stride, "padding": pad}
    out = (size + 2 * pad - pixels) // stride + 1
    title = f"conv2d {channels}→{filters} {pixels}×{pixels}" + (f" stride {stride}" if stride > 1 else "")
    return Row(
        f"{title}, {count}×{size}×{size}", "conv2d", (images(count, channels, size), w), where,
        lambda F, x, w: F.conv2d(x, w, **where), count * out * out * filters * channels * pixels * pixels,
    )  # fmt: skip


def affine(count: int, features: int, units: int) -> Row:
    """Rows times a matrix, plus a vector."""
    rng = np.random.default_rng(1)
    inputs = [
        rng.standard_normal(shape).astype(np.float32)
        for shape in ((count, features), (features, units), (units,))
    ]
    return Row(
        f"affine {features}→{units}, {count}", "affine", tuple(inputs), {},
        lambda F, x, w, b: F.linear(x, w.T, b), count * features * units,
    )  # fmt: skip


def norm(count: int, channels: int, size: int, activation: str = "") -> Row:
    """Batch normalisation, alone or with an activation."""
    ones = np.ones(channels, np.float32)

    def torch(F: Any, x: Any, gamma: Any, beta: Any) -> Any:
        out = F.batch_norm(x, None, None, gamma, beta, training=True)
        return F.relu(out) if activation == "relu" else F.gelu(out, approximate="tanh") if activation else out

    title = "batchnorm" + (f" + {activation}" if activation else "")
    op, keywords = ("batchnorm_activation", {"activation": activation}) if activation else ("batchnorm", {})
    return Row(
        f"{title} {count}×{channels}×{size}×{size}",
        op,
        (images(count, channels, size), ones, ones),
        keywords,
        torch,
    )


def plain(op: str, count: int, channels: int, size: int, torch: Callable[..., Any], **keywords: Any) -> Row:
    """An op on images alone."""
    return Row(
        f"{op} {count}×{channels}×{size}×{size}", op, (images(count, channels, size),), keywords, torch
    )


def rows() -> list[Row]:
    """What W1 to W6 are made of."""

    def pool(F: Any, x: Any) -> Any:
        return F.max_pool2d(x, 2)

    def gelu(F: Any, x: Any) -> Any:
        return F.gelu(x, approximate="tanh")

    return [
        affine(200, 3072, 50),
        affine(100, 100, 100),
        conv(4, 3, 32, 6, 5, pad=0),
        conv(128, 3, 32, 6, 5, pad=0),
        conv(128, 6, 14, 16, 5, pad=0),
        conv(128, 3, 32, 32, 3),
        conv(4, 32, 30, 32, 3, pad=0),
        conv(128, 32, 30, 32, 3, pad=0),
        conv(128, 32, 32, 32, 3),
        conv(128, 64, 16, 64, 3),
        conv(128, 128, 8, 128, 3),
        conv(128, 24, 31, 64, 3),
        conv(128, 64, 15, 256, 3),
        conv(128, 256, 7, 256, 3),
        conv(128, 256, 3, 256, 3),
        conv(128, 16, 32, 32, 3, stride=2),
        conv(128, 64, 16, 64, 1),
        norm(128, 32, 32),
        norm(128, 32, 32, "relu"),
        norm(128, 64, 15, "gelu"),
        plain("max_pool2d", 4, 6, 28, pool, window=2),
        plain("max_pool2d", 128, 32, 32, pool, window=2),
        plain("relu", 128, 32, 32, lambda F, x: F.relu(x)),
        plain("gelu", 128, 24, 31, gelu),
    ]


def main() -> None:
    """Print a table and write every round."""
    from plaingrad.bench.facts import machine
    from plaingrad.machine import processors

    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--threads", type=int, default=processors(), help="for every library")
    parser.add_argument("--out", type=Path, default=RESULTS / "kernels.json")
    options = parser.parse_args()
    os.environ["PLAINGRAD_NUM_THREADS"] = str(options.threads)
    import torch

    torch.set_num_threads(options.threads)
    facts = machine(options.threads, ["pytorch"])
    print(", ".join(f"{key} {value}" for key, value in facts.items()))
    heads = f"{'ms':>8}{'PyTorch':>9}{'÷ ours':>8}{'formula':>9}{'÷ ours':>8}{'GFLOP/s':>9}"
    print(f"\n{f'medians of {options.rounds} rounds':55}{heads}")
    found = [result for row in rows() for result in measure(row, options.rounds)]
    options.out.write_text(json.dumps({"machine": facts, "rows": found}, indent=1) + "\n", encoding="utf-8")
    print(f"\nevery round: {options.out}")


def measure(row: Row, rounds: int) -> list[dict[str, Any]]:
    """Forward and backward of one op: by its kernel, by PyTorch, by its formula."""
    import torch

    import plaingrad.kernels  # noqa: F401  (registers them)
    from plaingrad import ops

    forward, backward = getattr(ops, f"{row.op}_forward"), getattr(ops, f"{row.op}_backward")
    out, cache = forward(*row.inputs, **row.keywords)
    with ops.plain():
        plain_cache = forward(*row.inputs, **row.keywords)[1]
    dout = np.random.default_rng(2).standard_normal(out.shape).astype(np.float32)
    if dout.ndim == 4:
        dout = np.ascontiguousarray(dout.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    theirs = [torch.from_numpy(x).requires_grad_() for x in row.inputs]
    upstream = torch.from_numpy(dout)

    def by_formula(function: Callable[..., Any], *args: Any) -> None:
        with ops.plain():
            function(*args, **(row.keywords if function is forward else {}))

    their_out = row.torch(torch.nn.functional, *theirs)
    ways = {
        "forward": (
            lambda: forward(*row.inputs, **row.keywords),
            lambda: row.torch(torch.nn.functional, *theirs),
            lambda: by_formula(forward, *row.inputs),
        ),
        "backward": (
            lambda: backward(dout, cache),
            lambda: torch.autograd.grad(their_out, theirs, upstream, retain_graph=True),
            lambda: by_formula(backward, dout, plain_cache),
        ),
    }
    return [
        compare(f"{row.title}, {way}", runs, row.products * (2 if way == "forward" else 4), rounds)
        for way, runs in ways.items()
    ]


def compare(title: str, runs: tuple[Callable[[], Any], ...], flops: int, rounds: int) -> dict[str, Any]:
    """All of them by turns."""
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds + 1):
        for own, run in zip(times, runs, strict=True):
            own.append(timed(run))
    ours, theirs, formula = (own[1:] for own in times)  # the first round warms up
    medians = [statistics.median(own) for own in (ours, theirs, formula)]
    ratios = [
        statistics.median(b / a for a, b in zip(ours, other, strict=True)) for other in (theirs, formula)
    ]
    rate = f"{flops / medians[0] / 1e6:9.0f}" if flops else ""
    print(
        f"{title:55}{medians[0]:8.2f}{medians[1]:9.2f}{ratios[0]:7.1f}×{medians[2]:9.2f}{ratios[1]:7.1f}×{rate}",
        flush=True,
    )
    return {
        "title": title, "ms": ours, "ms_pytorch": theirs, "ms_formula": formula,
        "pytorch_over_ours": ratios[0], "formula_over_ours": ratios[1],
    }  # fmt: skip


def timed(run: Callable[[], Any]) -> float:
    """Milliseconds of a call, after a pause in which the threads of whoever ran before go to sleep."""
    time.sleep(0.01)
    run()  # wakes ours
    started = time.perf_counter()
    run()
    return (time.perf_counter() - started) * 1e3


if __name__ == "__main__":
    main()
