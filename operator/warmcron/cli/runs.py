"""The verbs for runs, which ask warmcron's own API: `runs`, `logs`, `cancel`, `retry`."""

import sys
from typing import Annotated, Final

import typer

from warmcron.cli import inputs, output
from warmcron.cli.server import Server
from warmcron.cli.target import AllNamespaces, Form, Namespace, Target
from warmcron.core import times
from warmcron.history.model import STATES

HEADS: Final = ("RUN", "TASK", "SCHEDULED", "TRIGGER", "STATE", "ATTEMPTS", "POD", "REASON")

RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]


async def list_runs(  # noqa: PLR0913 - options are arguments
    *,
    target: Target,
    task: Annotated[str | None, typer.Argument(metavar="[TASK]", help="Of one task only.")] = None,
    namespace: Namespace = None,
    all_namespaces: AllNamespaces = False,
    state: Annotated[list[str] | None, typer.Option(help=f"{', '.join(STATES)}. Repeatable.")] = None,
    pod: Annotated[str, typer.Option(help="A pod that an attempt was sent to.")] = "",
    since: Annotated[str, typer.Option(metavar="RFC3339", help="Scheduled then or later.")] = "",
    until: Annotated[str, typer.Option(metavar="RFC3339", help="Scheduled before then.")] = "",
    text: Annotated[str, typer.Option("--search", help="Beginning of an id, or words of task or log.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 20,
    form: Form = output.Format.TABLE,
) -> None:
    """List runs, newest first."""
    wanted: dict[str, str | list[str]] = {"task": task or "", "state": state or [], "pod": pod, "q": text}
    for name, moment in (("since", since), ("until", until)):
        if moment:
            wanted[name] = times.text(inputs.instant(moment, option=f"--{name}"))
    async with target.history() as server:
        if not all_namespaces and (namespace or not target.embedded):
            wanted["namespace"] = namespace or server.namespace
        found = await server.runs(limit=limit, **{name: value for name, value in wanted.items() if value})
    if form in (output.Format.JSON, output.Format.YAML):
        output.document(form, found)
    elif form is output.Format.NAME:
        output.lines(run["runId"] for run in found)
    elif not found:
        output.say("no runs")
    else:
        output.table(
            HEADS,
            [
                (
                    run["runId"],
                    f"{run['namespace']}/{run['task']}" if all_namespaces else run["task"],
                    run["scheduledTime"][:19] + "Z",
                    run["trigger"],
                    run["state"],
                    str(run["attempts"]),
                    run["podName"] or "<none>",
                    run["reason"],
                )
                for run in found
            ],
        )


async def logs(
    *,
    target: Target,
    run: RunId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay until the run is over.")] = False,
    timestamps: Annotated[bool, typer.Option(help="With the time of each line.")] = False,
) -> None:
    """Print what a run's handler has printed and logged."""
    async with target.history() as server:
        await print_log(server, run, follow=follow, timestamps=timestamps)


async def cancel(*, target: Target, run: RunId) -> None:
    """Tell a run to stop."""
    async with target.history() as server:
        await server.cancel(run)
    output.say(f"run {run} is told to stop")


async def retry(*, target: Target, run: RunId) -> None:
    """Run a run's task once more, as a manual run. Prints the new run's id."""
    async with target.history() as server:
        output.lines([await server.retry(run)])


async def print_log(server: Server, run_id: str, *, follow: bool, timestamps: bool = False) -> None:
    """Prints a run's log, line by line as it comes."""
    async for line in server.logs(run_id, follow=follow):
        sys.stdout.write(f"{line['time']} {line['text']}\n" if timestamps else f"{line['text']}\n")
        sys.stdout.flush()
