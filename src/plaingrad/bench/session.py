"""A benchmark from its call to its files: it starts the measuring processes, and writes down what they told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from plaingrad.bench.facts import machine
from plaingrad.bench.libraries import present
from plaingrad.bench.outcome import COLUMNS, RIGHT, SUMMARY_COLUMNS, SUMMARY_RIGHT, Outcome, markdown
from plaingrad.bench.workloads import Workload, chosen
from plaingrad.checkpoint import write_whole
from plaingrad.errors import PlaingradError, RecipeError, RunError, require_count
from plaingrad.machine import processors

# JAX, and so Keras, takes its number of threads from the last two.
_THREADS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS",
    "PLAINGRAD_NUM_THREADS", "NPROC", "PJRT_NPROC",
)  # fmt: skip


class MeasurementError(PlaingradError):
    """A measuring process ended without an outcome; says what it said last."""

    exit_code = 1


class Session:
    """Workloads measured under the same conditions, and the folder that tells of them.

    ids: of workloads, all for none; batches: other batch sizes to measure them at.  rounds: how often
    everybody trains; steps: training steps in a round, each workload's own number if None.  threads: for
    every library, as many as there are processors if None.  against: keys of libraries, all for none.
    out: the folder, runs/bench-TIME if None.  memory: whether to measure it, too.

    Raises RecipeError for what does not exist or is out of range, RunError if the folder takes no file.
    """

    def __init__(
        self,
        ids: Sequence[str] = (),
        *,
        batches: Sequence[int] = (),
        rounds: int = 15,
        steps: int | None = None,
        threads: int | None = None,
        against: Sequence[str] = (),
        out: str | Path | None = None,
        memory: bool = True,
    ) -> None:
        self.workloads = chosen(ids, batches)
        require_count("--rounds", rounds, 1)
        if steps is not None:
            require_count("--steps", steps, 1)
        self.rounds, self.steps, self.memory = rounds, steps, memory
        self.threads = processors() if threads is None else threads
        require_count("--threads", self.threads, 1)
        if self.threads > processors():
            raise RecipeError(
                f"--threads must be at most {processors()}, the processors there are, got {threads}"
            )
        self.libraries, self.absent = present(against)
        self.machine = machine(self.threads, self.libraries)
        self.outcomes: list[Outcome] = []
        self.out = Path(out or Path("runs") / f"bench-{datetime.now():%Y%m%d-%H%M%S}")
        self._require_room()

    @property
    def conditions(self) -> str:
        """Machine, versions, threads, and who is not here, in a line each."""
        lines = [", ".join(f"{name} {value}" for name, value in self.machine.items())]
        if self.absent:
            lines.append("absent: " + "; ".join(f"{name} ({why})" for name, why in self.absent.items()))
        return "\n".join(lines)

    def measure(self, workload: Workload) -> Outcome:
        """Time every contender, then each alone for its memory; write it down.  Raises MeasurementError."""
        steps = self.steps or workload.steps
        plan = {"libraries": self.libraries, "rounds": self.rounds, "steps": steps}
        told = self._process(workload, task="time", **plan)
        memory: dict[str, Any] = {}
        for own in told["contenders"] if self.memory else ():
            try:
                memory[own["name"]] = self._process(
                    workload, task="memory", library=own["key"], setting=own["setting"]
                )
            except MeasurementError as error:  # it did train beside the others
                told["failed"][f"{own['name']}, alone"] = str(error)
        counts = {"rounds": self.rounds, "steps": steps, "threads": self.threads}
        outcome = Outcome.of(workload, told, memory, **counts)
        self.outcomes.append(outcome)
        self.write()
        return outcome

    def write(self) -> None:
        """bench.json and bench.md, with what was measured so far."""
        text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n"
        self._write("bench.json", text.encode())
        self._write("bench.md", self.page().encode())

    def draw(self) -> None:
        """bench.svg."""
        from plaingrad.bench.picture import bars

        where = f"{self.machine['processor']}, {self.threads} threads.  "
        self._write("bench.svg", bars(self.outcomes, where))

    def to_dict(self) -> dict[str, Any]:
        """As plain values, with every round."""
        return {
            "machine": self.machine,
            "absent": self.absent,
            "workloads": [outcome.to_dict() for outcome in self.outcomes],
        }

    def page(self) -> str:
        """Everything measured as tables in Markdown."""
        parts = ["# plaingrad side by side", self.conditions]
        rows = [outcome.summary_row() for outcome in self.outcomes]
        parts.append(markdown(SUMMARY_COLUMNS, rows, SUMMARY_RIGHT))
        for outcome in self.outcomes:
            parts += [f"## {outcome.title}", markdown(COLUMNS, outcome.rows(), RIGHT)]
            parts += outcome.notes
        return "\n\n".join(parts) + "\n"

    def _require_room(self) -> None:
        """A folder that takes no file is better met before anything is measured than after."""
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.out):
                pass
        except OSError as error:
            raise self._unwritable(self.out, error) from None

    def _write(self, name: str, data: bytes) -> None:
        try:
            write_whole(self.out / name, data)
        except OSError as error:
            raise self._unwritable(self.out / name, error) from None

    @staticmethod
    def _unwritable(path: Path, error: OSError) -> RunError:
        return RunError(f"{path} cannot be written: {error.strerror}; choose another --out")

    def _process(self, workload: Workload, **task: Any) -> Any:
        """What a measuring process told."""
        with tempfile.TemporaryDirectory() as folder:
            environment = {
                **os.environ,
                **dict.fromkeys(_THREADS, str(self.threads)),
                "JAX_PLATFORMS": "cpu",
                "KERAS_BACKEND": "jax",
                "KERAS_HOME": folder,  # Keras reads its settings there, or else writes them
                "TORCHINDUCTOR_COMPILE_THREADS": "1",  # no helpers that stay beside what is measured
            }
            job, outcome = Path(folder, "job.json"), Path(folder, "outcome.json")
            job.write_text(json.dumps({"workload": asdict(workload), **task}), encoding="utf-8")
            command = [sys.executable, "-P", "-m", "plaingrad.bench", str(job), str(outcome)]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace")
            if done.returncode == 0:
                return json.loads(outcome.read_text(encoding="utf-8"))
        who = task.get("library", "the measuring process")
        raise MeasurementError(f"{workload.id}: {who} {_end(done)}")


def _end(done: subprocess.CompletedProcess[str]) -> str:
    """How a process ended."""
    if done.returncode < 0:
        number = -done.returncode
        name = signal.Signals(number).name if number in {*signal.Signals} else f"signal {number}"
        return f"was ended by {name}; if memory ran out, take a smaller --batch or fewer libraries with --against"
    said = done.stderr.strip().splitlines()
    return f"failed: {said[-1] if said else f'exit code {done.returncode}'}"
