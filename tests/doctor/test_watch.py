"""The watch: training stays what it is, and what was planted is seen."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest

import plaingrad as pg
from doctor import models
from plaingrad.course.classifiers.fc_net import FullyConnectedNet
from plaingrad.data import as_dataset
from plaingrad.errors import NonFiniteError, RecipeError
from plaingrad.insight.data_facts import data_facts
from plaingrad.insight.doctor import NonFinite, Probes, Watch
from plaingrad.insight.doctor.watch import SHARE
from plaingrad.insight.facts import DataFacts
from plaingrad.network import NegativeLogLikelihood


def network(**more):
    kinds = {"normalization": "batchnorm", "dropout": 0.3} | more
    return pg.FullyConnectedNet([8, 8], input_shape=(models.FEATURES,), classes=models.CLASSES, **kinds)


def watched(model, **more):
    watch = Watch(share=math.inf)
    models.solver(model, watch, **more).train()
    return watch


class HoldsALock(models.Student):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


class IsItsOwnCopy(models.Student):
    def __deepcopy__(self, memo):
        return self


class OnlyTens(models.Student):
    def loss(self, X, y=None):
        if y is not None and len(y) != 10:
            raise ValueError("batches of ten alone")
        return super().loss(X, y)


def drawing():
    """A sampler that says something else each time it is asked."""
    rng = np.random.default_rng(3)
    return lambda step: rng.integers(0, 90, 10)


@pytest.mark.parametrize(
    ("make", "more"),
    [
        (network, {}),
        (network, {"ema": 0.9}),
        (network, {"accumulate": 3}),
        (network, {"sampling": drawing}),
        (lambda: models.Student(dropout=0.5), {}),
        (lambda: models.DropsAtEvaluation(dropout=0.5), {}),
        (lambda: models.OnlyClasses(dropout=0.5), {}),
        (models.AddsUpGradients, {}),
        (models.ForgetsAtEvaluation, {}),
        (HoldsALock, {}),
        (IsItsOwnCopy, {}),
        (OnlyTens, {}),
    ],
)
def test_training_has_the_same_bits(make, more):
    ended = []
    for callbacks in ([], [Watch(share=math.inf)]):
        np.random.seed(0)  # noqa: NPY002 (a model draws from it)
        made = {name: value() if callable(value) else value for name, value in more.items()}
        solver = models.solver(make(), *callbacks, **made)
        solver.train()
        records = [{**record.to_dict(), "seconds": None} for record in solver.records]
        drawn = np.random.rand()  # noqa: NPY002
        ended.append((solver.state_dict()[0], solver.loss_history, records, drawn))
    without, with_ = ended
    assert without[0].keys() == with_[0].keys()
    for name, array in without[0].items():
        np.testing.assert_array_equal(array, with_[0][name], err_msg=name)
    assert without[1:] == with_[1:]


def test_looks_are_early_and_often_and_at_each_epoch():
    evidence = watched(network()).evidence()
    assert [look.step for look in evidence.looks] == [0, 1, 2, 5, 9, 10, 18, 20, 27, 36]
    assert evidence.finished
    assert evidence.classes == models.CLASSES
    assert len(evidence.losses) == 36


def test_without_time_to_spend_the_early_looks_those_of_quarters_and_the_last_are_left():
    watch = Watch(share=0)
    models.solver(network(), watch, epochs=40).train()
    steps = [look.step for look in watch.evidence().looks]
    assert set(steps) <= {0, 1, 2, 5, 10, 20, 50, 90, 180, 270, 360}
    assert {0, 1, 360} <= set(steps)


def test_a_look_that_would_take_too_long_is_taken_later(monkeypatch):
    """Time as a clock tells it on which every call takes a second, and a look so many."""
    from plaingrad.insight.doctor import watch as module

    ticks = iter(range(10**9))
    monkeypatch.setattr(module.time, "perf_counter", lambda: float(next(ticks)))
    watch = Watch(share=0.2)
    models.solver(network(), watch, epochs=40).train()
    steps = [look.step for look in watch.evidence().looks]
    assert steps[:2] == [0, 1]
    assert steps[-1] == 360
    assert 2 not in steps
    assert len(steps) > 5


def test_what_comes_before_the_first_step_is_not_charged(monkeypatch):
    """A day of compiling in the first look; then steps of a second and looks of 10 ms, by a clock of the test's."""
    from plaingrad.insight.doctor import watch as module

    now, looked = [0.0], module.look_at

    def look_at(*args, step, **more):
        now[0] += 86400 if step == 0 else 0.01
        return looked(*args, step=step, **more)

    class Passes(pg.Callback):
        def on_step(self, solver, loss):
            now[0] += 1

    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(module, "look_at", look_at)
    watch = Watch()
    solver = models.solver(network(), watch, Passes(), epochs=20)
    solver.train()
    steps = {look.step for look in watch.evidence().looks}
    assert {record.step for record in solver.records} <= steps
    assert 86400 < watch.seconds < 86401
    assert (watch.seconds - 86400) / (now[0] - 86400) < SHARE


