"""Published experiments, run again under their protocol: published beside measured."""

from __future__ import annotations

import time
from collections.abc import Iterable

from plaingrad.errors import RecipeError, suggestion
from plaingrad.reproduce import convnets, coursework, searches
from plaingrad.reproduce.outcome import Experiment, Outcome, Published

__all__ = ["EXPERIMENTS", "Experiment", "Outcome", "Published", "chosen", "run"]

EXPERIMENTS: dict[str, Experiment] = {
    experiment.id: experiment
    for experiment in sorted(
        (*coursework.EXPERIMENTS, *searches.experiments(coursework.images), *convnets.EXPERIMENTS),
        key=lambda own: own.id,
    )
}


def chosen(ids: Iterable[str]) -> list[Experiment]:
    """The experiments with these ids, all of them for none.  Raises RecipeError for one that does not exist."""
    ids = list(ids)
    unknown = [id for id in ids if id not in EXPERIMENTS]
    if unknown:
        raise RecipeError(f"there is no experiment {unknown[0]!r}; {suggestion(unknown[0], EXPERIMENTS)}")
    return [EXPERIMENTS[id] for id in ids] or list(EXPERIMENTS.values())


def run(experiment: Experiment, *, seeds: int = 1, data_dir: str | None = None) -> Outcome:
    """Run an experiment with the seeds 0, 1, ..."""
    experiment.load(data_dir)  # reading the images is not part of the time
    started = time.perf_counter()
    runs = [experiment.measure(data_dir, seed) for seed in range(seeds)]
    measured = {p.name: [own[p.name] for own in runs] for p in experiment.published}
    return Outcome(experiment, measured, time.perf_counter() - started)
