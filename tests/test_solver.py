"""The training loop: it learns, it is reproducible, it continues exactly, it stops when it must."""

import itertools
import math
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import plaingrad as pg
from plaingrad import stopwatch
from plaingrad.data import Augmentation, Crop, Flip, Transform
from plaingrad.errors import DataError, Interrupted, NonFiniteError, RecipeError, ShapeError
from plaingrad.solver import predict


def blobs(count=120, features=6, classes=3, seed=0):
    """Three clouds that a small network can tell apart."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, count)
    centres = 3 * np.eye(classes, features)
    X = (centres[y] + rng.standard_normal((count, features))).astype(np.float32)
    cut = count * 2 // 3
    return {"X_train": X[:cut], "y_train": y[:cut], "X_val": X[cut:], "y_val": y[cut:]}


def images(**settings):
    """The same clouds, as images of 2×3 pixels."""
    return {key: a.reshape(-1, 1, 2, 3) if "X" in key else a for key, a in blobs(**settings).items()}


def network(**settings):
    settings = {"input_shape": 6, "classes": 3, "normalization": "batchnorm", "dropout": 0.2} | settings
    return pg.FullyConnectedNet([10], **settings)


def solver(model=None, data=None, **settings):
    settings = {"rule": pg.Adam(1e-2), "epochs": 4, "batch_size": 16, "seed": 3} | settings
    return pg.Solver(model or network(), data or blobs(), **settings)


class Student:
    """A model as a student writes it: softmax regression in plain NumPy, with nothing but the protocol."""

    def __init__(self):
        self.params = {"W": np.zeros((6, 3)), "b": np.zeros(3)}

    def loss(self, X, y=None):
        scores = X @ self.params["W"] + self.params["b"]
        if y is None:
            return scores
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        loss = -np.log(p[np.arange(len(y)), y]).mean()
        p[np.arange(len(y)), y] -= 1
        p /= len(y)
        return loss, {"W": X.T @ p, "b": p.sum(axis=0)}


def test_learns_and_restores_the_best():
    s = solver(epochs=10)
    records = s.train()
    assert s.best_accuracy == max(r.val_accuracy for r in records) > 0.9
    assert s.accuracy(s.data.validation) == s.best_accuracy
    assert [r.step for r in records] == [5 * e for e in range(1, 11)]
    assert len(s.loss_history) == s.step == 50
    assert records[-1].loss == pytest.approx(np.mean(s.loss_history[45:]))
    assert records[-1].loss < records[0].loss


def test_a_users_own_class_trains_and_is_checked():
    model = Student()
    s = solver(model, rule=pg.SGD(0.1), epochs=10)
    s.train()
    assert s.best_accuracy > 0.9
    data = blobs()
    X = data["X_val"].astype(np.float64)
    assert pg.check_gradients(model, X, data["y_val"]).ok
    assert (predict(model, X) == model.loss(X).argmax(axis=1)).all()


def test_same_seed_same_bytes_other_seed_other_bytes():
    weights = []
    for seed in (3, 3, 4):
        s = solver(seed=seed)
        s.train()
        weights.append(s.model.params.flat.tobytes())
    assert weights[0] == weights[1] != weights[2]


def check_continues_exactly(make, stop, **settings):
    """Compare a training stopped after step `stop` and continued by another solver with one that was not."""
    whole = solver(make(), **settings)
    whole.train()

    class Stop(pg.Callback):
        def on_step(self, s, loss):
            if s.step == stop:
                os.kill(os.getpid(), signal.SIGINT)

    first = solver(make(), **settings, callbacks=[Stop()])
    with pytest.raises(Interrupted, match=f"after step {stop}"):
        first.train()
    arrays, values = first.state_dict()
    arrays = {name: array.copy() for name, array in arrays.items()}
    second = solver(make(), **settings)
    second.load_state_dict(arrays, values, first.loss_history, first.records)
    second.train()

    assert second.loss_history == whole.loss_history
    ours, theirs = second.state_dict()[0], whole.state_dict()[0]
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        assert ours[name].tobytes() == array.tobytes(), name
    untimed = [[{**r.to_dict(), "seconds": 0} for r in s.records] for s in (second, whole)]
    assert untimed[0] == untimed[1]
    for name, array in second.model.params.items():
        assert array.tobytes() == whole.model.params[name].tobytes(), name


@pytest.mark.parametrize("sampling", ["shuffle", "replacement"])
@pytest.mark.parametrize("stop", [1, 4, 5, 7, 19])
@pytest.mark.parametrize("make", [network, Student], ids=["network", "student"])
def test_continues_exactly_from_any_step(sampling, stop, make):
    check_continues_exactly(make, stop, sampling=sampling, rule=pg.AdamW(1e-2))


@pytest.mark.parametrize("stop", [1, 5, 12])
@pytest.mark.parametrize("make", [network, Student], ids=["network", "student"])
@pytest.mark.parametrize(
    "settings",
    [
        {"ema": 0.9, "rule": pg.Momentum(0.1, weight_decay=0.1)},
        {"ema": 0.5, "accumulate": 3, "lr_factors": {"*": 0.5}, "rule": pg.Nesterov(0.1)},
    ],
    ids=["ema", "all"],
)
def test_continues_exactly_with_everything_on(stop, make, settings):
    check_continues_exactly(make, stop, **settings)


@pytest.mark.parametrize("stop", [1, 5, 12])
def test_continues_exactly_with_augmentation(stop):
    check_continues_exactly(
        lambda: network(input_shape=(1, 2, 3)),
        stop,
        data=images(),
        augmentation=Augmentation(Flip("alternating"), Crop(1), seed=5),
        ema=0.9,
    )


def test_state_of_other_settings_is_refused():
    with_average, without = solver(ema=0.9), solver()
    with pytest.raises(RecipeError, match="this solver needs average-params, .*settings it was saved with"):
        with_average.load_state_dict(*without.state_dict())
    with pytest.raises(
        RecipeError, match="what was saved holds average-params, .*settings it was saved with"
    ):
        without.load_state_dict(*with_average.state_dict())
    with pytest.raises(RecipeError, match="but this solver needs best-params, best-state, params, state"):
        without.load_state_dict({}, {})


def test_signal_handlers_are_put_back():
    before = signal.getsignal(signal.SIGINT)
    solver().train()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_signal_of_before_does_not_end_training_in_another_thread():
    stop = [True]

    class Once(pg.Callback):
        def on_step(self, s, loss):
            if stop:
                stop.clear()
                os.kill(os.getpid(), signal.SIGINT)

    s = solver(callbacks=[Once()])
    with pytest.raises(Interrupted):
        s.train()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(s.train).result()
    assert s.step == s.total_steps


def test_an_epoch_sees_every_sample_once():
    s = solver(batch_size=16)
    seen = np.concatenate([s.sampler(step) for step in range(s.steps_per_epoch)])
    assert sorted(seen) == list(range(80))
    again = np.concatenate([s.sampler(step) for step in range(s.steps_per_epoch, 2 * s.steps_per_epoch)])
    assert sorted(again) == list(range(80))
    assert not np.array_equal(seen, again)


def test_sampling_with_replacement_and_by_a_function():
    s = solver(sampling="replacement")
    drawn = np.concatenate([s.sampler(step) for step in range(100)])
    assert len(np.unique(drawn)) == 80
    np.testing.assert_array_equal(s.sampler(7), solver(sampling="replacement").sampler(7))
    assert not np.array_equal(s.sampler(7), s.sampler(8))
    assert solver(sampling=lambda step: np.array([step])).sampler(5) == [5]


def test_a_batch_larger_than_the_data_takes_it_all():
    s = solver(batch_size=1000, epochs=2)
    s.train()
    assert s.step == 2
    assert sorted(s.sampler(0)) == list(range(80))


def test_early_stopping():
    s = solver(Student(), rule=pg.SGD(1e-9), epochs=50, patience=3)
    s.train()
    assert s.stopped_early
    assert len(s.records) == 4  # one that is the best so far, and three that are no better


def test_patience_that_ends_with_the_last_step_stopped_nothing():
    s = solver(Student(), rule=pg.SGD(1e-9), epochs=4, patience=3)
    s.train()
    assert s.step == s.total_steps
    assert not s.stopped_early


def test_without_validation_the_last_weights_stay():
    data = {key: value for key, value in blobs().items() if "train" in key}
    last = []

    class Spoil(pg.Callback):
        def on_step(self, s, loss):
            if s.step == s.total_steps:
                s.model.params.flat[:] *= -1

        def on_end(self, s):
            last.append(s.model.params.flat.copy())

    s = solver(data=data, epochs=2, callbacks=[Spoil()])
    records = s.train()
    assert all(r.val_accuracy is None for r in records)
    assert records[1].train_accuracy < records[0].train_accuracy == s.best_accuracy
    np.testing.assert_array_equal(s.model.params.flat, last[0])
    kept = s.state_dict()[0]
    for name, values in s.model.params.items():
        np.testing.assert_array_equal(kept[f"best-params/{name}"], values)


class Keep(pg.Callback):
    """Keeps the numbers that the model has, and those that are averages, after each evaluation."""

    def __init__(self):
        self.newest, self.averaged = [], []

    def on_epoch(self, s, record):
        self.newest.append(np.concatenate([s.model.params.flat, s.model.state.flat]))
        if s.average:
            with s.average.in_model():
                if s.data.validation:
                    assert s.accuracy(s.data.validation) == record.val_accuracy
                self.averaged.append(s.model.params.flat.copy())


def test_training_goes_on_with_the_newest_weights_and_the_average_is_evaluated_and_kept():
    with_average, without = Keep(), Keep()
    s, other = solver(ema=0.9, callbacks=[with_average]), solver(callbacks=[without])
    s.train()
    other.train()
    assert s.loss_history == other.loss_history
    np.testing.assert_array_equal(with_average.newest, without.newest)
    assert [r.val_accuracy for r in s.records] != [r.val_accuracy for r in other.records]
    best = [r.val_accuracy for r in s.records].index(s.best_accuracy)
    np.testing.assert_array_equal(s.model.params.flat, with_average.averaged[best])
    assert s.accuracy(s.data.validation) == s.best_accuracy


def test_without_validation_the_last_average_stays():
    data, keep = {key: value for key, value in blobs().items() if "train" in key}, Keep()
    s = solver(data=data, ema=0.9, callbacks=[keep])
    s.train()
    np.testing.assert_array_equal(s.model.params.flat, keep.averaged[-1])
    assert not np.array_equal(s.model.params.flat, keep.newest[-1][: s.model.params.flat.size])


def test_the_average_starts_from_the_initial_weights():
    s = solver(ema=0.999, iterations=1)
    before = s.model.params.flat.copy()
    s.callbacks.append(keep := Keep())
    s.train()
    newest = keep.newest[0][: before.size]
    np.testing.assert_allclose(s.model.params.flat, 2 / 11 * before + 9 / 11 * newest, rtol=1e-5, atol=1e-7)


def test_an_average_that_forgets_at_once_is_no_average():
    trained = [solver(ema=ema) for ema in (None, 0.0)]
    for s in trained:
        s.train()
    assert trained[0].model.params.flat.tobytes() == trained[1].model.params.flat.tobytes()


@pytest.mark.parametrize("count", [2, 3, 16])
def test_a_batch_in_parts_trains_as_the_whole(count):
    settings = {"input_shape": 6, "classes": 3, "reg": 0.1, "dtype": np.float64}
    data = {key: a.astype(np.float64) if "X" in key else a for key, a in blobs().items()}
    sizes = []

    class Watched(pg.FullyConnectedNet):
        def loss(self, X, y=None):
            sizes.append(len(X) if y is not None else 0)
            return super().loss(X, y)

    whole = solver(pg.FullyConnectedNet([10], **settings), data, clip_norm=1.0)
    parts = solver(Watched([10], **settings), data, clip_norm=1.0, accumulate=count)
    whole.train()
    parts.train()
    assert max(sizes) == math.ceil(16 / count)
    np.testing.assert_allclose(parts.loss_history, whole.loss_history, rtol=1e-10)
    np.testing.assert_allclose(parts.model.params.flat, whole.model.params.flat, rtol=1e-8, atol=1e-10)


def test_a_loss_that_is_not_finite_is_looked_into_part_by_part():
    seen = []

    class Watched(pg.FullyConnectedNet):
        def first_non_finite(self, X):
            seen.append(len(X))
            return super().first_non_finite(X)

    model = Watched([10], input_shape=6, classes=3)
    model.params["affine2.weight"][0, 0] = np.nan
    with pytest.raises(NonFiniteError, match="at step 0 .*is affine2"):
        solver(model, accumulate=4).train()
    assert seen == [4]


@pytest.mark.parametrize("make", [network, Student], ids=["network", "student"])
def test_frozen_parameters_stay(make):
    model = make()
    frozen, moving = list(model.params)[:1], list(model.params)[1:]
    before = {name: array.copy() for name, array in model.params.items()}
    solver(model, rule=pg.AdamW(1e-2), lr_factors={frozen[0]: 0}).train()
    assert all(model.params[name].tobytes() == before[name].tobytes() for name in frozen)
    assert not any(np.array_equal(model.params[name], before[name]) for name in moving)


class Ruin(Transform):
    """Leaves nothing of the images."""

    def transform(self, images, *, indices, epoch, rng):
        return np.zeros_like(images)


def test_training_images_are_augmented_and_measured_ones_are_not():
    class Watched(Student):
        def loss(self, X, y=None):
            assert X.any() == (y is None)
            return super().loss(X.reshape(len(X), -1), y)

    s = solver(Watched(), images(), augmentation=Augmentation(Ruin()))
    assert len(s.train()) == 4


def threads():
    return [t.name for t in threading.enumerate() if t.name.startswith("plaingrad-batches")]


def test_the_thread_that_makes_batches_ends_with_training_whatever_happens():
    def act(action):
        return type("Act", (pg.Callback,), {"on_step": lambda self, s, loss: action(s)})()

    def check(s):
        assert threads()
        raise ZeroDivisionError

    def interrupt(s):
        os.kill(os.getpid(), signal.SIGINT)

    settings = {"data": images(), "augmentation": Augmentation(Flip())}
    model = network(input_shape=(1, 2, 3))
    for action, error in ((check, ZeroDivisionError), (interrupt, Interrupted)):
        with pytest.raises(error):
            solver(model, callbacks=[act(action)], **settings).train()
        assert not threads()
    solver(model, **settings).train()
    assert not threads()


def test_learning_rate_follows_the_schedule():
    s = solver(schedule=pg.Exponential(0.5), rule=pg.SGD(0.8), epochs=3)
    assert [r.lr for r in s.train()] == pytest.approx([0.8, 0.4, 0.2])


def test_clipping_bounds_the_step():
    s = solver(rule=pg.SGD(1.0), clip_norm=1e-3, iterations=1)
    before = s.model.params.copy()
    s.train()
    after = s.state_dict()[0]
    moved = [after[f"params/{name}"] - value for name, value in before.items()]
    assert sum(float((m**2).sum()) for m in moved) ** 0.5 == pytest.approx(1e-3, rel=1e-3)


def test_iterations_win_over_epochs_and_the_last_step_is_evaluated():
    s = solver(iterations=7)
    assert [r.step for r in s.train()] == [5, 7]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_stops_and_names_step_and_layer(value):
    model = network(dropout=0.0)

    class Poison(pg.Callback):
        def on_step(self, s, loss):
            if s.step == 6:
                s.model.params["affine2.weight"][0, 0] = value

    s = solver(model, callbacks=[Poison()])
    with pytest.raises(NonFiniteError, match=r"at step 6 .*is affine2.*learning rate"):
        s.train()
    assert s.step == 6


def test_a_diverging_run_is_stopped_without_warnings():
    with pytest.raises(NonFiniteError, match="the loss is (nan|inf) at step"):
        solver(network(normalization=None), rule=pg.SGD(1e30)).train()


def test_a_students_diverging_model_is_stopped_too():
    model = Student()
    model.params["W"][:] = np.nan
    with pytest.raises(NonFiniteError, match="look at the scores"):
        solver(model).train()


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"batch_size": 0}, RecipeError, "batch_size must be a whole number, 1 or more, got 0"),
        ({"batch_size": 2.5}, RecipeError, "batch_size must be a whole number, 1 or more, got 2.5"),
        ({"epochs": 0}, RecipeError, "epochs must be a number above 0, got 0"),
        ({"epochs": None}, RecipeError, "epochs must be a number above 0, got None"),
        ({"batch_size": None}, RecipeError, "batch_size must be a whole number, 1 or more, got None"),
        ({"epochs": np.nan}, RecipeError, "epochs must be a number above 0, got nan"),
        ({"epochs": "a"}, RecipeError, "epochs must be a number above 0, got 'a'"),
        ({"iterations": -3}, RecipeError, "iterations must be a whole number, 0 or more"),
        ({"patience": 0}, RecipeError, "patience must be a whole number, 1 or more"),
        ({"train_samples": 0}, RecipeError, "train_samples must be a whole number, 1 or more"),
        ({"seed": -1}, RecipeError, "seed must be a whole number, 0 or more"),
        ({"clip_norm": -1.0}, RecipeError, "clip_norm must be a number above 0"),
        ({"ema": 1}, RecipeError, "ema must be a number from 0 to below 1, got 1"),
        ({"ema": -0.1}, RecipeError, "ema must be a number from 0 to below 1, got -0.1"),
        ({"ema": np.nan}, RecipeError, "ema must be a number from 0 to below 1, got nan"),
        ({"ema": "0.9"}, RecipeError, "ema must be a number from 0 to below 1, got '0.9'"),
        ({"accumulate": 0}, RecipeError, "accumulate must be a whole number, 1 or more, got 0"),
        ({"accumulate": 2.0}, RecipeError, "accumulate must be a whole number, 1 or more, got 2.0"),
        ({"lr_factors": 0.1}, RecipeError, "lr_factors must be an object such as .*, got 0.1"),
        ({"lr_factors": {"afine1": 1}}, RecipeError, "'afine1'; did you mean 'affine1'"),
        ({"augmentation": Flip()}, RecipeError, r"augmentation must be an object such as Augmentation\(Flip"),
        ({"augmentation": Augmentation(Flip())}, DataError, "augmentation takes images"),
        ({"rule": "adam"}, RecipeError, "rule must be an object such as"),
        ({"schedule": "cosine"}, RecipeError, "schedule must be an object such as"),
        ({"callbacks": [print]}, RecipeError, "a callback must be an object derived from"),
        ({"sampling": "shufle"}, RecipeError, "sampling cannot be 'shufle'; did you mean 'shuffle'"),
        ({"data": {"X_train": np.zeros((2, 6))}}, DataError, "lacks y_train"),
    ],
)
def test_wrong_settings(settings, error, words):
    with pytest.raises(error, match=words):
        solver(**settings)


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (lambda loss, grads: (loss, {"W": grads["W"]}), "no gradient of b; it gives W"),
        (
            lambda loss, grads: (loss, grads | {"b": grads["b"][None]}),
            r"of b has shape \(1, 3\), but b has \(3,\)",
        ),
        (lambda loss, grads: (loss, grads | {"b": 1.0}), r"of b has shape \(\), but b has \(3,\)"),
        (lambda loss, grads: (loss, [1, 2]), "must be a dict keyed like params, got list"),
        (lambda loss, grads: loss, r"must return \(loss, gradients\), got float64"),
    ],
)
def test_a_students_model_whose_gradients_do_not_fit_is_told_so(returned, words):
    class Wrong(Student):
        def loss(self, X, y=None):
            return super().loss(X) if y is None else returned(*super().loss(X, y))

    with pytest.raises(ShapeError, match=words):
        solver(Wrong()).train()


def test_a_method_called_step_is_left_alone():
    class Stepping(Student):
        def step(self):
            return "mine"

    model = Stepping()
    solver(model, epochs=1).train()
    assert model.step() == "mine"


def test_weights_gone_infinite_on_the_last_step_are_noticed():
    model = network(dropout=0.0, normalization=None)
    s = solver(model, rule=pg.SGD(1e39), iterations=1)
    with pytest.raises(NonFiniteError, match=r"is not finite after step 1 .*learning rate"):
        s.train()
    assert not s.records


def test_less_than_one_epoch_is_one_step_at_least():
    s = solver(epochs=0.001)
    assert [r.step for r in s.train()] == [1]


def test_every_part_of_the_work_is_timed(monkeypatch):
    """With a clock that goes on by one each time it is read, a part's seconds are the number of its laps."""
    ticks = itertools.count()
    monkeypatch.setattr(stopwatch, "perf_counter", lambda: next(ticks))

    class Watching(pg.Callback):
        counted_as = "watching"

    s = solver(iterations=12, callbacks=[pg.Callback(), Watching()])
    s.train()
    told = 2 + 12 + 3 * len(s.records)  # start and end, steps, evaluations, each after two batches of scores
    assert s.stopwatch.seconds == {
        "batches": 12,
        "forward and backward": 12,
        "update": 12,
        "evaluation": 3 * len(s.records),
        "callbacks": told,
        "watching": told,
    }


def test_what_is_measured_after_training_is_not_timed():
    s = solver(iterations=2)
    s.train()
    before = dict(s.stopwatch.seconds)
    s.accuracy(s.data.validation)
    assert s.stopwatch.seconds == before


def test_callbacks_are_told_in_order():
    told = []

    class Listen(pg.Callback):
        def on_start(self, s):
            told.append("start")

        def on_step(self, s, loss):
            told.append(s.step)

        def on_epoch(self, s, record):
            told.append(f"epoch {record.epoch:g}")

        def on_end(self, s):
            told.append("end")

    solver(iterations=6, callbacks=[Listen()]).train()
    assert told == ["start", 1, 2, 3, 4, 5, "epoch 1", 6, "epoch 1.2", "end"]
