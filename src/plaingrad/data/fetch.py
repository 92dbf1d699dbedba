"""Fetching data sets: mirrors in turn, resumed, checked by SHA-256, unpacked file by file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plaingrad.data.download import Progress, TransferError, download
from plaingrad.data.files import DataFile, Layout, open_checked
from plaingrad.data.locate import default_dir, find_source, locate
from plaingrad.data.sources import SOURCES, Archive, Source
from plaingrad.errors import DataError, DownloadError

if TYPE_CHECKING:
    from logging import Logger


def fetch(
    name: str,
    path: str | Path | None = None,
    *,
    progress: Progress | None = None,
    sources: Mapping[str, Source] = SOURCES,
) -> Path:
    """Make the data set `name` complete in the data folder `path` (default: `default_dir()`).

    What is there and right is kept; an archive put there by hand is unpacked; the rest is downloaded from
    the first mirror that delivers the right bytes, going on where an interrupted download stopped.
    `progress(file, done_bytes, total_bytes)` is called as data arrives.  Returns the folder with the
    files.

    Raises DataError for an unknown name or a source that has nothing to download, and DownloadError,
    saying how to do it by hand, if no mirror delivers or the folder cannot be written.
    """
    source = find_source(name, sources)
    if source.embedded is not None:
        return Path(__file__).parent
    if not source.archives:
        raise DataError(f"{name}: {source.summary}; there is nothing to download")
    root = default_dir() if path is None else Path(path)
    layout, folder = locate(source, root) or _destination(source, root)
    if _all_right(layout, folder):
        return folder

    layout, folder = _destination(source, root)
    command = f"plaingrad data fetch {name}" + ("" if path is None else f" --data-dir {path}")
    try:
        for archive in source.archives:
            _fetch_archive(archive, layout, folder, root, progress, command)
    except OSError as error:
        raise DownloadError(
            f"{name}: cannot write to {root} ({error}); make room there or name another folder"
        ) from error
    for file, ok, message in _check(layout, folder):
        if not ok:
            raise DownloadError(f"{name}: {file} is still not right after the download: {message}")
    return folder


def verify(
    name: str, path: str | Path | None = None, *, sources: Mapping[str, Source] = SOURCES
) -> list[tuple[str, bool, str]]:
    """Each file of data set `name` in the data folder `path`, whether it is right, and what was found.

    Digests are compared where one is known, else sizes.  Raises DataError for an unknown name.
    """
    source = find_source(name, sources)
    root = default_dir() if path is None else Path(path)
    if source.embedded is not None:
        train, test = source.embedded()
        return [(name, True, f"inside the package, {len(train) + len(test):,} images")]
    if not source.layouts:
        raise DataError(f"{name}: {source.summary}; there are no digests to compare it with")
    return _check(*(locate(source, root) or _destination(source, root)))


def _destination(source: Source, root: Path) -> tuple[Layout, Path]:
    """Where a download goes: `root` itself if it bears the folder's name already, else a folder in it."""
    layout = source.layouts[0]
    if root.name == layout.folders[0]:
        return layout, root
    begun = (root / name for name in layout.folders if (root / name).is_dir())
    return layout, next(begun, root / layout.folders[0])


def _check(layout: Layout, folder: Path) -> list[tuple[str, bool, str]]:
    found = []
    for expected in layout.files:
        path = folder / expected.name
        try:
            open_checked(path, expected, layout.title).close()
        except DataError as error:
            found.append((str(path), False, "missing" if not path.exists() else str(error)))
        else:
            found.append((str(path), True, _finding(expected)))
    return found


def _finding(expected: DataFile) -> str:
    checked = "SHA-256" if expected.sha256 else "MD5" if expected.md5 else "size"
    return f"{checked} as published"


def _all_right(layout: Layout, folder: Path) -> bool:
    return all(ok for _, ok, _ in _check(layout, folder))


