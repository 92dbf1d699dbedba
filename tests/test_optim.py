"""Update rules against PyTorch and against each other, the optimizer on flat and on plain dicts, clipping."""

import math
from dataclasses import replace

import numpy as np
import pytest

import plaingrad
from plaingrad import optimizer as optimizer_module
from plaingrad.errors import RecipeError
from plaingrad.kernels import available
from plaingrad.network import FlatDict
from plaingrad.optim import RULES, SGD, AdaGrad, Adam, AdamW, Momentum, Nesterov, RMSProp
from plaingrad.optimizer import Optimizer, clip_by_global_norm, factors_by_name, global_norm

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
def test_decay_stands_beside_the_rules_own_step(name):
    rule, bare = (replace(COUNTERPARTS[name][0], weight_decay=decay) for decay in (0.3, 0.0))
    w = np.random.default_rng(0).standard_normal((5, 4))
    state = {slot: np.abs(gradients(7)[6]) for slot in rule.slots}
    (decayed, state_decayed), (moved, state_moved) = (
        r.update(w, gradients()[0], state, lr=0.1, t=2) for r in (rule, bare)
    )
    np.testing.assert_allclose(decayed, moved - 0.1 * 0.3 * w, rtol=1e-13, atol=1e-15)
    for slot in rule.slots:
        np.testing.assert_array_equal(state_decayed[slot], state_moved[slot])


@pytest.mark.parametrize(("name", "same"), [("sgd", True), ("momentum", False), ("adam", False)])
def test_decay_is_l2_in_the_loss_for_sgd_alone(name, same):
    decaying, bare = RULES[name](0.1, weight_decay=0.3), RULES[name](0.1)
    with_decay, with_l2 = (np.random.default_rng(0).standard_normal((5, 4)) for _ in range(2))
    states = [bare.init(with_decay), bare.init(with_l2)]
    for t, dw in enumerate(gradients(3), 1):
        with_decay, states[0] = decaying.update(with_decay, dw, states[0], lr=0.1, t=t)
        with_l2, states[1] = bare.update(with_l2, dw + 0.3 * with_l2, states[1], lr=0.1, t=t)
    assert np.allclose(with_decay, with_l2, rtol=1e-12) == same


def by_the_formula(rule, params, gradients, lr):
    """The parameters and the state after so many steps, each array by itself and out of place."""
    params = {name: array.copy() for name, array in params.items()}
    states = {name: rule.init(array) for name, array in params.items()}
    for t, grads in enumerate(gradients, 1):
        for name, w in params.items():
            own = rule if name == "W" else replace(rule, weight_decay=0.0)
            params[name], states[name] = own.update(w, grads[name], states[name], lr=lr, t=t)
    return params, states


def assert_same_bits(optimizer, params, expected, states):
    for name, array in expected.items():
        np.testing.assert_array_equal(params[name], array)
        assert np.array_equal(np.signbit(params[name]), np.signbit(array))
    for slot in optimizer.rule.slots:
        held = params.like()
        held.flat[:] = optimizer.state[""][slot]
        for name, state in states.items():
            np.testing.assert_array_equal(held[name], state[slot])


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("size", [1, 17, 1001])
def test_a_step_in_place_is_the_formula_to_the_bit(name, dtype, decay, size):
    rule = replace(COUNTERPARTS[name][0], weight_decay=decay)
    params = FlatDict({"b": (size,), "W": (3, size)}, dtype, first={"W"})
    params.flat[:] = np.random.default_rng(0).standard_normal(params.flat.size)
    optimizer = Optimizer(rule, params)
    steps = [params.like() for _ in range(5)]
    for seed, grads in enumerate(steps):
        grads.flat[:] = np.random.default_rng(seed).standard_normal(grads.flat.size)
    before = [grads.copy() for grads in steps]
    expected, states = by_the_formula(rule, params, steps, 0.0137)
    for grads in steps:
        optimizer.step(params, grads, np.float64(0.0137))  # as a schedule of the user's own may give it
    assert_same_bits(optimizer, params, expected, states)
    for grads, kept in zip(steps, before, strict=True):
        np.testing.assert_array_equal(grads.flat, kept.flat)


