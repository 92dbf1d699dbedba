"""Options that several commands take, and what they share: the guard around every command."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from plaingrad.errors import Interrupted, PlaingradError

Json = Annotated[bool, typer.Option("--json", help="End with one line of JSON.")]
DataDir = Annotated[str | None, typer.Option("--data-dir", help="The folder that holds the data.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Override a field.")]
Data = Annotated[str | None, typer.Option("--data", help="A data set, a folder of images, or an .npz file.")]
Seed = Annotated[int | None, typer.Option(help="Seed of weights, order, augmentation and dropout.")]
Flip = Annotated[bool, typer.Option("--flip", help="Average each image's scores with its mirror image's.")]


def guarded(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn our own errors into one sentence and their exit code."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except PlaingradError as error:
            typer.echo(f"plaingrad: {error}", err=True)
            raise typer.Exit(error.exit_code) from None
        except Interrupted as interrupt:
            typer.echo(f"plaingrad: {interrupt}", err=True)
            raise typer.Exit(128 + interrupt.signal) from None
        except KeyboardInterrupt:
            typer.echo("plaingrad: interrupted", err=True)
            raise typer.Exit(130) from None
        except MemoryError as error:
            typer.echo(
                f"plaingrad: not enough memory: {error}; make the network, the batch or the images smaller",
                err=True,
            )
            raise typer.Exit(1) from None
        except BrokenPipeError:  # whoever read our output stopped reading
            from plaingrad.console import discard_output

            discard_output()

    return wrapped


def recipe_of(
    name: str,
    data: str | None,
    data_dir: str | None,
    changes: list[str] | None,
    seed: int | None,
    defaults: Mapping[str, Any] | None = None,
) -> Any:
    """The recipe of that name or file, with what the options change."""
    from plaingrad.recipe import read_recipe

    values = {"data.name": data, "data.path": data_dir, "seed": seed}
    given = {field: value for field, value in values.items() if value is not None}
    return read_recipe(name, changes or [], given, defaults=defaults)
