"""The pictures of docs/plots.md, drawn by its own code: `python -m tests.docs.pictures`, in a checkout."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from .pages import DOCS, examples, read


def main() -> None:
    """Run the page's blocks in a folder that is thrown away, and keep the pictures that it shows."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        names = {"__name__": "__main__"}
        for code, _, _ in examples(read("plots.md")):
            exec(code, names)
        for picture in sorted(Path().glob("plots-*.png")):
            (DOCS / "images" / picture.name).write_bytes(picture.read_bytes())
            print(DOCS / "images" / picture.name)


if __name__ == "__main__":
    main()
