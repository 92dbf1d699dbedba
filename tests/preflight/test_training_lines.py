"""The lines that train for a moment: overfitting, the learning rate, the forecast."""

import math
from dataclasses import replace

import numpy as np
import pytest

import plaingrad as pg
from plaingrad import machine
from plaingrad.insight.preflight import CHECKS, forecast, overfit, range_test
from plaingrad.insight.preflight.subject import without_regularization
from preflight.runs import blobs, digits, line, maker, subject
from preflight.test_start_lines import net, student

DIGITS = {"data": digits(), "model": lambda: pg.FullyConnectedNet((32,), input_shape=(1, 8, 8))}


@pytest.fixture(autouse=True)
def _time_decides_nothing(monkeypatch):
    monkeypatch.setattr(overfit, "SECONDS", 1e9)
    monkeypatch.setattr(range_test, "SECONDS", 1e9)


class TestOverfit:
    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {**DIGITS, "rule": pg.Adam(1e-2)},
            {**DIGITS, "rule": pg.Momentum(1e-2), "clip_norm": 1.0, "lr_factors": {"*.bias": 0.5}},
        ],
        ids=["blobs", "adam", "momentum"],
    )
    def test_sound_networks_learn_by_heart(self, settings):
        found = line("overfit", **settings)
        assert found.state == "pass", found
        assert found.numbers["accuracy"] >= 0.98
        assert found.numbers["samples"] == 50

    def test_regularisation_dropout_and_decay_are_off(self):
        def held_back():
            return pg.FullyConnectedNet((32,), input_shape=(1, 8, 8), dropout=0.95, reg=100.0)

        assert line("overfit", digits(), held_back, rule=pg.AdamW(1e-2, weight_decay=50.0)).state == "pass"

    def test_too_small_a_learning_rate_is_told_from_a_network_that_cannot_learn(self):
        found = line("overfit", **DIGITS, rule=pg.SGD(1e-7))
        assert found.state == "warn"
        assert "Adam" in found.finding
        assert "learning rate" in found.advice

    def test_a_network_that_cannot_learn(self):
        class Backwards(pg.Affine):
            def backward(self, dout, cache, *, needs_dx):
                dx, gradients = super().backward(dout, cache, needs_dx=needs_dx)
                return dx, {name: -gradient for name, gradient in gradients.items()}

        found = line("overfit", model=net(Backwards(8), pg.ReLU(), Backwards(4)))
        assert found.state == "fail"

    def test_a_network_that_is_too_small(self):
        found = line("overfit", digits(), lambda: pg.FullyConnectedNet((1,), input_shape=(1, 8, 8)))
        assert found.state == "fail"
        assert found.numbers["accuracy"] < 0.98

    def test_a_model_of_ones_own(self):
        settings = student(hidden=100) | {"rule": pg.SGD(0.3)}
        assert line("overfit", **settings).state == "pass", "its reg of 0.5 is switched off"
        assert line("overfit", **student("wrong sign", hidden=100) | {"rule": pg.SGD(0.3)}).state == "fail"

    def test_time_that_runs_out_is_no_failure(self, monkeypatch):
        monkeypatch.setattr(overfit, "SECONDS", 0.0)
        found = line("overfit", **DIGITS)
        assert found.state == "skipped"
        assert "all that there was time for" in found.finding

    def test_the_network_without_regularisation_computes_the_same_otherwise(self):
        solver = maker(
            digits(),
            lambda: pg.FullyConnectedNet(
                (16,), input_shape=(1, 8, 8), normalization="batchnorm", dropout=0.5, reg=0.1
            ),
        )()
        plain = without_regularization(solver)
        X, y = solver.data.train.batch(np.arange(20))
        np.testing.assert_array_equal(plain.loss(X), solver.model.loss(X))
        assert plain.loss(X, y)[0] < solver.model.loss(X, y)[0]
        assert solver.model.reg == 0.1
        assert any(getattr(leaf, "rate", 0) == 0.5 for leaf, _ in solver.model.layers.leaves((1, 8, 8)))


