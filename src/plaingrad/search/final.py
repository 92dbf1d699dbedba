"""The honest end: the best setting is trained again with fresh seeds, and the test set is opened once for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from plaingrad.evaluation import measure
from plaingrad.interruption import Interruption
from plaingrad.recipe import changed
from plaingrad.run_folder import RunFolder, Warn
from plaingrad.search.crew import Crew
from plaingrad.search.folder import StudyFolder
from plaingrad.search.results import Opening, TrialResult
from plaingrad.search.store import Store

_ATTEMPTS = 3  # times that a run may take its worker with it


def conclude(
    folder: StudyFolder,
    store: Store,
    crew: Crew,
    best: TrialResult,
    interruption: Interruption,
    *,
    tell: Callable[[str], Any],
    warn: Warn,
) -> None:
    """Train the best setting with seeds that no run has had, then test all of these networks at once.

    Nothing is done if that setting was tested before, or the plan has no seeds for it.
    """
    plan = store.plan
    if plan.final_seeds == 0 or any(opening.trial == best.number for opening in store.openings):
        return
    used = [plan.seed + plan.seeds - 1, *(s for own in store.openings for s in (*own.seeds, *own.failed))]
    seeds = range(max(used) + 1, max(used) + 1 + plan.final_seeds)
    tell(f"training the best setting, trial {best.number}, again with the seeds {', '.join(map(str, seeds))}")
    recipe = changed(plan.recipe, best.settings)
    runs = {seed: folder.final_run(best.number, seed) for seed in seeds}
    texts = {seed: changed(recipe, {"seed": seed}).to_toml() for seed in seeds}
    ended = _train({seed: (texts[seed], runs[seed]) for seed in seeds}, store, crew, interruption, warn)
    good = {seed: message for seed, message in ended.items() if message["how"] == "complete"}
    for seed in ended.keys() - good.keys():
        warn(
            f"the best setting failed with the fresh seed {seed}: {ended[seed].get('failure', 'its worker died')}"
        )
    if not good:
        return
    data = recipe.data.build()
    if not data.test:
        warn(f"{data.name} has no test samples: the best setting was not tested")
        return
    networks = {seed: RunFolder(runs[seed]).load()[0] for seed in sorted(good)}
    test = []
    for network in networks.values():
        store.beat()
        test.append(measure(network, data.test, data.classes)["accuracy"])
    opening = Opening(
        trial=best.number,
        seeds=tuple(networks),
        validation=tuple(good[seed]["accuracy"] for seed in networks),
        test=tuple(test),
        samples=len(data.test),
        when=datetime.now().astimezone().isoformat(timespec="seconds"),
        runs=tuple(folder.relative(runs[seed]) for seed in networks),
        failed=tuple(sorted(ended.keys() - good.keys())),
    )
    store.opened(opening)


def _train(
    runs: dict[int, tuple[str, Path]], store: Store, crew: Crew, interruption: Interruption, warn: Warn
) -> dict[int, dict[str, Any]]:
    """Train runs, each a recipe and a folder, by seed; how each ended."""
    left, ended = deque(runs), {}
    attempts = dict.fromkeys(runs, 0)
    try:
        while len(ended) < len(runs):
            for worker in crew.idle[: len(left)]:
                seed = left.popleft()
                text, folder = runs[seed]
                worker.give(seed, run=text, folder=str(folder.absolute()), ask=False)
            said = crew.next(0.5)
            store.beat()
            interruption.check("while the best setting was trained again")
            if said is None:
                continue
            if said.message is None:
                attempts[said.task] += 1
                if attempts[said.task] < _ATTEMPTS:
                    left.append(said.task)
                else:
                    ended[said.task] = {"how": "failed", "failure": f"its worker died: {said.died}"}
            elif said.message["is"] == "warning":
                warn(said.message["text"])
            elif said.message["is"] == "done":
                ended[said.task] = said.message
    finally:
        crew.stop()
    return ended
