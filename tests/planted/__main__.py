"""The score of the gradient checker: `python -m tests.planted`, from the root of a checkout."""

from __future__ import annotations

import os

# Before NumPy is imported: the arrays are tiny, and there is a process for each processor.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from plaingrad import console
from plaingrad.machine import facts, processors

from .collection import BUGS
from .score import DETECTED, NAMED, Score, Verdict, score, share
from .shelf import CODES


def main(
    seeds: Annotated[str, typer.Option(help="The seeds of the bugs, FIRST:END.")] = "10:15",
    correct: Annotated[
        int | None, typer.Option(min=0, help="How many correct subjects: 2000, or none if bugs are chosen.")
    ] = None,
    correct_seed: Annotated[int, typer.Option(help="What they are drawn from.")] = 20,
    family: Annotated[str | None, typer.Option(help="Only the bugs of this family.")] = None,
    code: Annotated[str | None, typer.Option(help="Only the bugs that should have this name.")] = None,
    bug: Annotated[str | None, typer.Option(help="Only the bug with this id.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many processes.")] = processors(),
    json: Annotated[bool, typer.Option("--json", help="One line of JSON at the end.")] = False,
) -> None:
    """Plant every bug in several shapes, let the checker name it, and see that it accuses nothing correct.

    Exit code 1 unless every bug is detected, nine in ten are named right and no correct subject is accused.
    """
    first, _, end = seeds.partition(":")
    if not (first.isdecimal() and end.isdecimal() and int(first) < int(end)):
        raise typer.BadParameter(f"seeds must be FIRST:END, such as 0:3, got {seeds!r}")
    chosen = [
        b for b in BUGS.values()
        if family in (None, b.family) and code in (None, b.code) and bug in (None, b.id)
    ]  # fmt: skip
    if not chosen:
        raise typer.BadParameter("there is no such bug")
    if correct is None:
        correct = 0 if family or code or bug else 2000
    found = score([b.id for b in chosen], range(int(first), int(end)), correct, correct_seed, jobs)
    show(found, seeds)
    if json:
        console.print_json({**facts(), "seeds": seeds, **found.to_dict()})
    raise typer.Exit(0 if found.reached else 1)


def show(found: Score, seeds: str) -> None:
    """Tables by family and by code, everything that went wrong, and the score."""
    verdicts = found.verdicts
    groups = list(dict.fromkeys(v.family for v in verdicts))
    counted("family", groups, lambda v: v.family, verdicts)
    print()
    codes = [code for code in CODES if any(v.expected == code for v in verdicts)]
    counted("code", codes, lambda v: v.expected, verdicts)
    print()
    for v in verdicts:
        if not v.named:
            what = "missed" if not v.detected else "misnamed"
            also = f", among {', '.join(dict.fromkeys(v.among[1:]))}" if len(v.among) > 1 else ""
            print(f"{what}  {v.id}, seed {v.seed}: expected {v.expected}, got {v.got}{also}. {v.said}")
    for a in found.accusations:
        print(f"accused  {a.what}\n         {a.said}\n         again: {a.again}")
    bugs = len({v.id for v in verdicts})
    print(
        f"\n{bugs} bugs at seeds {seeds}, {len(verdicts)} checks: detected {console.percent(found.detected)} "
        f"(target {DETECTED:.0%}), named right {console.percent(found.named)} (target {NAMED:.0%})\n"
        f"{found.correct:,} random correct subjects of seed {found.correct_seed} and {found.twins:,} correct twins: "
        f"{len(found.accusations)} accused (target 0)"
    )
    print(f"{found.seconds:.0f} s on " + ", ".join(f"{name} {value}" for name, value in facts().items()))


def counted(
    by: str, groups: list[str], group_of: Callable[[Verdict], str], verdicts: Sequence[Verdict]
) -> None:
    """One line for each group, and one for all."""
    rows = []
    for group in [*groups, "all"]:
        own = [v for v in verdicts if group in ("all", group_of(v))]
        flags = ("detected", "named", "named_somewhere")
        cells = (console.percent(share(getattr(v, flag) for v in own)) for flag in flags)
        place = console.percent(share(v.place for v in own if v.place is not None))
        rows.append((group, str(len({v.id for v in own})), str(len(own)), *cells, place))
    columns = [by, "bugs", "checks", "detected", "named right", "among findings", "right parameter"]
    console.table(columns, rows, right=range(1, 7))


if __name__ == "__main__":
    typer.run(main)