class TestLearningRate:
    @pytest.mark.parametrize(("rule", "good"), [(pg.SGD, 0.1), (pg.Momentum, 0.03), (pg.Adam, 0.01)])
    def test_what_is_suggested_has_the_rates_that_train_best(self, rule, good):
        settings = {**DIGITS, "batch_size": 50}
        found = line("learning-rate", **settings, rule=rule(good))
        assert found.state == "pass", found
        low, high = found.numbers["low"], found.numbers["high"]
        assert low / 2 <= good <= high * 2
        assert found.numbers["factor"] < range_test.AGREE

        def trained(rate):
            solver = maker(**settings, rule=rule(float(rate)), epochs=4)()
            try:
                return solver.train()[-1].loss
            except pg.PlaingradError:
                return math.inf

        inside = trained(math.sqrt(low * high))
        assert inside < trained(low / 30)
        assert inside < trained(high * 100)

    @pytest.mark.parametrize(("rate", "word"), [(1e-5, "larger"), (50.0, "smaller")])
    def test_a_rate_far_outside(self, rate, word):
        found = line("learning-rate", **DIGITS, rule=pg.SGD(rate))
        assert found.state == "warn"
        assert word in found.advice

    def test_of_a_schedule_the_highest_counts(self):
        found = line("learning-rate", **DIGITS, rule=pg.SGD(0.1), schedule=pg.OneCycle(), epochs=3)
        assert found.numbers["lr"] == pytest.approx(0.1, rel=0.05)
        assert "at its highest" in found.finding

    def test_no_answer_where_nothing_can_be_learnt(self):
        def blind():
            return pg.Network(pg.Sequential(pg.Scale(0.0), pg.Affine(4)), 12)

        found = line("learning-rate", model=blind)
        assert found.state == "skipped"
        assert "no clear answer" in found.finding
        assert "low" not in found.numbers

    def test_sweeps_that_disagree(self):
        def sweep(half, lowest, clear=20.0, fall=0.5, rises=True):
            return range_test._Sweep(half, lowest, clear, fall, rises)

        agreed = range_test._suggested([sweep(0.01, 0.4), sweep(0.02, 0.4), sweep(0.02, 0.8)])
        assert agreed.low == pytest.approx(0.01 * 4 ** (1 / 3))
        assert agreed.high == pytest.approx(0.1 * 2 ** (1 / 3))
        assert agreed.factor == 2
        assert "differ" in range_test._suggested([sweep(0.01, 0.4), sweep(0.2, 0.4)])
        assert "fall clearly" in range_test._suggested([sweep(0.01, 0.4), sweep(0.01, 0.4, clear=2.0)])
        assert "fall clearly" in range_test._suggested([sweep(0.01, 0.4), sweep(0.01, 0.4, fall=0.01)])
        assert "rise again" in range_test._suggested([sweep(0.01, 0.4), sweep(0.01, 0.4, rises=False)])

    def test_a_sweep_is_read_off_a_known_curve(self):
        rates = np.geomspace(1e-5, 100, 120)
        losses = 2 - 1 / (1 + (0.01 / rates) ** 2) + np.where(rates > 1, rates, 0)
        sweep = range_test._judged(rates, losses, 120)
        assert sweep.half == pytest.approx(0.01, rel=0.3)
        assert 0.1 < sweep.lowest < 1.5
        assert sweep.rises
        assert sweep.fall == pytest.approx(0.5, abs=0.02)

    def test_too_slow_a_step_is_told(self, monkeypatch):
        monkeypatch.setattr(range_test, "SECONDS", 1e-6)
        found = line("learning-rate", **DIGITS)
        assert found.state == "skipped"
        assert "a step takes" in found.finding