@pytest.mark.parametrize("name", RULES)
def test_extreme_numbers_in_place(name):
    extreme = [0.0, -0.0, 1e-45, -1e-39, 1e-30, 3e38, -3e38, np.inf, -np.inf, np.nan]
    values = np.array([(w, dw) for w in extreme for dw in extreme], np.float32).T
    rule = replace(COUNTERPARTS[name][0], weight_decay=0.3)
    params = FlatDict({"W": (100,)}, np.float32, first={"W"})
    grads = params.copy()
    params.flat[:], grads.flat[:] = values
    with np.errstate(all="ignore"):
        expected, states = by_the_formula(rule, params, [grads, grads], 0.1)
        optimizer = Optimizer(rule, params)
        for _ in range(2):
            optimizer.step(params, grads, 0.1)
    assert_same_bits(optimizer, params, expected, states)


@pytest.mark.parametrize("name", RULES)
def test_a_step_on_threads_is_the_step_on_one(name, monkeypatch):
    numba_update = pytest.importorskip("plaingrad.kernels.numba_update", reason="Numba is not installed")
    results = []
    for large in (1 << 30, 100):
        monkeypatch.setattr(numba_update, "_LARGE", large)
        params = flat_params(5_000).copy(np.float32)
        optimizer = Optimizer(replace(COUNTERPARTS[name][0], weight_decay=0.1), params, {"W": 0.5})
        for _ in range(3):
            optimizer.step(params, flat_params(5_000).copy(np.float32), 0.1)
        results.append(params.flat)
    np.testing.assert_array_equal(*results)


def test_a_rule_of_the_users_own_runs_by_its_formula():
    """Also one that only refines a rule that has a compiled version."""

    class Signs(SGD):
        def update(self, w, dw, state, *, lr, t):
            return w - lr * np.sign(dw), {}

    params = FlatDict({"W": (300_000,)}, np.float32, first={"W"})
    params.flat[:] = 1
    grads = params.copy()
    Optimizer(Signs(), params).step(params, grads, 0.25)
    np.testing.assert_array_equal(params.flat, np.float32(0.75))


def test_plain_runs_the_formulas(monkeypatch):
    def broken(*arguments, **keywords):
        raise AssertionError("the compiled version ran")

    monkeypatch.setitem(optimizer_module._COMPILED, Adam, (broken, broken))
    params = flat_params(100).copy(np.float32)
    with plaingrad.plain():
        Optimizer(Adam(), params).step(params, params.copy(), 0.1)
    if available:
        with pytest.raises(AssertionError, match="the compiled version"):
            Optimizer(Adam(), params).step(params, params.copy(), 0.1)


