"""The published page of the score."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import plaingrad as pg

from .records import Record
from .scoring import SURE, Score
from .shelf import HEALTHY, PLANTED

_INTRODUCTION = """\
# The doctor's score

How often the doctor is right, counted on runs of which it is known what is wrong with them. They are in
`tests/planted_runs`: {planted} runs with one trouble planted in each, as it happens in real life, and {healthy}
healthy ones, on digits and on up to 10,000 images of CIFAR-10, with networks of plaingrad's and with models of a
user's own in plain NumPy. Each is trained with several seeds, watched by `Watch(share=math.inf)`, which takes every
look whatever it costs, so that the score does not depend on the machine's speed, and judged from that evidence alone.
What the doctor is worth on runs that its rules' author had not seen is on
[its page](../doctor.md#how-good-it-is). This page is written by

```sh
PLAINGRAD_DATA_DIR=... python -m tests.planted_runs --write docs/conditions/score.md
```

with seeds {seeds}; the rules were made with other seeds of these runs, so the table says how steady they are, and not
how they would fare on troubles of another kind. A condition is *found* if a finding names it with a certainty of
{sure:.0%} or more. *Recall* is the share of its planted runs in which it was found; *named first*, in how many of
them it was the first finding. *Precision* is, of all runs in which it was *said*, the share in which it was planted
or follows from what was planted; which conditions follow is stated, with the reason, beside each run. A healthy run
in which anything is found is a false alarm. {trained}
"""

_TROUBLES = """\
Each planted trouble is one: except where the trouble is a fact that need not cost accuracy (such as test images in
the training set), the run validates clearly worse than its twin without the trouble, which
`python -m tests.planted_runs --twins` shows run by run.
"""


def write(path: Path, score: Score, records: Sequence[Record], skipped: Sequence[str]) -> None:
    """Write the page to `path`."""
    seeds = ", ".join(map(str, sorted({record.seed for record in records})))
    versions = f"plaingrad {pg.__version__}, Python {platform.python_version()}, NumPy {np.__version__}."
    head = _INTRODUCTION.format(
        planted=len(PLANTED),
        healthy=len(HEALTHY),
        seeds=seeds,
        sure=SURE,
        trained=f"{len(records):,} trainings in all; {versions}",
    )
    parts = [head, *(f"{line[:1].upper()}{line[1:]}.\n" for line in skipped)]
    parts += [
        "\n".join(f"- {line}" for line in score.summary) + "\n",
        "\n".join(score.table) + "\n",
        _TROUBLES,
    ]
    for title, lines in (
        ("Not found", score.misses),
        ("Found, and something wrong said beside it", score.strays),
        ("False alarms", score.alarms),
    ):
        parts.append(f"## {title}\n\n" + ("\n".join(f"- {line}" for line in lines) or "None.") + "\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(parts), encoding="utf-8")
