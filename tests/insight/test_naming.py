"""Every code at least once, with the substance of its explanation, and the line that it points to."""

from __future__ import annotations

import dataclasses
import inspect
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaingrad import ops
from plaingrad.insight import check_gradients
from plaingrad.network import Affine, BatchNorm, FullyConnectedNet, Network, ReLU, Sequential, Tanh

from .student import Student

RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 5))
Y = np.array([0, 2, 1, 1, 0, 2])
W, B = RNG.standard_normal((5, 5)), RNG.standard_normal(5)
IMAGES = RNG.standard_normal((2, 3, 6, 6))
KERNELS, SHIFTS = RNG.standard_normal((4, 3, 3, 3)), RNG.standard_normal(4)


def main(*call):
    """The main finding."""
    report = check_gradients(*call)
    assert not report.ok
    return report.findings[0]


def changed(op, change, *inputs, **keywords):
    """A pair of `ops` whose gradients are changed by change(gradients, dout, cache)."""
    forward, backward = (getattr(ops, f"{op}_{which}") for which in ("forward", "backward"))

    def wrong(dout, cache):
        found = backward(dout, cache)
        found = found if isinstance(found, tuple) else (found,)
        return change(found, dout, cache)

    return partial(forward, **keywords), wrong, inputs


STUDENT = {
    "missing 1/N": (
        "missing_mean",
        "b2",
        "6 times the right one, and that is the batch size, 6; with 5 samples",
    ),
    "wrong sign": ("sign", "b2", "times −1"),
    "no mask": ("mask_missing", "b1", "Sample by sample"),
    "missing regularisation": ("reg_missing", "W2", "lacks 0.5 · W2"),
    "regularisation of another convention": ("reg_factor", "W1", "2 times as much"),
    "mean for sum": ("bias_mean_for_sum", "b1", "divided by 6"),
    "transposed": ("transposed", "W1", "transposed"),
    "one element": ("unknown", "W2", "At (1, 2)"),
    "NaN": ("not_finite", "b2", "nan at (1,)"),
    "wrong shape": ("shape", "b1", "Its sum over axes [0] is right"),
    "missing key": ("missing", "b1", "There is no gradient of b1"),
    "a loss that is not the same twice": ("nondeterministic", "", "different outputs"),
    "changed input": ("input_changed", "X", "work on a copy"),
}


@pytest.mark.parametrize("bug", STUDENT)
def test_a_students_mistakes(bug):
    code, parameter, words = STUDENT[bug]
    finding = main(Student(bug), X.copy(), Y.copy())
    assert (finding.likely, finding.parameter) == (code, parameter)
    assert words in finding.explanation


def embedding(accumulate):
    words = np.array([0, 2, 2, 1])

    def backward(dout, cache):
        gradient = np.zeros((4, 3))
        if accumulate:
            np.add.at(gradient, words, dout)
        else:
            gradient[words] += dout
        return gradient

    return lambda table: (table[words], None), backward, (RNG.standard_normal((4, 3)),)


