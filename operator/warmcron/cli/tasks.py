"""The verbs for tasks: `list`, `describe`, `trigger`, `suspend`, `resume`."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from warmcron.cli import inputs, output
from warmcron.cli.backend import Backend, Json, TaskView
from warmcron.cli.server import Server
from warmcron.cli.story import is_id, print_log, show_run, show_tick
from warmcron.cli.target import AllNamespaces, Form, Namespace, Selector, Target
from warmcron.core import times
from warmcron.errors import NotThereError, ServerError, UsageError
from warmcron.spec.task import MAX_PAYLOAD_BYTES, PLURAL

POLL_SECONDS: Final = 0.3
# An operator that has not begun a run by then will not for a while.
KNOWN_SECONDS: Final = 30.0
HEADS: Final = ("NAME", "SCHEDULE", "TIMEZONE", "SUSPEND", "ACTIVE", "LAST", "NEXT", "READY", "AGE")
WIDE: Final = ("POOL", "HANDLER", "FAILURES", "REASON")

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Tasks.")]
Name = Annotated[str, typer.Argument(help="The task.")]
All = Annotated[bool, typer.Option("--all", help="Every task of the namespace, or with -A of all.")]


async def list_tasks(
    *,
    target: Target,
    namespace: Namespace = None,
    all_namespaces: AllNamespaces = False,
    selector: Selector = "",
    form: Form = output.Format.TABLE,
) -> None:
    """List tasks, with when they ran last and run next."""
    async with target.backend() as backend:
        found = await backend.tasks(None if all_namespaces else namespace or backend.namespace, selector)
    if form in (output.Format.JSON, output.Format.YAML):
        output.document(form, {"apiVersion": "v1", "kind": "List", "items": [task.raw for task in found]})
    elif form is output.Format.NAME:
        output.lines(f"{PLURAL}/{task.name}" for task in found)
    elif not found:
        place = f" in namespace {namespace or backend.namespace}; -A shows those of all"
        output.say(f"no tasks{'' if all_namespaces else place}")
    else:
        wide = form is output.Format.WIDE
        first = ("NAMESPACE",) if all_namespaces else ()
        rows = [
            (*((task.namespace,) if all_namespaces else ()), *_row(task), *(_wide(task) if wide else ()))
            for task in found
        ]
        output.table((*first, *HEADS, *(WIDE if wide else ())), rows)


async def describe(
    *,
    target: Target,
    name: Annotated[str, typer.Argument(help="The task, or a run's id.")],
    namespace: Namespace = None,
    tick: Annotated[
        str, typer.Option(metavar="RFC3339", help="The task's run for that tick, with all of its log.")
    ] = "",
    form: Form = output.Format.TABLE,
) -> None:
    """Show one task: its conditions, its counters, its last runs.

    Or one run, by its id or by the tick: each attempt, where it went and why, the traceback, the end of the log.
    """
    if tick or is_id(name):
        at = times.text(inputs.instant(tick, option="--tick")) if tick else ""
        async with target.history() as server:
            if at:
                await show_tick(server, (namespace or server.namespace, name), at, form)
            else:
                await show_run(server, name, form, namespace=namespace)
        return
    async with target.backend() as backend:
        task = await backend.task(namespace or backend.namespace, name)
    if form in (output.Format.JSON, output.Format.YAML):
        output.document(form, task.raw)
        return
    if form is output.Format.NAME:
        output.lines([f"{PLURAL}/{task.name}"])
        return
    facts = {
        "Name": task.name,
        "Namespace": task.namespace,
        "Schedule": f"{task.schedule} ({task.time_zone})",
        "Suspend": str(task.suspended).lower(),
        "Pool": task.pool,
        "Handler": task.handler,
        "Concurrency": task.concurrency,
        "Next": _ago(task.next),
        "Last": _ago(task.last),
        "Runs": ", ".join(f"{count} {name}" for name, count in task.counters.items()) or "none",
        "Active": ", ".join(task.active) or "none",
    }
    output.facts(facts)
    output.lines(["", "Conditions:"])
    output.table(
        ("  TYPE", "STATUS", "REASON", "MESSAGE"),
        [(f"  {c['type']}", c["status"], c["reason"], c.get("message", "")) for c in task.conditions],
    )
    output.lines(["", "Last runs:"])
    output.table(
        ("  RUN", "SCHEDULED", "OUTCOME", "REASON", "POD"),
        [
            (f"  {r['runId']}", r["scheduledTime"], r["outcome"], r.get("reason") or "", r.get("podName") or "")
            for r in task.recent
        ],
    )


async def trigger(  # noqa: PLR0913 - options are arguments
    *,
    target: Target,
    name: Name,
    namespace: Namespace = None,
    payload: Annotated[
        str | None, typer.Option(metavar="JSON", help="Instead of the task's own: a JSON object, or @FILE.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end; exit code 1 unless it succeeds.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show its log, and wait for the end.")] = False,
    seconds: Annotated[
        float, typer.Option("--timeout", min=0, help="Seconds to wait at most; 0 for as long as it takes.")
    ] = 0.0,
) -> None:
    """Run a task now. It obeys the concurrency policy and moves no schedule. Prints the run's id."""
    body = _payload(payload)
    async with target.backend() as backend:
        task = await backend.task(namespace or backend.namespace, name)
        run_id = await backend.trigger(task, body)
        output.lines([run_id])
        if not (wait or follow):
            return
        try:
            async with asyncio.timeout(seconds or None):
                if follow:
                    async with target.history() as server:
                        await _known(server, run_id)
                        await print_log(server, run_id, follow=True)
                end = await _end(backend, task, run_id)
        except TimeoutError:
            output.say(f"run {run_id} goes on after {seconds:g} s")
            raise typer.Exit(1) from None
    output.say(f"{end['outcome']}{' ' + end['reason'] if end.get('reason') else ''}")
    if end["outcome"] != "Succeeded":
        raise typer.Exit(1)


