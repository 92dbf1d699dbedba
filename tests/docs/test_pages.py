"""The documentation as a reader uses it: its code runs, its commands parse, its links lead somewhere."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import tomllib
from typing import Any

import pytest
import typer

from docs.pages import DOCS, PAGES, ROOT, blocks, examples, read
from plaingrad import cli
from plaingrad.recipe import check, read_recipe

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def shape(printed: str) -> list[str]:
    """Lines without the digits of their numbers, which depend on the machine, and the width of gaps."""
    return [
        re.sub(r"[\s─-]+", " ", re.sub(r"-?\d[\d,]*(\.\d+)?(e[+-]\d+)?", "0", line)).strip()
        for line in printed.strip().splitlines()
    ]


@pytest.mark.parametrize(
    "page",
    [
        "quickstart.md",
        "architecture.md",
        "evaluation.md",
        "plots.md",
        "doctor.md",
        "preflight.md",
        "gradient-check.md",
        "tuning.md",
        "report.md",
    ],
)
def test_python_runs_and_prints_what_the_page_shows(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    found = examples(read(page))
    assert found
    for code, shown, line in found:
        printed = io.StringIO()
        compiled = compile("\n" * (line - 1) + code, page, "exec", dont_inherit=True)
        with contextlib.redirect_stdout(printed):
            exec(compiled, names)
        assert shape(printed.getvalue()) == shape(shown or ""), f"{page}, line {line}:\n{printed.getvalue()}"


@every_page
def test_commands_exist(page):
    """Every `plaingrad ...` line in a shell block parses, and its recipe and overrides are right."""
    for line in "\n".join(blocks(page.read_text(encoding="utf-8"), "sh")).splitlines():
        for command in line.split(" && "):
            words = shlex.split(command, comments=True)
            if words and words[0] == "plaingrad":
                _parse(typer.main.get_command(cli.app), words[1:])


def _parse(command: Any, words: list[str], parent: Any = None) -> None:
    """As the command line would, without running anything."""
    if words == ["--help"]:
        return
    context = command.make_context(command.name, list(words), parent=parent)
    if hasattr(command, "resolve_command"):
        _, inner, rest = command.resolve_command(context, words)
        _parse(inner, rest, context)
    elif command.name in ("train", "check") and not re.search(
        r"\.toml$|\.py:", str(context.params["recipe"])
    ):
        read_recipe(context.params["recipe"] or "digits", context.params["set_"] or [])


def test_a_command_that_does_not_exist_is_noticed():
    command = typer.main.get_command(cli.app)
    _parse(command, ["train", "two-layer", "--set", "seed=3"])
    for wrong in ("trian", "train --sett seed=3", "train --set training.epoch=3", "data fetsch cifar10"):
        with pytest.raises(Exception, match="trian|sett|epoch|fetsch"):
            _parse(command, wrong.split())


@every_page
def test_recipes_are_whole(page):
    for block in blocks(page.read_text(encoding="utf-8"), "toml"):
        check(tomllib.loads(block))


@every_page
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        assert (page.parent / file).exists(), f"{page.name} links to {target}"
        if anchor:
            linked = (page.parent / file).read_text(encoding="utf-8") if file else text
            assert anchor in {_anchor(title) for title in re.findall(r"^#+ (.+)$", linked, re.MULTILINE)}, (
                f"{page.name} links to {target}"
            )


def _anchor(title: str) -> str:
    """The anchor that GitHub and GitLab give a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def test_the_index_lists_every_page():
    index = read("README.md")
    for page in [*DOCS.glob("*.md"), *DOCS.glob("*/README.md")]:
        if page != DOCS / "README.md":
            assert f"({page.relative_to(DOCS).as_posix()})" in index, page.name


@every_page
def test_files_that_are_named_exist(page):
    """`src/...`, `tests/...`, `docs/...` and `benchmarks/...` in backticks are files of the repository."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for name in re.findall(r"`((?:src|tests|docs|benchmarks|\.ci)/[\w./-]+)`", text):
        assert (ROOT / name).exists(), f"{page.name} names {name}"
