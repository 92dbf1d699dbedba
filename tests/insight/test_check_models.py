"""The checker checked on models: planted bugs it must catch, correct gradients it must not accuse."""

from __future__ import annotations

import copy
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest

from plaingrad import ops
from plaingrad.insight import check_gradients
from plaingrad.network import Affine, BatchNorm, Dropout, FullyConnectedNet, Network, ReLU, Sequential

from .student import Student

both_methods = pytest.mark.parametrize("method", ["elementwise", "projection"])
RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 5))
Y = np.array([0, 2, 1, 1, 0, 2])


NUMBERS_WRONG = {
    "missing 1/N": "W1",
    "wrong sign": "W2",
    "no mask": "W1",
    "missing regularisation": "W2",
    "regularisation of another convention": "W1",
    "mean for sum": "b1",
    "transposed": "W1",
    "one element": "W2",
}
FORM_WRONG = {
    "NaN": ("b2", r"The gradient of b2 is nan at \(1,\); 1 elements are not finite"),
    "wrong shape": ("b1", r"The gradient of b1 has shape \(6, 5\), but b1 has \(5,\)"),
    "missing key": ("b1", "There is no gradient of b1"),
    "None": ("b1", "There is no gradient of b1"),
    "not numbers": ("b1", "The gradient of b1 is not an array of numbers, but str"),
}
CALL_WRONG = {
    "unknown key": "gradients of w3, but no such arrays",
    "a loss that is not the same twice": "Two calls on the same numbers give different outputs",
    "changed parameter": "changes W2 in place",
    "changed input": "changes X in place",
    "changed labels": "changes y in place",
    "no gradients": "must return the loss and a dict of gradients",
    "loss is NaN": "The output is not finite",
}


class TestModels:
    @both_methods
    def test_a_correct_one_is_not_accused(self, method):
        report = check_gradients(Student(), X, Y, method=method)
        assert report.ok, report
        assert [row.name for row in report.rows] == ["W1", "b1", "W2", "b2"]

    @both_methods
    @pytest.mark.parametrize(("bug", "where"), NUMBERS_WRONG.items())
    def test_wrong_numbers(self, bug, where, method):
        report = check_gradients(Student(bug), X, Y, method=method)
        assert not report.ok
        assert not report[where].ok
        assert report[where].error > 1e-5
        assert f"the gradient of {where} is" in report[where].problem
        assert "but the differences say" in report[where].problem

    def test_one_wrong_element_is_named_and_the_others_are_not_accused(self):
        report = check_gradients(Student("one element"), X, Y)
        assert report["W2"].index == (1, 2)
        assert report["W2"].analytic == pytest.approx(1.001 * report["W2"].numeric, rel=1e-6)
        assert [row.name for row in report.rows if not row.ok] == ["W2"]

    @both_methods
    @pytest.mark.parametrize(("bug", "row", "words"), [(bug, *found) for bug, found in FORM_WRONG.items()])
    def test_gradients_of_the_wrong_form_are_rows(self, bug, row, words, method):
        report = check_gradients(Student(bug), X, Y, method=method)
        assert [r.name for r in report.rows if not r.ok] == [row]
        assert re.search(words, str(report)), report

    @pytest.mark.parametrize(("bug", "words"), CALL_WRONG.items())
    def test_calls_that_cannot_be_trusted(self, bug, words):
        report = check_gradients(Student(bug), X.copy(), Y.copy())
        assert not report.ok
        assert any(words in problem for problem in report.problems), report

    @pytest.mark.parametrize("bug", ["", "one element", "changed parameter", *FORM_WRONG])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_a_models_own_arrays_are_the_same_afterwards(self, bug, dtype):
        model = Student(bug, dtype)
        own, before = dict(model.params), copy.deepcopy((model.params, model.state))
        x, y = X.copy(), Y.copy()
        report = check_gradients(model, x, y)
        assert report.ok is (not bug), report
        for name, array in own.items():
            assert model.params[name] is array
            assert array.tobytes() == before[0][name].tobytes()
        assert model.state["seen"].tobytes() == before[1]["seen"].tobytes()
        np.testing.assert_array_equal(x, X)
        np.testing.assert_array_equal(y, Y)

    def test_arrays_are_restored_when_the_loss_raises(self):
        model = Student()
        before = model.params["W1"].tobytes()
        whole = model.loss

        def loss(X, y):
            if model.calls > 5:
                raise ZeroDivisionError
            return whole(X, y)

        model.loss = loss
        with pytest.raises(ZeroDivisionError):
            check_gradients(model, X, Y)
        assert model.params["W1"].tobytes() == before

    def test_gradients_in_a_buffer_that_the_model_uses_again(self):
        """The buffer is overwritten by every later call: the claim must have been copied."""
        model, buffers = Student(), {}

        def loss(X, y):
            value, grads = Student.loss(model, X, y)
            for name, gradient in grads.items():
                buffers.setdefault(name, np.empty_like(gradient))[...] = gradient
            return value, buffers

        assert check_gradients(SimpleNamespace(params=model.params, loss=loss), X, Y).ok

    def test_parameters_that_stay_float32_are_refused(self):
        class Single(dict):
            def __setitem__(self, name, value):
                super().__setitem__(name, value.astype(np.float32))

        model = Student(dtype=np.float32)
        model.params = Single(model.params)
        with pytest.raises(TypeError, match=r"W1 is float32 and stays so: .*float64"):
            check_gradients(model, X, Y)

    def test_input_may_be_anything_the_model_takes(self):
        """Integers, as of an embedding, have no gradient and are handed over as they are."""
        table = RNG.standard_normal((4, 3))

        def loss(words, y):
            gradient = np.zeros((4, 3))
            np.add.at(gradient, words, 2 * (table[words] - y))
            return ((table[words] - y) ** 2).sum(), {"table": gradient}

        model = SimpleNamespace(params={"table": table}, loss=loss)
        assert check_gradients(model, np.array([0, 2, 2]), np.ones(3)).ok
        assert check_gradients(model, [0, 2, 2], 1.0).ok

    def test_overwriting_where_a_shared_parameter_needs_adding(self):
        """`=` for `+=`: the second use of a weight throws the first one's gradient away."""

        def loss_with(accumulate):
            def loss(X, y):
                w = model.params["w"]
                middle = np.tanh(X @ w)
                out = middle @ w
                grads = {"w": middle.T @ out}
                first_use = X.T @ ((out @ w.T) * (1 - middle**2))
                grads["w"] = grads["w"] + first_use if accumulate else first_use
                return 0.5 * (out**2).sum(), grads

            return loss

        model = SimpleNamespace(params={"w": RNG.standard_normal((5, 5))})
        for accumulate in (True, False):
            model.loss = loss_with(accumulate)
            assert check_gradients(model, X, None).ok is accumulate