def _setting(*, suspended: bool, does: str) -> Callable[..., Coroutine[Any, Any, None]]:
    """A verb that does one thing or the other to the tasks that are named or chosen."""

    async def command(
        *,
        target: Target,
        names: Names = None,
        namespace: Namespace = None,
        all_namespaces: AllNamespaces = False,
        selector: Selector = "",
        every: All = False,
    ) -> None:
        if bool(names) + bool(selector) + every != 1:
            raise UsageError("name tasks, or choose them with --selector or --all: one of the three")
        if names and all_namespaces:
            raise UsageError("--all-namespaces: a name is a name in one namespace")
        async with target.backend() as backend:
            place = namespace or backend.namespace
            if names:
                found = [await backend.task(place, name) for name in names]
            else:
                found = await backend.tasks(None if all_namespaces else place, selector)
            await _set(backend, found, suspended=suspended)

    command.__doc__ = does
    return command


suspend = _setting(
    suspended=True,
    does="Suspend tasks: no run starts, what goes on goes on. Suspended time is never made up for.",
)
resume = _setting(suspended=False, does="Resume tasks: they go on with the next tick.")


async def _set(backend: Backend, tasks: list[TaskView], *, suspended: bool) -> None:
    for task in tasks:
        if task.suspended is suspended:
            output.lines([f"{PLURAL}/{task.name} was {'suspended' if suspended else 'not suspended'} already"])
            continue
        await backend.suspend(task, suspended=suspended)
        output.lines([f"{PLURAL}/{task.name} {'suspended' if suspended else 'resumed'}"])
    if not tasks:
        output.say("no tasks")


async def _known(server: Server, run_id: str) -> None:
    """Waits until the history has a run that was just asked for."""
    try:
        async with asyncio.timeout(KNOWN_SECONDS):
            while not await _has(server, run_id):  # noqa: ASYNC110 - it is asked of a server
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise ServerError(f"run {run_id} was asked for, and nobody has begun it in {KNOWN_SECONDS:g} s") from None


async def _has(server: Server, run_id: str) -> bool:
    try:
        found = await server.run(run_id)
    except NotThereError:
        return False
    if found.get("fault"):
        raise ServerError(f"run {run_id} has no log that could be followed: {found['fault']}")
    return bool(found.get("source") != "Memory")  # the history has no log of it yet; an older operator does not say so


async def _end(backend: Backend, task: TaskView, run_id: str) -> Json:
    while True:
        if (end := await backend.outcome(task, run_id)) is not None:
            return end
        await asyncio.sleep(POLL_SECONDS)


def _payload(text: str | None) -> Json | None:
    if text is None:
        return None
    try:
        if text.startswith("@"):
            text = Path(text[1:]).read_text("utf-8")
        found: Any = json.loads(text)
    except (OSError, ValueError) as error:
        raise UsageError(f"--payload: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise UsageError('--payload: expected a JSON object such as \'{"region": "north"}\'')
    if len(json.dumps(found, separators=(",", ":")).encode()) > MAX_PAYLOAD_BYTES:
        raise UsageError("--payload: over 64 KiB")
    return found


def _row(task: TaskView) -> tuple[str, ...]:
    return (
        task.name,
        task.schedule,
        task.time_zone,
        str(task.suspended).lower(),
        str(len(task.active)),
        age(task.last),
        task.next or "<none>",
        task.ready,
        age(task.created),
    )


def _wide(task: TaskView) -> tuple[str, ...]:
    return task.pool, task.handler, str(task.failures), task.reason


def _ago(text: str) -> str:
    return f"{text} ({age(text)})" if text else "none"


def age(text: str) -> str:
    """How long ago an instant was (`5m`, `3h`, `12d`), as kubectl has it; `in 5m` for what is to come."""
    if not text:
        return "<none>"
    seconds = datetime.now(UTC).timestamp() - datetime.fromisoformat(text).timestamp()
    past, seconds = seconds >= 0, abs(seconds)
    for unit, length, enough in (("s", 1, 120), ("m", 60, 120), ("h", 3600, 48)):
        if seconds < enough * length:
            return f"{'' if past else 'in '}{int(seconds // length)}{unit}"
    return f"{'' if past else 'in '}{int(seconds // 86_400)}d"