class TestForecast:
    def test_counts_steps_and_evaluations(self):
        looked = subject(epochs=2.5, batch_size=24)
        found = forecast.forecast(looked)
        records = maker(epochs=2.5, batch_size=24)().train()
        assert found.steps == records[-1].step == 25
        assert found.evaluations == len(records) == 3
        assert found.measured == 25 - forecast.WARM_UP
        assert found.training == found.step * 25 + 3 * found.evaluation
        assert found.seconds == found.training + looked.start
        assert found.step > 0
        assert found.evaluation > 0

    def test_measures_no_longer_than_it_has_time(self, monkeypatch):
        monkeypatch.setattr(forecast, "SECONDS", 0.0)
        found = forecast.forecast(subject(epochs=1000))
        assert found.measured == forecast.FEWEST_STEPS
        assert found.steps == 7000

    def test_what_disturbs_a_few_steps_is_left_out_and_what_recurs_is_not(self):
        clock = forecast._Clock()
        seconds = np.tile([0.001, 0.003], 60)
        seconds[7:9] = 5.0
        clock.times = list(np.cumsum([0.0, 9.0, *seconds]))
        assert clock.step == pytest.approx(0.002, rel=0.1)
        assert clock.spread == pytest.approx((0.002, 0.002), rel=0.1)

    def test_steps_that_take_now_this_long_and_now_that_long(self, monkeypatch):
        steady = forecast.Forecast(1.0, 0.01, (0.009, 0.012), 100, 50, 0.1, 2, None)
        for spread, state in (((0.009, 0.012), "pass"), ((0.006, 0.014), "warn")):
            monkeypatch.setattr(forecast, "forecast", lambda subject, s=spread: replace(steady, spread=s))
            found = line("time")
            assert found.state == state
            assert found.finding.startswith(
                "2.2 s: 100 steps of 10 ms, 2 evaluations of 0.1 s, and 1 s to start"
            )

    def test_of_a_run_without_steps(self):
        assert line("time", iterations=0).state == "pass"
        assert forecast.forecast(subject(iterations=0)).steps == 0
        assert forecast.forecast(subject(iterations=1)).measured == 1

    def test_memory_of_the_process(self):
        found = line("memory")
        if found.state == "skipped":
            assert "does not tell" in found.finding
        else:
            assert 20 < found.numbers["peak_memory_mb"] < 10_000

    def test_memory_grows_with_the_batch(self):
        if not machine.forget_peak():
            pytest.skip("this system does not tell a process the peak of its memory")
        data = blobs(train=40_000)

        def peak(batch):
            def wide():
                return pg.FullyConnectedNet((500,), input_shape=12, classes=4)

            return forecast.forecast(subject(data, wide, batch_size=batch, iterations=3)).peak_memory_mb

        assert peak(40_000) > peak(100) + 80, "the hidden layer alone, 40,000 × 500 float32, is 80 MB"

    def test_more_than_there_is(self, monkeypatch):
        monkeypatch.setattr(forecast.machine, "resident_mb", lambda peak: 1e9)
        monkeypatch.setattr(forecast.machine, "forget_peak", lambda: True)
        monkeypatch.setattr(forecast, "_available_mb", lambda: 4000.0)
        found = line("memory")
        assert found.state == "warn"
        assert "4,000 MB are available" in found.finding

    def test_a_run_that_fails_at_once(self):
        settings = {**DIGITS, "rule": pg.SGD(1e30)}
        found = line("time", **settings)
        assert found.state == "fail"
        assert "fails in its first" in found.finding
        assert line("memory", **settings).state == "skipped"

    def test_patience_makes_it_a_bound(self):
        assert line("time", patience=2).finding.startswith("at most ")

    @pytest.mark.parametrize(
        ("seconds", "words"), [(0.123, "0.12 s"), (42, "42 s"), (750, "12.5 min"), (11_000, "3.06 h")]
    )
    def test_durations_in_words(self, seconds, words):
        assert forecast.in_words(seconds) == words


def test_augmentation_accumulation_and_callbacks(tmp_path):
    class Loud(pg.Callback):
        def on_step(self, solver, loss):
            raise AssertionError("a pre-flight must not call the run's own callbacks")

    settings = {
        **DIGITS,
        "augmentation": pg.data.Augmentation(pg.data.Crop(1)),
        "accumulate": 2,
        "ema": 0.9,
        "callbacks": [Loud()],
    }
    for name in ("overfit", "learning-rate", "time"):
        assert line(name, **settings).state in ("pass", "warn")


def test_the_solver_looked_at_is_never_trained():
    looked = subject(
        model=lambda: pg.FullyConnectedNet((24,), input_shape=12, classes=4, normalization="batchnorm")
    )
    before = looked.model.params.flat.copy(), looked.model.state.flat.copy()
    for name, check in CHECKS.items():
        check(looked)
        assert np.array_equal(looked.model.params.flat, before[0]), name
        assert np.array_equal(looked.model.state.flat, before[1]), name
