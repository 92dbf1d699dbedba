"""Update rules against PyTorch and against each other, the optimizer on flat and on plain dicts, clipping."""

import math

import numpy as np
import pytest

import plaingrad
from plaingrad.network import FlatDict
from plaingrad.optim import RULES, SGD, AdaGrad, Adam, AdamW, Momentum, Nesterov, RMSProp
from plaingrad.optimizer import Optimizer, clip_by_global_norm, global_norm

# Each rule with the arguments of its counterpart in torch.optim.  PyTorch's Adam adds ε after the same
# correction; its RMSProp and Adagrad are ours with their own defaults.
COUNTERPARTS = {
    "sgd": (SGD(0.1), "SGD", {"lr": 0.1}),
    "momentum": (Momentum(0.1, 0.8), "SGD", {"lr": 0.1, "momentum": 0.8}),
    "nesterov": (Nesterov(0.1, 0.8), "SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True}),
    "adagrad": (AdaGrad(0.1), "Adagrad", {"lr": 0.1, "eps": 1e-8}),
    "rmsprop": (RMSProp(0.1, 0.9), "RMSprop", {"lr": 0.1, "alpha": 0.9, "eps": 1e-8}),
    "adam": (Adam(0.1, 0.8, 0.95), "Adam", {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-8}),
    "adamw": (
        AdamW(0.1, 0.8, 0.95, weight_decay=0.3),
        "AdamW",
        {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-8, "weight_decay": 0.3},
    ),
}


def gradients(count=6, shape=(5, 4)):
    rng = np.random.default_rng(1)
    return [rng.standard_normal(shape) for _ in range(count)]


@pytest.mark.parametrize("name", RULES)
def test_rule_is_pytorchs(name):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rule, theirs, arguments = COUNTERPARTS[name]
    w = np.random.default_rng(0).standard_normal((5, 4))
    parameter = torch.nn.Parameter(torch.from_numpy(w.copy()))
    optimizer = getattr(torch.optim, theirs)([parameter], **arguments)
    state = rule.init(w)
    for t, dw in enumerate(gradients(), 1):
        w, state = rule.update(w, dw, state, lr=rule.lr, t=t)
        parameter.grad = torch.from_numpy(dw)
        optimizer.step()
        # Nesterov's w is the point looked ahead to, in PyTorch too.
        np.testing.assert_allclose(w, parameter.detach().numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", RULES)
def test_rule_changes_nothing_and_keeps_the_dtype(name):
    rule = RULES[name]()
    w, dw = (a.astype(np.float32) for a in gradients(2))
    state = {slot: np.abs(dw) for slot in rule.slots}
    before = [a.copy() for a in (w, dw, *state.values())]
    new, new_state = rule.update(w, dw, state, lr=0.1, t=3)
    for kept, array in zip(before, (w, dw, *state.values()), strict=True):
        np.testing.assert_array_equal(kept, array)
    assert new.dtype == np.float32
    assert {slot: a.dtype for slot, a in new_state.items()} == dict.fromkeys(rule.slots, np.float32)
    assert not np.array_equal(new, w)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_in_place_is_the_formula_to_the_bit(name, dtype):
    rule = COUNTERPARTS[name][0]
    w = np.random.default_rng(0).standard_normal(101).astype(dtype)
    state, expected = rule.init(w), w.copy()
    formula_state = rule.init(w)
    for t, dw in enumerate(gradients(5, (101,)), 1):
        dw = dw.astype(dtype)
        before = dw.copy()
        expected, formula_state = rule.update(expected, dw, formula_state, lr=0.1, t=t)
        rule.update_in_place(w, dw, state, lr=0.1, t=t)
        np.testing.assert_array_equal(dw, before)
        np.testing.assert_array_equal(w, expected)
        for slot in rule.slots:
            np.testing.assert_array_equal(state[slot], formula_state[slot])


def test_plain_runs_the_formulas(monkeypatch):
    def broken(*arguments, **keywords):
        raise AssertionError("the faster version ran")

    monkeypatch.setattr(Adam, "update_in_place", broken)
    params = flat_params(100)
    with plaingrad.plain():
        Optimizer(Adam(), params).step(params, flat_params(100), 0.1)
    with pytest.raises(AssertionError, match="faster version"):
        Optimizer(Adam(), params).step(params, flat_params(100), 0.1)


def flat_params(size=50_000):
    """More than one block of weights, and a bias, which comes first in the dict but not in memory."""
    params = FlatDict({"b": (7,), "W": (size // 10, 10)}, np.float64, first={"W"})
    params.flat[:] = np.random.default_rng(0).standard_normal(params.flat.size)
    return params


@pytest.mark.parametrize("name", RULES)
def test_flat_and_plain_dicts_are_updated_alike(name):
    rule = COUNTERPARTS[name][0]
    flat = flat_params()
    plain = {key: value.copy() for key, value in flat.items()}
    one, other = Optimizer(rule, flat), Optimizer(rule, plain)
    buffer = flat.flat
    for seed in range(3):
        grads = flat.like()
        grads.flat[:] = np.random.default_rng(seed).standard_normal(flat.flat.size)
        one.step(flat, grads, 0.1)
        other.step(plain, dict(grads), 0.1)
    assert flat.flat is buffer
    for key in flat:
        np.testing.assert_array_equal(flat[key], plain[key])


def test_gradients_of_a_flat_dict_may_come_as_any_dict():
    params = flat_params(100)
    expected = {key: value - 0.5 for key, value in params.items()}
    Optimizer(SGD(), params).step(params, {key: np.ones_like(value) for key, value in params.items()}, 0.5)
    for key in params:
        np.testing.assert_allclose(params[key], expected[key])


def test_weight_decay_spares_biases():
    for params in (flat_params(100), {key: value.copy() for key, value in flat_params(100).items()}):
        before = {key: value.copy() for key, value in params.items()}
        zero = {key: np.zeros_like(value) for key, value in params.items()}
        Optimizer(AdamW(weight_decay=0.5), params).step(params, zero, lr=0.1)
        np.testing.assert_array_equal(params["b"], before["b"])
        np.testing.assert_allclose(params["W"], before["W"] * 0.95)


def test_optimizer_state_continues_exactly():
    params, grads = flat_params(100), flat_params(100)
    optimizer = Optimizer(Adam(), params)
    optimizer.step(params, grads, 0.1)
    saved = {key: value.copy() for key, value in optimizer.state_dict().items()}
    weights = params.copy()
    optimizer.step(params, grads, 0.1)
    again = Optimizer(Adam(), weights)
    again.load_state_dict(saved, t=1)
    again.step(weights, grads, 0.1)
    np.testing.assert_array_equal(weights.flat, params.flat)


def test_clipping():
    grads = flat_params(100)
    norm = math.sqrt(sum(float((g**2).sum()) for g in grads.values()))
    for kind in (grads, dict(grads)):
        assert global_norm(kind) == pytest.approx(norm)
        assert clip_by_global_norm(kind, norm * 1.01) is kind
        clipped = clip_by_global_norm(kind, 0.5)
        assert global_norm(clipped) == pytest.approx(0.5)
        np.testing.assert_allclose(clipped["W"] / grads["W"], 0.5 / norm)
        assert global_norm(kind) == pytest.approx(norm), "the gradients given must stay as they were"


@pytest.mark.parametrize("flat", [True, False])
def test_clipping_gradients_whose_squares_overflow(flat):
    grads = FlatDict({"W": (30, 10)})
    grads.flat[:] = np.random.default_rng(0).standard_normal(300) * 1e25
    clipped = clip_by_global_norm(grads if flat else dict(grads), 1.0)
    assert np.linalg.norm(clipped["W"]) == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SGD(lr=0), "lr must be above 0"),
        (lambda: Momentum(momentum=1), "momentum must be from 0 to below 1"),
        (lambda: Adam(beta2=-0.1), "beta2 must be from 0 to below 1"),
        (lambda: AdamW(weight_decay=-1), "weight_decay must be 0 or more"),
        (lambda: RMSProp(eps=0), "eps must be above 0"),
        (lambda: SGD(lr=math.nan), "lr must be finite and above 0"),
    ],
)
def test_values_out_of_range(make, words):
    with pytest.raises(ValueError, match=words):
        make()
