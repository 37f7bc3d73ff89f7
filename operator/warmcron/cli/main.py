"""The command `warmcron`: its verbs, and what a user's mistake looks like. Exit codes: 0 done, 2 asked wrongly."""

import sys

import typer

from warmcron import __version__
from warmcron.cli import dev
from warmcron.errors import WarmcronError

app = typer.Typer(
    name="warmcron",
    help="Cron for warm pods.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("dev")(dev.dev)


@app.command()
def version() -> None:
    """Say which version this is."""
    typer.echo(__version__)


def main() -> None:
    """Runs the command."""
    try:
        app()
    except WarmcronError as error:
        sys.stderr.write(f"warmcron: {error}\n")
        sys.exit(2)