def test_what_comes_before_the_first_step_is_a_part_of_its_own():
    watched, plain = models.solver(network(), Watch()), models.solver(network())
    for solver in (watched, plain):
        solver.train()
    assert set(watched.stopwatch.seconds) - set(plain.stopwatch.seconds) == {"first look", "watching"}


def test_short_epochs_are_not_all_looked_at():
    watch = Watch(share=math.inf)
    models.solver(network(), watch, batch_size=90, epochs=1000).train()
    steps = [look.step for look in watch.evidence().looks]
    assert steps[-3:] == [990, 995, 1000]
    assert len(steps) < 220


def test_the_sampler_is_given_back():
    solver = models.solver(network(), Watch(), Watch())
    sampler = solver.sampler
    solver.train()
    assert solver.sampler is sampler


def test_no_steps_at_all():
    watch = watched(network(), iterations=0)
    assert [look.step for look in watch.evidence().looks] == [0]
    assert watch.evidence().losses == ()


def test_a_look_at_a_network():
    watch = watched(network())
    first, second = watch.evidence().looks[:2]
    assert all(own.update == 0 for own in first.parameters)
    assert all(own.update > 0 for own in second.parameters if own.gradient > 1e-6)
    assert {own.name for own in first.parameters} == set(network().params)
    assert [own.kind for own in first.layers].count("relu") == 2
    assert first.loss == pytest.approx(np.log(3), abs=1)
    assert sum(first.scores.predicted) == 64


def test_updates_are_those_of_the_step_before():
    class Keeps(pg.Callback):
        def on_start(self, solver):
            self.all = [solver.model.params.flat.copy()]

        def on_step(self, solver, loss):
            self.all.append(solver.model.params.flat.copy())

    keeps, watch = Keeps(), Watch(share=math.inf)
    models.solver(network(), keeps, watch).train()
    for look in watch.evidence().looks[1:]:
        moved = np.linalg.norm(keeps.all[look.step].astype("f8") - keeps.all[look.step - 1])
        assert np.sqrt(sum(own.update**2 for own in look.parameters)) == pytest.approx(moved, rel=1e-6)


def test_a_frozen_parameter_does_not_move():
    looks = watched(models.NeverUpdatesW1()).evidence().looks[1:]
    assert looks
    for look in looks:
        update = {own.name: own.update for own in look.parameters}
        assert update["W1"] == 0
        assert update["W2"] > 0


def test_a_network_of_the_course():
    watch = watched(FullyConnectedNet([8], models.FEATURES, models.CLASSES, dropout=0.5, use_batchnorm=True))
    assert watch.problem is None
    look = watch.evidence().looks[1]
    assert [own.kind for own in look.layers] == [
        "affine",
        "batchnorm",
        "relu",
        "dropout",
        "affine",
    ]
    assert {"W1", "b1", "gamma1", "beta1"} <= {own.name for own in look.parameters}
    assert all(own.update > 0 for own in look.parameters if own.gradient > 1e-6)


def test_a_plain_model_has_no_layers_but_parameters_and_scores():
    look = watched(models.Student()).evidence().looks[0]
    assert look.layers == ()
    assert [own.name for own in look.parameters] == ["W1", "b1", "W2", "b2"]
    assert look.scores is not None


def test_probes_of_a_model_that_is_right():
    for model in (models.Student(), network(), network(dropout=0, normalization=None)):
        probes = watched(model).evidence().probes
        assert probes.repeat == 0
        assert probes.company == pytest.approx(0, abs=1e-5)
        assert probes.doubled_loss == pytest.approx(1, abs=0.1)
        assert probes.doubled_gradient == pytest.approx(1, abs=0.3)  # other units are dropped
        assert probes.second_gradient == pytest.approx(1, abs=0.01)
        assert probes.changed_by_evaluation is False


@pytest.mark.parametrize(
    ("model", "probe", "least", "most"),
    [
        (models.DropsAtEvaluation(dropout=0.5), "repeat", 0.1, 100),
        (models.NormalizesByBatch(), "company", 0.05, 100),
        (models.SumsTheLoss(), "doubled_loss", 1.99, 2.01),
        (models.SumsTheLoss(), "doubled_gradient", 1.9, 2.1),
        (models.AddsUpGradients(), "second_gradient", 1.9, 2.1),
        (models.ForgetsAtEvaluation(), "changed_by_evaluation", True, True),
    ],
)
def test_probes_find_what_was_planted(model, probe, least, most):
    assert least <= getattr(watched(model).evidence().probes, probe) <= most


