"""The command line: what is printed, where, and with which exit code."""

import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from plaingrad import console
from plaingrad.cli import app

SMALL = ["--set", "network.hidden=[12]", "--set", "training.epochs=3", "--set", "data.train=200"]


def call(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def last_json(result):
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    result = call("train", *SMALL, "--seed", 5, "--out", out, "--json")
    return out, result


def test_train(run):
    out, result = run
    assert result.exit_code == 0, result.output
    told = last_json(result)
    assert {"run", "best_val_accuracy", "test_accuracy", "seconds", "peak_memory_mb"} <= told.keys()
    assert told["run"] == str(out)
    assert told["steps"] == 12
    assert 10 < told["peak_memory_mb"] < 10_000
    lines = result.stdout.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("epoch")] == ["1/3", "2/3", "3/3"]
    assert str(out / "report.html") in result.stdout
    assert "seed = 5" in (out / "recipe.toml").read_text()


def tables(result):
    """The printed tables, as rows of cells, which stand two spaces or more apart."""
    lines = result.stdout.splitlines()
    rules = [i for i, line in enumerate(lines) if line.strip() and not line.strip(" ─")]
    ends = [*(rule - 1 for rule in rules[1:]), len(lines)]
    found = []
    for rule, end in zip(rules, ends, strict=True):
        rows = [lines[rule - 1], *(line for line in lines[rule + 1 : end] if line.startswith("  "))]
        found.append([re.split(r"\s{2,}", line.strip()) for line in rows])
    return found


def test_eval(run):
    result = call("eval", run[0], "--json")
    assert result.exit_code == 0
    told = last_json(result)
    assert told["test"]["accuracy"] == last_json(run[1])["test_accuracy"]
    ((head, *rows),) = tables(result)
    assert head == ["set", "accuracy", "top-5", "loss", "calibration error", "samples"]
    for row in rows:
        own = told[row[0]]
        assert row[1:3] == [console.percent(own["accuracy"]), console.percent(own["top_k_accuracy"])]
        assert row[3:] == [f"{own['loss']:.4f}", console.percent(own["ece"]), str(own["samples"])]
    assert [row[0] for row in rows] == ["validation", "test"]


def test_eval_top_k_and_flip(run):
    result = call("eval", run[0], "--top-k", 3, "--flip", "--json")
    assert tables(result)[0][0][2] == "top-3"
    flipped, plain = last_json(result)["test"], last_json(call("eval", run[0], "--json"))["test"]
    assert flipped["flip"]
    assert flipped["top_k"] == 3
    assert flipped["loss"] != pytest.approx(plain["loss"], rel=0.01), "digits are not their mirror images"


def test_eval_per_class(run):
    result = call("eval", run[0], "--per-class", "--json")
    test = last_json(result)["test"]
    _, (head, *rows) = tables(result)
    assert head == ["class (test)", "accuracy", "samples", "most often taken for", "share"]
    for index, (row, counts) in enumerate(zip(rows, test["confusion"], strict=True)):
        name, accuracy, samples, other, share = row
        assert name == str(index)
        assert accuracy == console.percent(test["per_class"][name])
        assert samples == str(sum(counts))
        wrong = {str(i): count for i, count in enumerate(counts) if i != index}
        if any(wrong.values()):
            assert wrong[other] == max(wrong.values())
            assert share == console.percent(wrong[other] / sum(counts))
        else:
            assert (other, share) == ("–", "–")
    assert len({row[3] for row in rows}) > 2, (
        "so small a network takes different classes for different others"
    )


def test_eval_confusion(run):
    result = call("eval", run[0], "--confusion", "--json")
    title, head, _, *rows, _ = result.stdout.splitlines()[4:]
    assert title.startswith("  test set: how many samples")
    assert head.split() == list("0123456789")
    counts = last_json(result)["test"]["confusion"]
    assert [row.replace("·", "0").split() for row in rows] == [
        [str(i), *map(str, row)] for i, row in enumerate(counts)
    ]