class TestNetworks:
    @both_methods
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_checked_on_a_copy_in_float64_input_included(self, dtype, method):
        net = Network(
            Sequential(Affine(6), BatchNorm(), ReLU(), Dropout(0.3), Affine(3)), 5, reg=0.1, dtype=dtype
        )
        params, state = net.params.flat.tobytes(), net.state.flat.tobytes()
        report = check_gradients(net, X.astype(dtype), Y, method=method)
        assert report.ok, report
        assert [row.name for row in report.rows] == [*net.params, "X"]
        assert net.params.flat.tobytes() == params
        assert net.state.flat.tobytes() == state

    def test_images_of_bytes_have_no_gradient(self):
        net = FullyConnectedNet([4], input_shape=(2, 2, 2), classes=3)
        images = RNG.integers(0, 256, (6, 2, 2, 2), dtype=np.uint8)
        report = check_gradients(net, images, Y)
        assert report.ok, report
        assert [row.name for row in report.rows] == list(net.params)

    def test_a_large_array_is_sampled_and_the_report_says_so(self):
        net = FullyConnectedNet([30], input_shape=5, classes=3)
        report = check_gradients(net, X, Y, method="elementwise", max_elements=20)
        assert report.ok, report
        assert (report["affine1.weight"].checked, report["affine1.weight"].size) == (20, 150)
        assert "20 of 150" in str(report)
        assert report["affine2.bias"].checked == 3

    def test_the_projection_costs_two_evaluations_for_each_array(self):
        model = Student()
        check_gradients(model, X, Y, method="projection")
        assert model.calls == 3 + 2 * len(model.params), "three to see that calls are alike"

    def test_the_seed_decides_which_elements_and_directions(self):
        values = []
        for seed in (0, 0, 1):
            report = check_gradients(Student(), X, Y, method="projection", seed=seed)
            values.append([row.numeric for row in report.rows])
        assert values[0] == values[1] != values[2]


class TestReport:
    def test_printed(self):
        lines = str(check_gradients(Student("one element"), X, Y)).splitlines()
        assert lines[0] == "Gradient check (auto, tolerance 1e-06): WRONG"
        assert lines[1].split() == ["array", "error", "checked", "worst", "at", "analytic", "numeric"]
        assert [line.split()[0] for line in lines[2:6]] == ["W1", "b1", "W2", "b2"]
        assert [line.split()[-1] for line in lines[2:6]] == ["ok", "ok", "WRONG", "ok"]
        assert lines[6] == ""
        assert lines[7].startswith("unknown in W2 (error ")
        assert lines[7].endswith("; one element, (1, 2))")
        assert "student.py:" in "".join(lines[8:])

    @pytest.mark.parametrize("bug", ["", "one element", "NaN", "changed input"])
    def test_to_dict_is_json(self, bug):
        report = check_gradients(Student(bug), X, Y)
        stored = json.loads(json.dumps(report.to_dict(), allow_nan=False))
        assert stored["ok"] is report.ok
        assert [row["name"] for row in stored["rows"]] == [row.name for row in report.rows]
        assert stored["problems"] == list(report.problems)
        if bug == "one element":
            assert stored["rows"][2]["index"] == [1, 2]
            assert stored["rows"][2]["ok"] is False
        if bug == "NaN":
            assert stored["rows"][3]["error"] is None


@pytest.mark.parametrize(
    "call",
    [
        (X,),
        (X, Y),
        (ops.relu_forward, X),
        (ops.relu_forward, ops.relu_backward, X),
        (ReLU(), X, Y),
        (Student(), X),
    ],
)
def test_calls_of_no_known_form(call):
    with pytest.raises(TypeError, match=r"takes \(model, X, y\).*\(layer, x\); got"):
        check_gradients(*call)


def test_unknown_method():
    with pytest.raises(ValueError, match="not 'exact'"):
        check_gradients(Student(), X, Y, method="exact")
