"""`plaingrad tune`: what is printed, what is refused, and with which exit code."""

import json
import re

import pytest
from typer.testing import CliRunner

from plaingrad.cli import app

SMALL = ["--set", "training.epochs=2", "--set", "network.hidden=[8]", "--set", "data.train=200"]
SPACE = "[space]\noptimizer.lr = { log-uniform = [1e-4, 1e-1] }\nnetwork.activation = ['relu', 'tanh']\n"


def call(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def last_json(result):
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("tune")
    (path / "space.toml").write_text(SPACE)
    return path


@pytest.fixture(scope="module")
def study(folder):
    out = folder / "study"
    result = call(
        "tune", "digits", "--space", folder / "space.toml", *SMALL, "--trials", 2, "--seeds", 2, "--seed", 4,
        "--method", "random", "--final-seeds", 1, "--out", out, "--json")  # fmt: skip
    return out, result


def test_tune(study):
    out, result = study
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert sum(line.startswith("trial ") for line in lines) == 2
    assert any(
        re.fullmatch(r"training the best setting, trial \d, again with the seeds 6", line) for line in lines
    )
    (head,) = (line.split() for line in lines if line.split()[:2] == ["rank", "trial"])
    assert head == ["rank", "trial", "accuracy", "spread", "lr", "activation", "seconds", "weights"]
    assert f"study    {out}" in lines
    assert f"page     {out / 'study.html'}" in lines
    assert f"results  {out / 'results.csv'}" in lines
    assert "The test set has been opened once" in result.stdout


def test_tune_json(study):
    out, result = study
    told = last_json(result)
    assert told["study"] == str(out)
    assert [told["recipe"], told["method"], told["seeds"], len(told["trials"])] == ["digits", "random", 2, 2]
    assert told["best"] == told["trials"][0]
    assert told["trials"][0]["accuracy"] >= told["trials"][1]["accuracy"] - 0.2
    assert [opening["seeds"] for opening in told["test_set_openings"]] == [[6]]
    assert (out / "trials" / "0000-seed-4" / "recipe.toml").is_file()


def test_runs_are_runs_for_other_commands(study):
    out, result = study
    best = out / last_json(result)["best"]["runs"][0]
    evaluated = call("eval", best, "--json")
    assert evaluated.exit_code == 0, evaluated.output
    told = last_json(evaluated)
    assert told["validation"]["accuracy"] == last_json(result)["best"]["accuracies"][0]
    assert call("report", best).exit_code == 0
    assert (best / "report.html").is_file()


def test_resume(study):
    out, result = study
    again = call("tune", "--resume", out, "--json")
    assert again.exit_code == 0, again.output
    assert last_json(again)["trials"] == last_json(result)["trials"]
    assert "training the best setting" not in again.stdout
    assert "The test set has been opened once" in again.stdout


def refused(*arguments):
    """What the command line says of a call that is wrong: one sentence, and no traceback."""
    result = call("tune", *arguments)
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("plaingrad: ")
    return line.removeprefix("plaingrad: ")


def test_resume_takes_no_other_search(study):
    out, _ = study
    for option, value in {
        "--space": "x.toml", "--method": "grid", "--seeds": 2, "--prune": "none", "--final-seeds": 0,
        "--data": "digits", "--set": "a.b=1", "--seed": 0, "--out": "x",
    }.items():  # fmt: skip
        sentence = refused("--resume", out, option, value)
        assert sentence == f"--resume: a study goes on as it began; leave out {option}"
    assert refused("digits", "--resume", out).endswith("leave out RECIPE")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[space]\noptimizer.lrr = [1, 2]", "space {path}, optimizer.lrr = 1: .*did you mean 'lr'"),
        ("[space]\noptimizer.lr = 0.1", "space {path}: optimizer.lr = 0.1 is one value"),
        (
            "[space]\noptimizer.lr = { log-uniform = [0, 1] }",
            "space {path}: optimizer.lr: 0 has no logarithm",
        ),
        (
            "[space]\noptimizer.lr = { uniform = [2, 1] }",
            "space {path}: optimizer.lr: the range from 2 to 1 is empty",
        ),
        ("[space]\nseed = [1, 2]", "space {path}: seed cannot vary"),
        ("[space", "space {path} is not valid TOML"),
        ("", r"space {path}: \[space\] is missing or empty"),
        ("method = 'grid'\n" + SPACE, "optimizer.lr: a grid needs to know how many values"),
        (
            "method = 'grid'\n[space]\noptimizer.lr = { uniform = [0.1, 0.2], points = 40 }\n"
            "network.dropout = { uniform = [0.0, 0.5], points = 30 }",
            r"the grid has 1,200 settings \(40 × 30\): that is more than 1,000",
        ),
    ],
)
def test_a_wrong_space(tmp_path, text, sentence):
    path = tmp_path / "space.toml"
    path.write_text(text)
    assert re.match(
        sentence.format(path=path), refused("digits", "--space", path, "--out", tmp_path / "study")
    )
    assert not (tmp_path / "study").exists()


def test_a_wrong_call(study, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space = folder / "space.toml"
    assert refused("digits").startswith("--space is missing: ")
    assert refused("--space", space).startswith(f"space {space} names no recipe: ")
    assert refused("digits", "--space", "s1c").startswith("there is no space 's1c'")
    assert refused("digitz", "--space", space).startswith("there is no recipe 'digitz'")
    assert refused("digits", "--space", space, "--method", "gird").startswith("method must be ")
    assert refused("digits", "--space", space, "--prune", "x").startswith("prune must be ")
    assert refused("digits", "--space", space, "--trials", 0).startswith("trials ")
    assert refused("digits", "--space", space, "--minutes", "nan").startswith("minutes ")
    assert refused("digits", "--space", space, "--set", "optimizer.lrr=1").startswith(
        "recipe digits: optimizer.lrr: "
    )
    assert refused("digits", "--space", space, "--jobs", 10_000).startswith("10000 jobs are more than the ")
    assert refused("digits", "--space", space, "--out", study[0]).startswith(f"{study[0]} is in use; ")
    assert refused("digits", "--space", space, "--storage", "sqlite://").startswith(
        "a study in a database needs "
    )
    assert refused("--resume", tmp_path) == f"{tmp_path} is not a study: it holds no study.toml"
    assert refused("--resume", study[0], "--storage", "x").endswith("leave out --storage")
    assert list(tmp_path.iterdir()) == []
