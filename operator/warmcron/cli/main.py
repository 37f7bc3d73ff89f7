"""The command `warmcron`, also as `kubectl warmcron`: its verbs, and what a user's mistake looks like.

Exit codes: 0 done; 1 the cluster or the server did not do it, or the run did not succeed; 2 asked wrongly; 130 Ctrl-C.
"""

import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

import typer

from warmcron import __version__
from warmcron.cli import convert, dev, lint, runs, simulate, tasks, upcoming, workers
from warmcron.cli.target import targeted
from warmcron.errors import HistoryError, KubeError, NotThereError, ServerError, WarmcronError

FAILED, WRONG = 1, 2
# Somebody else's fault than of the one who typed.
THEIRS: Final = (KubeError, HistoryError, ServerError, NotThereError)

app = typer.Typer(
    name="warmcron",
    help="Cron for warm pods.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("dev")(dev.dev)
app.command("next")(upcoming.upcoming)
app.command("simulate")(simulate.command)
app.command("lint")(lint.command)
app.add_typer(convert.app, name="convert")
VERBS: Final[dict[str, Callable[..., Coroutine[Any, Any, None]]]] = {
    "list": tasks.list_tasks,
    "describe": tasks.describe,
    "trigger": tasks.trigger,
    "suspend": tasks.suspend,
    "resume": tasks.resume,
    "runs": runs.list_runs,
    "logs": runs.logs,
    "cancel": runs.cancel,
    "retry": runs.retry,
    "workers": workers.list_workers,
    "doctor": workers.doctor,
}
for verb, command in VERBS.items():
    app.command(verb)(targeted(command))


@app.command()
def version() -> None:
    """Say which version this is."""
    typer.echo(__version__)


def main(arguments: list[str] | None = None, program: str | None = None) -> None:
    """Runs the command, as the process was called unless told otherwise."""
    called = Path(sys.argv[0] if program is None else program).name
    name = "kubectl warmcron" if called.startswith("kubectl-") else "warmcron"
    try:
        app(args=arguments, prog_name=name)
    except WarmcronError as error:
        for line in str(error).splitlines():
            sys.stderr.write(f"{name}: {line}\n")
        sys.exit(FAILED if isinstance(error, THEIRS) else WRONG)
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
