"""`warmcron dev`: reads options and starts the embedded mode."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def dev(  # noqa: PLR0913 - options are arguments
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files or folders with ScheduledTasks; the built-in example when there is none."),
    ] = None,
    *,
    workers: Annotated[int, typer.Option(min=0, max=64, help="Worker processes for each pool.")] = 2,
    module: Annotated[
        list[str] | None,
        typer.Option(help="Python module with handlers; those beside the tasks when there is none. Repeatable."),
    ] = None,
    command: Annotated[
        str, typer.Option(help="Starts a worker in another language; {port} and $PORT name its port.")
    ] = "",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port on 127.0.0.1; 8321 or a free one when not given.")
    ] = None,
    state: Annotated[Path, typer.Option(help="Folder that remembers what has run.")] = Path(".warmcron"),
    grace: Annotated[float, typer.Option(min=0, max=3600, help="Seconds that runs get to end on Ctrl-C.")] = 5.0,
    plain: Annotated[bool, typer.Option("--plain", help="Log lines instead of the live view.")] = False,
) -> None:
    """Run tasks on this machine, without a cluster: the same engine, with processes for pods."""
    # Here and not above: the engine, the database and the web server cost every other verb two thirds of its start.
    import uvloop  # noqa: PLC0415

    from warmcron.local.dev import Dev, Options  # noqa: PLC0415

    options = Options(
        paths=tuple(paths or ()),
        workers=workers,
        modules=tuple(module or ()),
        command=command,
        port=port,
        state=state,
        grace=grace,
        plain=plain,
    )

    async def run() -> None:
        await Dev(options, Console()).run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
