"""The verbs for runs, which ask warmcron's own API: `runs`, `logs`, `cancel`, `retry`, and `describe` of a run."""

import json
import sys
import uuid
from typing import Annotated, Final

import typer

from warmcron.cli import inputs, output
from warmcron.cli.backend import Json
from warmcron.cli.server import Server
from warmcron.cli.target import AllNamespaces, Form, Namespace, Selector, Target
from warmcron.core import times
from warmcron.history.model import STATES

HEADS: Final = ("RUN", "TASK", "SCHEDULED", "TRIGGER", "STATE", "ATTEMPTS", "POD", "REASON")
WIDE: Final = ("POOL", "HANDLER", "STARTED", "ENDED", "TRACE")

RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]


async def list_runs(  # noqa: PLR0913 - options are arguments
    *,
    target: Target,
    task: Annotated[str | None, typer.Argument(metavar="[TASK]", help="Of one task only.")] = None,
    namespace: Namespace = None,
    all_namespaces: AllNamespaces = False,
    selector: Selector = "",
    state: Annotated[list[str] | None, typer.Option(help=f"{', '.join(STATES)}. Repeatable.")] = None,
    pod: Annotated[str, typer.Option(help="A pod that an attempt was sent to.")] = "",
    since: Annotated[str, typer.Option(metavar="RFC3339", help="Scheduled then or later.")] = "",
    until: Annotated[str, typer.Option(metavar="RFC3339", help="Scheduled before then.")] = "",
    text: Annotated[str, typer.Option("--search", help="Beginning of an id, or words of task or log.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 20,
    form: Form = output.Format.TABLE,
) -> None:
    """List runs, newest first."""
    wanted: dict[str, str | list[str]] = {
        "task": task or "",
        "selector": selector,
        "state": state or [],
        "pod": pod,
        "q": text,
    }
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
        wide = form is output.Format.WIDE
        rows = [(*_row(run, spaces=all_namespaces), *(_wide(run) if wide else ())) for run in found]
        output.table((*HEADS, *(WIDE if wide else ())), rows)


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


def _row(run: Json, *, spaces: bool) -> tuple[str, ...]:
    return (
        run["runId"],
        f"{run['namespace']}/{run['task']}" if spaces else run["task"],
        _second(run["scheduledTime"]),
        run["trigger"],
        run["state"],
        str(run["attempts"]),
        run["podName"] or "<none>",
        run["reason"],
    )


def _wide(run: Json) -> tuple[str, ...]:
    return (
        run["pool"],
        run["handler"],
        _second(run["startTime"]),
        _second(run["completionTime"]),
        run["traceId"] or "<none>",
    )


def _second(text: str | None) -> str:
    return f"{text[:19]}Z" if text else "<none>"


def is_id(text: str) -> bool:
    """Whether a name is a run's id: no task of anybody's is called like one."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


async def show(target: Target, run_id: str, form: output.Format) -> None:
    """Shows one run: what became of it, and why each attempt went where it went."""
    async with target.history() as server:
        found = await server.run(run_id)
    if form in (output.Format.JSON, output.Format.YAML):
        output.document(form, found)
        return
    run, attempts = found["run"], found["attempts"]
    if form is output.Format.NAME:
        output.lines([run["runId"]])
        return
    error = run["error"] or {}
    output.facts(
        {
            "Run": run["runId"],
            "Task": f"{run['namespace']}/{run['task']}",
            "Scheduled": f"{_second(run['scheduledTime'])} ({run['trigger']})",
            "State": f"{run['state']}{': ' + run['reason'] if run['reason'] else ''}",
            "Started": _second(run["startTime"]),
            "Ended": _second(run["completionTime"]),
            "Pool": run["pool"],
            "Handler": run["handler"],
            "Progress": "<none>" if run["progress"] is None else f"{run['progress']:.0%} {run['progressText']}".strip(),
            "Result": "<none>" if run["result"] is None else json.dumps(run["result"], ensure_ascii=False),
            "Error": ": ".join(part for part in (error.get("type"), error.get("message")) if part) or "<none>",
            "Trace": run["traceId"] or "<none>",
        }
    )
    output.lines(["", "Attempts:"])
    output.table(
        ("  ATTEMPT", "POD", "SENT", "ANSWER", "REASON", "CHOSEN BY", "PASSED OVER"),
        [
            (
                f"  {each['attempt']}",
                each["podName"],
                _second(each["sent"]),
                each["answer"] or "<none>",
                each["reason"],
                each["chosenBy"],
                "; ".join(f"{other['podName']}: {other['reason']}" for other in each["filtered"]) or "<none>",
            )
            for each in attempts
        ],
    )


async def print_log(server: Server, run_id: str, *, follow: bool, timestamps: bool = False) -> None:
    """Prints a run's log, line by line as it comes."""
    async for line in server.logs(run_id, follow=follow):
        sys.stdout.write(f"{line['time']} {line['text']}\n" if timestamps else f"{line['text']}\n")
        sys.stdout.flush()
