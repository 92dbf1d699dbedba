"""Predictions and histories made by hand."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from plaingrad.predictions import Predictions

Line = dict[str, Any]


def predictions(labels, predicted, confidence=None, *, classes=None, chosen=None, images=None, **more):
    """Predictions; unless told otherwise of classes a, b, c, ..., with a grey 3 x 2 picture of each sample."""
    labels, predicted = np.array(labels, dtype=np.int64), np.array(predicted, dtype=np.int64)
    confidence = np.full(len(labels), 0.5) if confidence is None else np.array(confidence)
    count = max([*labels, *predicted], default=0) + 1
    chosen = np.arange(len(labels)) if chosen is None else np.array(chosen, dtype=np.int64)
    if images is None:
        images = np.repeat(chosen.astype(np.uint8), 6).reshape(-1, 1, 3, 2)
    return Predictions(
        **{
            "part": "test",
            "classes": tuple("abcdefghijklmnopqrstuvwxyz"[:count]) if classes is None else tuple(classes),
            "labels": labels,
            "predicted": predicted,
            "confidence": confidence.astype(np.float32),
            "truth": np.where(labels == predicted, confidence, 0).astype(np.float32),
            "probabilistic": True,
            "chosen": chosen,
            "images": images,
            **more,
        }
    )


def picture_of(url: str) -> Image.Image:
    """The image behind a data: URL."""
    kind, data = url.removeprefix("data:image/").split(";base64,")
    picture = Image.open(io.BytesIO(base64.b64decode(data, validate=True)))
    assert picture.format == kind.upper()
    return picture


def lines_of(run: Path) -> list[Line]:
    """The history of a run, line by line."""
    return [json.loads(line) for line in (run / "history.jsonl").read_text("utf-8").splitlines()]


def rewrite(run: Path, change: Callable[[list[Line]], Iterable[Line]]) -> None:
    """Give a run another history."""
    text = "".join(json.dumps(line) + "\n" for line in change(lines_of(run)))
    (run / "history.jsonl").write_text(text, "utf-8")


def flip(file: Path, at: float = 0.5) -> None:
    """Damage a byte of a file, at a fraction of its length."""
    data = bytearray(file.read_bytes())
    data[int(at * len(data))] ^= 0xFF
    file.write_bytes(data)
