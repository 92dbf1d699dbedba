"""`plaingrad watch`."""

from __future__ import annotations

from typing import Annotated

import typer

from plaingrad.cli.options import guarded


@guarded
def watch(
    run: Annotated[str, typer.Argument(help="A run folder.")],
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="8765 or the next free one if not given; 0 for any free one."),
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = False,
) -> None:
    """Show a run's report in the browser while it trains."""
    from plaingrad import console, live

    live.watch(run, host=host, port=port, show=open_, tell=_tell, warn=console.warn)


def _tell(message: str) -> None:
    print(message, flush=True)
