"""A study is a folder: its plan, its storage, a run folder for every run, and what was found."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import IO

from plaingrad.errors import RunError
from plaingrad.run_folder import claimed
from plaingrad.search.plan import Plan, read_plan


class StudyFolder:
    """The folder of one study.

    shared: whether several machines share the study in a database; then each may have a folder of its own, or
        all one.
    """

    def __init__(self, path: Path, *, shared: bool = False) -> None:
        self.path, self.shared = path, shared
        self.plan_file = path / "study.toml"
        self.results_file = path / "results.csv"
        self._lock: IO[str] | None = None

    @property
    def name(self) -> str:
        """What the study is called in its storage."""
        return self.path.resolve().name

    @property
    def resume_command(self) -> str:
        """What continues this study, for a shell."""
        url = " --storage URL" if self.shared else ""  # the URL itself may hold a password
        return f"plaingrad tune --resume {shlex.quote(str(self.path))}{url}"

    @classmethod
    def new(cls, out: str | Path | None, name: str) -> StudyFolder:
        """A folder for a study yet to come: `out`, or one under runs/ with a name and the time.

        Raises RunError if `out` is in use or cannot be made.
        """
        return cls(claimed(out, f"tune-{name}", "study.toml", "study"))

    @classmethod
    def open(cls, path: str | Path) -> StudyFolder:
        """The folder of a study that was begun before.  Raises RunError if it is not one."""
        folder = cls(Path(path))
        if not os.path.isfile(folder.plan_file):  # False, too, for what no path can be
            raise RunError(f"{path} is not a study: it holds no {folder.plan_file.name}")
        return folder

    def plan(self) -> Plan:
        """What the study is to search."""
        return read_plan(self.plan_file)

    def run(self, trial: int, seed: int) -> Path:
        """The run folder of one seed of a trial."""
        return self.path / "trials" / f"{trial:04d}-seed-{seed}"

    def final_run(self, trial: int, seed: int) -> Path:
        """The run folder of a trial's setting, trained again for the test."""
        return self.path / "final" / f"{trial:04d}-seed-{seed}"

    def relative(self, run: Path) -> str:
        """A run's folder, seen from the study's."""
        return run.relative_to(self.path).as_posix()

    def make(self) -> None:
        """Make the folder, which may be there already.  Raises RunError if it cannot be made."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(
                f"the study folder {self.path} cannot be made: {error.strerror}; choose another with --out"
            ) from None

    def write_plan(self, plan: Plan) -> None:
        """Write the plan, whole or not at all.  Raises RunError if the folder takes no file."""
        try:
            plan.write(self.plan_file)
        except OSError as error:
            raise RunError(
                f"{self.plan_file} cannot be written: {error.strerror}; choose another --out"
            ) from None

    def lock(self) -> None:
        """Be the only search in this folder until this process ends.  Raises RunError if another is."""
        try:
            import fcntl
        except ImportError:  # Windows has other locks; there it is up to the user
            return
        try:
            self._lock = (self.path / "lock").open("a+")
        except OSError as error:
            raise RunError(
                f"{self.path} takes no files: {error.strerror}; a search has to write there"
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.seek(0)
            who = self._lock.read().strip()
            self._lock.close()
            raise RunError(
                f"{self.path} is being searched by another process{f' ({who})' if who else ''}: wait for it, or share "
                "a study among several with --storage postgresql://..."
            ) from None
        except OSError:  # a disk that knows no locks
            return
        self._lock.truncate(0)
        self._lock.write(str(os.getpid()))
        self._lock.flush()

    def unlock(self) -> None:
        """Let others search here."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
