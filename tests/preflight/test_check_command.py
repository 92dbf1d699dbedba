"""`plaingrad check`: what is printed, and with which exit code it ends."""

import json
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from plaingrad import ops
from plaingrad.cli import app
from plaingrad.insight.preflight import CHECKS

SMALL = ["--set", "network.hidden=[12]", "--set", "training.epochs=3", "--set", "data.train=200"]

MODEL = '''
import numpy as np


class Linear:
    """Softmax regression."""

    def __init__(self):
        self.params = {"W": 0.1 * np.random.default_rng(0).standard_normal((6, 3))}

    def loss(self, X, y=None):
        scores = X @ self.params["W"]
        if y is None:
            return scores
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        loss = -np.log(p[np.arange(len(y)), y]).mean()
        p[np.arange(len(y)), y] -= 1
        return loss, {"W": SIGN * X.T @ p / len(y)}
'''


def call(*arguments):
    return CliRunner().invoke(app, ["check", *map(str, arguments)])


def test_prints_a_line_each_and_passes():
    result = call(*SMALL, "--json")
    assert result.exit_code == 0, result.output
    *printed, summary, last = result.stdout.splitlines()
    named = [line.split()[1] for line in printed if line[0] in "✓!✗–"]
    assert named == list(CHECKS)
    assert summary.endswith("0 failed")
    told = json.loads(last)
    assert told["ok"] is True
    assert told["recipe"] == "digits"
    assert [line["name"] for line in told["lines"]] == list(CHECKS)


def test_only():
    result = call("--only", "classes", "--only", "values", *SMALL)
    assert result.exit_code == 0
    assert [line.split()[1] for line in result.stdout.splitlines()[:-1]] == ["values", "classes"]
    assert result.stdout.splitlines()[-1] == "2 passed, 0 warnings, 0 failed"


def test_a_line_that_fails_is_exit_code_1(monkeypatch):
    right = ops.relu_backward.formula
    monkeypatch.setattr(ops.relu_backward, "formula", lambda dout, cache: -right(dout, cache))
    result = call("--only", "gradients", *SMALL, "--json")
    assert result.exit_code == 1
    assert result.stdout.startswith("✗ gradients")
    told = json.loads(result.stdout.splitlines()[-1])
    assert told["ok"] is False
    assert "affine1.weight" in told["lines"][0]["numbers"]["wrong"]


def test_the_table_of_gradients():
    result = call("--gradients", *SMALL, "--json")
    assert result.exit_code == 0, result.output
    assert "batchnorm1.weight" in result.stdout
    assert json.loads(result.stdout.splitlines()[-1])["ok"] is True


@pytest.mark.parametrize("sign", [1, -1])
def test_the_gradients_of_ones_own_file(tmp_path, sign):
    pytest.importorskip("plaingrad.insight.gradients.user_file", reason="not written yet")
    (tmp_path / "mine.py").write_text(MODEL.replace("SIGN", str(sign)))
    result = call(f"{tmp_path / 'mine.py'}:Linear", "--input-shape", "6", "--classes", 3, "--json")
    assert result.exit_code == (0 if sign == 1 else 1), result.output
    assert "W" in result.stdout
    assert json.loads(result.stdout.splitlines()[-1])["ok"] is (sign == 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "no recipe 'nothing'"),
        (["--only", "speed"], "no line 'speed'"),
        (["--gradients", "--only", "values"], "--only has no meaning with --gradients"),
        (["--input-shape", "3,32,32"], "--input-shape is for code of your own"),
        (["--classes", "10"], "--classes is for code of your own"),
        (["mine.py:Net", "--only", "values"], "--only is for a recipe"),
        (["mine.py:Net", "--set", "seed=1"], "--set is for a recipe"),
        (["mine.py:Net", "--input-shape", "3,x"], "--input-shape must be whole numbers"),
        (["mine.py:Net", "--input-shape", "3,0"], "--input-shape must be whole numbers"),
        (["--data", "cifar10", "--data-dir", "/nowhere"], "/nowhere"),
        (["--set", "optimizer.lr=zero"], "optimizer.lr"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_call_is_one_sentence_and_exit_code_2(arguments, words):
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("wait", [0.0, 1.0, 3.0])
def test_ctrl_c_at_any_time(tmp_path, wait):
    command = (  # a shell starts what runs in its background, such as these tests, deaf to Ctrl-C
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from plaingrad.cli import main; sys.argv = ['plaingrad', 'check', *sys.argv[1:]]; main()"
    )
    slow = ["--set", "network.hidden=[3000, 3000]"]
    process = subprocess.Popen(
        [sys.executable, "-c", command, *slow],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert "values" in process.stdout.readline(), "lines come as soon as they are known"
    time.sleep(wait)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert said.splitlines()[-1].startswith("plaingrad: interrupted"), (
        said
    )  # compiling may be announced before
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())
