"""Convolution, as deep learning means it: the correlation of an image with a small learned pattern."""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxtyping import Float

from plaingrad.errors import ShapeError
from plaingrad.ops.formula import formula, namespace
from plaingrad.ops.window import Pair, Window, fold, unfold

Images = Float[Any, "N C H W"]
Filters = Float[Any, "F D KH KW"]


class Conv2dCache(NamedTuple):
    """x and w, the two factors of the product, and how the window moved."""

    x: Any
    w: Any
    window: Window
    groups: int


@formula
def conv2d_forward(
    x: Images,
    w: Filters,
    b: Float[Any, " F"] | None = None,
    *,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
) -> tuple[Float[Any, "N F HO WO"], Conv2dCache]:
    """out[n, f, y, x] = b_f + Σ_{c,i,j} w[f, c, i, j] · x[n, c, y·stride + i·dilation, x·stride + j·dilation].

    x (N, C, H, W) with zeros around it, `padding` pixels deep; w (F, C/groups, kh, kw); b (F,) or None.
    Returns out (N, F, Ho, Wo), Ho = ⌊(H + 2·padding − dilation·(kh − 1) − 1)/stride⌋ + 1.  With groups, each
    of them sees its own share of the channels and makes its own share of the filters' outputs;
    groups = C is the depthwise convolution.
    One matrix product: filters as rows times patches as columns ("im2col").  Cached: x and w; the
    patches, kh·kw times as large as x, are cut out anew in the backward pass.  The kernel that spares
    that memory is for one group; with several, and on other engines, all patches are in memory at once.
    Source: LeCun et al. 1989; as matrix product, Chellapilla, Puri & Simard 2006.
    """
    window = conv_window(x, w, stride, padding, dilation, groups)
    xp = namespace(x)
    count, filters = x.shape[0], w.shape[0]
    ho, wo = window.steps(x.shape[2:], what="conv2d")
    rows = xp.reshape(w, (groups, filters // groups, -1))
    out = rows @ _columns(x, window, groups)
    out = xp.reshape(out, (count, filters, ho, wo))
    return (out if b is None else out + b[None, :, None, None]), Conv2dCache(x, w, window, groups)


@formula
def conv2d_backward(
    dout: Float[Any, "N F HO WO"], cache: Conv2dCache, *, needs_dx: bool = True
) -> tuple[Images | None, Filters, Float[Any, " F"]]:
    """With W the rows and X the columns of the forward product:  dW = dout Xᵀ,  dX = Wᵀ dout,  db = Σ dout.

    dX is the gradient of the patches; `fold` adds it up to dx, since a pixel is in many patches.
    `needs_dx=False` returns None for dx.
    """
    x, w, window, groups = cache
    xp = namespace(dout)
    count, filters, ho, wo = dout.shape
    d = xp.reshape(dout, (count, groups, filters // groups, ho * wo))
    columns = _columns(x, window, groups)
    dw = xp.reshape(xp.sum(d @ xp.matrix_transpose(columns), axis=0), w.shape)
    dx = None
    if needs_dx:
        rows = xp.reshape(w, (groups, filters // groups, -1))
        dcolumns = xp.matrix_transpose(rows) @ d
        patches = (count, x.shape[1], *window.size, ho, wo)
        dx = fold(xp.reshape(dcolumns, patches), window, x.shape[2:])
    return dx, dw, xp.sum(dout, axis=(0, 2, 3))


def conv_window(
    x: Any, w: Any, stride: int | Pair, padding: int | Pair, dilation: int | Pair, groups: int
) -> Window:
    """The window of a convolution.

    Raises ShapeError unless x and w have four axes, and channels and filters divide into the groups.
    """
    if x.ndim != 4 or w.ndim != 4:
        raise ShapeError(
            f"conv2d: x must be (N, C, H, W) and w (filters, C / groups, height, width), got {tuple(x.shape)} "
            f"and {tuple(w.shape)}"
        )
    channels, filters = x.shape[1], w.shape[0]
    if groups < 1 or channels % groups or filters % groups or w.shape[1] != channels // groups:
        raise ShapeError(
            f"conv2d: x has {channels} channels and w is {tuple(w.shape)}; in {groups} groups w must be "
            "(filters, channels / groups, height, width), filters and channels both divisible by the groups"
        )
    return Window.of(tuple(w.shape[2:]), stride, padding, dilation, what="conv2d")


def _columns(x: Any, window: Window, groups: int) -> Any:
    """The patches as columns: (N, groups, C/groups · kh · kw, Ho · Wo)."""
    patches = unfold(x, window)
    count, channels, kh, kw, ho, wo = patches.shape
    return namespace(x).reshape(patches, (count, groups, channels // groups * kh * kw, ho * wo))
