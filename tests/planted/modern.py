"""Other operations that people write by hand: attention, RMS norm, learned slopes, 1-D convolution, gates."""

from __future__ import annotations

import numpy as np

from .shelf import Call, Name, distinct, normals, plant


def attention(rng: np.random.Generator, bug: str) -> Call:
    """softmax(q kᵀ / √d) v."""
    n, d, m = distinct(rng, 3, 3, 6)

    def forward(q, k, v):
        scores = q @ k.T / np.sqrt(d)
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        a = e / e.sum(axis=1, keepdims=True)
        return a @ v, (q, k, v, a)

    def backward(dout, cache):
        q, k, v, a = cache
        da = dout @ v.T
        ds = a * (da - (da * a).sum(axis=1, keepdims=True))
        match bug:
            case "softmax-by-element":
                ds = a * (1 - a) * da
            case "softmax-over-queries":
                ds = a * (da - (da * a).sum(axis=0))
        scale = 1 if bug == "scale-forgotten" else np.sqrt(d)
        dk = (ds if bug == "ds-untransposed" else ds.T) @ q / np.sqrt(d)
        dv = (a if bug == "a-untransposed" else a.T) @ dout
        return ds @ k / scale, dk, -dv if bug == "dv-sign" else dv

    return forward, backward, normals(rng, (n, d), (n, d), (n, m))


def prelu(rng: np.random.Generator, bug: str) -> Call:
    """x where x > 0, else a x with a learned a for each feature."""

    def forward(x, a):
        return np.where(x > 0, x, a * x), (x, a)

    def backward(dout, cache):
        x, a = cache
        dx = np.where(x > 0, dout, a * dout)
        da = (dout * x * (x <= 0)).sum(axis=0)
        match bug:
            case "da-mask-forgotten":
                da = (dout * x).sum(axis=0)
            case "da-unsummed":
                da = dout * x * (x <= 0)
            case "dx-mask-forgotten":
                dx = a * dout
            case "dout-divided-in-place":
                dout /= len(dout)
        return dx, da

    n, d = distinct(rng, 2, 4, 7)
    return forward, backward, (rng.standard_normal((n, d)), rng.uniform(0.1, 0.5, d))


def rms_norm(rng: np.random.Generator, bug: str) -> Call:
    """γ x / √(mean x² + ε), for each sample."""

    def forward(x, gamma):
        rstd = 1 / np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-5)
        return gamma * x * rstd, (x, gamma, rstd)

    def backward(dout, cache):
        x, gamma, rstd = cache
        g, xhat = dout * gamma, x * rstd
        dx = (g - xhat * (g * xhat).mean(axis=1, keepdims=True)) * rstd
        dgamma = (dout * xhat).sum(axis=0)
        match bug:
            case "size-constant":
                dx = g * rstd
            case "sum-for-mean":
                dx = (g - xhat * (g * xhat).sum(axis=1, keepdims=True)) * rstd
            case "dgamma-mean":
                dgamma = (dout * xhat).mean(axis=0)
            case "dgamma-reversed":
                dgamma = dgamma[::-1]
        return dx, dgamma

    n, d = distinct(rng, 2, 4, 7)
    return forward, backward, (2 * rng.standard_normal((n, d)), rng.uniform(0.5, 2, d))


def unit_length(rng: np.random.Generator, bug: str, *, zero: bool = False) -> Call:
    """x / |x| for each row; a row of zeros stays one."""

    def forward(x):
        length = np.sqrt((x**2).sum(axis=1, keepdims=True))
        return x / np.maximum(length, 1e-3), (x, length)

    def backward(dout, cache):
        x, length = cache
        safe = length if bug == "zero-length" else np.maximum(length, 1e-3)
        u = x / safe
        if bug == "length-constant":
            return dout / safe
        return (dout - u * (dout * u).sum(axis=1, keepdims=True)) / safe

    n, d = distinct(rng, 2, 3, 6)
    x = rng.standard_normal((n, d))
    if zero:
        x[0] = 0
    return forward, backward, (x,)