MEASURED = {
    "per_class": {"cat": 0.5, "dog [wild]": None, "日本": 1.0},
    "confusion": [[2, 1, 1], [0, 0, 0], [0, 0, 12]],
}


def test_a_class_without_samples_and_equally_frequent_mistakes(capsys):
    console.per_class("validation", MEASURED)
    lines = [re.split(r"\s{2,}", line.strip()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0][0] == "class (validation)"
    assert lines[2:] == [
        ["cat", "50.0 %", "4", "dog [wild]", "25.0 %"],
        ["dog [wild]", "–", "0", "–", "–"],
        ["日本", "100.0 %", "12", "–", "–"],
    ]


def test_a_confusion_matrix_is_shown_where_it_fits(capsys, monkeypatch):
    console.confusion("test", MEASURED)
    _, head, rule, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["0", "1", "2"]
    assert rows == [" 0 cat          2  1  1", " 1 dog [wild]   ·  ·  ·", " 2 日本         ·  · 12"]
    monkeypatch.setattr(console, "_console", lambda: Console(width=len(rule) + 1))  # and an empty edge
    console.confusion("test", MEASURED)
    assert capsys.readouterr().out.splitlines()[3:] == rows
    monkeypatch.setattr(console, "_console", lambda: Console(width=len(rule)))
    console.confusion("test", MEASURED)
    assert capsys.readouterr().out == (
        f"the confusion matrix of 3 classes is {len(rule) + 1} characters wide and does not fit in "
        f'{len(rule)}: see "confusion" in what --json prints\n'
    )


def test_eval_shows_the_validation_set_where_there_is_no_test_set(tmp_path):
    X, y = np.random.default_rng(0).random((40, 6)), np.arange(40) % 3
    np.savez(
        tmp_path / "rows.npz", X_train=X[:30], y_train=y[:30], X_val=X[30:], y_val=y[30:], X_test=X[:0],
        y_test=y[:0],
    )  # fmt: skip
    small = [*SMALL[:4], "--data", tmp_path / "rows.npz", "--out", tmp_path / "run"]
    assert call("train", *small).exit_code == 0
    result = call("eval", tmp_path / "run", "--per-class")
    assert result.exit_code == 0, result.output
    head, per_class = tables(result)
    assert head[0] == ["set", "accuracy", "loss", "calibration error", "samples"], (
        "three classes have no top-5"
    )
    assert per_class[0][0] == "class (validation)"
    for arguments, words in (
        (["--flip"], "flip mirrors images (C, H, W), but these samples have shape (6,)"),
        (["--top-k", 4], "at most 3, the number of classes, got 4"),
        (["--top-k", 0], "--top-k"),
    ):
        wrong = call("eval", tmp_path / "run", *arguments)
        assert wrong.exit_code == 2
        assert words in wrong.stderr


def test_predict_flip(run, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    for name, image in (("a.png", pixels), ("mirrored.png", pixels[:, ::-1])):
        Image.fromarray(image).save(tmp_path / name)
    told = call("predict", run[0], tmp_path / "a.png", tmp_path / "mirrored.png", "--flip", "--json")
    one, other = last_json(told)["predictions"]
    assert one["probabilities"] == pytest.approx(other["probabilities"])
    (plain,) = last_json(call("predict", run[0], tmp_path / "a.png", "--json"))["predictions"]
    assert one["probabilities"] != pytest.approx(plain["probabilities"], rel=0.01)


def test_predict(run, tmp_path):
    for name in ("a.png", "b.jpg"):
        Image.new("L", (8, 8), 200).save(tmp_path / name)
    (tmp_path / "._a.png").write_bytes(b"what some systems leave beside a file")
    result = call("predict", run[0], tmp_path / "a.png", tmp_path / "._a.png", tmp_path / "b.jpg", "--json")
    assert result.exit_code == 0, result.output
    assert [p["image"] for p in last_json(result)["predictions"]] == [
        str(tmp_path / n) for n in ("a.png", "b.jpg")
    ]
    bad = call("predict", run[0], tmp_path / "._a.png")
    assert bad.exit_code == 2
    assert "no image" in bad.stderr


def test_lists():
    assert "two-layer" in call("recipes").stdout
    assert "fashion-mnist" in call("data", "list").stdout
    assert call("data", "verify", "digits").exit_code == 0


def test_report(run):
    assert call("report", run[0]).stdout.strip() == str(run[0] / "report.html")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "nothing"], "there is no recipe 'nothing'"),
        (["train", "--set", "optimizer.lr=zero"], "optimizer.lr must be a number"),
        (["train", "--data", "cifar11"], "cifar10"),
        (["train", "--data", "cifar10", "--data-dir", "/nowhere"], "/nowhere"),
        (["train", "--seed", "-1"], "seed"),
        (["train", "--seed", "x"], "seed"),
        (["train", "--resume", "/nowhere"], "/nowhere is not a run folder"),
        (["train", "digits", "--resume", "/nowhere"], "leave out the recipe"),
        (["train", "--resume", "/nowhere", "--set", "seed=1"], "leave out the recipe"),
        (["train", "--out", "/dev/null/run"], "cannot be made"),
        (["eval", "/nowhere"], "not a run folder"),
        (["predict", "/nowhere", "x.png"], "not a run folder"),
        (["report", "/nowhere"], "not a run folder"),
        (["check", "nothing"], "no recipe"),
        (["reproduce", "S9-z"], "no experiment 'S9-z'"),
        (["reproduce", "S1-a", "--seeds", "0"], "seeds"),
        (["reproduce", "S1-a", "--data-dir", "/nowhere"], "cifar"),
        (["data", "verify", "cifar11"], "cifar10"),
        (["data", "fetch", "cifar11"], "cifar10"),
        (["nonsense"], "nonsense"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_call_is_one_sentence_and_exit_code_2(arguments, words):
    result = call(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.output


def start(*arguments, cwd):
    command = [sys.executable, "-c", "from plaingrad.cli import main; main()", *map(str, arguments)]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_saves_and_resume_continues(tmp_path, number, code):
    process = start("train", "--out", "run", "--set", "training.epochs=100000", cwd=tmp_path)
    for line in process.stdout:
        if line.startswith("epoch 3/"):
            break
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert "plaingrad train --resume run" in said
    assert "Traceback" not in said
    again = start("train", "--resume", "run", cwd=tmp_path)
    first = again.stdout.readline()
    again.send_signal(number)
    again.communicate(timeout=60)
    assert int(first.split()[1].split("/")[0]) > 3


def test_output_that_nobody_reads(tmp_path):
    with start("train", "--out", "run", "--set", "training.epochs=20", cwd=tmp_path) as process:
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
        process.wait(timeout=60)
    assert said == ""
    assert process.returncode == 0
    assert (tmp_path / "run" / "report.html").exists(), "training goes on, and all of it is kept"


def test_help_and_import_load_nothing_heavy():
    heavy = {"numpy", "matplotlib", "pydantic", "safetensors", "PIL", "jinja2", "torch", "sklearn"}
    for code in ("import plaingrad", "from plaingrad.cli import app; app(['--help'], standalone_mode=False)"):
        probe = f"import sys; {code}; print('LOADED', *(m for m in {heavy!r} if m in sys.modules))"
        done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "LOADED"


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="pseudo-terminals are needed to see the progress bar")
def test_a_bar_on_a_terminal(tmp_path):
    ours, theirs = os.openpty()
    command = [
        sys.executable,
        "-c",
        "from plaingrad.cli import main; main()",
        "train",
        *SMALL,
        "--out",
        "run",
    ]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
    process = subprocess.Popen(command, cwd=tmp_path, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
    assert process.wait(timeout=60) == 0
    text = shown.decode()
    for word in ("training", "loss", "val", "12/12", "report"):
        assert word in text
