"""The moving average of a model's numbers against its formula written out, and putting it into the model."""

import contextlib
import copy

import numpy as np
import pytest

from plaingrad.averaging import MovingAverage
from plaingrad.network import FlatDict

SIZE = 140_000  # more than a block


class Flat:
    """Numbers in flat buffers."""

    def __init__(self, dtype=np.float64):
        self.params = FlatDict({"b": (3,), "W": (SIZE,)}, dtype, first={"W"})
        self.state = FlatDict({"mean": (3,)}, dtype)
        self.params.flat[:] = np.random.default_rng(0).standard_normal(SIZE + 3)
        self.state.flat[:] = 1.0


class Plain:
    """The same numbers in plain dicts."""

    def __init__(self, dtype=np.float64):
        flat = Flat(dtype)
        self.params = {name: array.copy() for name, array in flat.params.items()}
        self.state = {name: array.copy() for name, array in flat.state.items()}


def walk(model, steps):
    """Change the model's numbers as training would, step by step."""
    rng = np.random.default_rng(1)
    for t in range(1, steps + 1):
        for part in (model.params, model.state):
            for name in part:
                part[name] = part[name] + rng.standard_normal(part[name].shape).astype(part[name].dtype)
        yield t


@pytest.mark.parametrize("make", [Flat, Plain])
@pytest.mark.parametrize("decay", [0.0, 0.3, 0.9])
def test_average_is_the_weighted_sum_of_all_that_was(make, decay):
    model = make()
    average = MovingAverage(model, decay)
    seen = [{**copy.deepcopy(dict(model.params)), **copy.deepcopy(dict(model.state))}]
    for t in walk(model, 12):
        average.update(t)
        seen.append({name: a.copy() for name, a in {**model.params, **model.state}.items()})
    # Update t keeps the share d(t) of all before: d is smaller in the beginning, then `decay`.
    kept = [min(decay, (1 + t) / (10 + t)) for t in range(1, 13)]
    shares = [(1 - d) * np.prod(kept[t + 1 :]) for t, d in enumerate(kept)]
    shares = [np.prod(kept), *shares]
    assert sum(shares) == pytest.approx(1)
    for part in average.parts.values():
        for name, array in part.items():
            expected = sum(share * then[name] for share, then in zip(shares, seen, strict=True))
            np.testing.assert_allclose(array, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_flat_and_plain_numbers_are_averaged_alike(dtype):
    models = Flat(dtype), Plain(dtype)
    averages = [MovingAverage(model, 0.9) for model in models]
    for steps in zip(*(walk(model, 5) for model in models), strict=True):
        for t, average in zip(steps, averages, strict=True):
            average.update(t)
    for part, flat in averages[0].parts.items():
        for name, array in flat.items():
            assert array.tobytes() == averages[1].parts[part][name].tobytes()


def test_float32_stays_float32():
    model = Plain()
    model.params = {name: array.astype(np.float32) for name, array in model.params.items()}
    average = MovingAverage(model, 0.9)
    average.update(1)
    assert {a.dtype for a in average.parts["params"].values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("make", [Flat, Plain])
def test_the_model_holds_the_average_within_the_block_alone(make):
    model = make()
    average = MovingAverage(model, 0.9)
    for t in walk(model, 3):
        average.update(t)
    newest, averaged = model.params["W"].copy(), average.parts["params"]["W"].copy()
    with contextlib.suppress(RuntimeError), average.in_model():
        np.testing.assert_array_equal(model.params["W"], averaged)
        np.testing.assert_array_equal(model.state["mean"], average.parts["state"]["mean"])
        model.params["W"][:] = 0  # not the average itself
        raise RuntimeError
    np.testing.assert_array_equal(model.params["W"], newest)
    np.testing.assert_array_equal(average.parts["params"]["W"], averaged)
