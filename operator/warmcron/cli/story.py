"""What became of one run, written for people: its attempts, where each went and why, its errors, its log."""

import json
import sys
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from warmcron.cli import output
from warmcron.cli.backend import Json
from warmcron.cli.server import Server

# Of a log, what stands beneath the description of its run.
LAST: Final = 20
HEADS: Final = ("  ATTEMPT", "POD", "SENT", "TOOK", "ANSWER", "REASON", "CHOSEN BY", "PASSED OVER")


def is_id(text: str) -> bool:
    """Whether a name is a run's id: no task of anybody's is called like one."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def second(text: str | None) -> str:
    """A time to the second."""
    return f"{text[:19]}Z" if text else "<none>"


async def show_run(server: Server, run_id: str, form: output.Format, *, namespace: str | None) -> None:
    """One run, with the end of its log."""
    found = await server.run(run_id, namespace=namespace)
    if _told(found, form):
        return
    if notice := _notice(found):
        output.lines(["", notice])
        return
    lines = await server.last_lines(run_id, LAST)
    head = f"Log, the last {LAST} lines of it (all: warmcron logs {run_id}):" if len(lines) == LAST else "Log:"
    output.lines(_log(head, found["attempts"], lines))


async def show_tick(server: Server, task: tuple[str, str], tick: str, form: output.Format) -> None:
    """The run of a task (namespace, name) for one tick, with all of its log."""
    found = await server.tick(*task, tick)
    if not _told(found, form):
        output.lines(_log("Log:", found["attempts"], found["lines"]))


def _told(found: Json, form: output.Format) -> bool:
    """Writes a run with its attempts; True if that is all that was asked for."""
    run, attempts = found["run"], found["attempts"]
    if form in (output.Format.JSON, output.Format.YAML):
        output.document(form, found)
        return True
    if form is output.Format.NAME:
        output.lines([run["runId"]])
        return True
    output.facts(_facts(run))
    output.lines(_traceback("Traceback:", run["error"]))
    if not _notice(found):
        output.lines(["", "Attempts:"])
        output.table(HEADS, [_attempt(each) for each in attempts])
    for each in attempts:
        if each["error"] and each["error"] != run["error"]:
            what = f"Attempt {each['attempt']} on {each['podName']}: {_error(each['error'])}"
            output.lines(_traceback(what, each["error"]) or ["", what])
    return False


def _notice(found: Json) -> str:
    """Why attempts and log are not told; empty where they are. An older operator says nothing of it, and tells them."""
    if found.get("source") != "Memory":
        return ""
    why = f"The history cannot be read ({found['fault']})" if found["fault"] else "Not in the history yet"
    return f"{why}: this is what the operator remembers of the run. Only the history has the attempts and the log."


def _facts(run: Json) -> dict[str, str]:
    skipped = f", {run['skippedTicks']} ticks" if run["skippedTicks"] > 1 else ""
    return {
        "Run": run["runId"],
        "Task": f"{run['namespace']}/{run['task']}",
        "Scheduled": f"{second(run['scheduledTime'])} ({run['trigger']})",
        "State": f"{run['state']}{': ' + run['reason'] if run['reason'] else ''}{skipped}",
        "Started": second(run["startTime"]),
        "Ended": second(run["completionTime"]),
        "Pool": run["pool"],
        "Handler": run["handler"],
        "Progress": "<none>" if run["progress"] is None else f"{run['progress']:.0%} {run['progressText']}".strip(),
        "Result": "<none>" if run["result"] is None else json.dumps(run["result"], ensure_ascii=False),
        "Error": _error(run["error"]) or "<none>",
        "Trace": run["traceId"] or "<none>",
    }


def _attempt(each: Json) -> tuple[str, ...]:
    return (
        f"  {each['attempt']}",
        each["podName"],
        second(each["sent"]),
        _took(each["sent"], each["ended"]),
        each["answer"] or "<none>",
        each["reason"],
        each["chosenBy"],
        "; ".join(f"{other['podName']}: {other['reason']}" for other in each["filtered"]) or "<none>",
    )


def _took(sent: str, ended: str | None) -> str:
    if not ended:
        return "<none>"
    return f"{(datetime.fromisoformat(ended) - datetime.fromisoformat(sent)).total_seconds():.1f}s"


def _error(error: Json | None) -> str:
    return ": ".join(part for part in ((error or {}).get("type"), (error or {}).get("message")) if part)


def _traceback(head: str, error: Json | None) -> list[str]:
    text = (error or {}).get("traceback")
    return ["", head, *(f"  {line}" for line in text.splitlines())] if text else []


def _log(head: str, attempts: Sequence[Json], lines: Sequence[Json]) -> Iterator[str]:
    yield ""
    yield head if lines else "Log: no line"
    pods = _pods(attempts)
    for line in lines:
        yield f"  {second(line['time'])} {_of(line, pods)} {line['text']}"


def _pods(attempts: Sequence[Json]) -> dict[str, str]:
    return {each["podUID"]: each["podName"] for each in attempts}


def _of(line: Json, pods: dict[str, str]) -> str:
    """Which attempt a line is of, and on which pod; that is not known of lines of an older version."""
    pod = pods.get(line["podUID"])
    return f"[{line['attempt']} {pod}]" if pod else f"[{line['attempt']}]"


async def print_log(
    server: Server,
    run_id: str,
    *,
    follow: bool,
    tail: int | None = None,
    timestamps: bool = False,
    prefix: bool = False,
) -> None:
    """Prints a run's log, line by line as it comes."""
    pods: dict[str, str] = {}
    async for line in server.logs(run_id, follow=follow, tail=tail):
        if prefix and line["podUID"] not in pods:
            pods = {line["podUID"]: "", **_pods((await server.run(run_id))["attempts"])}
        time = f"{line['time']} " if timestamps else ""
        sys.stdout.write(f"{time}{_of(line, pods) + ' ' if prefix else ''}{line['text']}\n")
        sys.stdout.flush()
