"""Sliding windows over images: cutting patches out, and adding patches up again.

Convolution and pooling are products and maxima over patches; `unfold` cuts them out and `fold`, its
adjoint, adds them up where they came from.  Everything that is hard about strides, padding, dilation
and overlap is in these two functions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import array_api_compat
import numpy as np

from plaingrad.errors import ShapeError
from plaingrad.ops.formula import namespace

Array = Any
Pair = tuple[int, int]


class Window(NamedTuple):
    """A window of `size`, moved by `stride` over an image padded by `padding`, its cells `dilation` apart.

    Each is (vertical, horizontal), in pixels.
    """

    size: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)

    @classmethod
    def of(
        cls,
        size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        dilation: int | Pair = 1,
        *,
        what: str = "the window",
        named: str = "size",
    ) -> Window:
        """A window whose numbers may be given once for both directions.

        In errors `what` names it, and `named` its size.

        Raises ShapeError for a size, stride or dilation below 1, and for padding below 0.
        """
        return cls(
            _pair(what, named, size, 1),
            _pair(what, "stride", stride, 1),
            _pair(what, "padding", padding, 0),
            _pair(what, "dilation", dilation, 1),
        )

    @property
    def span(self) -> Pair:
        """How many pixels the window covers, gaps included."""
        (h, w), (dh, dw) = self.size, self.dilation
        return (h - 1) * dh + 1, (w - 1) * dw + 1

    @property
    def turned(self) -> Window | None:
        """The window of the convolution that leads back: of dout with the filter turned round, to dx.

        None if there is none: with a stride, or padding as wide as the window.
        """
        ph, pw = (n - 1 - p for n, p in zip(self.span, self.padding, strict=True))
        return self._replace(padding=(ph, pw)) if self.stride == (1, 1) and min(ph, pw) >= 0 else None

    def steps(self, image: Pair, *, what: str = "the window") -> Pair:
        """How many places the window has on an image of (H, W): ⌊(H + 2 padding − span) / stride⌋ + 1.

        Raises ShapeError, which begins with `what`, if the window is larger than the padded image.
        """
        if len(image) != 2:
            raise ShapeError(f"{what}: images must be (N, C, H, W), got {image} in place of (H, W)")
        padded = tuple(n + 2 * p for n, p in zip(image, self.padding, strict=True))
        if self.span[0] > padded[0] or self.span[1] > padded[1]:
            raise ShapeError(
                f"{what}: a window that covers {self.span[0]}×{self.span[1]} pixels does not fit the image of "
                f"{image[0]}×{image[1]}, {padded[0]}×{padded[1]} with its padding: make the window smaller, pad "
                "more, or shrink the image less before it"
            )
        return (
            (padded[0] - self.span[0]) // self.stride[0] + 1,
            (padded[1] - self.span[1]) // self.stride[1] + 1,
        )


def _pair(what: str, name: str, value: int | Pair, least: int) -> Pair:
    if type(value) is int and value >= least:  # the common case, in a tenth of the time
        return value, value
    pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
    whole = [isinstance(n, int | np.integer) and not isinstance(n, bool) for n in pair]
    if len(pair) != 2 or not all(whole) or min(pair) < least:
        raise ShapeError(
            f"{what}: {name} must be a whole number, {least} or more, or two of them, got {value!r}"
        )
    return int(pair[0]), int(pair[1])


def unfold(x: Array, window: Window, *, fill: float = 0.0) -> Array:
    """Every patch of x (N, C, H, W): (N, C, kh, kw, Ho, Wo), padded with `fill`.

    patches[n, c, i, j, y, x] = x[n, c, y·stride + i·dilation, x·stride + j·dilation] of the padded image.
    """
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = window
    ho, wo = window.steps(x.shape[2:])
    x = _padded(_padded(x, 2, ph, ph, fill), 3, pw, pw, fill)
    xp = namespace(x)
    rows = []
    for i in range(kh):
        top = i * dh
        row = x[:, :, top : top + sh * (ho - 1) + 1 : sh, :]
        cells = [row[:, :, :, j * dw : j * dw + sw * (wo - 1) + 1 : sw] for j in range(kw)]
        rows.append(xp.stack(cells, axis=2))
    return xp.stack(rows, axis=2)


def fold(patches: Array, window: Window, image: Pair) -> Array:
    """Add patches (N, C, kh, kw, Ho, Wo) up into images (N, C, H, W): each pixel gets all that saw it.

    The adjoint of `unfold`: Σ unfold(x) · p = Σ x · fold(p) for every x and p.
    """
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = window
    height, width = image[0] + 2 * ph, image[1] + 2 * pw
    out = None
    for i in range(kh):
        row = None
        for j in range(kw):
            cells = _spread(patches[:, :, i, j, :, :], 3, sw, j * dw, width)
            row = cells if row is None else row + cells
        row = _spread(row, 2, sh, i * dh, height)
        out = row if out is None else out + row
    return out[:, :, ph : ph + image[0], pw : pw + image[1]]  # type: ignore[index]  (a window has cells)


def _padded(x: Array, axis: int, before: int, after: int, fill: float = 0.0) -> Array:
    """x with `fill` before and after it along an axis."""
    if not before and not after:
        return x
    xp = namespace(x)

    def filling(count: int) -> Array:
        shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
        return xp.full(shape, fill, dtype=x.dtype, device=array_api_compat.device(x))

    return xp.concat([filling(before), x, filling(after)], axis=axis)


def _spread(x: Array, axis: int, stride: int, start: int, length: int) -> Array:
    """Place x[0], x[1], ... at start, start + stride, ... of a line of zeros."""
    xp = namespace(x)
    count = x.shape[axis]
    if stride > 1:  # each element followed by stride − 1 zeros, the last one by none
        apart = xp.expand_dims(x, axis=axis + 1)
        apart = _padded(apart, axis + 1, 0, stride - 1)
        shape = (*x.shape[:axis], count * stride, *x.shape[axis + 1 :])
        x = xp.reshape(apart, shape)
        keep = [slice(None)] * len(shape)
        keep[axis] = slice(0, (count - 1) * stride + 1)
        x = x[tuple(keep)]
    return _padded(x, axis, start, length - start - (count - 1) * stride - 1)
