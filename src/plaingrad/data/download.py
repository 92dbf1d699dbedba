"""Downloading one file from one server, resumably."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

# What fetch's caller is told: the file's name, the bytes there so far, the bytes in all.
Progress = Callable[[str, int, int], None]

TIMEOUT = (10.0, 30.0)  # seconds to connect, and between two pieces of data
ATTEMPTS = 3  # in a row without real progress
PAUSE = 1.0  # seconds before the second attempt, twice that before the third
_REAL_PROGRESS = 1 << 20
_PIECE = 1 << 18


class TransferError(Exception):
    """The server did not deliver the file; the message says why, in a few words."""


def download(url: str, part: Path, size: int, progress: Callable[[int], None]) -> None:
    """Download until the file `part` has `size` bytes, beginning where it ends already.

    What arrived stays in `part` when the transfer breaks off, and the next call, or a call with another
    mirror's URL, goes on from there; a server that cannot resume sends the file from the start.
    `progress` is called with the number of bytes there.  Nothing beyond `size` is written.

    Raises TransferError when the server refuses, offers a file of another size, or breaks off
    ATTEMPTS times without progress.
    """
    failures = 0
    while True:
        before = _size(part)
        if before > size:  # not a beginning of this file
            part.unlink()
            continue
        try:
            if before < size:
                _transfer(url, part, size, progress)
            return
        except _BrokenOffError as error:
            gained = _size(part) - before
            failures = 1 if gained >= _REAL_PROGRESS else failures + 1
            if failures >= ATTEMPTS:
                raise TransferError(str(error)) from error
            time.sleep(PAUSE * failures)


class _BrokenOffError(Exception):
    """The connection failed or ended early: trying again may help."""


def _transfer(url: str, part: Path, size: int, progress: Callable[[int], None]) -> None:
    """One request: append to `part` if the server resumes, rewrite it if not."""
    import requests
    import urllib3  # what requests is built on; its errors show through the raw stream

    have = _size(part)
    # "identity": the digest is that of the file itself, not of a version compressed for transport.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            resumed = response.status_code == 206 and _starts_at(
                response.headers.get("Content-Range", ""), have
            )
            if not resumed:
                if response.status_code == 416:  # "range not satisfiable": its file is shorter than ours
                    part.unlink()
                    raise TransferError("its file has another size")
                if response.status_code != 200:
                    raise TransferError(f"answered {response.status_code} {response.reason}")
                have = 0
            offered = response.headers.get("Content-Length", "")
            if offered.isdigit() and have + int(offered) != size:
                raise TransferError(f"offers {have + int(offered):,} bytes instead of {size:,}")
            with part.open("ab" if resumed else "wb") as file:
                for piece in response.raw.stream(_PIECE, decode_content=False):
                    have += len(piece)
                    if have > size:
                        raise TransferError(f"sends more than {size:,} bytes")
                    file.write(piece)
                    progress(have)
    except requests.Timeout as error:
        raise _BrokenOffError("did not answer in time") from error
    except (requests.ConnectionError, urllib3.exceptions.HTTPError) as error:
        raise _BrokenOffError("could not be reached, or cut the connection") from error
    except requests.RequestException as error:
        raise TransferError(str(error)) from error
    if have < size:
        raise _BrokenOffError(f"cut the connection after {have:,} of {size:,} bytes")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _starts_at(content_range: str, start: int) -> bool:
    return content_range.startswith(f"bytes {start}-")