def conv1d(rng: np.random.Generator, bug: str) -> Call:
    """x (N, C, L) with w (F, C, k): out[n, f, i] = Σ x[n, c, i + j] w[f, c, j] + b[f]."""
    n, filters, channels = distinct(rng, 3, 2, 4)
    length, k = int(rng.integers(6, 8)), 3

    def forward(x, w, b):
        windows = np.lib.stride_tricks.sliding_window_view(x, k, axis=2)
        return np.einsum("ncij,fcj->nfi", windows, w) + b[:, None], (x, w)

    def backward(dout, cache):
        x, w = cache
        dx, dw = np.zeros_like(x), np.zeros_like(w)
        for i in range(dout.shape[2]):
            if bug == "dx-overwritten":
                dx[:, :, i : i + k] = np.einsum("nf,fcj->ncj", dout[:, :, i], w)
            else:
                dx[:, :, i : i + k] += np.einsum("nf,fcj->ncj", dout[:, :, i], w)
            dw += np.einsum("nf,ncj->fcj", dout[:, :, i], x[:, :, i : i + k])
        match bug:
            case "dw-reversed":
                dw = dw[:, :, ::-1]
            case "dx-shifted":
                dx = np.roll(dx, 1, axis=2)
            case "dw-integers":
                dw = dw.astype(int)
        db = dout.sum(axis=2) if bug == "db-per-sample" else dout.sum(axis=(0, 2))
        return dx, dw, db

    return forward, backward, normals(rng, (n, channels, length), (filters, channels, k), (filters,))


def upsample(rng: np.random.Generator, bug: str) -> Call:
    """Each pixel becomes 2 × 2."""

    def forward(x):
        return x.repeat(2, axis=2).repeat(2, axis=3), x.shape

    def backward(dout, shape):
        n, c, h, w = shape
        blocks = dout.reshape(n, c, h, 2, w, 2)
        match bug:
            case "one-of-four":
                return dout[:, :, ::2, ::2]
            case "mean":
                return blocks.mean(axis=(3, 5))
            case "summed-in-halves":
                return dout.reshape(n, c, 2, h, 2, w).sum(axis=(2, 4))
        return blocks.sum(axis=(3, 5))

    return forward, backward, (rng.standard_normal(distinct(rng, 4, 2, 5)),)


