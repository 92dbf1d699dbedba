"""What trains beside plaingrad is the same network, and it does train.  Nothing is timed."""

from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest

from plaingrad import bench
from plaingrad.bench import libraries, measurement, workloads
from plaingrad.bench.contenders import Contender
from plaingrad.network import FullyConnectedNet

NETS = [
    FullyConnectedNet([7, 6]),
    bench.WORKLOADS["W3"].build(),
    bench.WORKLOADS["W4"].build(),
    bench.WORKLOADS["W5"].build(),
    bench.WORKLOADS["W6"].build(),
]


@pytest.fixture(params=NETS, ids=lambda net: type(net).__name__)
def network(request):
    """A network whose parameters are all different from 0, with a batch and its loss."""
    net = request.param
    rng = np.random.default_rng(0)
    for name in net.params:
        if net.params[name].ndim == 1:
            net.params[name] = net.params[name] + 0.1 * rng.standard_normal(net.params[name].shape)
    X = rng.standard_normal((6, 3, 32, 32)).astype(np.float32)
    y = rng.integers(0, 10, 6)
    return net, X, y


class TestTheSameNetwork:
    """What other libraries train computes the loss that plaingrad's network computes."""

    def test_in_pytorch(self, network):
        torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[benchmark]'")
        from plaingrad.bench.torch_module import module

        net, X, y = network
        loss = torch.nn.functional.cross_entropy(module(net)(torch.from_numpy(X)), torch.from_numpy(y))
        assert loss.item() == pytest.approx(net.loss(X, y)[0], rel=1e-4)

    def test_in_jax(self, network):
        jax = pytest.importorskip("jax", reason="JAX is not installed: pip install '.[test]'")
        from plaingrad.bench.jax_network import translated

        net, X, y = network
        params, state, forward = translated(net)
        dense = isinstance(net, FullyConnectedNet)
        x = X.reshape(len(X), -1) if dense else X.transpose(0, 2, 3, 1)
        scores, after = forward(params, state, jax.numpy.asarray(x))
        loss = -jax.nn.log_softmax(scores)[np.arange(len(y)), y].mean()
        before = net.state.copy()
        assert float(loss) == pytest.approx(net.loss(X, y)[0], rel=1e-4)
        moved = [value for own in after for value in own.values()]
        assert len(moved) == len(before)
        for (name, value), theirs in zip(net.state.items(), moved, strict=True):
            np.testing.assert_allclose(value, theirs, rtol=1e-3, atol=1e-4, err_msg=name)
        net.state = before

    @pytest.mark.skipif(
        find_spec("keras") is None, reason="Keras is not installed: pip install '.[benchmark]'"
    )
    def test_in_keras(self, tmp_path):
        """In a process of its own, for Keras reads its backend from the environment when it is imported."""
        session = bench.Session(["W3"], against=["keras"], rounds=1, steps=1, out=tmp_path, memory=False)
        own = session.measure(session.workloads[0])
        assert own.failed == {}
        assert [r.name for r in own.results] == ["plaingrad", "plaingrad augmented", "Keras"]
        assert len({r.parameters for r in own.results}) == 1


@pytest.fixture
def few_images(monkeypatch):
    """So few images that they are learnt by heart."""
    monkeypatch.setattr(workloads, "SAMPLES", 8)
    for cached in (workloads.images, workloads.centred_rows):
        cached.cache_clear()
    yield
    for cached in (workloads.images, workloads.centred_rows):
        cached.cache_clear()


EACH = [
    ("W1", "plaingrad", ""),
    ("W2", "plaingrad", ""),
    ("W3", "plaingrad", ""),
    ("W1", "course-numpy", "float64"),
    ("W2", "course-numpy", "float64"),
    ("W1", "scikit-learn", ""),
    ("W2", "scikit-learn", ""),
    ("W1", "pytorch", "eager"),
    ("W2", "pytorch", "eager, fused, uint8"),
    ("W3", "pytorch", "eager, fused"),
    ("W3", "pytorch", "eager, fused, channels-last"),
    ("W1", "jax", ""),
    ("W2", "jax", ""),
    ("W3", "jax", ""),
]


@pytest.mark.parametrize(("id", "library", "setting"), EACH, ids=lambda value: str(value).replace(", ", "-"))
def test_every_contender_learns(id, library, setting, few_images):
    if lacking := libraries.LIBRARIES[library].missing:
        pytest.skip(f"{lacking} is not installed: pip install '.[benchmark]'")
    workload = bench.WORKLOADS[id].at(8)
    contender = libraries.LIBRARIES[library].contender(workload, setting)
    assert contender.parameters == workload.build().params.flat.size
    first = contender.run(1)
    assert contender.run(150) < 0.3 * first


def test_a_contender_that_fails_is_left_out_and_named(monkeypatch):
    class Broken(Contender):
        library = "Broken"

        @classmethod
        def settings(cls, workload):
            return ("at once", "later", "without a number")

        def __init__(self, workload, setting=""):
            super().__init__(workload, setting)
            if setting == "at once":
                raise RuntimeError("no compiler\nand a long tail")

        def run(self, steps):
            if self.setting == "later":
                raise ValueError
            return np.nan

    broken = SimpleNamespace(name="Broken", contender=Broken)
    monkeypatch.setitem(libraries.LIBRARIES, "broken", broken)
    damaged = libraries.Library("Damaged", (), "no_such_module:Damaged")
    monkeypatch.setitem(libraries.LIBRARIES, "damaged", damaged)
    everybody, failed = measurement.ready(bench.WORKLOADS["W3"], ["damaged", "broken", "plaingrad"], 1)
    assert [contender.name for contender, _ in everybody] == ["plaingrad", "plaingrad augmented"]
    assert failed == {
        "Damaged": "ModuleNotFoundError: No module named 'plaingrad.bench.no_such_module'",
        "Broken at once": "RuntimeError: no compiler",
        "Broken later": "ValueError",
        "Broken without a number": "ArithmeticError: its loss is nan",
    }


def test_without_a_compiler_nothing_is_compiled(monkeypatch):
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[benchmark]'")
    from plaingrad.bench import contender_torch

    monkeypatch.setattr(contender_torch.shutil, "which", lambda name: None)
    with pytest.raises(RuntimeError, match=r"needs a C\+\+ compiler"):
        contender_torch.PyTorch(bench.WORKLOADS["W1"], "compiled, fused")
