"""Run folders as a training leaves them, without one: a recipe, and a history that is written here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from plaingrad.recipe import read_recipe

FACTS = {"plaingrad": "0.1.0", "numpy": "2.4.6", "platform": "here", "processors": 2, "data_sha256": "a" * 64}


def a_run(
    path: Path,
    reached: float | None = 0.9,
    *,
    seed: int = 0,
    test: float | None = None,
    changes: tuple[str, ...] = (),
    ended: bool = True,
    validates: int | None = 200,
    epochs: int = 4,
    name: str = "digits",
    losses: tuple[float, ...] | None = None,
    **facts: object,
) -> Path:
    """A run whose best validation accuracy is `reached`; 5 steps an epoch."""
    path.mkdir(parents=True)
    recipe = read_recipe("digits", [f"seed={seed}", f"training.epochs={epochs}", *changes])
    recipe = recipe.model_copy(update={"name": name})
    (path / "recipe.toml").write_text(recipe.to_toml(run=FACTS | facts))
    lines = []
    for step, loss in enumerate(losses or [2.0 / n for n in range(1, 5 * epochs + 1)], 1):
        lines.append({"type": "step", "step": step, "loss": loss})
        if step % 5 == 0:
            accuracy = None if reached is None else reached * step / (5 * epochs)
            if validates:
                lines.append(
                    {
                        "type": "measured",
                        "step": step,
                        "predicted": [validates // 2, validates - validates // 2],
                    }
                )
            seen = {"train_accuracy": 0.5, "val_accuracy": accuracy, "seconds": step / 10}
            lines.append({"type": "epoch", "epoch": step / 5, "step": step, "lr": 0.1, "loss": loss, **seen})
    if ended:
        lines.append({"type": "end", "run": str(path), "best_val_accuracy": reached, "test_accuracy": test,
                      "seconds": 2.0, "steps": 5 * epochs, "epochs": epochs})  # fmt: skip
    (path / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def the_runs(tmp_path: Path, reached: dict[float, list[float]], **more: Any) -> list[Path]:
    """Runs of several learning rates and seeds: {rate: accuracies}."""
    return [
        a_run(tmp_path / f"lr{rate}-s{seed}", own, seed=seed, changes=(f"optimizer.lr={rate}",), **more)
        for rate, accuracies in reached.items()
        for seed, own in enumerate(accuracies)
    ]
