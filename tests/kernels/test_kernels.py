"""Every kernel gives what its formula gives: on the rows of tests/cases.py, small and large, however
their memory lies, and for convolution, pooling and batch normalisation on images of any size.
"""

from __future__ import annotations

import inspect
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plaingrad.kernels  # noqa: F401  (registers them)
from case import Array, Case, channels_last
from cases import CASES
from plaingrad import ops
from plaingrad.ops import Formula

FORMULAS = [value for value in vars(ops).values() if isinstance(value, Formula) and value.kernels]
KERNEL_CASES = [case for case in CASES if case.forward in FORMULAS or case.backward in FORMULAS]
SMALL, LARGE = (4, 5), (260, 260)  # elementwise kernels leave fewer than 65,536 elements alone

every_case = pytest.mark.parametrize("case", KERNEL_CASES, ids=str)


def with_gaps(x: Array) -> Array:
    """x as every other element, backwards, of larger memory."""
    if x.ndim == 0:
        return x
    memory = np.full((*x.shape[:-1], 2 * x.shape[-1]), np.nan if x.dtype.kind == "f" else -1, x.dtype)
    memory[..., ::-2] = x
    return memory[..., ::-2]


def in_c_order(x: Array) -> Array:
    return np.ascontiguousarray(x) if x.ndim else x  # which NumPy would make an array of one number


LAYOUTS = {"C": in_c_order, "channels-last": channels_last, "gaps": with_gaps}
every_layout = pytest.mark.parametrize("layout", LAYOUTS)


def row(op: str) -> Case:
    return next(case for case in CASES if case.op == op)


def upstream(out: Any) -> Array:
    return np.random.default_rng(1).standard_normal(np.shape(out)).astype(np.asarray(out).dtype)


def accepting(formula: Formula[..., Any], *args: Any, **keywords: Any) -> list[Any]:
    """The kernels that may stand in for this call."""
    return [kernel for accepts, kernel in formula.kernels if accepts(*args, **keywords)]


def arrays_in(value: Any) -> list[Array]:
    if isinstance(value, tuple):
        return [array for part in value for array in arrays_in(part)]
    return [value] if isinstance(value, np.ndarray) else []


def rounding(*values: Any) -> float:
    """The unit of rounding of the coarsest floats among them."""
    return max(float(np.finfo(a.dtype).eps) for a in arrays_in(values) if a.dtype.kind == "f")


def assert_same(got: Any, right: Any, unit: float) -> None:
    """Tuples part by part; arrays of floats close, and of one dtype; integers of any width; all else equal.

    Close: to 200 units of rounding of the largest number, or of 1 if that is more, which is the size of what
    was added up: sums may be taken in another order, and what cancels leaves its rounding.
    """
    if isinstance(right, tuple):
        assert type(got) is type(right)
        assert len(got) == len(right)
        for one, other in zip(got, right, strict=True):
            assert_same(one, other, unit)
    elif isinstance(right, np.ndarray | np.generic):
        assert got.shape == right.shape
        if right.dtype.kind == "f":
            assert got.dtype == right.dtype
            scale = np.abs(right).max(initial=1.0)
            np.testing.assert_allclose(got, right, rtol=0, atol=200 * unit * scale)
        else:
            assert got.dtype.kind in {"i": "iu", "u": "iu"}.get(right.dtype.kind, right.dtype.kind)
            np.testing.assert_array_equal(got, right)
    else:
        assert got == right


def call(function: Any, *args: Any, **keywords: Any) -> Any:
    """What it returns; its arguments are as they were."""
    given = arrays_in(args)
    before = [array.copy() for array in given]
    returned = function(*args, **keywords)
    for array, copy in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, copy)
    return returned


def by_formula(op: Formula[..., Any], *args: Any, **keywords: Any) -> Any:
    """What the formula returns, and those that it calls."""
    with ops.plain():
        return op.formula(*args, **keywords)


def assert_kernels_agree(case: Case, inputs: Any, dout: Array | None = None) -> None:
    """Kernels and formula, forward, and backward on their own cache and on one another's.

    The upstream gradient is laid out as the first input is, unless given.
    """
    expected, cache = by_formula(case.forward, *inputs, **case.keywords)
    caches, unit = [cache], rounding(inputs)
    for kernel in accepting(case.forward, *inputs, **case.keywords):
        out, own = call(kernel, *inputs, **case.keywords)
        assert_same(out, expected, unit)
        assert_same(own, cache, unit)
        caches.append(own)

    dout = upstream(expected) if dout is None else dout
    ways: list[dict[str, bool]] = [{}]
    if "needs_dx" in inspect.signature(case.backward.formula).parameters:
        ways.append({"needs_dx": False})
    for keywords in ways:
        right = by_formula(case.backward, dout, cache, **keywords)
        for own in caches:
            for backward in (
                partial(by_formula, case.backward),
                *accepting(case.backward, dout, own, **keywords),
            ):
                assert_same(call(backward, dout, own, **keywords), right, unit)


