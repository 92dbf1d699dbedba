"""Normalisation of inputs, against its formulas computed directly in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import plaingrad
from plaingrad import kernels
from plaingrad.data import Normalization
from plaingrad.data.normalization import CHUNK, KINDS, full_intensity
from plaingrad.errors import DataError

RANDOM = np.random.default_rng(0)
BYTES = RANDOM.integers(0, 256, (2 * CHUNK + 37, 3, 4, 5), dtype=np.uint8)  # more than one chunk
FLOATS = RANDOM.random((50, 3, 4, 5), dtype=np.float32)
ROWS = RANDOM.random((50, 6))


def expected(kind: str, x: np.ndarray) -> np.ndarray:
    top = 255 if x.dtype == np.uint8 else 1
    x = x.astype(np.float64)
    centred = x - x.mean(axis=0)
    match kind:
        case "none":
            return x
        case "mean-image":
            return centred
        case "unit":
            return x / top
        case "symmetric":
            return 2 * x / top - 1
        case "channels":
            return (x - x.mean(axis=(0, 2, 3), keepdims=True)) / x.std(axis=(0, 2, 3), keepdims=True)
    return centred / centred.std()


@pytest.mark.parametrize(
    ("kind", "images"),
    [
        (kind, images)
        for kind in KINDS
        for images in (BYTES, FLOATS, ROWS)
        if kind != "channels" or images.ndim == 4
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_against_the_formula(kind, images, dtype):
    before = images.copy()
    fitted = Normalization.fit(kind, images)
    indices = np.array([3, 0, 3, len(images) - 1])
    want = expected(kind, images)
    for got, rows in (
        (fitted.batch(images, dtype=dtype), want),
        (fitted.batch(images, indices, dtype=dtype), want[indices]),
    ):
        assert got.dtype == dtype
        assert not np.shares_memory(got, images)
        np.testing.assert_allclose(got, rows, rtol=1e-5, atol=3e-6 * max(1, abs(rows).max()))
    np.testing.assert_array_equal(images, before)


def test_the_mean_of_a_large_set_is_exact():
    # In float32, sums of this many equal values near 2**24 drift; in float64 they do not.
    images = np.full((200_000, 1), 251, dtype=np.uint8)
    assert Normalization.fit("mean-image", images).shift.tolist() == [251.0]


def test_a_small_deviation_on_a_large_mean_survives():
    images = 1e6 + RANDOM.standard_normal((1_000, 1, 2, 2))
    deviation = Normalization.fit("channels", images).batch(images, dtype=np.float64).std()
    assert deviation == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("kind", ["channels", "standard"])
@pytest.mark.parametrize("value", [7, 0.1])
def test_what_never_varies_is_only_shifted(kind, value):
    images = np.full((9, 2, 3, 3), value)
    np.testing.assert_allclose(Normalization.fit(kind, images).batch(images), 0, atol=1e-6)


@pytest.mark.parametrize("kind", ["unit", "symmetric"])
@pytest.mark.parametrize(
    "images", [FLOATS * 2, -FLOATS, BYTES.astype(np.int16)], ids=["large", "negative", "int16"]
)
def test_ranges_are_not_guessed(kind, images):
    with pytest.raises(DataError, match="uint8 images or floats in"):
        Normalization.fit(kind, images)


def test_wrong_calls():
    with pytest.raises(DataError, match="'whiten' is not known; choose one of none, mean-image"):
        Normalization.fit("whiten", BYTES)
    with pytest.raises(DataError, match="at least one image"):
        Normalization.fit("none", BYTES[:0])
    with pytest.raises(DataError, match="needs images"):
        Normalization.fit("channels", ROWS)
    with pytest.raises(DataError, match="holds NaN"):
        Normalization(np.array(np.nan), np.array(1))
    with pytest.raises(DataError, match="no 'scale'"):
        Normalization.from_state({"shift": np.zeros(())})


@pytest.mark.parametrize("shape", [(5, 4, 5), (5, 3, 4, 4), (5, 60), (3, 4, 5)])
def test_other_samples_than_those_fitted_are_refused(shape):
    with pytest.raises(DataError, match="fitted to samples"):
        Normalization.fit("mean-image", BYTES).batch(np.zeros(shape, np.uint8))


def test_channels_fit_images_of_any_size():
    fitted = Normalization.fit("channels", BYTES)
    assert fitted.batch(np.zeros((2, 3, 7, 9), np.uint8)).shape == (2, 3, 7, 9)


@pytest.mark.parametrize("kind", KINDS)
def test_state_round_trip(kind):
    fitted = Normalization.fit(kind, BYTES)
    assert all(array.dtype == np.float32 for array in fitted.state().values())
    again = Normalization.from_state(fitted.state())
    np.testing.assert_array_equal(again.batch(BYTES), fitted.batch(BYTES))
    assert again.full == fitted.full == 255


@pytest.mark.parametrize(
    ("images", "full"),
    [
        (BYTES, 255),
        (BYTES // 9, 255),
        (FLOATS, 1),
        (FLOATS * 0, 1),
        (FLOATS * 255, None),
        (FLOATS - 0.5, None),
        (np.where(FLOATS > 0.5, np.nan, FLOATS), None),
        (BYTES.astype(np.uint16) * 257, 65535),
        (BYTES.astype(np.uint16) * 16, None),  # 12 bits in 16
        (BYTES.astype(np.int64), None),
        (BYTES.astype(np.int16) * 128, 32767),
        (BYTES.astype(np.int16) * 128 - 1, None),
        (BYTES > 127, None),
    ],
)
def test_full_intensity(images, full):
    assert full_intensity(images) == full
    fitted = Normalization.fit("standard", images) if np.isfinite(images).all() else None
    if fitted:
        assert Normalization.from_state(fitted.state()).full == full


def test_unit_of_16_bits():
    fitted = Normalization.fit("unit", BYTES.astype(np.uint16) * 257)
    np.testing.assert_allclose(fitted.batch(BYTES.astype(np.uint16) * 257), BYTES / 255, rtol=1e-6)


@pytest.mark.parametrize("kind", ["mean-image", "channels", "standard"])
@pytest.mark.parametrize("value", [1e300, np.inf, np.nan])
def test_what_float32_cannot_hold_is_an_error_without_a_warning(kind, value):
    with pytest.raises(DataError, match="training images hold one of them, or values beyond the range"):
        Normalization.fit(kind, np.full((4, 3, 2, 2), value))


@given(st.lists(st.integers(0, len(BYTES) - 1), max_size=20))
def test_a_batch_is_those_rows_of_the_whole(indices):
    fitted = Normalization.fit("standard", BYTES)
    np.testing.assert_array_equal(fitted.batch(BYTES, np.array(indices, int)), fitted.batch(BYTES)[indices])


# The compiled way: to the bit as by NumPy

needs_numba = pytest.mark.skipif(not kernels.available, reason="Numba is not installed")
STORED = [BYTES, FLOATS, FLOATS.astype(np.float64) / 3, BYTES.astype(np.int16)]


def by_numpy(fitted, images, indices=None):
    with plaingrad.plain():
        return fitted.batch(images, indices)


def assert_same_bits(got, expected):
    assert got.dtype == expected.dtype == np.float32
    assert got.flags.c_contiguous
    assert got.flags.writeable
    np.testing.assert_array_equal(got, expected)
    assert np.array_equal(np.signbit(got), np.signbit(expected))


@pytest.fixture(params=["one thread", "threads"])
def parts(request, monkeypatch):
    if request.param == "threads" and kernels.available:
        from plaingrad.kernels import numba_gather

        monkeypatch.setattr(numba_gather, "_LARGE", 0)


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize(
    ("kind", "images"),
    [
        (kind, images)
        for kind in KINDS
        for images in STORED
        # The range of these is not known.
        if kind not in ("unit", "symmetric") or images.dtype != np.int16
    ],
    ids=lambda value: str(getattr(value, "dtype", value)),
)
def test_compiled_is_to_the_bit_what_numpy_makes(kind, images):
    fitted = Normalization.fit(kind, images)
    for indices in (None, np.array([3]), np.array([3, 0, 3, len(images) - 1] * 9), np.array([-1, 5, -50])):
        assert_same_bits(fitted.batch(images, indices), by_numpy(fitted, images, indices))


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize("shift", [(), (1, 1, 1), (3, 1, 1), (1, 40, 1), (1, 1, 50), (3, 1, 50), (3, 40, 50)])
@pytest.mark.parametrize("scale", [(), (1, 1, 1), (3, 1, 1), (1, 1, 50), (3, 40, 50)])
def test_shift_and_scale_of_any_shape(shift, scale):
    """On samples of more than one run of numbers, the last of them not full."""
    images = RANDOM.integers(0, 256, (7, 3, 40, 50), dtype=np.uint8)
    fitted = Normalization(RANDOM.standard_normal(shift) * 100, RANDOM.random(scale))
    indices = RANDOM.integers(0, 7, 20)
    assert_same_bits(fitted.batch(images, indices), by_numpy(fitted, images, indices))


@needs_numba
@pytest.mark.parametrize("images", STORED[:3], ids=lambda images: str(images.dtype))
def test_the_usual_images_are_gathered_by_compiled_code(images, monkeypatch):
    from plaingrad.data import normalization

    monkeypatch.setattr(normalization, "gathered", None)
    fitted = Normalization.fit("standard", images)
    frozen = images.copy()
    frozen.flags.writeable = False
    for stored in (images, frozen, images[2:]):
        fitted.batch(stored, np.array([1, 4]))
        assert stored.flags.writeable is (stored is not frozen)


@pytest.mark.parametrize(
    "indices",
    [[3, 0], np.array([3, 0], np.int32), np.array([], int), np.arange(9)[::-2]],
    ids=["list", "int32", "none", "backwards"],
)
def test_indices_of_any_kind(indices):
    fitted = Normalization.fit("standard", BYTES)
    assert_same_bits(fitted.batch(BYTES, indices), by_numpy(fitted, BYTES, indices))


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize("beyond", [len(BYTES), -len(BYTES) - 1, 1 << 40])
def test_indices_beyond_the_images(beyond):
    with pytest.raises(IndexError):
        Normalization.fit("standard", BYTES).batch(BYTES, np.array([0, 1, beyond, 2]))


def test_images_that_lie_otherwise():
    fitted = Normalization.fit("standard", BYTES)
    for images in (BYTES[::2], BYTES[:, :, ::-1], BYTES.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2)):
        assert_same_bits(
            np.ascontiguousarray(fitted.batch(images, np.arange(4))),
            by_numpy(fitted, images.copy(), np.arange(4)),
        )


def test_a_normalisation_meets_samples_of_several_shapes():
    fitted = Normalization.fit("channels", BYTES)
    for images in (BYTES, BYTES[:, :, :2], BYTES[:, :, :, :1], BYTES):
        images = np.ascontiguousarray(images)
        assert_same_bits(fitted.batch(images, np.arange(3)), by_numpy(fitted, images, np.arange(3)))


def test_extreme_floats():
    numbers = [0.0, -0.0, 1e-45, -1e-40, 3e38, np.inf, -np.inf, np.nan, 1 / 3]
    for dtype in (np.float32, np.float64):
        images = np.array([numbers, numbers[::-1]], dtype)
        for shift, scale in ((0, 1), (0.0, -1), (np.arange(9) - 4, 1e-3), (1, np.arange(9) - 4)):
            fitted = Normalization(np.asarray(shift), np.asarray(scale))
            with np.errstate(all="ignore"):
                assert_same_bits(
                    fitted.batch(images, np.array([1, 0])), by_numpy(fitted, images, np.array([1, 0]))
                )


def test_fitting_makes_no_float_copy_of_the_data():
    import tracemalloc

    images = np.zeros((20_000, 3, 16, 16), np.uint8)
    tracemalloc.start()
    try:
        Normalization.fit("standard", images)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < images.nbytes
