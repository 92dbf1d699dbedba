"""Damage of all kinds, drawn by chance from a seed: of each the page can be made, and what is missing is said."""

import copy as copies
import json
import math
import random
import shutil
import struct

import pytest

from plaingrad import checkpoint
from plaingrad.report import comparison, comparison_page, contents, entry, page
from plaingrad.run_folder import RunFolder

from .made import lines_of, rewrite

JUNK = [
    None, True, 0, -1, 1, 2.5, 1e-320, 1e308, -1e308, math.nan, math.inf, 10**9, 10**18, 10**400, "", "<b>", "[1,2]",
    [], [1], [[1, 2]], {}, {"a": {"b": [1]}}, [None], ["a"], [math.nan] * 10, [0] * 10, [-5] * 10, [10**18] * 10,
]  # fmt: skip
TOML = [
    "0", "-1", "1e400", "nan", "''", "'<b>'", "[]", "[1]", "[[1]]", "{a = 1}", "true", "2020-01-01", "0x" + "f" * 5000,
    "9" * 5000, "1" * 400, "[" * 200 + "]" * 200, "[" * 5000 + "]" * 5000, "1e-320", "[2147483647, 2147483647]",
]  # fmt: skip


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def places(value, path=()):
    """The ways to all that is in a value, though of lists only to the first few."""
    if path:
        yield path
    if isinstance(value, dict | list):
        keys = value if isinstance(value, dict) else range(min(len(value), 3))
        for key in keys:
            yield from places(value[key], (*path, key))


def mutated(value, rng):
    """A copy of a dict in which one thing is another."""
    value = copies.deepcopy(value)
    *way, last = rng.choice(list(places(value)))
    own = value
    for key in way:
        own = own[key]
    old = own[last]
    near = [-old, old * 1000, old * 0, old + 1] if type(old) in (int, float) else []
    near += [old * 50, old[:1], old[::-1]] if isinstance(old, list) else []
    own[last] = rng.choice([*JUNK, *near * 3, nested(500)])
    return value


def history(folder, rng):
    lines = lines_of(folder)
    kind = rng.choice(sorted({line["type"] for line in lines}))
    own = [number for number, line in enumerate(lines) if line["type"] == kind]
    seed = rng.random()
    for number in own if rng.random() < 0.4 else rng.sample(own, 1):
        lines[number] = mutated(lines[number], random.Random(seed))  # all of them in the same way
    rewrite(folder, lambda _: lines)


def recipe(folder, rng):
    lines = (folder / "recipe.toml").read_text("utf-8").splitlines()
    number = rng.choice([n for n, line in enumerate(lines) if " = " in line and not line.endswith("[")])
    lines[number] = f"{lines[number].partition(' = ')[0]} = {rng.choice(TOML)}"
    (folder / "recipe.toml").write_text("\n".join(lines), "utf-8")


def newest(folder):
    *others, file = sorted((folder / "checkpoints").iterdir())
    for own in others:
        own.unlink()
    return file


def said_of(folder):
    return folder / "predictions.safetensors"


def head(file_of):
    """Damage to the head of a safetensors file."""

    def damage(folder, rng):
        data = (file := file_of(folder)).read_bytes()
        (size,) = struct.unpack("<Q", data[:8])
        text = json.dumps(mutated(json.loads(data[8 : 8 + size]), rng)).encode()
        file.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])

    return damage


def values(file_of):
    """Other values in a whole file, whose digest fits."""

    def damage(folder, rng):
        own = checkpoint.load(file := file_of(folder))
        checkpoint.save(file, own.arrays, mutated(own.values, rng))

    return damage


@pytest.mark.parametrize(
    ("damage", "times"),
    [
        (history, 30), (recipe, 12), (head(newest), 6), (values(newest), 8), (head(said_of), 6),
        (values(said_of), 8),
    ],
    ids=["history", "recipe", "head of a checkpoint", "values of a checkpoint", "head of predictions",
         "values of predictions"],
)  # fmt: skip
def test_of_every_damage_there_is_a_page(run, tmp_path, monkeypatch, damage, times):
    for picture in ("_loss", "_accuracy", "_layers", "_calibration", "_weights"):
        monkeypatch.setattr(page, picture, lambda made: None)
    monkeypatch.setattr(comparison_page, "_pictures", lambda made: {})
    whole = entry.read(run, "whole")
    for seed in range(times):
        folder = tmp_path / f"{seed}"
        shutil.copytree(run, folder, ignore=shutil.ignore_patterns("report.html"))
        damage(folder, random.Random(seed))
        made = contents.read(RunFolder.open(folder))
        assert not any("could not judge" in own for own in made.problems), (seed, made.problems)
        assert page.filled("report/run.html", page.gather(made))
        assert comparison_page.gather(comparison.of([entry.read(folder, "damaged"), whole]), tmp_path)