def test_every_kernel_belongs_to_an_op_with_a_row():
    ours = {id(formula) for case in CASES for formula in (case.forward, case.backward)}
    assert {formula.__name__ for formula in FORMULAS if id(formula) not in ours} == set()


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.__name__)
def test_every_kernel_accepts_some_row(formula):
    """Or else the tests of this file would say nothing about it."""
    ran = set()
    for case in KERNEL_CASES:
        if formula in (case.forward, case.backward):
            for size in (SMALL, LARGE):
                for layout in LAYOUTS.values():
                    inputs = tuple(map(layout, case.make(*size, dtype=np.float32)))
                    ran |= set(accepting(case.forward, *inputs, **case.keywords))
                    out, cache = case.run(inputs)
                    ran |= set(accepting(case.backward, layout(upstream(out)), cache))
    assert {kernel for _, kernel in formula.kernels} <= ran


@pytest.mark.parametrize("side", ["forward", "backward"])
def test_a_wrong_kernel_is_caught(side, monkeypatch):
    case = row("affine")
    target = getattr(case, side)
    monkeypatch.setattr(target, "kernels", [])
    assert_kernels_agree(case, case.make())

    @target.kernel(lambda *args, **keywords: True)
    def slightly_wrong(*args, **keywords):
        returned = target.formula(*args, **keywords)
        return ((1 + 1e-9) * returned[0], *returned[1:])

    with pytest.raises(AssertionError):
        assert_kernels_agree(case, case.make())


@every_case
@every_layout
@pytest.mark.parametrize(
    ("size", "dtype"),
    [(SMALL, np.float32), (SMALL, np.float64), (LARGE, np.float32)],
    ids=["small-float32", "small-float64", "large-float32"],
)
def test_rows(case, size, dtype, layout):
    inputs = tuple(map(LAYOUTS[layout], case.make(*size, dtype=dtype)))
    out, _ = case.forward.formula(*inputs, **case.keywords)
    assert_kernels_agree(case, inputs, LAYOUTS[layout](upstream(out)))


@every_case
def test_upstream_gradient_laid_out_otherwise(case):
    """Also as the gradient of a mean, which is one number seen in many places, and read-only."""
    inputs = case.make(*LARGE, dtype=np.float32)
    out, _ = case.forward.formula(*inputs, **case.keywords)
    ours = upstream(out)
    mean = np.broadcast_to(ours[..., :1], ours.shape) if ours.ndim else ours
    for dout in (channels_last(ours), with_gaps(ours), mean):
        assert_kernels_agree(case, inputs, dout)


@every_case
def test_mixed_dtypes(case):
    """A kernel that knows one dtype only leaves two of them to the formula."""
    single, double = (
        tuple(map(channels_last, case.make(*LARGE, dtype=dtype))) for dtype in (np.float32, np.float64)
    )
    for i in range(len(single)):
        assert_kernels_agree(case, (*single[:i], double[i], *single[i + 1 :]))
    out, _ = case.forward.formula(*single, **case.keywords)
    assert_kernels_agree(case, single, channels_last(upstream(out).astype(np.float64)))


