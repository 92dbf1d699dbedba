"""What a measuring process does: rounds of everybody by turns, beside large products; or one contender's memory.

A process of its own, because thread counts are set by environment before NumPy is imported, and because
memory is only known of a process that did nothing else.
"""

from __future__ import annotations

import gc
import math
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from plaingrad import machine
from plaingrad.bench.contenders import Contender
from plaingrad.bench.libraries import LIBRARIES
from plaingrad.bench.workloads import Workload, centred_rows, images

# Threads of most libraries go on spinning for a while when their work is done; within this many seconds
# they have gone to sleep, and the next contender has the processors for itself.
_PAUSE = 0.05

_FEWEST_WARM_STEPS = 3  # the first compiles, and makes what later ones use again
_MEMORY_STEPS = 3


def timed(workload: Workload, libraries: Iterable[str], rounds: int, steps: int) -> dict[str, Any]:
    """Each contender's milliseconds a step in every round; why some could not run; what large products reached.

    In each round all contenders train one after the other, so that a machine that slows down slows
    everybody down.  A large matrix product before each round tells whether it is left to us.
    """
    everybody, failed = ready(workload, libraries, steps)
    times: dict[str, list[float]] = {contender.name: [] for contender, _ in everybody}
    product = matrix_product()
    products = [product() for _ in range(4)][1:]  # the first warms up
    for _ in range(rounds):
        products.append(product())
        for contender, _ in everybody:
            time.sleep(_PAUSE)
            contender.run(math.ceil(steps / 5))  # wakes its threads, and has the caches for itself again
            started = time.perf_counter()
            contender.run(steps)
            times[contender.name].append((time.perf_counter() - started) / steps * 1e3)
    return {
        "products_gflops": [gflops for gflops, _ in products],
        "products_processors": [processors for _, processors in products],
        "failed": failed,
        "contenders": [
            {
                "name": contender.name,
                "library": contender.library,
                "key": key,
                "setting": contender.setting,
                "parameters": contender.parameters,
                "ms": times[contender.name],
            }
            for contender, key in everybody
        ],
    }


def ready(
    workload: Workload, libraries: Iterable[str], steps: int
) -> tuple[list[tuple[Contender, str]], dict[str, str]]:
    """Every contender that can train the workload, compiled and warm, with its library's key; why others cannot.

    plaingrad is expected to work; what goes wrong in it is raised.
    """
    everybody: list[tuple[Contender, str]] = []
    failed: dict[str, str] = {}
    for key in libraries:
        try:
            kind = LIBRARIES[key].contender
        except Exception as error:  # it is there, but cannot be imported
            failed[LIBRARIES[key].name] = in_one_line(error)
            continue
        for setting in kind.settings(workload):
            try:
                contender = kind(workload, setting)
                loss = contender.run(max(steps, _FEWEST_WARM_STEPS))
                if not math.isfinite(loss):
                    raise ArithmeticError(f"its loss is {loss}")
            except Exception as error:  # another library may fail in ways of its own
                if key == "plaingrad":
                    raise
                failed[f"{kind.library} {setting}".strip()] = in_one_line(error)
            else:
                everybody.append((contender, key))
    return everybody, failed


def in_one_line(error: BaseException) -> str:
    """An error's kind and the first line it says."""
    text = re.sub(r"\s+", " ", str(error).strip().partition("\n")[0])[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def matrix_product(size: int = 2048) -> Callable[[], tuple[float, float]]:
    """A function that multiplies two large float32 matrices by NumPy: GFLOP/s, and processors at work on it.

    If these are fewer than there are threads, something else had the others.
    """
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((size, size), dtype=np.float32) for _ in range(2))
    out = np.empty_like(a)

    def product() -> tuple[float, float]:
        time.sleep(_PAUSE)
        started, used = time.perf_counter(), time.process_time()
        np.matmul(a, b, out=out)
        seconds = time.perf_counter() - started
        return 2 * size**3 / seconds / 1e9, (time.process_time() - used) / seconds

    return product


def peak_memory(workload: Workload, library: str, setting: str) -> dict[str, float] | None:
    """The largest resident memory of this process while it trains, in MB, and how much of that came after
    imports, data and weights were there.

    Compiling, which the first step may do, is part of it.  None where the system does not tell: only Linux
    forgets a peak on request.
    """
    contender = LIBRARIES[library].contender(workload, setting)
    for cached in (images, centred_rows):  # only what the contender holds is its own
        cached.cache_clear()
    gc.collect()
    return peak_during(lambda: contender.run(_MEMORY_STEPS))


def peak_during(work: Callable[[], object]) -> dict[str, float] | None:
    """The peak of this process's resident memory during `work`, and by how much it passed what was there, MB."""
    if not machine.forget_peak():
        return None
    before = machine.resident_mb()
    work()
    peak = machine.resident_mb(peak=True)
    return {"peak_mb": round(peak, 1), "training_mb": round(max(peak - before, 0.0), 1)}