PAIRS = {
    "scaled": (changed("tanh", lambda g, d, c: 0.5 * g[0], X), "x", "k = 0.5"),
    "sign": (changed("affine", lambda g, d, c: (g[0], -g[1], g[2]), X, W, B), "w", "k = -1"),
    "transposed": (changed("affine", lambda g, d, c: (d @ c[1], g[1], g[2]), X, W, B), "x", "with w transposed"),
    "permuted": (
        changed("conv2d", lambda g, d, c: (g[0], g[1][..., ::-1, ::-1], g[2]), IMAGES, KERNELS, SHIFTS),
        "w",
        "flipped along the last two axes",
    ),
    "mask_missing": (changed("relu", lambda g, d, c: d, X), "x", "must mask too"),
    "dropout_scale": (
        changed("dropout", lambda g, d, c: g[0] * 0.75, X, rate=0.25, seed=1), "x", "dropout's 1 − p"
    ),
    "one_hot_missing": (
        changed(
            "softmax_cross_entropy", lambda g, d, c: g[0] + d * np.eye(5)[Y] / 6, X, Y
        ),
        "scores",
        "too large at the true classes",
    ),
    "missing_mean": (
        changed("softmax_cross_entropy", lambda g, d, c: len(g[0]) * g[0], X, Y), "scores", "the batch size, 6"
    ),
    "statistics_constant": (
        changed("batchnorm", lambda g, d, c: (c.gamma * d * c.rstd, g[1], g[2]), X, W[0], B),
        "x",
        "the mean and the variance as constant",
    ),
    "wrong_axis": (changed("affine", lambda g, d, c: (g[0], g[1], d.sum(axis=1)), X[:5], W, B), "b", "axes [1]"),
    "overwritten": (embedding(False), "table", "np.add.at"),
    "bias_mean_for_sum": (
        changed("affine", lambda g, d, c: (g[0], g[1], g[2] / 6), X, W, B), "b", "the sum, not the mean"
    ),
    "zero": (changed("affine", lambda g, d, c: (g[0], 0 * g[1], g[2]), X, W, B), "w", "0 everywhere"),
    "not_finite": (changed("tanh", lambda g, d, c: g[0] / 0.0, X), "x", "not finite"),
    "wrong_g_dtype": (changed("tanh", lambda g, d, c: g[0].astype(np.float32), X), "x", "its dtype is float32"),
    "unknown": (changed("tanh", lambda g, d, c: d * (1 - c), X), "x", "No known mistake"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@pytest.mark.parametrize("code", PAIRS)
def test_pairs(code):
    call, parameter, words = PAIRS[code]
    finding = main(*call)
    assert (finding.likely, finding.parameter) == (code, parameter), finding
    assert words in finding.explanation


def test_the_right_embedding_is_not_accused():
    assert check_gradients(*embedding(True)).ok


class TestPlaces:
    def test_the_words_for_which_elements(self):
        def columns(g, d, c):
            wrong = g[1].copy()
            wrong[:, 2] *= 3
            return g[0], wrong, g[2]

        assert main(*changed("affine", columns, X, W, B)).where == "some columns: 2"
        assert main(*PAIRS["one_hot_missing"][0]).where == "the label positions"
        assert main(*PAIRS["mask_missing"][0]).where == "the masked elements, whose slope is 0"
        assert main(*PAIRS["scaled"][0]).where == "all elements"

    def test_the_line_that_makes_the_gradient(self):
        finding = main(Student("mean for sum"), X, Y)
        lines, start = inspect.getsourcelines(Student)
        number = start + next(i for i, line in enumerate(lines) if "db1 = " in line)
        assert finding.line == f"student.py:{number}: {lines[number - start].strip()}"
        assert finding.line in finding.explanation

    def test_of_a_function_without_source_its_name(self):
        names = {}
        exec("def backward(dout, cache):\n    return 2 * dout * cache", names)
        finding = main(lambda x: (x * x / 2, x), names["backward"], (X,))
        assert finding.line == ""
        assert "what backward returns for x" in finding.explanation

    def test_consequences_are_named_as_such(self):
        assert main(Student("missing 1/N"), X, Y).follows == ("W2", "b1", "W1")


class TestStages:
    def test_the_layer_of_a_network(self):
        @dataclasses.dataclass(frozen=True)
        class Leaky(ReLU):
            def backward(self, dout, cache, *, needs_dx):
                return dout, {}

        net = Network(Sequential(Affine(6), Leaky(), Affine(4), Tanh(), Affine(3)), 5, dtype=np.float64)
        finding = main(net, X, Y)
        assert (finding.likely, finding.parameter) == ("mask_missing", "leaky1.x")
        assert "The stage is leaky1" in finding.explanation
        assert "affine1.weight" in finding.follows

    def test_of_a_plain_model_the_parameter_nearest_the_loss(self):
        net = FullyConnectedNet([6, 4], input_shape=5, classes=3, dtype=np.float64)

        def loss(X, y):
            value, grads = net.loss(X, y)
            noise = np.random.default_rng(0).uniform(0.5, 2, grads["affine2.bias"].shape)
            return value, {**grads, "affine2.bias": grads["affine2.bias"] * noise}

        finding = main(SimpleNamespace(params=net.params, loss=loss), X, Y)
        assert (finding.likely, finding.parameter) == ("unknown", "affine2.bias")
        assert "affine3.bias are right" in finding.explanation


class TestLater:
    def test_a_first_input_that_is_remembered(self):
        kept = {}

        def forward(x, w):
            kept.setdefault("x", x.copy())
            return x @ w, w

        finding = main(forward, lambda dout, w: (dout @ w.T, kept["x"].T @ dout), (X, W))
        assert (finding.likely, finding.parameter) == ("stale_cache", "w")

    def test_gradients_that_add_up_from_call_to_call(self):
        model = Student()
        total = {name: np.zeros_like(p) for name, p in model.params.items()}

        def loss(X, y):
            value, grads = Student.loss(model, X, y)
            for name in total:
                total[name] += grads[name]
            return value, total

        finding = main(SimpleNamespace(params=model.params, loss=loss), X, Y)
        assert finding.likely == "stale_cache"
        assert "grows by the same amount" in finding.explanation

    def test_a_factor_that_is_1_at_the_start(self):
        """γ = 1 hides that dx lacks it; the second look does not."""

        def backward(dout, cache):
            dx, dgamma, dbeta = ops.batchnorm_backward(dout, cache)
            return dx / cache.gamma, dgamma, dbeta

        assert main(ops.batchnorm_forward, backward, (X, np.ones(5), np.zeros(5))).parameter == "x"

    def test_a_cache_that_backward_changes(self):
        def backward(dout, cache):
            cache *= dout
            return cache

        finding = main(lambda x: (x * x / 2, x.copy()), backward, (X,))
        assert finding.likely == "input_changed"
        assert "second backward pass" in finding.explanation

    def test_a_mask_drawn_anew_in_the_backward_pass(self):
        rng = np.random.default_rng(0)
        finding = main(lambda x: (x * 0.5, None), lambda dout, _: dout * (rng.random(X.shape) < 0.5), (X,))
        assert finding.likely == "nondeterministic"


@given(k=st.floats(0.01, 100).filter(lambda k: abs(k - 1) > 1e-3), seed=st.integers(0, 1000))
def test_any_factor_is_given(k, seed):
    x = np.random.default_rng(seed).standard_normal((3, 4))
    finding = main(*changed("tanh", lambda g, d, c: k * g[0], x))
    assert finding.likely in ("scaled", "missing_mean")
    assert f"{k:.5g}"[:4] in finding.explanation


@given(n=st.integers(2, 6), d=st.integers(2, 5), c=st.integers(2, 5), seed=st.integers(0, 1000))
def test_correct_batch_normalisation_is_not_accused_in_any_shape(n, d, c, seed):
    rng = np.random.default_rng(seed)
    net = Network(Sequential(Affine(d), BatchNorm(), ReLU(), Affine(c)), 3, dtype=np.float64, seed=seed)
    labels = rng.integers(0, c, n)
    report = check_gradients(net, rng.standard_normal((n, 3)), labels)
    assert report.ok, report


class _Spoiled:
    """Two layers before a softmax; `spoil` changes the gradient of the scores; the last row has no penalty."""

    def __init__(self, spoil=lambda d: d, claims=(0.0, 0.0), penalised=0.0):
        rng = np.random.default_rng(0)
        self.params = {
            "W1": rng.standard_normal((5, 7)), "b1": 0.1 * rng.standard_normal(7),
            "W2": rng.standard_normal((7, 3)), "b2": 0.1 * rng.standard_normal(3),
        }  # fmt: skip
        self.spoil, self.claims, self.penalised = spoil, claims, penalised

    def loss(self, X, y=None):
        assert y is not None
        W1, b1, W2, b2 = self.params.values()
        hidden = np.tanh(X @ W1 + b1)
        p = np.exp(hidden @ W2 + b2)
        p /= p.sum(axis=1, keepdims=True)
        loss = -np.log(p[np.arange(len(y)), y]).mean() + 0.5 * self.penalised * (W1[:-1] ** 2).sum()
        d = self.spoil((p - np.eye(3)[y]) / len(y))
        dhidden = d @ W2.T * (1 - hidden**2)
        dW1 = X.T @ dhidden
        dW1[:-1] += self.claims[0] * W1[:-1]
        dW1[-1] += self.claims[1] * W1[-1]
        return loss, {"W1": dW1, "b1": dhidden.sum(axis=0), "W2": hidden.T @ d, "b2": d.sum(axis=0)}


DATA = np.random.default_rng(1).standard_normal((8, 5)), np.arange(8) % 3


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d + 0.01,
        lambda d: d + 0.01 * np.cos(np.arange(d.size)).reshape(d.shape),
        lambda d: np.round(d, 1),
    ],
)
def test_a_softmax_at_the_end_is_not_taken_for_a_normalisation(spoil):
    assert check_gradients(_Spoiled(spoil), *DATA).findings[0].likely == "unknown"


@pytest.mark.parametrize(
    ("claims", "code"), [((0.0, 0.0), "reg_missing"), ((0.2, 0.2), "reg_factor"), ((0.4, 0.0), "reg_factor")]
)
def test_a_penalty_on_a_part_of_an_array(claims, code):
    (found,) = check_gradients(_Spoiled(claims=claims, penalised=0.2), *DATA).findings
    assert (found.parameter, found.likely) == ("W1", code)
    assert "along axis 0 of W1" in found.explanation
    assert check_gradients(_Spoiled(claims=(0.2, 0.0), penalised=0.2), *DATA).ok


def test_of_one_number_every_other_is_a_multiple():
    x = np.array(1.5)
    (found,) = check_gradients(lambda x: (np.exp(x), x), lambda dout, x: dout * x, (x,)).findings
    assert found.likely == "unknown"
    s, x = np.array([1.7]), np.random.default_rng(0).standard_normal((4, 5))
    (found,) = check_gradients(
        lambda x, s: (x * s**2, (x, s)),
        lambda d, c: (d * c[1] ** 2, np.array([(d * c[0]).sum() * c[1][0]])),
        (x, s),
    ).findings
    assert (found.parameter, found.likely) == ("s", "scaled")
