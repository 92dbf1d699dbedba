"""What pages are made of: a good run, hostile ones, broken ones, several together, a study."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from plaingrad import report, training
from plaingrad.errors import NonFiniteError
from plaingrad.recipe import check, read_recipe
from plaingrad.search.tuning import tune

# Whatever of this ran would set a flag; the tests see that it stays unset.
HANDLER = "window.hostile=1"
NAMES = (  # of class folders and files, which hold no "/"
    f"<img src=x onerror={HANDLER}>",
    f'" onmouseover="{HANDLER}" style="color:red',
    f"' autofocus onfocus='{HANDLER}",
    "{{ 7*7 }} {% raw %} ${7*7}",
    "&lt;b&gt; &amp; \u202eright to left\u202c",
    "🐈‍⬛ 猫 кошка \u0000".strip("\u0000 "),
    "a name of two hundred letters " + "x" * 170,
)
SLASHED = (  # of classes that a file names, which may hold anything
    f"</script><script>{HANDLER}</script>",
    f"--></style></title></svg><script>{HANDLER}</script><!--",
    f"<svg/onload={HANDLER}>",
    f"javascript:{HANDLER}//",
)
DESCRIPTION = f'</title></style><script>{HANDLER}</script><b>bold</b> & "quoted"'
FOLDER = f"a <img src=x onerror={HANDLER}> \"quoted\" & 'so' #100% ?"


def digits(out: Path, *overrides: str) -> Path:
    """A run that goes well: about 97 % in two seconds."""
    quick = ["training.epochs=8", "network.hidden=[100, 50]", "training.checkpoint_seconds=0"]
    training.train(read_recipe("digits", [*quick, *overrides]), out)
    return out


def photographs(data: Path, out: Path) -> Path:
    """A run on CIFAR-10, as short as can be: all of the test set, but few steps."""
    recipe = {
        "name": "photographs",
        "data": {"name": "cifar10", "path": str(data), "train": 2000, "validation": 500},
        "network": {"name": "three-layer-conv", "filters": 8, "hidden": 20},
        "training": {"epochs": 2},
    }
    training.train(check(recipe), out)
    return out


def hostile_files(folder: Path, out: Path) -> Path:
    """A run on a folder of images whose classes and files, like the run itself, are called what no page should run."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for own in NAMES:
        (folder / own).mkdir(parents=True)
        for number in range(12):
            stem = NAMES[number % len(NAMES)][:60]
            picture = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
            picture.save(folder / own / f"{number} {stem}.png")
    return _trained({"name": "images", "path": str(folder)}, out)


def hostile_names(file: Path, out: Path) -> Path:
    """A run on a file whose classes are called so."""
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (30 * len(SLASHED), 1, 8, 8), dtype=np.uint8)
    np.savez(file, images=images, labels=np.arange(len(images)) % len(SLASHED), classes=np.array(SLASHED))
    return _trained({"name": "npz", "path": str(file)}, out)


def many_classes(file: Path, out: Path) -> Path:
    """A run on more classes than a matrix could show, with long names and few samples of each."""
    rng = np.random.default_rng(2)
    names = [f"species {number:02d}, northern rough-winged swallow" for number in range(30)]
    images = rng.integers(0, 256, (12 * len(names), 1, 8, 8), dtype=np.uint8)
    np.savez(file, images=images, labels=np.arange(len(images)) % len(names), classes=np.array(names))
    return _trained({"name": "npz", "path": str(file), "test": 90}, out)


def _trained(data: dict[str, Any], out: Path) -> Path:
    """A small convolutional network, which learns nothing from noise and so makes many mistakes."""
    recipe = {
        "name": "<b>recipe & co",
        "description": DESCRIPTION,
        "data": {"validation": 14, "test": 28, "normalize": "symmetric", **data},
        "network": {"name": "three-layer-conv", "filters": 4, "size": 3, "hidden": 8},
        "training": {"epochs": 2, "batch_size": 20},
    }
    training.train(check(recipe), out)
    return out


