"""`warmcron simulate`: what the operator would decide about a task over a stretch of time. No cluster is asked."""

import math
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from warmcron.cli import inputs, output
from warmcron.cli.simulation import Plan, Row, simulate
from warmcron.core import times
from warmcron.core.tasks import Problem
from warmcron.errors import UsageError
from warmcron.kube import translate
from warmcron.local import manifests

NAMESPACE = uuid.UUID("c1f3b0de-6d2c-5e0e-9f1e-2b7a6d1f9a10")


def command(  # noqa: PLR0913 - options are arguments
    *,
    file: Annotated[list[Path], typer.Option("--file", "-f", help="File or folder with ScheduledTasks, or -.")],
    start: Annotated[str, typer.Option("--from", metavar="RFC3339", help="Where the simulation begins.")],
    end: Annotated[str, typer.Option("--to", metavar="RFC3339", help="Where it ends; a tick at this instant counts.")],
    last: Annotated[
        str | None,
        typer.Option(
            "--last-schedule",
            metavar="RFC3339",
            help="The last tick that was decided before --from: the object's own, else none since its creation.",
        ),
    ] = None,
    down: Annotated[
        list[str] | None, typer.Option(metavar="START/END", help="No operator runs in this window. Repeatable.")
    ] = None,
    suspend: Annotated[
        list[str] | None, typer.Option(metavar="START/END", help="The task is suspended in this window. Repeatable.")
    ] = None,
    run_seconds: Annotated[float, typer.Option(min=0, max=31_536_000, help="How long each attempt takes.")] = 0.0,
    fail_attempts: Annotated[
        int, typer.Option(min=0, max=1000, help="How many attempts of each run fail before one succeeds.")
    ] = 0,
    created: Annotated[
        str | None,
        typer.Option(
            metavar="RFC3339",
            help="The task's creation, from which @every counts: the object's own, else --last-schedule, else --from.",
        ),
    ] = None,
    form: Annotated[output.Plain, typer.Option("--output", "-o", help="How it is written.")] = output.Plain.TABLE,
) -> None:
    """Say what the operator would decide: which ticks start, which are skipped, and why.

    One worker is always ready. Windows hold from START to before END. JSON is a list of decisions; with several
    tasks in the files, an object of such lists by namespace/name.
    """
    begin, until = inputs.instant(start, option="--from"), inputs.instant(end, option="--to")
    if until < begin:
        raise UsageError("--to: lies before --from")
    before = inputs.second(last, option="--last-schedule") if last is not None else None
    if before is not None and before > begin:
        raise UsageError("--last-schedule: lies after --from")
    origin = inputs.second(created, option="--created") if created is not None else None
    found: dict[str, list[Row]] = {}
    for task in inputs.tasks(file):
        decided = _decided(task, before, begin)
        known = (origin, task.created, decided, math.floor(begin))
        plan = _plan(task, created=next(moment for moment in known if moment is not None))
        found[task.manifest.key] = simulate(
            Plan(
                **plan,
                start=begin,
                end=until,
                last=decided,
                down=inputs.windows(down or (), option="--down"),
                suspended=inputs.windows(suspend or (), option="--suspend"),
                run_seconds=run_seconds,
                failing=fail_attempts,
            )
        )
    _print(found, form)


def _decided(task: inputs.TaskInput, last: int | None, begin: float) -> int | None:
    """The last tick that was decided before the simulation begins, in UTC epoch seconds; None if none was."""
    if last is not None or task.last is None:
        return last
    return min(task.last, math.floor(begin))  # an object of today in a simulation of yesterday


def _plan(task: inputs.TaskInput, *, created: int) -> dict[str, Any]:
    uid = task.uid or str(uuid.uuid5(NAMESPACE, task.manifest.key))
    raw = manifests.raw(task.manifest, uid=uid, created=times.text(created), generation=1)
    spec = translate.task_spec(raw)
    if isinstance(spec, Problem):
        raise UsageError(spec.message)
    return {"ref": translate.task_ref(raw), "spec": spec, "created": created}


def _print(found: dict[str, list[Row]], form: output.Plain) -> None:
    if form is output.Plain.JSON:
        lists = {key: [_json(row) for row in rows] for key, rows in found.items()}
        output.as_json(lists if len(lists) > 1 else next(iter(lists.values())))
        return
    several = len(found) > 1
    heads = ("TASK", "SCHEDULED", "TIME", "DECISION", "REASON", "RUN")
    rows = (
        (key, times.text(row.scheduled), inputs.text(row.time), row.decision, row.reason, row.run_id)
        for key, rows in found.items()
        for row in rows
    )
    output.table(heads[not several :], (row[not several :] for row in rows))


def _json(row: Row) -> dict[str, str]:
    return {
        "scheduledTime": times.text(row.scheduled),
        "time": inputs.text(row.time),
        "decision": row.decision,
        "reason": row.reason,
        "runId": row.run_id,
    }
