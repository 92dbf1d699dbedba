"""`plaingrad report`: which page is written, where, and what is refused."""

import pytest
from typer.testing import CliRunner

from plaingrad.cli import app
from plaingrad.search.tuning import tune

from .folders import a_run

SPACE = {
    "space": {"optimizer": {"lr": [1e-3, 1e-2]}},
    "fixed": {"training": {"epochs": 1}, "data": {"train": 100}},
}


def call(*arguments):
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    out = tmp_path_factory.mktemp("tune") / "study"
    tune("digits", SPACE, method="grid", final_seeds=0, out=out)
    return out


def test_of_one_run_its_page(copy):
    result = call(copy)
    assert (result.exit_code, result.stdout) == (0, f"{copy / 'report.html'}\n")
    assert (copy / "report.html").is_file()


def test_of_several_one_page(tmp_path, monkeypatch):
    runs = [a_run(tmp_path / name / "run", 0.8 + i / 10, seed=i) for i, name in enumerate("ab")]
    result = call(*runs)
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path / 'a' / 'comparison.html'}\n")
    monkeypatch.chdir(tmp_path)
    result = call("a/run", "b/run", "-o", "both.html")
    assert (result.exit_code, result.stdout) == (0, "both.html\n")
    text = (tmp_path / "both.html").read_text("utf-8")
    assert 'href="./a/run">a/run</a>' in text
    assert 'href="./b/run">b/run</a>' in text


def test_of_a_study_its_page_anew(study):
    page = study / "study.html"
    before = page.read_bytes()
    page.unlink()
    result = call(study)
    assert (result.exit_code, result.stdout) == (0, f"{page}\n")
    assert page.read_bytes() == before


def test_a_study_among_several_stands_for_its_trials(study, tmp_path):
    result = call(study, a_run(tmp_path / "run"), "--out", tmp_path / "page.html")
    assert result.exit_code == 0
    text = (tmp_path / "page.html").read_text("utf-8")
    assert all(name in text for name in ("0000-seed-0", "0001-seed-0", ">run</a>"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "nothing is not a run folder: it holds no recipe.toml"),
        (["run", "nothing"], "nothing is not a run folder: it holds no recipe.toml"),
        (["run", "--out", "page.html"], "--out is for the comparison of several runs"),
        (["run", "--storage", "postgresql://here/none"], "--storage is for one study in a database"),
        (["run", "other", "--out", "no/page.html"], "no/page.html: the page cannot be written: No such file"),
        (["fresh", "fresh"], "there is nothing to compare: fresh has recorded nothing yet"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    a_run(tmp_path / "run")
    a_run(tmp_path / "other", seed=1)
    (a_run(tmp_path / "fresh", ended=False) / "history.jsonl").unlink()
    result = call(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("plaingrad: ")
    assert said in result.stderr
    assert not list(tmp_path.glob("*.html"))


def test_samples_are_measured_where_the_data_lies(copy, tmp_path):
    (copy / "predictions.safetensors").unlink()
    assert call(copy, "--data-dir", tmp_path).exit_code == 0, "the digits are inside the package"
    assert (copy / "predictions.safetensors").is_file()
    result = call(copy, copy, "--data-dir", tmp_path)
    assert result.exit_code == 2
    assert "--data-dir is for the page of one run" in result.stderr