Lines = list[dict[str, Any]]


def changed(run: Path, out: Path, change: Callable[[Lines], Iterable[dict[str, Any]]], *without: str) -> Path:
    """A copy of a run with another history, without some of its files; its page is written anew."""
    shutil.copytree(run, out, ignore=shutil.ignore_patterns("report.html", *without))
    lines = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    (out / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in change(lines)))
    report.write(out)
    return out


def crashed(run: Path, out: Path) -> Path:
    """A run that was killed half-way, in the middle of a line."""
    changed(run, out, lambda lines: lines[: len(lines) // 2], "predictions.safetensors")
    with (out / "history.jsonl").open("a") as file:
        file.write('{"type": "step", "st')
    report.write(out)
    return out


def empty(run: Path, out: Path) -> Path:
    """A run of which nothing but the recipe was written."""
    return changed(run, out, lambda lines: [], "checkpoints", "predictions.safetensors")


def diverged(out: Path) -> Path:
    """A run that broke off because its loss was no number any more."""
    steep = ["optimizer.name=sgd", "optimizer.lr=1e18", "schedule.name=constant"]
    with contextlib.suppress(NonFiniteError):
        digits(out, *steep)
    return out


def not_a_number(run: Path, out: Path) -> Path:
    """A run that ended although its losses were no numbers from the middle on."""

    def worse(lines: Lines) -> Lines:
        middle = max(line.get("step", 0) for line in lines) // 2
        bad = {"step": {"loss": float("nan")}, "epoch": {"loss": float("inf"), "train_accuracy": 0.1}}
        return [
            {**line, **(bad.get(line["type"], {}) if line.get("step", 0) > middle else {})} for line in lines
        ]

    return changed(run, out, worse)


def old(run: Path, out: Path) -> Path:
    """A run of the first version: only the losses, the evaluations and the end."""
    kept = ("step", "epoch", "end")
    return changed(
        run, out, lambda lines: [line for line in lines if line["type"] in kept], "predictions.safetensors"
    )


def damaged(run: Path, out: Path) -> Path:
    """A run whose predictions and checkpoints are no longer what they were."""
    changed(run, out, lambda lines: lines)
    for file in [out / "predictions.safetensors", *(out / "checkpoints").iterdir()]:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    report.write(out)
    return out


BROKEN = {"crashed": crashed, "empty": empty, "not a number": not_a_number, "old": old, "damaged": damaged}
PAGES = ("digits", "hostile files", "hostile names", "many classes", "diverged", *BROKEN)


def make(name: str, root: Path, good: Callable[[], Path]) -> Path:
    """The run of a name in `root`; broken ones are made of the `good` one."""
    if name == "digits":
        return digits(root / "digits")
    if name == "hostile files":
        return hostile_files(root / "pictures", root / FOLDER)
    if name == "hostile names":
        return hostile_names(root / "names.npz", root / "hostile names")
    if name == "many classes":
        return many_classes(root / "species.npz", root / name)
    if name == "diverged":
        return diverged(root / name)
    return BROKEN[name](good(), root / name)


def comparison(run: Callable[[str], Path], root: Path) -> Path:
    """The page of runs that go together, of one of another kind, and of broken ones."""
    others = [digits(root / "digits seed 1", "seed=1"), digits(root / "digits narrow", "network.hidden=[10]")]
    broken = [run(name) for name in ("crashed", "empty", "damaged")]
    return report.compare([run("digits"), *others, run("hostile files"), *broken], root / f"{FOLDER}.html")


def study(root: Path) -> Path:
    """The page of a search over four settings, of which two go wrong."""
    recipe = read_recipe("digits", ["training.epochs=2", "training.checkpoint_seconds=0"])
    space = {"space": {"optimizer.lr": [3e-3, 1e30], "network.hidden": [[20], [40]]}}
    out = root / f"a study of {FOLDER}"
    tune(recipe, space, method="grid", final_seeds=1, out=out)
    return out / "study.html"