def flat_params(size):
    """Weights, of 131,072 on in several blocks, and a bias, first in the dict but not in memory."""
    params = FlatDict({"b": (7,), "W": (size // 10, 10)}, np.float64, first={"W"})
    params.flat[:] = np.random.default_rng(0).standard_normal(params.flat.size)
    return params


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("factors", [None, {"W": 0.3, "b": 2}, {"b": 0}])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_flat_and_plain_dicts_are_updated_alike(name, factors, dtype):
    rule = replace(COUNTERPARTS[name][0], weight_decay=0.1)
    flat = flat_params(300_000).copy(dtype)
    plain = {key: value.copy() for key, value in flat.items()}
    one, other = Optimizer(rule, flat, factors), Optimizer(rule, plain, factors)
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


@pytest.mark.parametrize("name", RULES)
def test_weight_decay_spares_biases(name):
    for params in (flat_params(100), {key: value.copy() for key, value in flat_params(100).items()}):
        before = {key: value.copy() for key, value in params.items()}
        zero = {key: np.zeros_like(value) for key, value in params.items()}
        Optimizer(RULES[name](weight_decay=0.5), params).step(params, zero, lr=0.1)
        np.testing.assert_array_equal(params["b"], before["b"])
        np.testing.assert_allclose(params["W"], before["W"] * 0.95)


LAYERS = ("conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias", "affine1.weight", "affine1.bias")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [1, 1, 1, 1, 1, 1]),
        ({"conv1": 0.1}, [0.1, 0.1, 1, 1, 1, 1]),
        ({"conv1.bias": 3}, [1, 3, 1, 1, 1, 1]),
        ({"conv*": 0.1, "conv2": 0}, [0.1, 0.1, 0, 0, 1, 1]),
        ({"conv2": 0, "conv*": 0.1}, [0.1, 0.1, 0.1, 0.1, 1, 1]),
        ({"*.bias": 2.0, "affine1": 0.5}, [1, 2, 1, 2, 0.5, 0.5]),
        ({"conv[2-9]": 0.5}, [1, 1, 0.5, 0.5, 1, 1]),
    ],
)
def test_factors_of_parameters_by_name_layer_and_pattern(given, expected):
    params = {name: np.ones(1) for name in LAYERS}
    assert factors_by_name(params, given) == dict(zip(LAYERS, expected, strict=True))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"afine1": 0.1},
            "lr_factors: no parameter .* 'afine1'; did you mean 'affine1'. There are: W, affine1, affine1.bias, ",
        ),
        ({"relu1": 0.1}, "no layer that has any is called 'relu1'"),
        ({"": 0.1}, "is called ''"),
        ({"conv9*": 0.1}, "is called 'conv9[*]'"),
        ({3: 0.1}, "is called 3; there are: "),
        ({"conv1": -0.1}, "lr_factors: conv1 must be a number 0 or more, got -0.1"),
        ({"conv1": math.inf}, "lr_factors: conv1 must be a number 0 or more, got inf"),
        ({"conv1": math.nan}, "lr_factors: conv1 must be a number 0 or more, got nan"),
        ({"conv1": "small"}, "lr_factors: conv1 must be a number 0 or more, got 'small'"),
    ],
)
def test_wrong_factors(given, words):
    names = (*LAYERS, "W")
    for params in ({name: np.ones(1) for name in names}, FlatDict(dict.fromkeys(names, (1,)))):
        with pytest.raises(RecipeError, match=words):
            Optimizer(SGD(), params, given)


@pytest.mark.parametrize("flat", [True, False])
def test_each_parameter_is_updated_with_its_learning_rate_and_decay(flat):
    shapes = {name: (4, 3) if name.endswith("weight") else (4,) for name in LAYERS}
    params = FlatDict(shapes, np.float64, first={name for name in LAYERS if name.endswith("weight")})
    params.flat[:] = np.random.default_rng(0).standard_normal(params.flat.size)
    params = params if flat else {name: value.copy() for name, value in params.items()}
    before = {name: value.copy() for name, value in params.items()}
    factors = {"conv1": 0.5, "*.bias": 3.0, "affine1.weight": 0.0}
    optimizer = Optimizer(SGD(weight_decay=0.2), params, factors)
    optimizer.step(params, {name: np.ones(shape) for name, shape in shapes.items()}, 0.1)
    for name, factor in zip(LAYERS, (0.5, 3, 1, 3, 0, 3), strict=True):
        decay = 0.2 if name.endswith("weight") else 0.0
        expected = before[name] - 0.1 * factor * (1 + decay * before[name])
        np.testing.assert_allclose(params[name], expected, rtol=1e-14, atol=1e-14, err_msg=name)


@pytest.mark.parametrize("flat", [True, False])
def test_what_is_frozen_stays_to_the_bit_whatever_its_gradient(flat):
    params = flat_params(100)
    params = params if flat else {key: value.copy() for key, value in params.items()}
    before = params["W"].copy()
    optimizer = Optimizer(AdamW(), params, {"W": 0})
    for _ in range(3):
        optimizer.step(params, {"W": np.full((10, 10), np.nan), "b": np.ones(7)}, 0.1)
    assert params["W"].tobytes() == before.tobytes()
    assert np.isfinite(params["b"]).all()
    assert all(np.isfinite(slot).all() for own in optimizer.state.values() for slot in own.values())


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
        (lambda: AdamW(weight_decay=-1), "AdamW: weight_decay must be 0 or more"),
        (lambda: SGD(weight_decay=-1), "SGD: weight_decay must be 0 or more"),
        (lambda: SGD(weight_decay=math.inf), "weight_decay must be finite and 0 or more"),
        (lambda: RMSProp(eps=0), "eps must be above 0"),
        (lambda: SGD(lr=math.nan), "lr must be finite and above 0"),
    ],
)
def test_values_out_of_range(make, words):
    with pytest.raises(ValueError, match=words):
        make()