def test_dropout_from_the_global_generator_does_not_blur_the_answers():
    probes = watched(models.Student(dropout=0.5)).evidence().probes
    assert probes.second_gradient == pytest.approx(1, abs=0.01)
    assert probes.repeat == 0


def test_weights_of_zero_hide_nothing_at_the_end():
    model = models.DropsAtEvaluation(dropout=0.5)
    model.params["W2"][:] = 0
    assert watched(model).evidence().probes.repeat > 0.1


def test_what_was_answered_at_the_start_is_not_asked_again():
    watch = watched(models.Student())
    assert [note.step for note in watch.notes if isinstance(note.what, Probes)] == [0]


def test_order_of_a_shuffled_run_and_of_a_sorted_one():
    data = models.points(400)
    order = np.argsort(data["y_train"], kind="stable")
    data |= {"X_train": data["X_train"][order], "y_train": data["y_train"][order]}
    found = {}
    for name, sampling in {
        "shuffled": "shuffle",
        "sorted": lambda step: np.arange(10) + 10 * (step % 30),
    }.items():
        watch = Watch()
        pg.Solver(
            models.Student(), data, epochs=3, batch_size=10, sampling=sampling, callbacks=[watch]
        ).train()
        found[name] = watch.evidence().order
    assert found["shuffled"].consecutive < 0.1
    assert found["shuffled"].same_each_epoch is False
    assert found["shuffled"].largest_share == pytest.approx(found["shuffled"].expected_share, abs=0.1)
    assert found["sorted"].consecutive == 1
    assert found["sorted"].same_each_epoch is True
    assert found["sorted"].largest_share > 0.9


@pytest.mark.parametrize(("steps", "known"), [(3, False), (6, True)])
def test_the_order_of_a_run_that_ended_soon(steps, known):
    watch = Watch()
    data = models.points(4000)
    pg.Solver(models.Student(), data, iterations=steps, batch_size=10, callbacks=[watch]).train()
    order = watch.evidence().order
    assert (order is not None) == known
    assert order is None or order.same_each_epoch is None


def test_setup_tells_what_was_set():
    net = network(reg=0.1)
    watch = Watch()
    models.solver(net, watch, schedule=pg.Cosine(), lr_factors={"affine1": 0}).train()
    setup = watch.evidence().setup
    assert (setup.objective, setup.rule, setup.schedule) == ("softmaxcrossentropy", "sgd", "cosine")
    assert (setup.lr, setup.batch_size, setup.steps_per_epoch, setup.total_steps) == (0.05, 10, 9, 36)
    assert (setup.reg, setup.dropout, setup.batchnorm, setup.augmented) == (0.1, 0.3, True, False)
    assert setup.parameters == net.params.flat.size
    assert setup.frozen == ("affine1.weight", "affine1.bias")
    assert setup.classes == ("0", "1", "2")


def test_setup_of_a_plain_model_leaves_open_what_it_does_not_tell():
    setup = watched(models.Student()).evidence().setup
    assert (setup.objective, setup.reg, setup.dropout, setup.batchnorm) == (None, None, None, None)
    assert setup.lr == 0.05


@pytest.mark.parametrize("model", [network(), models.Student(), models.OnlyClasses()])
def test_evaluations_have_losses_and_classes(model):
    watch = Watch(share=math.inf)
    solver = models.solver(model, watch)
    solver.train()
    evaluations, validation = watch.evidence().evaluations, solver.data.validation
    assert [own.epoch for own in evaluations] == [1, 2, 3, 4]
    for own in evaluations:
        assert 0 < own.train_loss < 2
        assert 0 < own.val_loss < 2
        assert sum(own.predicted) == len(validation)
        right = np.bincount(validation.labels, minlength=3) @ np.array(own.per_class)
        assert right / len(validation) == pytest.approx(own.val_accuracy)


def test_of_a_class_without_samples_no_accuracy_is_known():
    data = models.points()
    kept = data["y_val"] != 1
    data |= {"X_val": data["X_val"][kept], "y_val": data["y_val"][kept]}
    watch = Watch()
    pg.Solver(models.Student(), data, epochs=1, batch_size=10, callbacks=[watch]).train()
    zero, one, two = watch.evidence().evaluations[-1].per_class
    assert one is None
    assert 0 <= zero <= 1
    assert 0 <= two <= 1


def test_the_loss_of_an_evaluation_is_the_models():
    class Evaluated(pg.Callback):
        def on_epoch(self, solver, record):
            X, y = solver.data.validation.batch(np.arange(len(solver.data.validation)))
            self.loss = models.softmax_loss(solver.model.loss(X).astype("f8"), y)[0]

    seen, watch = Evaluated(), Watch(share=math.inf)
    models.solver(network(), watch, seen).train()
    assert watch.evidence().evaluations[-1].val_loss == pytest.approx(seen.loss, rel=1e-5)


