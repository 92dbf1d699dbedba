"""Side by side with other libraries: what is counted, who takes part, what is written.  Nothing is timed."""

import json
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from plaingrad import bench, cli
from plaingrad.bench import libraries, measurement, workloads
from plaingrad.bench.picture import bars
from plaingrad.network import Affine, BatchNorm, Flatten, FullyConnectedNet, LeNet, Network, Sequential

ROOT = Path(__file__).parents[1]
W1, W3 = bench.WORKLOADS["W1"], bench.WORKLOADS["W3"]
ON_LINUX = sys.platform == "linux"


def call(*arguments):
    return CliRunner().invoke(cli.app, ["bench", *map(str, arguments)])


class TestOperations:
    def test_lenet_by_hand(self):
        """Each output pixel of a filter takes as many as the filter has weights, each unit as many as inputs."""
        conv1, conv2 = 28 * 28 * 6 * (3 * 5 * 5), 10 * 10 * 16 * (6 * 5 * 5)
        affine = 400 * 120 + 120 * 84 + 84 * 10
        assert (conv1, conv2, affine) == (352_800, 240_000, 58_920)
        # Backward, every product has two: by weight and by input, but for the image, which learns nothing.
        by_hand = (conv1 + conv2 + affine) + (conv1 + conv2 + affine) + (conv2 + affine)
        assert workloads.multiply_adds(LeNet()) == by_hand == 1_602_360

    def test_the_first_layer_that_learns_may_have_no_product(self):
        plain = FullyConnectedNet([5], input_shape=7, classes=3)
        assert workloads.multiply_adds(plain) == 2 * 7 * 5 + 3 * 5 * 3
        below = Network(Sequential(Flatten(), BatchNorm(), Affine(5)), (7,))
        assert workloads.multiply_adds(below) == 3 * 7 * 5, (
            "γ and β ask for the gradient of the product's input"
        )


