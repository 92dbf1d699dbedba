"""The derivations in docs/ops: every example on every page gives what the page says."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import numpy as np
import pytest

from plaingrad import ops

PAGES = sorted((Path(__file__).parents[2] / "docs" / "ops").glob("*.md"))
CODE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples(page):
    """Blocks of a page share their names, as a reader who types them one after the other would have it."""
    text = page.read_text(encoding="utf-8")
    names: dict = {}
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    found = []
    with np.printoptions(precision=4, suppress=True):
        for block in CODE.finditer(text):
            line = text[: block.start()].count("\n") + 1
            test = doctest.DocTestParser().get_doctest(block[1], names, page.name, str(page), line)
            test.globs = names  # get_doctest copies; the next block needs this one's names
            runner.run(test, out=found.append, clear_globs=False)
    assert runner.summarize(verbose=False).failed == 0, "".join(found)
    assert runner.tries > 0, f"{page.name} has no example"


def test_every_op_is_derived_on_a_page_that_the_index_lists():
    pages = {page.name: page.read_text(encoding="utf-8") for page in PAGES}
    index = pages.pop("README.md")
    assert all(f"({name})" in index for name in pages)
    derived = "\n".join(pages.values())
    for name in ops.__all__:
        if name.endswith("_forward"):
            assert f"`{name.removesuffix('_forward')}`" in derived, name


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
