"""Augmentation: each transform against a plain loop, and the same numbers for the same seed and step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaingrad.data import Augmentation, ColorJitter, Crop, Cutout, Flip, Transform
from plaingrad.errors import DataError, RecipeError

COLOR = np.random.default_rng(0).integers(0, 256, (40, 3, 12, 9), dtype=np.uint8)
COLOR.flags.writeable = False
DTYPES = (np.uint8, np.dtype(">u2"), np.int32, np.float16, np.float32, np.float64)
INDICES = np.arange(40)


def apply(transform, images, *, seed=0, epoch=0, indices=None):
    indices = np.arange(len(images)) if indices is None else indices
    return transform.transform(images, indices=indices, epoch=epoch, rng=np.random.default_rng(seed))


def test_a_random_flip_mirrors_about_half_and_leaves_the_rest():
    mirrored = 0
    for seed in range(10):
        for image, out in zip(COLOR, apply(Flip(), COLOR, seed=seed), strict=True):
            if not np.array_equal(out, image):
                assert [row[::-1] for row in image[0].tolist()] == out[0].tolist()
                np.testing.assert_array_equal(out, np.flip(image, axis=-1))
                mirrored += 1
    assert 160 <= mirrored <= 240  # of 400: within four standard deviations


def test_an_alternating_flip_shows_both_sides_in_any_two_epochs():
    indices = np.arange(1000)
    images = np.tile(np.array([0, 1], dtype=np.uint8), (1000, 1, 1, 1))
    flipped = [
        apply(Flip("alternating"), images, epoch=e, seed=e, indices=indices)[:, 0, 0, 0] for e in range(4)
    ]
    for epoch in range(3):
        assert (flipped[epoch] != flipped[epoch + 1]).all()
    for stride in (1, 2, 10, 100):  # classes may come in turn
        assert abs(flipped[0][::stride].mean() - 0.5) <= 0.1, stride


def test_an_alternating_flip_goes_by_index_not_by_place_in_the_batch():
    order = np.random.default_rng(1).permutation(40)
    there = apply(Flip("alternating"), COLOR)
    np.testing.assert_array_equal(apply(Flip("alternating"), COLOR[order], indices=order), there[order])
    # Which images are flipped is part of what makes a run repeatable.
    changed = (there != COLOR).any(axis=(1, 2, 3)).nonzero()[0]
    assert changed[:6].tolist() == [1, 3, 6, 8, 9, 11]


def reflected(position, length):
    """Where the pixel at `position` of an endless row of reflections comes from."""
    while not 0 <= position < length:
        position = -position if position < 0 else 2 * (length - 1) - position
    return position


@pytest.mark.parametrize("padding", [1, 4])
def test_a_crop_is_the_image_moved_and_reflected_at_its_edges(padding):
    seen = set()
    for image, out in zip(COLOR, apply(Crop(padding), COLOR), strict=True):
        moves = []
        for down in range(-padding, padding + 1):
            for right in range(-padding, padding + 1):
                rows = [reflected(y + down, 12) for y in range(12)]
                columns = [reflected(x + right, 9) for x in range(9)]
                if np.array_equal(image[:, rows][:, :, columns], out):
                    moves.append((down, right))
        assert len(moves) == 1
        seen |= set(moves)
    assert len(seen) > (7 if padding == 1 else 25), "each image is moved by itself"
    for way in zip(*seen, strict=True):
        assert (min(way), max(way)) == (-padding, padding)


def test_images_must_be_larger_than_the_padding():
    images = np.zeros((2, 1, 5, 12), dtype=np.uint8)
    assert apply(Crop(4), images).shape == images.shape
    for narrow in (images, images.swapaxes(2, 3)):
        with pytest.raises(DataError, match="Crop: images of .*5.* pixels have no reflection 5 pixels wide"):
            apply(Crop(5), narrow)


@pytest.mark.parametrize(("size", "dtype"), [(1, np.uint8), (4, np.uint8), (5, np.float32), (40, np.uint8)])
def test_cutout_fills_one_square_with_the_mean_of_each_channel(size, dtype):
    images = COLOR.astype(dtype)
    holes = []
    for image, out in zip(images, apply(Cutout(size), images), strict=True):
        changed = (out != image).any(axis=0)
        rows, columns = changed.any(axis=1).nonzero()[0], changed.any(axis=0).nonzero()[0]
        hole = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        for channel in range(3):
            mean = image[channel].astype(np.float64).mean()
            expected = round(mean) if dtype == np.uint8 else mean
            np.testing.assert_allclose(out[channel][hole], expected, rtol=1e-6)
        holes.append(out[0][hole].shape)
    largest = (min(size, 12), min(size, 9))
    assert tuple(map(max, zip(*holes, strict=True))) == largest
    assert (set(holes) == {largest}) == (size in (1, 40)), "some hang over the edge, unless nothing can"


def test_every_pixel_is_cut_out_as_often_as_its_place_allows():
    ones = np.zeros((20_000, 1, 1, 4), dtype=np.float32)
    ones[..., 0] = 1
    out = apply(Cutout(2), ones)
    # Centres 0..3 cover pixels {0}, {0, 1}, {1, 2}, {2, 3}; pixel 0 is 1, or the mean ¼ where it is cut out.
    assert (out[..., 0] != 1).mean() == pytest.approx(2 / 4, abs=0.02)
    assert (out[..., 3] != 0).mean() == pytest.approx(1 / 4, abs=0.02)


def jittered(image, factors, low, high):
    """One image by the definition, in float64."""
    x = image.astype(np.float64)

    def grey():
        return x[0] if len(x) == 1 else 0.299 * x[0] + 0.587 * x[1] + 0.114 * x[2]

    for reference, factor in zip((lambda: 0, lambda: grey().mean(), grey), factors, strict=True):
        x = np.clip(factor * x + (1 - factor) * reference(), low, high)
    return x


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("dtype", "scale", "low", "high", "atol"),
    [
        (np.uint8, 1, 0, 255, 0.5 + 1e-3),
        (np.float32, 1 / 255, 0, 1, 1e-5),
        (np.float64, 1, -np.inf, np.inf, 1e-12 * 255),  # a scale that is not known
    ],
)
def test_color_jitter_is_its_formula(channels, dtype, scale, low, high, atol):
    images = (COLOR[:, :channels] * scale).astype(dtype)
    out = apply(ColorJitter(0.4, 0.6, 0.8), images, seed=3).astype(np.float64)
    rng = np.random.default_rng(3)
    factors = np.stack([rng.uniform(1 - a, 1 + a, 40) for a in (0.4, 0.6, 0.8)], axis=1)
    expected = np.stack([jittered(x, own, low, high) for x, own in zip(images, factors, strict=True)])
    np.testing.assert_allclose(out, expected, rtol=0, atol=atol)
    top = 255 * scale
    assert (expected == top if high == top else expected > top).sum() > 50, "the end of the range is reached"


def test_color_jitter_rounds_to_the_nearest():
    images = np.full((200, 1, 1, 1), 101, dtype=np.uint8)
    out = apply(ColorJitter(brightness=0.1), images, seed=5)[:, 0, 0, 0]
    factors = np.random.default_rng(5).uniform(0.9, 1.1, 200)
    assert out.tolist() == [round(101 * factor) for factor in factors]


def test_each_image_has_factors_of_its_own_and_zero_changes_nothing():
    images = np.full((50, 3, 2, 2), 100, dtype=np.uint8)
    assert len(np.unique(apply(ColorJitter(brightness=0.5), images)[:, 0, 0, 0])) > 25
    np.testing.assert_array_equal(apply(ColorJitter(), COLOR), COLOR)
    np.testing.assert_array_equal(apply(ColorJitter(saturation=1.0), COLOR[:, :1]), COLOR[:, :1])


def test_colors_need_one_or_three_channels():
    images = np.zeros((2, 4, 3, 3), dtype=np.uint8)
    assert apply(ColorJitter(brightness=0.5), images).shape == images.shape
    for jitter in (ColorJitter(contrast=0.1), ColorJitter(saturation=0.1)):
        with pytest.raises(DataError, match="ColorJitter: images of 4 channels have no grey version"):
            apply(jitter, images)


TRANSFORMS = [Flip(), Flip("alternating"), Crop(2), Cutout(3), ColorJitter(0.3, 0.3, 0.3)]


def test_every_transform_is_tried():
    ours = {kind for kind in Transform.__subclasses__() if kind.__module__.startswith("plaingrad.")}
    assert {type(transform) for transform in TRANSFORMS} == ours


@pytest.mark.parametrize("transform", [*TRANSFORMS, Augmentation(*TRANSFORMS)], ids=repr)
@given(
    shape=st.tuples(st.integers(0, 5), st.sampled_from([1, 3]), st.integers(3, 9), st.integers(3, 9)),
    dtype=st.sampled_from(DTYPES),
    step=st.integers(0, 10**6),
)
def test_shape_and_dtype_stay_and_arguments_are_untouched(transform, shape, dtype, step):
    images = np.random.default_rng(step).integers(0, 2, shape).astype(dtype)
    indices = np.arange(len(images))
    for array in (images, indices):
        array.flags.writeable = False
    if isinstance(transform, Augmentation):
        out = transform(images, indices=indices, epoch=step % 7, step=step)
    else:
        out = apply(transform, images, seed=step, epoch=step % 7)
    assert out.shape == shape
    assert out.dtype == dtype
    assert not np.shares_memory(out, images)


def test_a_batch_is_a_function_of_seed_and_step():
    everything = Augmentation(*TRANSFORMS, seed=4)

    def batch(augmentation, step, epoch=0):
        return augmentation(COLOR, indices=INDICES, epoch=epoch, step=step)

    first = {step: batch(everything, step) for step in (0, 1, 7)}
    for step in (7, 0, 1):
        np.testing.assert_array_equal(batch(Augmentation(*TRANSFORMS, seed=4), step), first[step])
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(batch(Augmentation(*TRANSFORMS, seed=5), 0), first[0])


def test_transforms_are_applied_in_order_with_one_generator():
    rng = np.random.default_rng((9, 3, 12))
    expected = COLOR
    for transform in (Crop(2), Cutout(3), Flip()):
        expected = transform.transform(expected, indices=INDICES, epoch=1, rng=rng)
    got = Augmentation(Crop(2), Cutout(3), Flip(), seed=9)(COLOR, indices=INDICES, epoch=1, step=12)
    np.testing.assert_array_equal(got, expected)


def test_augmentations_are_values():
    one = Augmentation(Flip(), Crop(4), seed=1)
    assert one == Augmentation(Flip("random"), Crop(padding=4), seed=1)
    assert len({one, Augmentation(Flip(), Crop(4), seed=1), Augmentation(Crop(4), Flip(), seed=1)}) == 2
    assert one != Augmentation(Flip(), Crop(4), seed=2)
    assert repr(one) == "Augmentation(transforms=(Flip(kind='random'), Crop(padding=4)), seed=1)"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Flip("sideways"), "Flip: kind cannot be 'sideways'; there are: alternating, random"),
        (lambda: Flip(1), "Flip: kind cannot be 1"),  # type: ignore[arg-type]
        (lambda: Crop(0), "Crop: padding must be a whole number, 1 or more, got 0"),
        (lambda: Crop(1.5), "Crop: padding must be a whole number"),  # type: ignore[arg-type]
        (lambda: Cutout(-1), "Cutout: size must be a whole number, 1 or more, got -1"),
        (lambda: ColorJitter(brightness=-0.1), "ColorJitter: brightness must be a number from 0 to 1"),
        (lambda: ColorJitter(contrast=1.1), "ColorJitter: contrast must be a number from 0 to 1, got 1.1"),
        (lambda: ColorJitter(saturation=float("nan")), "ColorJitter: saturation must be a number"),
        (lambda: Augmentation(seed=-1), "Augmentation: seed must be a whole number, 0 or more"),
        (lambda: Augmentation(Flip), "must be an object such as Flip"),  # type: ignore[arg-type]
        (lambda: Augmentation([Flip()]), "must be an object such as Flip"),  # type: ignore[arg-type]
    ],
)
def test_values_out_of_range(make, words):
    with pytest.raises(RecipeError, match=words) as raised:
        make()
    assert isinstance(raised.value, ValueError)


def test_rows_of_features_are_refused():
    with pytest.raises(DataError, match=r"takes images \(N, C, H, W\), got an array of shape \(4, 7\)"):
        Augmentation(Flip())(np.zeros((4, 7)), indices=np.arange(4), epoch=0, step=0)
