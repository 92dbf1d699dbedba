"""Rules about units that give the same whatever they get: dead ReLUs, saturated sigmoids and tanhs."""

from __future__ import annotations

from statistics import median

from plaingrad.insight.doctor.diagnosis import Finding
from plaingrad.insight.doctor.evidence import Evidence
from plaingrad.insight.doctor.rules.readings import number, percent
from plaingrad.insight.doctor.rules.signal import early_looks, weight_facts
from plaingrad.insight.facts import LayerFacts

# The share of a layer's units that give 0 for a whole batch of 64. In healthy networks up to 40 % do, since each
# unit has its own samples; with three quarters gone, so is most of the layer.
MANY_DEAD = 0.75
NEARLY_ALL_DEAD = 0.9


def dead_relus(evidence: Evidence) -> Finding | None:
    """Most units of a ReLU layer give 0 for every sample of a batch, and go on doing so."""
    looks = [look for look in evidence.looks if any(f.kind == "relu" for f in look.layers)]
    if not looks:
        return _dead_without_layers(evidence)
    last = looks[-1]
    worst = max((f for f in last.layers if f.kind == "relu"), key=lambda f: f.dead)
    if worst.dead < MANY_DEAD:
        return None
    earlier = {look.step: f for look in looks for f in look.layers if f.name == worst.name}
    since = _since(earlier, last.step)
    seen = (
        f"{percent(worst.dead)} of the {worst.units} units of {worst.name} are 0 for a whole batch at step "
        f"{last.step}",
        f"it was {percent(earlier[looks[0].step].dead)} at step {looks[0].step}, and more than "
        f"{percent(MANY_DEAD)} from step {since} on",
    )
    return _dead(evidence, 0.95 if worst.dead >= NEARLY_ALL_DEAD else 0.75, seen, born=since == 0)


def _since(facts: dict[int, LayerFacts], last: int) -> int:
    """The step from which on the layer was mostly dead at every look."""
    since = last
    for step in sorted(facts, reverse=True):
        if facts[step].dead < MANY_DEAD:
            break
        since = step
    return since


def _dead_without_layers(evidence: Evidence) -> Finding | None:
    """Of a model whose layers cannot be seen: all samples get the same scores, and no weight a gradient."""
    for look in reversed(evidence.looks):
        weights = weight_facts(look)
        if look.scores is None or len(weights) < 2:
            return None
        if look.scores.spread > 1e-6 or any(p.gradient > 0 or p.norm == 0 for p in weights):
            return None
    if not evidence.looks:
        return None
    first, last = evidence.looks[0], evidence.looks[-1]
    seen = (
        "all samples get the same scores, and the gradients of all weights "
        f"({', '.join(p.name for p in weight_facts(last))}) are exactly 0, from step {first.step} to "
        f"{last.step}",
    )
    return _dead(evidence, 0.7, seen, born=True)


def _dead(evidence: Evidence, sure: float, seen: tuple[str, ...], *, born: bool) -> Finding:
    lr = evidence.setup.lr
    return Finding(
        "dead_relus",
        sure,
        "ReLU units are dead: they give 0 for every sample.",
        seen,
        "Where a ReLU gives 0 its gradient is 0 too. A unit that is below zero for all samples therefore "
        "never changes again; "
        + (
            "these began like that, so look at their biases."
            if born
            else "a step that was too long put it there."
        ),
        "Start biases at 0."
        if born
        else "Use a lower learning rate"
        + (f", {number(lr / 10)}," if lr else "")
        + " at least in the first steps.",
        {"optimizer.lr": float(f"{lr / 10:.6g}")} if lr and not born else {},
    )


# The share of a sigmoid or tanh layer's outputs that are within 1 % of a bound. Units near N(0, 1) before the
# activation put fewer than 1 in 100 there; trained networks have some, but not a third.
SATURATED = 0.35


def saturated_units(evidence: Evidence) -> Finding | None:
    """A large share of sigmoid or tanh outputs sits at a bound, where the slope is next to 0."""
    looks = early_looks(evidence)
    shares = [(look.step, f) for look in looks for f in look.layers if f.saturated is not None]
    if not shares:
        return None
    names = list(dict.fromkeys(f.name for _, f in shares))
    middle = {name: median(f.saturated or 0.0 for _, f in shares if f.name == name) for name in names}
    worst = max(names, key=lambda name: middle[name])
    if middle[worst] < SATURATED:
        return None
    last = next((f for f in evidence.looks[-1].layers if f.name == worst), None)
    seen = [
        f"{percent(middle[worst])} of the outputs of {worst} are within 1 % of a bound (median of steps "
        f"{looks[0].step} to {looks[-1].step})"
    ]
    if last is not None and last.saturated is not None:
        seen.append(f"it is {percent(last.saturated)} at step {evidence.looks[-1].step}")
    return Finding(
        "saturated_units",
        0.9 if middle[worst] > 0.5 else 0.7,
        f"Units are saturated: {worst} gives little else than its bounds.",
        tuple(seen),
        "At its bounds a sigmoid or tanh is flat. Its slope there is at most 4 % of the largest, so hardly "
        "any gradient gets through, and the units stay where they are.",
        "Draw the initial weights at Xavier's scale, or put batch normalisation before the activation.",
        {"network.init": "xavier"},
    )