@every_case
@every_layout
def test_nan_is_not_lost(case, layout):
    """A network that has diverged must be seen to have."""
    x, *others = case.make(*LARGE, dtype=np.float32)
    x.flat[[0, x.size // 3, x.size - 1]] = np.nan
    inputs = tuple(map(LAYOUTS[layout], (x, *others)))
    out, _ = case.run(inputs)
    np.testing.assert_array_equal(np.isnan(out), np.isnan(case.forward.formula(*inputs, **case.keywords)[0]))


def results(case: Case, inputs: Any) -> list[Array]:
    """All that forward and backward return, by kernels where they accept."""
    out, cache = case.run(inputs)
    return arrays_in((out, cache, case.gradients(upstream(out), cache)))


@every_case
@pytest.mark.parametrize("layout", ["C", "channels-last"])
def test_the_same_call_gives_the_same_bits_and_leaves_earlier_results_alone(case, layout):
    """A resumed run is the same to the bit, and no result lies in memory that the next call writes."""
    some, others = (
        tuple(map(LAYOUTS[layout], case.make(*LARGE, seed=seed, dtype=np.float32))) for seed in (0, 1)
    )
    first = results(case, some)
    kept = [array.copy() for array in first]
    results(case, others)
    for array, copy, again in zip(first, kept, results(case, some), strict=True):
        np.testing.assert_array_equal(array, copy)
        np.testing.assert_array_equal(again, copy)


@every_case
def test_calls_at_once_from_several_threads(case):
    inputs = [case.make(*LARGE, seed=seed, dtype=np.float32) for seed in range(4)]
    one_by_one = [results(case, own) for own in inputs]
    with ThreadPoolExecutor(4) as threads:
        at_once = list(threads.map(lambda own: results(case, own), inputs))
    for got, right in zip(at_once, one_by_one, strict=True):
        assert_same(tuple(got), tuple(right), rounding(tuple(right)))


@every_case
def test_shapes_that_do_not_fit_are_left_to_the_formula(case):
    """Compiled loops do not look where an array ends."""
    inputs = tuple(map(channels_last, case.make(*LARGE, dtype=np.float32)))
    out, cache = case.run(inputs)
    dout = channels_last(upstream(out))
    if dout.ndim:
        other_counts = (
            (dout[:-1], np.concatenate([dout, dout])) if case.op != "avg_pool2d" else ()
        )  # any fits
        for wrong in (*other_counts, dout[..., :1], dout[0]):
            assert compiled_among(accepting(case.backward, wrong, cache)) == []
    for i, x in enumerate(inputs[1:], 1):
        for wrong in (x[:-1], np.concatenate([x, x])):
            given = (*inputs[:i], wrong, *inputs[i + 1 :])
            if case.op not in ("conv2d", "conv2d_relu") or i > 1:  # any number of filters fits
                assert compiled_among(accepting(case.forward, *given, **case.keywords)) == []


def compiled_among(kernels: list[Any]) -> list[Any]:
    return [kernel for kernel in kernels if "numba" in kernel.__module__]


# Images of any size

ONE_PIXEL = ops.Window((1, 1))


def laid_out(draw: Any, *arrays: Array) -> tuple[Array, ...]:
    """In one dtype and one layout."""
    dtype, layout = draw(st.sampled_from([np.float32, np.float64])), draw(st.sampled_from(sorted(LAYOUTS)))
    return tuple(LAYOUTS[layout](array.astype(dtype)) for array in arrays)


@st.composite
def images(draw: Any, window: ops.Window = ONE_PIXEL, fewest: int = 0) -> Array:
    """Up to 40 images of any size up to 33 × 33 that the window fits."""
    least = [max(1, n - 2 * p) for n, p in zip(window.span, window.padding, strict=True)]
    shape = [draw(st.integers(*ends)) for ends in ((fewest, 40), (1, 9), (least[0], 33), (least[1], 33))]
    return np.random.default_rng(draw(st.integers(0, 99))).standard_normal(shape)


def pairs(least: int, most: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(least, most), st.integers(least, most))


@given(
    st.data(),
    st.builds(ops.Window, pairs(1, 5), pairs(1, 3), pairs(0, 4), pairs(1, 2)),
    st.integers(1, 9),
    st.booleans(),
)
@settings(max_examples=60)
def test_convolution_of_any_images(data, window, filters, depthwise):
    x = data.draw(images(window))
    groups = x.shape[1] if depthwise else 1
    rng = np.random.default_rng(1)
    w = rng.standard_normal((filters * groups, x.shape[1] // groups, *window.size))
    keywords = {**window._asdict(), "groups": groups}
    del keywords["size"]
    inputs = laid_out(data.draw, x, w, rng.standard_normal(filters * groups))
    assert_kernels_agree(replace(row("conv2d"), keywords=keywords), inputs)
    assert_kernels_agree(replace(row("conv2d"), keywords=keywords, omitted=1), inputs[:2])


@given(st.data(), pairs(1, 4), pairs(1, 4), st.booleans(), st.booleans())
@settings(max_examples=60)
def test_pooling_of_any_images(data, size, stride, padded, coarse):
    """Coarse images have many equal values, of which the first must win."""
    padding = tuple(n // 2 for n in size) if padded else (0, 0)
    x = data.draw(images(ops.Window(size, stride, padding)))
    x = np.round(x) if coarse else x
    keywords = {"window": size, "stride": stride, "padding": padding}
    for op in ("max_pool2d", "avg_pool2d"):
        assert_kernels_agree(replace(row(op), keywords=keywords), laid_out(data.draw, x))


@given(st.data(), images(ops.Window((3, 3)), fewest=1))
@settings(max_examples=40)
def test_batch_normalisation_of_any_images(data, x):
    """Of 9 pixels or more: of two, standardised, nothing is left for the gradient but rounding."""
    rng = np.random.default_rng(1)
    vectors = [rng.uniform(0.5, 2, x.shape[1]) for _ in range(4)]
    inputs = laid_out(data.draw, 3 * x + 1, *vectors)
    assert_kernels_agree(row("batchnorm"), inputs[:3])
    assert_kernels_agree(row("batchnorm_eval"), inputs)
