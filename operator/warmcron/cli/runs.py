"""The verbs for runs, which ask warmcron's own API: `runs`, `logs`, `cancel`, `retry`."""

from typing import Annotated, Final

import typer

from warmcron.cli import inputs, output
from warmcron.cli.backend import Json
from warmcron.cli.story import print_log, second
from warmcron.cli.target import AllNamespaces, Form, Namespace, Selector, Target
from warmcron.core import times
from warmcron.history.model import STATES

HEADS: Final = ("RUN", "TASK", "SCHEDULED", "TRIGGER", "STATE", "ATTEMPTS", "POD", "REASON")
WIDE: Final = ("POOL", "HANDLER", "STARTED", "ENDED", "TRACE")

RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]
OfNamespace = Annotated[str | None, typer.Option("--namespace", "-n", help="Namespace that the run has to be of.")]


async def list_runs(  # noqa: PLR0913 - options are arguments
    *,
    target: Target,
    task: Annotated[str | None, typer.Argument(metavar="[TASK]", help="Of one task only.")] = None,
    namespace: Namespace = None,
    all_namespaces: AllNamespaces = False,
    selector: Selector = "",
    state: Annotated[list[str] | None, typer.Option(help=f"{', '.join(STATES)}. Repeatable.")] = None,
    trigger: Annotated[str, typer.Option(help="Schedule or Manual.")] = "",
    pod: Annotated[str, typer.Option(help="A pod that an attempt was sent to.")] = "",
    since: Annotated[str, typer.Option(metavar="TIME", help="Scheduled then or later: RFC 3339, or 2h for ago.")] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="Scheduled before then.")] = "",
    text: Annotated[str, typer.Option("--search", help="Beginning of an id, or words of task or log.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 20,
    form: Form = output.Format.TABLE,
) -> None:
    """List runs, newest first."""
    wanted: dict[str, str | list[str]] = {
        "task": task or "",
        "selector": selector,
        "state": state or [],
        "trigger": trigger,
        "pod": pod,
        "q": text,
    }
    for name, moment in (("since", since), ("until", until)):
        if moment:
            wanted[name] = times.text(inputs.moment(moment, option=f"--{name}"))
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
        wide = form is output.Format.WIDE
        rows = [(*_row(run, spaces=all_namespaces), *(_wide(run) if wide else ())) for run in found]
        output.table((*HEADS, *(WIDE if wide else ())), rows)


async def logs(  # noqa: PLR0913 - options are arguments
    *,
    target: Target,
    run: RunId,
    namespace: OfNamespace = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay until the run is over.")] = False,
    tail: Annotated[
        int | None, typer.Option(min=0, max=5000, help="Of what there is, only the last so many lines.")
    ] = None,
    timestamps: Annotated[bool, typer.Option("--timestamps", help="With the time of each line.")] = False,
    prefix: Annotated[
        bool, typer.Option("--prefix", help="With the attempt and the pod that each line is of.")
    ] = False,
) -> None:
    """Print what a run's handler has printed and logged."""
    async with target.history() as server:
        await server.expect(run, namespace)
        await print_log(server, run, follow=follow, tail=tail, timestamps=timestamps, prefix=prefix)


async def cancel(*, target: Target, run: RunId, namespace: OfNamespace = None) -> None:
    """Tell a run to stop."""
    async with target.history() as server:
        await server.expect(run, namespace)
        await server.cancel(run)
    output.say(f"run {run} is told to stop")


async def retry(*, target: Target, run: RunId, namespace: OfNamespace = None) -> None:
    """Run a run's task once more, as a manual run. Prints the new run's id."""
    async with target.history() as server:
        await server.expect(run, namespace)
        output.lines([await server.retry(run)])


def _row(run: Json, *, spaces: bool) -> tuple[str, ...]:
    return (
        run["runId"],
        f"{run['namespace']}/{run['task']}" if spaces else run["task"],
        second(run["scheduledTime"]),
        run["trigger"],
        run["state"],
        str(run["attempts"]),
        run["podName"] or "<none>",
        run["reason"] + (f" ({run['skippedTicks']} ticks)" if run["skippedTicks"] > 1 else ""),
    )


def _wide(run: Json) -> tuple[str, ...]:
    return (
        run["pool"],
        run["handler"],
        second(run["startTime"]),
        second(run["completionTime"]),
        run["traceId"] or "<none>",
    )
