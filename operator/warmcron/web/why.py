"""Why a task does not run, in the reader's language: the answers of `core.diagnosis` over what the engine knows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final

from warmcron.core import diagnosis
from warmcron.core.diagnosis import Finding, Member, Patient, Weight
from warmcron.web.site import Visit
from warmcron.web.sources import Flag, TaskDetail, WorkerRow
from warmcron.web.standing import said

TONES: Final = {Weight.FINE: "good", Weight.NOTE: "dull", Weight.STOPS: "bad"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One sentence; `stops` when the task cannot run because of it."""

    text: str
    tone: str
    stops: bool


def answers(task: TaskDetail, workers: Sequence[WorkerRow], visit: Visit) -> tuple[Answer, ...]:
    """What keeps the task from running, and what does not."""
    members = [_member(row) for row in workers if row.namespace == task.row.namespace]
    found = diagnosis.of(_patient(task, visit), members, random=Random(0))  # noqa: S311 - which one is named first
    return tuple(Answer(_said(each, visit), TONES[each.weight], stops=each.weight is Weight.STOPS) for each in found)


def _said(found: Finding, visit: Visit) -> str:
    t = visit.language.text
    local: dict[str, Callable[[str], str]] = {"outcome": t, "reason": partial(said, visit.language)}
    values = {name: local[name](str(value)) if name in local else value for name, value in found.values.items()}
    return t(found.template, **values)


def _patient(task: TaskDetail, visit: Visit) -> Patient:
    row, settings = task.row, dict(task.settings)
    ready = next((each for each in task.conditions if each.kind == "Ready"), None)
    following = visit.when(row.next, row.zone) if row.next is not None else None
    last = task.recent[0] if task.recent else None
    return Patient(
        namespace=row.namespace,
        name=row.name,
        pool=row.pool,
        handler=row.handler,
        routing=settings.get("routingPolicy", ""),
        concurrency=settings.get("concurrencyPolicy", ""),
        schedule=row.schedule,
        zone=row.zone,
        accepted=Flag.INVALID not in row.flags,
        reason=ready.reason if ready else "",
        message=row.message,
        suspended=Flag.SUSPENDED in row.flags,
        held=Flag.HELD in row.flags,
        failures=row.failures,
        next=f"{following.date} {following.clock} {following.zone}" if following else "",
        active=row.active,
        last=(last.outcome, last.reason) if last else ("", ""),
    )


def _member(row: WorkerRow) -> Member:
    return Member(
        pool=row.pool,
        name=row.name,
        uid=row.uid,
        ready=row.state in ("Ready", "Busy"),
        reason=row.reason,
        runs=len(row.runs),
        capacity=row.capacity,
        handlers=row.handlers,
    )
