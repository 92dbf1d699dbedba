"""What is answered to whom: the page, and events that say when there is a new one; nothing else."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plaingrad.live.pages import STRICT, Pages

_POLL = 0.5  # seconds between two looks at the run's files, for each viewer
_SILENCE = 15.0  # seconds after which something is sent, so that a dead connection is noticed

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:\[\]/@]+)(:\d{1,5})?")

_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Hosts:
    """Which Host headers are answered, so that no page from elsewhere can point its own name at us.

    names: host names and addresses, as a browser sends them, without the port: whoever forwards a port
    has another one.  addresses: whether any IP address will do as well, for a server that listens on all.
    """

    names: frozenset[str]
    addresses: bool = False

    def __contains__(self, header: str) -> bool:
        """Whether a request with this Host header is answered."""
        match = _HOST.fullmatch(header.lower())
        return match is not None and (match[1] in self.names or (self.addresses and _is_address(match[1])))


def application(pages: Pages, hosts: Hosts, running: Callable[[], bool]) -> Starlette:
    """GET / is the page, GET /events a stream of server-sent events, while `running`.

    An event `page` says that there is a new page, an event `end` that it is one of a run that has ended;
    both come with the page's number.  The first comes at once.
    """

    async def page(request: Request) -> Response:
        current = await pages.current()
        return Response(
            current.body,
            status_code=200 if current.whole else 503,
            headers={"Content-Security-Policy": current.policy + "; frame-ancestors 'none'"},
            media_type="text/html",
        )

    async def events(request: Request) -> Response:
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        return StreamingResponse(_events(pages, running), media_type="text/event-stream")

    app = Starlette(
        routes=[Route("/", page), Route("/events", events)],
        middleware=[Middleware(_Guard, hosts=hosts)],
    )
    app.router.redirect_slashes = False
    return app


async def _events(pages: Pages, running: Callable[[], bool]) -> AsyncIterator[str]:
    yield "retry: 2000\n\n"
    told, spoke = 0, time.monotonic()
    while running():
        page = await pages.current()
        if page.number != told:
            told, spoke = page.number, time.monotonic()
            yield f"event: {'end' if page.ended else 'page'}\ndata: {told}\n\n"
        elif time.monotonic() - spoke >= _SILENCE:
            spoke = time.monotonic()
            yield ": nothing new\n\n"
        await asyncio.sleep(_POLL)


class _Guard:
    """Refuses requests for another host, and gives every answer the headers that keep others out."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Content-Security-Policy", STRICT + "; frame-ancestors 'none'")
            await send(message)

        if Headers(scope=scope).get("host", "") in self.hosts:
            await self.app(scope, receive, guarded)
        else:
            refusal = PlainTextResponse("This page is not served under that host name.\n", status_code=403)
            await refusal(scope, receive, guarded)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
