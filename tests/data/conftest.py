"""What the tests of `plaingrad.data` share: CIFAR batches as Python 2 wrote them, and a local HTTP server."""

from __future__ import annotations

import contextlib
import os
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest


def string(text: bytes) -> bytes:
    """The pickle instruction for a Python 2 string."""
    return b"U" + bytes([len(text)]) + text if len(text) < 256 else b"T" + struct.pack("<i", len(text)) + text


def pickled_array(array: np.ndarray, dtype: bytes = b"u1", fortran: bytes = b"\x89") -> bytes:
    rows, columns = array.shape
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + string(b"b") + b"\x87R(K\x01"
        b"J" + struct.pack("<i", rows) + b"M" + struct.pack("<H", columns) + b"\x86"
        b"cnumpy\ndtype\n" + string(dtype) + b"K\x00K\x01\x87R(K\x03" + string(b"|") + b"NNN"
        b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb" + fortran + string(array.tobytes()) + b"tb"
    )


def pickled_batch(images: np.ndarray, labels: list[int], key: bytes = b"labels") -> bytes:
    listed = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    data = pickled_array(images.reshape(len(images), -1))
    return b"\x80\x02}q\x01(" + string(key) + b"q\x02" + listed + string(b"data") + data + b"u."


@pytest.fixture(scope="session")
def cifar10_folder() -> Path:
    """The real CIFAR-10, Python version."""
    folder = Path(os.environ.get("PLAINGRAD_DATA_DIR", "")) / "cifar-10-batches-py"
    if "PLAINGRAD_DATA_DIR" not in os.environ or not folder.is_dir():
        pytest.skip("needs CIFAR-10: set PLAINGRAD_DATA_DIR to the folder that holds cifar-10-batches-py")
    return folder


class Server:
    """A local HTTP server whose files and faults a test chooses.

    `files` maps a path such as "/a" to its bytes; `requests` records (path, Range header).  With `ranges`
    it resumes; `cut` is a list of byte counts after which the next answers break off; without
    `send_length` it does not say how much will come; `answered_range` replaces the range it says it sends.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.ranges = True
        self.cut: list[int] = []
        self.send_length = True
        self.answered_range: str | None = None
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wanted = self.headers.get("Range")
                server.requests.append((self.path, wanted))
                body = server.files.get(self.path)
                if body is None:
                    self.send_error(404)
                    return
                start = (
                    int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and server.ranges else 0
                )
                if start and start >= len(body):
                    self.send_error(416)
                    return
                self.send_response(206 if start else 200)
                if start:
                    honest = f"bytes {start}-{len(body) - 1}/{len(body)}"
                    self.send_header("Content-Range", server.answered_range or honest)
                if server.send_length:
                    self.send_header("Content-Length", str(len(body) - start))
                self.end_headers()
                count = server.cut.pop(0) if server.cut else len(body)
                with contextlib.suppress(ConnectionError):  # the client may have heard enough
                    self.wfile.write(body[start : start + count])

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("plaingrad.data.download.PAUSE", 0.0)
    running = Server()
    yield running
    running.stop()
