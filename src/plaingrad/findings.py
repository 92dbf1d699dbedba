"""The doctor's word on a run folder, from the folder alone."""

from __future__ import annotations

from dataclasses import replace

from plaingrad.errors import RecipeError, RunError
from plaingrad.history import History
from plaingrad.insight.doctor import Diagnosis, Evidence, Finding, diagnose
from plaingrad.insight.doctor.diagnosis import override
from plaingrad.insight.doctor.notes import from_line, gather
from plaingrad.recipe import read_recipe
from plaingrad.run_folder import RunFolder, Warn


def recorded_evidence(
    folder: RunFolder, history: History | None = None, warn: Warn | None = None
) -> Evidence:
    """All that a run folder tells by itself; `history` is `folder.history()`, where that has been read already.

    Raises RunError for a history that is damaged; with `warn` notes that cannot be read are passed over, and
    it hears of them.
    """
    history = folder.history() if history is None else history
    notes, errors = [], []
    for line in history.seen:
        try:
            notes.append(from_line(line))
        except ValueError as error:
            errors.append(str(error))
    if errors:
        damage = f"{folder.history_file} is damaged: what was seen of the run cannot be read: {errors[0]}"
        if warn is None:
            raise RunError(damage)
        warn(damage + (f", and {len(errors) - 1:,} more" if errors[1:] else ""))
    known = gather(notes, losses=history.losses, records=history.records, finished=history.result is not None)
    return replace(known, classes=len(known.data.class_counts) if known.data else _classes(folder))


def diagnosed(folder: RunFolder, evidence: Evidence) -> Diagnosis:
    """What evidence of this run shows.  A finding keeps its remedy only if the run's recipe can take it."""
    made = diagnose(evidence, recipe=str(folder.recipe_file))
    findings, hints = (tuple(_makeable(folder, own) for own in kind) for kind in (made.findings, made.hints))
    return replace(made, findings=findings, hints=hints)


def changes(finding: Finding) -> tuple[str, ...]:
    """The remedy as overrides of a recipe."""
    return tuple(override(name, value) for name, value in finding.remedy.items())


def _makeable(folder: RunFolder, finding: Finding) -> Finding:
    """The finding, without its remedy where that is no change of this recipe, or one that it cannot take."""
    try:
        changed = read_recipe(folder.recipe_file, changes(finding))
        same = changed.digest == folder.recipe().digest
    except (RecipeError, RunError):
        return replace(finding, remedy={})
    return replace(finding, remedy={}) if same else finding


def _classes(folder: RunFolder) -> int | None:
    try:
        return len(folder.newest_checkpoint().values["classes"])
    except (RunError, KeyError, TypeError):
        return None