def pixel_shuffle(rng: np.random.Generator, bug: str) -> Call:
    """(N, 4 C, H, W) to (N, C, 2 H, 2 W)."""

    def forward(x):
        n, c, h, w = x.shape
        blocks = x.reshape(n, c // 4, 2, 2, h, w)
        return blocks.transpose(0, 1, 4, 2, 5, 3).reshape(n, c // 4, 2 * h, 2 * w), x.shape

    def backward(dout, shape):
        n, c, h, w = shape
        blocks = dout.reshape(n, c // 4, h, 2, w, 2)
        order = (0, 1, 5, 3, 2, 4) if bug == "rows-for-columns" else (0, 1, 3, 5, 2, 4)
        return blocks.transpose(order).reshape(shape)

    return forward, backward, (rng.standard_normal((2, 4, *distinct(rng, 2, 2, 4))),)


def gated_cell(rng: np.random.Generator, bug: str) -> Call:
    """One step of a gated recurrent cell: h' = z ⊙ h + (1 − z) ⊙ tanh(x W), z = σ(x U + h V)."""
    n, d, hidden = distinct(rng, 3, 2, 5)
    first: list[np.ndarray] = []

    def forward(x, h, W, U, V):
        first.append(W.copy())
        z = 1 / (1 + np.exp(-(x @ U + h @ V)))
        candidate = np.tanh(x @ W)
        return z * h + (1 - z) * candidate, (x, h, W, U, V, z, candidate)

    def backward(dout, cache):
        x, h, W, U, V, z, candidate = cache
        da = dout * (h if bug == "candidate-forgotten" else h - candidate) * z * (1 - z)
        dc = dout * (z if bug == "gates-confused" else 1 - z) * (1 - candidate**2)
        dh = da @ V.T if bug == "carry-forgotten" else dout * z + da @ V.T
        dx = da @ U.T + dc @ (first[0] if bug == "first-W" else W).T
        return dx, dh, x.T @ dc, x.T @ da, h.T @ da

    shapes = (n, d), (n, hidden), (d, hidden), (d, hidden), (hidden, hidden)
    return forward, backward, normals(rng, *shapes)


def squared_hinge(rng: np.random.Generator, bug: str) -> Call:
    """mean of max(0, 1 − t s)² for targets t of ±1."""
    target = rng.choice([-1.0, 1.0], size=int(rng.integers(6, 10)))

    def forward(scores):
        slack = np.maximum(0, 1 - target * scores)
        return (slack**2).mean(), slack

    def backward(dloss, slack):
        match bug:
            case "two-forgotten":
                return -dloss * slack * target / len(slack)
            case "power-forgotten":
                return -dloss * (slack > 0) * target / len(slack)
            case "mean-forgotten":
                return -2 * dloss * slack * target
            case "target-forgotten":
                return -2 * dloss * slack / len(slack)
        return -2 * dloss * slack * target / len(slack)

    return forward, backward, (2 * rng.standard_normal(len(target)),)


BUGS = [
    *plant("pair", attention, {
        "scale-forgotten": Name("scaled", "q"),
        "softmax-by-element": Name("unknown", "q", "k"),
        "softmax-over-queries": Name("wrong_axis", "q", "k", also=("unknown",), why="inside, behind a product"),
        "ds-untransposed": Name("transposed", "k", also=("unknown",), why="a factor is, not the gradient"),
        "a-untransposed": Name("transposed", "v"),
        "dv-sign": Name("sign", "v"),
    }),
    *plant("pair", prelu, {
        "da-mask-forgotten": Name("mask_missing", "a", also=("unknown",), why="under a sum"),
        "da-unsummed": Name("shape", "a"),
        "dx-mask-forgotten": Name("unknown", "x", also=("mask_missing", "scaled"), why="by a on one side"),
        "dout-divided-in-place": Name("input_changed"),
    }),
    *plant("pair", rms_norm, {
        "size-constant": Name("statistics_constant", "x"),
        "sum-for-mean": Name("unknown", "x", also=("missing_mean",), why="inside, 1/N is missing"),
        "dgamma-mean": Name("bias_mean_for_sum", "gamma", also=("scaled",), why="γ is no bias"),
        "dgamma-reversed": Name("permuted", "gamma"),
    }),
    *plant("pair", unit_length, {
        "length-constant": Name("statistics_constant", "x", also=("unknown",), why="a length is a statistic, nearly"),
    }),
    *plant("pair", unit_length, {"zero-length": Name("not_finite", "x")}, zero=True),
    *plant("pair", conv1d, {
        "dx-overwritten": Name("overwritten", "x"),
        "dw-reversed": Name("permuted", "w"),
        "dx-shifted": Name("permuted", "x"),
        "dw-integers": Name("wrong_g_dtype", "w"),
        "db-per-sample": Name("shape", "b"),
    }),
    *plant("pair", upsample, {
        "one-of-four": Name("overwritten", "x", also=("unknown",), why="one of four terms, whichever way"),
        "mean": Name("scaled", "x"),
        "summed-in-halves": Name("permuted", "x", also=("unknown",), why="it is dout that is in another order"),
    }),
    *plant("pair", pixel_shuffle, {"rows-for-columns": Name("permuted", "x")}),
    *plant("pair", gated_cell, {
        "candidate-forgotten": Name("unknown", "U", "V", "x", "h"),
        "gates-confused": Name("unknown", "W", "x"),
        "carry-forgotten": Name("overwritten", "h", also=("unknown",), why="a term is gone; no number says by what"),
        "first-W": Name("stale_cache", "x"),
    }),
    *plant("pair", squared_hinge, {
        "two-forgotten": Name("scaled", "scores"),
        "power-forgotten": Name("unknown", "scores"),
        "mean-forgotten": Name("missing_mean", "scores"),
        "target-forgotten": Name("unknown", "scores", also=("sign",), why="the sign of some elements"),
    }),
]  # fmt: skip