def test_a_value_that_is_not_finite():
    watch = Watch()
    with pytest.raises(NonFiniteError):
        models.solver(network(normalization=None), watch, lr=1e20).train()
    evidence = watch.evidence()
    assert evidence.finished is False
    assert evidence.non_finite.step == len(evidence.losses)
    assert evidence.non_finite.where.startswith("affine")
    assert 0 < len(evidence.non_finite.samples) <= 10
    assert set(evidence.non_finite.samples) <= set(range(90))


def test_a_plain_models_scores_that_are_not_finite():
    watch = Watch()
    with pytest.raises(NonFiniteError):
        models.solver(models.Student(), watch, lr=1e200).train()
    assert watch.evidence().non_finite.where in ("scores", "W1", "b1", "W2", "b2")


def test_a_loss_that_is_not_finite_of_scores_that_are():
    class Infinite(models.Student):
        def loss(self, X, y=None):
            returned = super().loss(X, y)
            return returned if y is None else (np.inf, returned[1])

    watch = Watch()
    with pytest.raises(NonFiniteError):
        models.solver(Infinite(), watch).train()
    assert watch.evidence().non_finite == NonFinite(0, "loss")


@pytest.mark.parametrize("model", [HoldsALock(), OnlyTens(), IsItsOwnCopy()])
def test_a_model_that_cannot_be_looked_at_is_trained_all_the_same(model):
    watch = watched(model)
    evidence = watch.evidence()
    assert watch.problem
    assert len(evidence.losses) == 36
    assert evidence.looks == ()
    assert evidence.probes.doubled_loss is None
    assert evidence.order is not None


def test_negative_log_likelihood_is_measured_as_such():
    net = pg.Network(pg.Sequential(pg.Affine(3)), models.FEATURES, objective=NegativeLogLikelihood())
    evidence = watched(net, epochs=1).evidence()
    assert evidence.setup.objective == "negativeloglikelihood"
    assert evidence.evaluations[-1].train_loss < 1


def test_facts_of_the_data_are_measured_once():
    watch = watched(network())
    assert watch.evidence().data is watch.evidence().data
    assert watch.evidence().data.train == 90


def test_what_a_watch_cannot_do():
    with pytest.raises(RuntimeError, match="give it to a Solver"):
        Watch().evidence()
    with pytest.raises(RecipeError, match="share must be a number 0 or more"):
        Watch(share=-1)


def test_training_goes_on_with_the_same_watch():
    watch = Watch(share=math.inf)
    solver = models.solver(network(), watch)
    solver.train()
    solver.total_steps += 9
    solver.train()
    evidence = watch.evidence()
    assert len(evidence.losses) == 45
    assert evidence.looks[-1].step == 45
    assert len(evidence.looks) == len({look.step for look in evidence.looks})


def test_what_a_model_that_is_its_own_copy_keeps_is_left_alone():
    class Counts(IsItsOwnCopy):
        calls = 0

        def loss(self, X, y=None):
            self.calls += 1
            return super().loss(X, y)

    calls = []
    for callbacks in ([], [Watch(share=math.inf)]):
        model = Counts()
        models.solver(model, *callbacks).train()
        calls.append(model.calls)
    assert calls[0] == calls[1]


def test_a_watch_of_a_second_run_forgets_the_first():
    watch, fresh = Watch(share=math.inf), Watch(share=math.inf)
    models.solver(HoldsALock(), watch).train()
    for own in (watch, fresh):
        models.solver(models.Student(), own, epochs=1).train()
    assert watch.evidence() == fresh.evidence()
    assert watch.problem is None


def test_notes_that_cannot_be_written_do_not_end_training():
    def refuses(note):
        raise OSError("no room")

    watch = Watch(share=math.inf, write=refuses)
    models.solver(models.Student(), watch).train()
    assert watch.problem == "OSError: no room"
    assert len(watch.evidence().looks) > 3


def test_facts_of_the_data_are_noted_at_the_end_if_wanted():
    for data in (False, True):
        watch = Watch(data=data)
        models.solver(network(), watch).train()
        noted = [note for note in watch.notes if isinstance(note.what, DataFacts)]
        assert [note.step for note in noted] == [36] * data
        assert watch.evidence_so_far().data == (noted[0].what if data else None)
        assert watch.evidence().data == data_facts(as_dataset(models.points()))


def test_a_data_set_that_cannot_be_looked_at_ends_no_training(monkeypatch):
    def fail(data):
        raise MemoryError("too large")

    monkeypatch.setattr("plaingrad.insight.doctor.watch.data_facts", fail)
    watch = Watch(data=True)
    models.solver(network(), watch).train()
    assert watch.problem == "MemoryError: too large"
