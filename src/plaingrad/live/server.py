"""The report on a port of this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import os
import socket
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path

import uvicorn

from plaingrad.errors import WatchError
from plaingrad.live.app import Hosts, application
from plaingrad.live.pages import Pages
from plaingrad.run_folder import RunFolder, Warn

PORT = 8765
_TRIED = 20  # ports from PORT on, where none was asked for

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


def serve(
    run: str | Path,
    host: str,
    port: int | None,
    *,
    show: bool,
    tell: Callable[[str], None],
    warn: Warn,
) -> None:
    """As `plaingrad.live.watch`."""
    folder = RunFolder.open(run)
    with listen(host, port) as listening, contextlib.suppress(KeyboardInterrupt):
        if not _address(listening).is_loopback:
            warn(
                f"--host {host} is not this machine alone: everybody in its network can read this run's report"
            )
        url = url_of(host, listening)
        server = server_of(Pages(folder), hosts_of(host, listening))

        async def run_server() -> None:  # what is told is told once Ctrl-C finds a loop that it can end
            tell(f"watching {run} at {url} (Ctrl-C ends watching, not training)")
            if show:  # in a thread, for a browser in a terminal would wait for us
                threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
            await server.serve(sockets=[listening])

        asyncio.run(run_server())


def listen(host: str, port: int | None) -> socket.socket:
    """A socket that listens on a port of `host`; PORT or one of the next if `port` is None.

    Raises WatchError if there is no such host here, or the port is in use.
    """
    tried = range(PORT, PORT + _TRIED) if port is None else [port]
    for number in tried:
        try:
            family, _, _, _, address = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0]
            return socket.create_server(address[:2], family=family)
        except (OSError, UnicodeError) as error:
            if not (isinstance(error, OSError) and error.errno == errno.EADDRINUSE):
                raise WatchError(
                    f"cannot listen on port {number} of {host!r}: {_why(error)}; choose another --host or --port"
                ) from None
    if port is not None:
        raise WatchError(f"port {port} is in use: choose another --port, or leave it out to take a free one")
    raise WatchError(f"ports {PORT} to {tried[-1]} are in use: --port 0 takes any that is free")


def url_of(host: str, listening: socket.socket) -> str:
    """Where a browser finds the page; by this machine's name if it listens on all addresses."""
    name = socket.gethostname() if _address(listening).is_unspecified else _bracketed(host)
    return f"http://{name}:{listening.getsockname()[1]}"


def hosts_of(host: str, listening: socket.socket) -> Hosts:
    """The names under which the page may be asked for: this machine's, and the one given."""
    if _address(listening).is_unspecified:
        return Hosts(_LOOPBACK | {socket.gethostname().lower()}, addresses=True)
    return Hosts(_LOOPBACK | {_bracketed(host).lower()})


def server_of(pages: Pages, hosts: Hosts) -> uvicorn.Server:
    """The server, to be run with a socket that listens.

    Streams end within half a second when it is told to stop; what takes more than a second is cut off.
    """
    app = application(pages, hosts, lambda: not server.should_exit)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            access_log=False,
            log_config=None,
            limit_concurrency=200,  # streams stay open: more would run out of files
            log_level="critical",  # it would complain of answers cut off by Ctrl-C
            timeout_graceful_shutdown=1,
        )
    )
    return server


def _why(error: OSError | UnicodeError) -> str:
    """What went wrong, without the address, which Python's own message repeats."""
    if isinstance(error, UnicodeError):
        return str(error)
    if isinstance(error, socket.gaierror) or error.errno is None:
        return error.strerror or str(error)
    return os.strerror(error.errno)


def _address(listening: socket.socket) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(listening.getsockname()[0])


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
