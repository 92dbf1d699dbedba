"""Reading the documentation: its pages, their blocks and their tables."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OUTPUT = re.compile(r"\s*```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read(page: str) -> str:
    """The text of a page of docs/, or of one beside it."""
    return (DOCS / page).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The code blocks in `language`."""
    return [code for own, code in _BLOCK.findall(text) if own == language]


def examples(text: str) -> list[tuple[str, str | None, int]]:
    """Each Python block, what the block of text right below says it prints, and its first line's number."""
    found = []
    for block in _BLOCK.finditer(text):
        if block[1] == "python":
            output = _OUTPUT.match(text, block.end())
            found.append((block[2], output and output[1], text[: block.start(2)].count("\n") + 1))
    return found


def section(text: str, title: str) -> str:
    """What stands under the heading `title`, up to the next heading of its level or a higher one."""
    heading = re.search(rf"^(#+) {re.escape(title)}$", text, re.MULTILINE)
    assert heading, f"there is no section {title!r}"
    rest = text[heading.end() :]
    end = re.search(rf"^#{{1,{len(heading[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def table(text: str) -> list[list[str]]:
    """The rows of the first table in `text`, without its head."""
    first = next(part for part in text.split("\n\n") if part.strip().startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in first.strip().splitlines()[2:]]


def code(cell: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`]+)`", cell)
