"""Where the server listens, and what is said of who can read it."""

from __future__ import annotations

import threading

import pytest

pytest.importorskip("starlette", reason="starlette is not installed: pip install 'plaingrad[watch]'")
pytest.importorskip("uvicorn", reason="uvicorn is not installed: pip install 'plaingrad[watch]'")

from plaingrad.errors import WatchError
from plaingrad.live import server

from .serving import LONG


def test_a_port_in_use():
    with server.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(WatchError, match=f"port {port} is in use: choose another --port"):
            server.listen("127.0.0.1", port)


def test_without_a_port_the_next_free_one_is_taken(monkeypatch):
    with server.listen("127.0.0.1", 0) as taken:
        first = taken.getsockname()[1]
        monkeypatch.setattr(server, "PORT", first)
        with server.listen("127.0.0.1", None) as listening:
            assert first < listening.getsockname()[1] < first + 20
        monkeypatch.setattr(server, "_TRIED", 1)
        with pytest.raises(WatchError, match=r"are in use: --port 0 takes any"):
            server.listen("127.0.0.1", None)


@pytest.mark.parametrize("host", ["no such host", "203.0.113.7", "a" * 70 + ".example", "", "\ud800"])
def test_a_host_that_is_not_here(host):
    with pytest.raises(WatchError, match=r"cannot listen on port 0 of"):
        server.listen(host, 0)


class _Listening:
    """Stands for a socket that listens on an address, for no test listens beyond this machine."""

    def __init__(self, address):
        self.address = address

    def getsockname(self):
        return (self.address, 8765)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass


@pytest.mark.parametrize(
    ("host", "address", "url", "warned"),
    [
        ("127.0.0.1", "127.0.0.1", "http://127.0.0.1:8765", False),
        ("localhost", "127.0.0.1", "http://localhost:8765", False),
        ("::1", "::1", "http://[::1]:8765", False),
        ("0.0.0.0", "0.0.0.0", "http://box:8765", True),
        ("::", "::", "http://box:8765", True),
        ("192.168.1.7", "192.168.1.7", "http://192.168.1.7:8765", True),
    ],
)
def test_who_can_read_it_is_said(tmp_path, monkeypatch, host, address, url, warned):
    class Server:
        async def serve(self, sockets):
            raise KeyboardInterrupt

    told, warnings, opened = [], [], threading.Event()
    monkeypatch.setattr(server, "listen", lambda host, port: _Listening(address))
    monkeypatch.setattr(server, "server_of", lambda pages, hosts: hosts_seen.append(hosts) or Server())
    monkeypatch.setattr(server.socket, "gethostname", lambda: "box")
    monkeypatch.setattr(server.webbrowser, "open", lambda at: at == url and opened.set())
    hosts_seen = []
    (tmp_path / "recipe.toml").touch()
    server.serve(tmp_path, host, None, show=True, tell=told.append, warn=warnings.append)
    assert told == [f"watching {tmp_path} at {url} (Ctrl-C ends watching, not training)"]
    assert opened.wait(LONG)
    assert bool(warnings) == warned
    assert all("everybody in its network can read" in warning for warning in warnings)
    assert url.removeprefix("http://") in hosts_seen[0]
    assert "elsewhere.example:8765" not in hosts_seen[0]
