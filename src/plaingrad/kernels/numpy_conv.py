"""Convolution on NumPy arrays: patches of a few images at a time, in the cache, times the filters.

Works on channels-last memory (N, H, W, C), in which the cells of a patch lie in runs of kw · C numbers,
and gives it back as a view of shape (N, C, H, W); any other memory is taken too, a few images at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from plaingrad import ops
from plaingrad.kernels.memory import channels_first, channels_last, is_float
from plaingrad.kernels.threads import one_blas_thread, shared_out
from plaingrad.ops import Conv2dCache, Window

Array = np.ndarray

# Bytes of patches at once.  Half of a core's second-level cache holds them while they are multiplied.
_PATCHES = 1 << 19
# Below so many multiply-adds, waking a thread costs more than it saves.
_SMALL = 4_000_000


def _accepts(x: Any, w: Any, b: Any = None, *, groups: int = 1, **window: Any) -> bool:
    given = (x, w) if b is None else (x, w, b)
    return groups == 1 and all(is_float(array) and array.dtype == x.dtype for array in given)


def _accepts_backward(dout: Any, cache: Conv2dCache, **needs: Any) -> bool:
    return _accepts(cache.x, cache.w, dout, groups=cache.groups)


@ops.conv2d_forward.kernel(_accepts)
def conv2d_forward(
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> tuple[Array, Conv2dCache]:
    """As `ops.conv2d_forward`."""
    window = ops.conv_window(x, w, stride, padding, dilation, groups)
    ho, wo = window.steps(x.shape[2:], what="conv2d")
    out = np.empty((len(x), ho, wo, len(w)), x.dtype)
    _correlate(channels_last(x), w.transpose(2, 3, 1, 0), b, window, out)
    return channels_first(out), Conv2dCache(x, w, window, groups)


@ops.conv2d_backward.kernel(_accepts_backward)
def conv2d_backward(
    dout: Array, cache: Conv2dCache, *, needs_dx: bool = True
) -> tuple[Array | None, Array, Array]:
    """As `ops.conv2d_backward`."""
    x, w, window, _ = cache
    d = np.ascontiguousarray(channels_last(dout))
    images = channels_last(x)
    dw, db = _filter_gradients(d, images, w.shape, window)
    dx = channels_first(input_gradient(d, w, window, images.shape)) if needs_dx else None
    return dx, dw, db


def input_gradient(d: Array, w: Array, window: Window, shape: tuple[int, ...]) -> Array:
    """dx of `shape` (N, H, W, C) for upstream gradients d (N, Ho, Wo, F) and filters w (F, C, kh, kw)."""
    dx = np.empty(shape, d.dtype)
    back = window.turned
    if back is not None:
        # A convolution once more: of dout with the filters turned round, channels and filters exchanged.
        _correlate(d, w[:, :, ::-1, ::-1].transpose(2, 3, 0, 1), None, back, dx)
    else:
        _fold_product(d, w.transpose(2, 3, 1, 0), window, dx)
    return dx


class _Patches:
    """Cuts the patches of a few images (n, H, W, C) at a time into one buffer, as rows of a matrix."""

    def __init__(self, images: Array, window: Window, steps: tuple[int, int], at_once: int) -> None:
        self.images, self.window, self.steps = images, window, steps
        _, height, width, channels = images.shape
        (kh, kw), _, (ph, pw), _ = window
        self.padded = np.zeros((at_once, height + 2 * ph, width + 2 * pw, channels), images.dtype)
        self.rows = np.empty((at_once * steps[0] * steps[1], kh * kw * channels), images.dtype)

    def __call__(self, start: int, stop: int) -> Array:
        """The patches of images[start:stop]: (patches, kh · kw · C)."""
        _, height, width, channels = self.images.shape
        (kh, kw), (sh, sw), (ph, pw), (dh, dw) = self.window
        (ho, wo), count = self.steps, stop - start
        self.padded[:count, ph : ph + height, pw : pw + width] = self.images[start:stop]
        n, y, x, c = self.padded.strides
        cells = np.lib.stride_tricks.as_strided(
            self.padded,
            (count, ho, wo, kh, kw, channels),
            (n, sh * y, sw * x, dh * y, dw * x, c),
            writeable=False,
        )
        rows = self.rows[: count * ho * wo]
        rows.reshape(cells.shape)[...] = cells
        return rows


def _at_once(row_bytes: int, rows_per_image: int, count: int) -> int:
    return max(1, min(count, _PATCHES // max(row_bytes * rows_per_image, 1)))


def _correlate(images: Array, filters: Array, b: Array | None, window: Window, out: Array) -> None:
    """out (N, Ho, Wo, F) = images (N, H, W, C) correlated with filters (kh, kw, C, F), plus b."""
    count, ho, wo, units = out.shape
    matrix = np.ascontiguousarray(filters).reshape(-1, units)
    flat = out.reshape(count, ho * wo, units)

    def work(start: int, stop: int) -> None:
        at_once = _at_once(matrix.shape[0] * images.itemsize, ho * wo, stop - start)
        patches = _Patches(images, window, (ho, wo), at_once)
        for first in range(start, stop, at_once):
            last = min(first + at_once, stop)
            target = flat[first:last].reshape(-1, units)
            np.matmul(patches(first, last), matrix, out=target)
            if b is not None:
                target += b

    with one_blas_thread():
        shared_out(work, count, small=out.size * matrix.shape[0] < _SMALL)


def _filter_gradients(d: Array, images: Array, shape: tuple[int, ...], window: Window) -> tuple[Array, Array]:
    """dw of `shape` (F, C, kh, kw) = Σ over patches of d (N, Ho, Wo, F) times the patch;  db = Σ d."""
    count, ho, wo, units = d.shape
    cells = shape[1] * shape[2] * shape[3]
    flat = d.reshape(count, ho * wo, units)

    def work(start: int, stop: int) -> tuple[Array, Array]:
        # More at once than forward: each product is added to a sum as large as the filters.
        at_once = _at_once(cells * images.itemsize // 4, ho * wo, stop - start)
        patches = _Patches(images, window, (ho, wo), at_once)
        dw, db = np.zeros((cells, units), d.dtype), np.zeros(units, d.dtype)
        ones = np.ones(at_once * ho * wo, d.dtype)  # a product with them adds rows up faster than a sum
        for first in range(start, stop, at_once):
            last = min(first + at_once, stop)
            upstream = flat[first:last].reshape(-1, units)
            dw += patches(first, last).T @ upstream
            db += ones[: len(upstream)] @ upstream
        return dw, db

    with one_blas_thread():
        parts = shared_out(work, count, small=d.size * cells < _SMALL)
    dw, db = (np.sum(own, axis=0) for own in zip(*parts, strict=True))
    kh, kw = window.size
    return np.ascontiguousarray(dw.reshape(kh, kw, shape[1], units).transpose(3, 2, 0, 1)), db


def _fold_product(d: Array, filters: Array, window: Window, dx: Array) -> None:
    """dx (N, H, W, C): the gradients of all patches, d (N, Ho, Wo, F) times filters, added up."""
    count, ho, wo, units = d.shape
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = window
    _, height, width, channels = dx.shape
    matrix = np.ascontiguousarray(filters.reshape(-1, units).T)
    flat = d.reshape(count, ho * wo, units)

    def work(start: int, stop: int) -> None:
        at_once = _at_once(matrix.shape[1] * dx.itemsize, ho * wo, stop - start)
        padded = np.empty((at_once, height + 2 * ph, width + 2 * pw, channels), dx.dtype)
        for first in range(start, stop, at_once):
            last = min(first + at_once, stop)
            own = padded[: last - first]
            own[...] = 0
            patches = (flat[first:last].reshape(-1, units) @ matrix).reshape(-1, ho, wo, kh, kw, channels)
            for i in range(kh):
                for j in range(kw):
                    rows = slice(i * dh, i * dh + sh * (ho - 1) + 1, sh)
                    columns = slice(j * dw, j * dw + sw * (wo - 1) + 1, sw)
                    own[:, rows, columns] += patches[:, :, :, i, j]
            dx[first:last] = own[:, ph : ph + height, pw : pw + width]

    with one_blas_thread():
        shared_out(work, count, small=d.size * matrix.shape[1] < _SMALL)