def _fetch_archive(
    archive: Archive, layout: Layout, folder: Path, root: Path, progress: Progress | None, command: str
) -> None:
    """Bring one archive's files into `folder`: from an archive that is there, or from the mirrors."""
    folder.mkdir(parents=True, exist_ok=True)
    if not archive.members:
        if not _is_right(folder / archive.name, archive):
            _move_by_hand(archive, root, folder)
            _download(archive, folder, progress, command)
        return
    # People put an archive beside the folder it holds, or into it.
    by_hand = next((place for place in (root, folder) if _is_right(place / archive.name, archive)), None)
    path = (by_hand or root) / archive.name
    if by_hand is None:
        _download(archive, root, progress, command)
    _unpack(path, archive, layout, folder)
    if by_hand is None:
        path.unlink()


def _is_right(path: Path, archive: Archive) -> bool:
    try:
        open_checked(path, DataFile(archive.name, archive.sha256, archive.size), archive.name).close()
    except DataError:
        return False
    return True


def _move_by_hand(archive: Archive, root: Path, folder: Path) -> None:
    """A data file put into `root` by hand is copied to where it belongs."""
    import shutil

    if root != folder and _is_right(root / archive.name, archive):
        with _atomic(folder / archive.name) as temporary:
            shutil.copyfile(root / archive.name, temporary)


def _download(archive: Archive, directory: Path, progress: Progress | None, command: str) -> None:
    """Download to `directory`, or raise DownloadError; pooch checks the digest and moves the file."""
    import pooch

    part = directory / (archive.name + ".part")

    def transfer(url: str, output_file: Any, pooch: object) -> None:  # as pooch calls its downloaders
        download(
            url, part, archive.size, lambda done: progress and progress(archive.name, done, archive.size)
        )
        os.replace(part, output_file)

    reasons = []
    for url in archive.urls:
        reason = ""
        # A second try of the same mirror, from the start, if the first went on from a beginning that
        # may have been another's and bad.
        for _ in range(2 if part.exists() else 1):
            try:
                with _quiet(pooch.get_logger()):
                    pooch.retrieve(
                        url,
                        f"sha256:{archive.sha256}",
                        archive.name,
                        directory,
                        downloader=transfer,  # pyright: ignore[reportArgumentType]  (its type is misdeclared)
                    )
                return
            except TransferError as error:
                reason = str(error)
                break
            except ValueError:
                reason = "sent a file with the wrong SHA-256"
        reasons.append(f"{url} {reason}")
    raise DownloadError(
        f"{archive.name} ({archive.size / 1e6:.1f} MB) could not be downloaded: {'; '.join(reasons)}. "
        f"Download it by hand from one of these addresses, put it into {directory} under the name "
        f"{archive.name}, and run `{command}` again: it will be checked and put to use. "
        "A download that broke off goes on where it stopped when the same command is run again."
    )


def _unpack(path: Path, archive: Archive, layout: Layout, folder: Path) -> None:
    """Take the expected members out of a tar archive, by exact name, into files whose names we choose."""
    import shutil
    import tarfile

    wanted = dict(zip(archive.members, layout.files, strict=True))
    with tarfile.open(path) as tar:
        for member in tar:
            expected = wanted.get(member.name)
            source = tar.extractfile(member) if expected is not None and member.isreg() else None
            if expected is None or source is None:
                continue
            if expected.size not in (None, member.size):
                raise DataError(
                    f"{path}: {member.name} has {member.size:,} bytes, expected {expected.size:,}"
                )
            with _atomic(folder / expected.name) as temporary, temporary.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            del wanted[member.name]
    if wanted:
        raise DataError(f"{path}: does not hold {', '.join(wanted)}")


@contextmanager
def _atomic(path: Path) -> Iterator[Path]:
    """A temporary file that takes the place of `path` when all went well, and is removed if not."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _quiet(logger: Logger) -> Iterator[None]:
    """The library prints nothing; pooch's logger would announce each download."""
    level = logger.level
    logger.setLevel("WARNING")
    try:
        yield
    finally:
        logger.setLevel(level)