class TestWorkloads:
    def test_at_other_batch_sizes(self):
        found = bench.workloads.chosen(["W3", "W3'", "W1"], [1, 64, 512])
        assert [w.id for w in found] == ["W3@1", "W3@64", "W3@512", "W1@1", "W1@64", "W1@512"]
        assert [w.batch for w in found] == [1, 64, 512] * 2
        assert found[1].title == "LeNet, batch 64, momentum"
        assert [w.steps for w in found] == [50, 20, 2, 50, 50, 19]

    def test_all_for_none(self):
        assert [w.id for w in workloads.chosen([])] == ["W1", "W2", "W3", "W3'", "W4", "W4'", "W5", "W6"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["W9"], "there is no workload 'W9'"),
        (["W1", "--rounds", "0"], "--rounds must be a whole number, 1 or more, got 0"),
        (["W1", "--steps", "-1"], "--steps must be a whole number, 1 or more, got -1"),
        (["W1", "--threads", "0"], "--threads must be a whole number, 1 or more, got 0"),
        (["W1", "--threads", "99999"], "--threads must be at most"),
        (["W1", "--batch", "0"], "--batch must be a whole number, 1 or more, got 0"),
        (["W1", "--batch", "50000"], "--batch must be at most 49,000"),
        (["W1", "--against", "tensorflow"], "there is no library 'tensorflow'"),
        (["W1", "--out", "/dev/null/folder"], "/dev/null/folder cannot be written"),
        (["W1", "--rounds", "many"], "--rounds"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_call_is_one_sentence_and_exit_code_2(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.output
    assert not list(tmp_path.iterdir()), "what was refused leaves nothing behind"


def test_python_m_benchmarks_is_the_same(tmp_path):
    command = [sys.executable, "-m", "benchmarks", "W9", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        "plaingrad: there is no workload 'W9'; there are: W1, W2, W3, W3', W4, W4', W5, W6\n"
    )


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    out = tmp_path_factory.mktemp("bench")
    few = ["--rounds", 1, "--steps", 1, "--threads", 1, "--against", "course-numpy"]
    return out, call("W1", "W3", *few, "--out", out, "--json")


class TestOutput:
    def test_json(self, measured):
        out, result = measured
        assert result.exit_code == 0, result.output
        told = json.loads((out / "bench.json").read_text("utf-8"))
        assert json.loads(result.stdout.splitlines()[-1]) == {"out": str(out), **told}
        assert told["absent"] == {}
        facts = told["machine"]
        assert facts["threads"] == 1
        assert {"processor", "processors", "system", "python", "plaingrad", "numpy", "date"} <= facts.keys()
        by_id = {own["id"]: own for own in told["workloads"]}
        names = {id: [c["name"] for c in own["contenders"]] for id, own in by_id.items()}
        assert names == {
            "W1": ["plaingrad", "course NumPy float64"],
            "W3": ["plaingrad", "plaingrad augmented"],
        }
        for own in by_id.values():
            assert (own["rounds"], own["steps"], own["failed"]) == (1, 1, {})
            assert own["ceiling_gflops"] == max(own["products_gflops"])
            assert len(own["products_gflops"]) == len(own["products_processors"]) == 4, (
                "three to begin with, one before each round"
            )
            ours = own["contenders"][0]
            assert ours["ratio_to_plaingrad"] == 1
            for contender in own["contenders"]:
                assert len(contender["ms"]) == 1
                assert contender["median_ms"] == contender["ms"][0] > 0
                assert contender["parameters"] == ours["parameters"]
                seconds = contender["median_ms"] / 1e3
                assert contender["gflops"] == pytest.approx(own["flop_per_step"] / seconds / 1e9)
                assert contender["of_ceiling"] == contender["gflops"] / own["ceiling_gflops"]
                if ON_LINUX:
                    assert contender["peak_mb"] > 200, "the data alone takes 150"
                    assert 0 < contender["training_mb"] < contender["peak_mb"]
        assert by_id["W3"]["flop_per_step"] == 2 * 1_602_360 * 4
        assert by_id["W1"]["flop_per_step"] == 2 * 200 * (2 * 3072 * 50 + 3 * 50 * 10)

    def test_tables(self, measured):
        out, result = measured
        page = (out / "bench.md").read_text("utf-8")
        for title in (
            "W1: two layers 3072-50-10, batch 200, SGD; n = 1 round of 1 step",
            "W3: LeNet, batch 4",
        ):
            assert title in result.stdout
            assert f"\n## {title}" in page
        head = f"| {' | '.join(bench.COLUMNS)} |"
        assert page.count(head) == 2
        assert page.count("| course NumPy float64 |") == 1
        assert "| W3 | LeNet, batch 4, momentum |" in page
        assert "threads 1" in page
        assert all(name in result.stdout for name in ("plaingrad augmented", "course NumPy float64", "1.00×"))

    def test_picture(self, measured):
        assert ElementTree.parse(measured[0] / "bench.svg").getroot().tag.endswith("svg")

    def test_nothing_else_is_left(self, measured):
        assert {path.name for path in measured[0].iterdir()} == {"bench.json", "bench.md", "bench.svg"}


class TestWhoTakesPart:
    def test_an_absent_library_is_named(self, monkeypatch, tmp_path):
        gone = {"keras", "torch"}
        monkeypatch.setattr(libraries, "find_spec", lambda name: None if name in gone else find_spec(name))
        session = bench.Session(["W1"], against=["keras", "pytorch", "course-numpy"], out=tmp_path)
        assert session.libraries == ["plaingrad", "course-numpy"]
        assert session.absent == {
            "PyTorch": "torch is not installed", "Keras": "keras is not installed"
        }  # fmt: skip
        last = session.conditions.splitlines()[-1]
        assert last == "absent: PyTorch (torch is not installed); Keras (keras is not installed)"
        assert last in session.page()
        assert "torch" not in session.machine

    def test_all_that_are_here(self, monkeypatch):
        monkeypatch.setattr(libraries, "find_spec", lambda name: True)
        assert libraries.present([]) == (list(libraries.LIBRARIES), {})

    def test_a_measuring_process_that_dies(self, tmp_path):
        session = bench.Session(["W1"], against=["course-numpy"], out=tmp_path)
        with pytest.raises(
            bench.MeasurementError, match="W1: the measuring process failed: .*NoSuchNet"
        ) as told:
            session.measure(replace(W1, network="NoSuchNet"))
        assert told.value.exit_code == 1

    def test_every_process_is_told_the_number_of_threads(self, tmp_path, monkeypatch):
        told = {}

        def run(command, env, **_):
            told.update(env)
            return subprocess.CompletedProcess(command, -9, "", "")

        session = bench.Session(["W1"], threads=1, out=tmp_path)
        monkeypatch.setattr(subprocess, "run", run)
        with pytest.raises(bench.MeasurementError, match="was ended by SIGKILL; if memory ran out"):
            session.measure(W1)
        for name in ("OMP", "OPENBLAS", "MKL", "PLAINGRAD"):
            assert told[f"{name}_NUM_THREADS"] == "1"
        assert told["NPROC"] == "1"


def told(*contenders):
    """What a measuring process tells of contenders, each a name and its milliseconds."""
    rows = [
        {"name": name, "library": name.split()[0], "setting": "", "parameters": 1, "key": "", "ms": ms}
        for name, ms in contenders
    ]
    products = {"products_gflops": [40.0, 95.0, 100.0], "products_processors": [1.0, 1.9, 2.0]}
    return {**products, "failed": {}, "contenders": rows}


def outcome(*contenders, workload=W1, memory=None):
    counts = {"rounds": len(contenders[0][1]), "steps": 1, "threads": 2}
    return bench.Outcome.of(workload, told(*contenders), memory or {}, **counts)


class TestOutcome:
    def test_ratios_are_taken_round_by_round(self):
        slowing = outcome(
            ("plaingrad", [1.0, 2.0, 8.0]), ("PyTorch a", [2.0, 4.0, 8.0]), ("PyTorch b", [5.0] * 3)
        )
        assert [result.ratio for result in slowing.results] == [1, 2, 2.5], "2/1, 4/2, 8/8; 5/1, 5/2, 5/8"
        assert slowing.best_of_pytorch.name == "PyTorch a"
        assert [row[-1] for row in slowing.rows()] == ["", "PyTorch's best", ""]
        assert slowing.rows()[1][:4] == ("PyTorch a", "4.00", "2.00–8.00", "2.00×")

    def test_operations_a_second(self):
        own = outcome(("plaingrad", [2.0]))
        assert own.flop == 2 * 200 * (2 * 3072 * 50 + 3 * 50 * 10)
        assert own.rows()[0][4:6] == ("61.7", "62%"), "123.5 MFLOP in 2 ms, of 100 GFLOP/s"
        assert own.summary_row()[3:5] == ("–", "–"), "PyTorch was not there"

    def test_a_busy_machine_is_told_of(self):
        quiet = outcome(("plaingrad", [2.0]))
        assert (quiet.ceiling_gflops, quiet.notes, quiet.summary_row()[-1]) == (100, [], "")
        busy = replace(quiet, products_processors=[1.0, 1.2, 2.0])
        assert "had 1.2 processors of 2" in busy.notes[0]
        assert busy.summary_row()[-1] == "machine busy"

    def test_who_could_not_is_told(self):
        failed = replace(
            outcome(("plaingrad", [2.0])), failed={"PyTorch compiled": "RuntimeError: no compiler"}
        )
        assert failed.notes == ["PyTorch compiled could not: RuntimeError: no compiler"]

    def test_memory(self):
        both = {"plaingrad": {"peak_mb": 1234.5, "training_mb": 6.0}}
        rows = outcome(("plaingrad", [1.0]), ("JAX", [1.0]), memory=both).rows()
        assert rows[0][6:8] == ("1,234", "6")
        assert rows[1][6:8] == ("–", "–")

    def test_three_digits(self):
        from plaingrad.bench.outcome import three_digits

        assert [*map(three_digits, (0.1234, 1.234, 12.34, 123.4, 1234.5))] == [
            "0.12", "1.23", "12.3", "123", "1234"
        ]  # fmt: skip

    @pytest.mark.parametrize("slowest", [2.0, 500.0], ids=["linear", "logarithmic"])
    @pytest.mark.parametrize("panels", [1, 3])
    def test_picture(self, slowest, panels):
        one = outcome(("plaingrad", [1.0, 1.5]), ("PyTorch a", [slowest] * 2), ("PyTorch b", [0.5, 0.6]))
        assert bars([one] * panels, format="png").startswith(b"\x89PNG")
        assert bars([one] * panels) == bars([one] * panels), "the same numbers give the same bytes"


@pytest.mark.skipif(not ON_LINUX, reason="only Linux forgets a peak of memory on request")
def test_peak_memory_is_that_of_the_work():
    np.ones(20_000_000)  # 160 MB, before
    now = measurement.peak_during(lambda: np.ones(5_000_000))
    assert 39 < now["training_mb"] < 60
    assert now["peak_mb"] > now["training_mb"]
