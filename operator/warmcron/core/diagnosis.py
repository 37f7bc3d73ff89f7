"""Why a task does not run, from what is known of it and of its workers: questions in the operator's own order. Pure.

A finding is a text with blanks and what goes into them, so that it can be said in another language too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Final

from warmcron.core.pool import DEFAULT_CONCURRENCY, Address, NoWorker, Picked, Pool, Worker
from warmcron.core.standing import filled
from warmcron.core.tasks import PoolKey
from warmcron.spec.task import POOL_LABEL, RoutingPolicy

NAMED: Final = 20


class Weight(StrEnum):
    """What a finding means for the task's next run."""

    FINE = "ok"
    NOTE = "--"
    STOPS = "!!"


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer. `template` has a `{name}` for each of `values`."""

    weight: Weight
    template: str
    values: dict[str, object] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """In English."""
        return filled(self.template, **self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A task, and what is known of it.

    Attributes:
        accepted: False for one that cannot be scheduled, for `reason` and `message`.
        held: whether failures in a row have stopped it.
        next: the next tick as text; empty if there is none.
        active: ids of the runs that go on.
        last: outcome and reason of the last run; empty before the first.
        seen: whether the operator has seen the task as it is now.
    """

    namespace: str
    name: str
    pool: str
    handler: str
    routing: str
    concurrency: str
    schedule: str
    zone: str
    accepted: bool
    reason: str
    message: str
    suspended: bool
    held: bool
    failures: int
    next: str
    active: tuple[str, ...] = ()
    last: tuple[str, str] = ("", "")
    seen: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A worker of any pool of the task's namespace. What is None is not known."""

    pool: str
    name: str
    uid: str
    ready: bool
    reason: str
    runs: int | None
    capacity: int | None
    handlers: tuple[str, ...] | None


def of(task: Patient, workers: Sequence[Member], *, random: Random) -> list[Finding]:
    """Everything that keeps the task from running, and what does not."""
    return [*_task(task), *_workers(task, workers, random)]


def _task(task: Patient) -> Iterator[Finding]:
    if not task.seen:
        yield Finding(
            Weight.STOPS,
            "the operator has not seen this task as it is now: is it running, and may it see the namespace?",
        )
    yield _schedule(task)
    if task.active:
        template = {
            "Forbid": "{runs} run(s) go on: {ids}; ticks are skipped meanwhile",
            "Queue": "{runs} run(s) go on: {ids}; ticks wait meanwhile",
        }.get(task.concurrency)
        values: dict[str, object] = {"runs": len(task.active), "ids": ", ".join(task.active[:NAMED])}
        # A run that goes on is no fault; it stops the task once a tick was skipped for it.
        weight = Weight.STOPS if template and task.last[0] == "Skipped" else Weight.NOTE
        yield Finding(weight, template or "{runs} run(s) go on: {ids}", values)
    outcome, reason = task.last
    if outcome and outcome != "Succeeded":
        if reason:
            yield Finding(Weight.NOTE, "the last run was {outcome}: {reason}", {"outcome": outcome, "reason": reason})
        else:
            yield Finding(Weight.NOTE, "the last run was {outcome}: no reason given", {"outcome": outcome})


def _schedule(task: Patient) -> Finding:
    if not task.accepted:
        return Finding(
            Weight.STOPS, "not accepted: {reason}: {message}", {"reason": task.reason, "message": task.message}
        )
    if task.suspended:
        return Finding(Weight.STOPS, "suspended: `warmcron resume {name}` lets it go on", {"name": task.name})
    if task.held:
        return Finding(
            Weight.STOPS,
            "stopped after {failures} failed runs in a row: an edit of the task lets it go on",
            {"failures": task.failures},
        )
    if task.next:
        return Finding(
            Weight.FINE,
            "scheduled: {schedule} ({zone}), next at {next}",
            {"schedule": task.schedule, "zone": task.zone, "next": task.next},
        )
    return Finding(Weight.STOPS if task.seen else Weight.NOTE, "no next tick is known")


def _workers(task: Patient, workers: Sequence[Member], random: Random) -> Iterator[Finding]:
    """The operator's own choice among the workers, with why it passed over each of the others."""
    members = [worker for worker in workers if worker.pool == task.pool]
    if not members:
        yield Finding(
            Weight.STOPS,
            "no pod in namespace {namespace} has the label {label}={pool}",
            {"namespace": task.namespace, "label": POOL_LABEL, "pool": task.pool},
        )
        if others := sorted({worker.pool for worker in workers}):
            yield Finding(Weight.NOTE, "pools that have pods here: {pools}", {"pools": ", ".join(others[:NAMED])})
        return
    values: dict[str, object] = {"pool": task.pool, "all": len(members)}
    match _choice(task, members, random):
        case Picked():
            able = sum(1 for member in members if _why_not(member, task.handler) is None)
            yield Finding(Weight.FINE, "{able} of {all} workers of pool {pool} can take it", values | {"able": able})
        case NoWorker(reason=reason):
            yield Finding(Weight.STOPS, "no worker of pool {pool} can take it: {reason}", values | {"reason": reason})
    passed_over = [found for member in members if (found := _why_not(member, task.handler))]
    yield from passed_over[:NAMED]
    if (more := len(passed_over) - NAMED) > 0:
        yield Finding(Weight.NOTE, "{more} more are passed over", {"more": more})


def _choice(task: Patient, members: Sequence[Member], random: Random) -> Picked | NoWorker:
    pool, key = Pool(random), PoolKey(task.namespace, task.pool)
    for member in members:
        pool.put(_worker(member, key))
    routing = RoutingPolicy(task.routing) if task.routing in [*RoutingPolicy] else RoutingPolicy.LEAST_LOADED
    if routing is RoutingPolicy.BROADCAST:
        routing = RoutingPolicy.LEAST_LOADED
    return pool.pick(key, routing=routing, routing_key=task.name, handler=task.handler, avoid=frozenset(), now=0.0)


def _worker(member: Member, key: PoolKey) -> Worker:
    worker = Worker(member.uid, member.name, key, Address("", 0), ready=member.ready, reason=member.reason)
    worker.handlers = None if member.handlers is None else frozenset(member.handlers)
    worker.heard, worker.concurrency = True, member.capacity or DEFAULT_CONCURRENCY
    worker.runs = {str(number) for number in range(member.runs or 0)}
    return worker


def _why_not(member: Member, handler: str) -> Finding | None:
    """Why a worker cannot take a run of this handler; None for one that can."""
    values: dict[str, object] = {"worker": member.name, "reason": member.reason}
    if not member.ready:
        reason = (
            "{worker} is passed over: not ready: {reason}" if member.reason else "{worker} is passed over: not ready"
        )
        return Finding(Weight.NOTE, reason, values)
    if member.handlers is not None and handler not in member.handlers:
        has = ", ".join(sorted(member.handlers)[:NAMED])
        return Finding(
            Weight.NOTE,
            "{worker} is passed over: it has no handler {handler}; it has {has}",
            values | {"handler": repr(handler), "has": has or "none"},
        )
    if member.runs is not None and member.capacity and member.runs >= member.capacity:
        return Finding(
            Weight.NOTE,
            "{worker} is passed over: full: {runs} of {capacity} runs",
            values | {"runs": member.runs, "capacity": member.capacity},
        )
    return None
