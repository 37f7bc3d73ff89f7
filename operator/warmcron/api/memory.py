"""The engine's tasks and workers as the API and the pages show them. It changes nothing.

A row is made again only after its task has changed: 10,000 tasks are not put into rows for every look at a list.
"""

import asyncio
import functools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from warmcron import garbage
from warmcron.api import remembered
from warmcron.core import demand, standing, times
from warmcron.core.pool import Worker
from warmcron.core.tasks import PoolKey, Task, TaskSpec
from warmcron.engine import Engine
from warmcron.engine.ports import Clock
from warmcron.history import rows
from warmcron.history.model import RunRow
from warmcron.web.sources import Condition, Flag, PoolRow, TaskDetail, TaskRow, WorkerRow

# Rows made before the event loop, which also sends runs to workers, gets its turn: about 2 ms of first sight.
SLICE: Final = 100
FEW: Final = 1000
MANY: Final = 10_000
Labels = tuple[tuple[str, str], ...]
SPARE: Final = 1000

# The fields of a spec as its manifest names them, in its order, and where they are once parsed.
SETTINGS: Final[tuple[tuple[str, Callable[[TaskSpec], Any]], ...]] = (
    ("schedule", lambda spec: _schedule(spec)[0]),
    ("timeZone", lambda spec: _schedule(spec)[1]),
    ("suspend", lambda spec: spec.suspend),
    ("startingDeadlineSeconds", lambda spec: spec.starting_deadline),
    ("missedRunPolicy", lambda spec: spec.missed_runs.value),
    ("maxMissedRuns", lambda spec: spec.max_missed),
    ("concurrencyPolicy", lambda spec: spec.concurrency.value),
    ("maxQueuedRuns", lambda spec: spec.max_queued),
    ("jitterSeconds", lambda spec: spec.jitter),
    ("pool", lambda spec: spec.pool.name),
    ("routingPolicy", lambda spec: spec.routing.value),
    ("handler", lambda spec: spec.handler),
    ("deliveryPolicy", lambda spec: spec.delivery.value),
    ("activeDeadlineSeconds", lambda spec: spec.active_deadline),
    ("attemptDeadlineSeconds", lambda spec: spec.attempt_deadline),
    ("backoffLimit", lambda spec: spec.backoff_limit),
    ("backoff", lambda spec: f"{spec.backoff_initial:g} s × {spec.backoff_multiplier:g} ≤ {spec.backoff_max:g} s"),
    ("noWorkerPolicy", lambda spec: spec.no_worker.value),
    ("suspendAfterFailures", lambda spec: spec.suspend_after_failures),
    ("historyLimit", lambda spec: spec.history_limit),
)


class Memory:
    """Reads one engine; fits `web.sources.Live`."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock
        self._rows: dict[str, TaskRow] = {}
        self._uids: dict[tuple[str, str], str] = {}
        self._stale: set[str] | None = None  # None for all: nobody has looked for long
        self._makers = 0  # who makes rows at this moment
        self._labels: dict[str, Labels] = {}
        self._shared: dict[Labels, Labels] = {}

    def label(self, uid: str, labels: Mapping[str, str]) -> None:
        """A task has these labels. Equal ones are kept once: a thousand tasks of a team have the same."""
        found = tuple(sorted(labels.items()))
        if found:
            self._labels[uid] = self._shared.setdefault(found, found)
            if len(self._shared) > 2 * len(self._labels) + SPARE:  # what nobody has any more
                self._shared = {each: each for each in self._labels.values()}
        else:
            self._labels.pop(uid, None)

    def note(self, uid: str) -> None:
        """This task has changed, has come, or is gone."""
        if self._stale is None:
            return
        self._stale.add(uid)
        if len(self._stale) > FEW + len(self._rows) // 2 and not self._makers:
            # What nobody looks at costs no memory, and making all anew would not take much longer.
            self._stale = None
            self._rows.clear()
            self._uids.clear()

    async def tasks(self, namespaces: tuple[str, ...] | None) -> Sequence[TaskRow]:
        """Every task, in any order."""
        await self._freshen()
        rows = self._rows.values()
        return list(rows) if namespaces is None else [row for row in rows if row.namespace in namespaces]

    async def task(self, namespace: str, name: str) -> TaskDetail | None:
        """One task."""
        await self._freshen()
        uid = self._uids.get((namespace, name))
        task = self._engine.tasks.get(uid) if uid else None
        return _detail(task, self._rows[task.ref.uid]) if task else None

    async def workers(self, namespaces: tuple[str, ...] | None) -> Sequence[WorkerRow]:
        """Every worker, in any order."""
        workers = self._engine.pool.all()
        return [_worker(each) for each in workers if namespaces is None or each.pool.namespace in namespaces]

    async def holder(self, run_id: str) -> tuple[str, str] | None:
        """Namespace and name of the task whose run goes on or waits for its turn."""
        task = self._engine.task_of(run_id)
        return (task.namespace, task.name) if task else None

    async def run(self, run_id: str) -> RunRow | None:
        """A run that goes on, waits for its turn, or is among the last of its task."""
        if run := self._engine.runner.runs.get(run_id):
            return rows.run_row(rows.Note(run, None, None))
        for number, task in enumerate(self._engine.tasks, 1):
            if found := remembered.of(task, run_id):
                return found
            if number % SLICE == 0:
                await asyncio.sleep(0)
        return None

    async def demand(self, namespace: str, pool: str, *, within: float) -> PoolRow | None:
        """A pool with what is due in so many seconds; None while we do not lead, or are still taking over."""
        engine, key = self._engine, PoolKey(namespace, pool)
        if not engine.settled:
            return None
        until, due = self._clock.now() + within, 0
        for number, task in enumerate(engine.tasks.of_pool(key), 1):
            due += demand.due_soon(task, until)
            if number % SLICE == 0:
                await asyncio.sleep(0)
        if not engine.settled:  # no more, after all these turns of others
            return None
        found = demand.of_pool(key, due=due, runs=engine.runner.runs.values())
        ready = [worker for worker in engine.pool.of(key) if worker.ready]
        return PoolRow(
            namespace=namespace,
            pool=pool,
            running=found.running,
            waiting=found.waiting,
            due=found.due,
            ready_workers=len(ready),
            capacity=sum(worker.concurrency for worker in ready),
        )

    async def _freshen(self) -> None:
        """Makes the rows of what has changed, together with whoever else is at it."""
        if self._stale is None:
            self._stale = self._engine.tasks.uids()
        made = 0
        self._makers += 1
        try:
            while self._stale:
                self._renew(self._stale.pop())
                made += 1
                if made % SLICE == 0:
                    await asyncio.sleep(0)
                if made % MANY == 0:
                    garbage.keep()
        finally:
            self._makers -= 1

    def _renew(self, uid: str) -> None:
        old, task = self._rows.pop(uid, None), self._engine.tasks.get(uid)
        if old and self._uids.get((old.namespace, old.name)) == uid:  # or it was made anew under its name
            del self._uids[old.namespace, old.name]
        if task:
            self._rows[uid] = _row(task, self._labels.get(uid, ()))
            self._uids[task.ref.namespace, task.ref.name] = uid
        else:
            self._labels.pop(uid, None)


def _row(task: Task, labels: Labels) -> TaskRow:
    spec, history = task.spec, task.history
    text, zone = _schedule(spec) if spec else ("", "UTC")
    flags = _flags(task)
    active = tuple(sorted(task.active)) or tuple(record.run_id for record in history.active)
    return TaskRow(
        uid=task.ref.uid,
        namespace=task.ref.namespace,
        name=task.ref.name,
        schedule=text,
        zone=zone,
        plan=spec.schedule if spec else None,
        pool=spec.pool.name if spec else "",
        handler=spec.handler if spec else "",
        flags=flags,
        message=_message(task, flags),
        next=float(task.next_tick) if task.next_tick is not None else None,
        last=float(history.cursor) if history.cursor > history.schedule_changed else None,
        failures=history.consecutive_failures,
        active=active,
        labels=labels,
    )


def _schedule(spec: TaskSpec) -> tuple[str, str]:
    """The expression and the zone, which the parsed spec has in one text, with a word for the days of clock changes."""
    text, _, zone = spec.schedule_text.removesuffix(" Literal").rpartition(" ")
    return text, zone


def _flags(task: Task) -> frozenset[Flag]:
    """Everything that can be said of it; `Scheduled` when that is all there is to say."""
    available = task.history.conditions.get("WorkersAvailable")
    found = {
        Flag.INVALID: task.problem is not None,
        Flag.FAILING: task.history.consecutive_failures > 0,
        Flag.NO_WORKER: available is not None and available.status == "False",
        Flag.HELD: task.held,
        Flag.SUSPENDED: task.spec is not None and task.spec.suspend,
        Flag.RUNNING: bool(task.active or task.history.active),
    }
    return _same(tuple(flag for flag, holds in found.items() if holds) or (Flag.SCHEDULED,))


@functools.lru_cache(maxsize=256)
def _same(flags: tuple[Flag, ...]) -> frozenset[Flag]:
    """One for all rows that have the same ones."""
    return frozenset(flags)


def _message(task: Task, flags: frozenset[Flag]) -> str:
    if task.problem:
        return task.problem.message
    conditions = task.history.conditions
    for flag, kind in ((Flag.HELD, "Ready"), (Flag.NO_WORKER, "WorkersAvailable"), (Flag.FAILING, "LastRunSucceeded")):
        if flag in flags and kind in conditions:
            return conditions[kind].message
    return ""


def _detail(task: Task, row: TaskRow) -> TaskDetail:
    history, spec = task.history, task.spec
    settings = ((name, read(spec)) for name, read in SETTINGS) if spec else ()
    return TaskDetail(
        row=row,
        created=float(task.created),
        settings=tuple((name, _text(value)) for name, value in settings if value is not None),
        payload=json.loads(spec.payload) if spec and spec.payload else None,
        conditions=tuple(
            Condition(kind=kind, status=each.status, reason=each.reason, message=each.message, since=each.since)
            for kind, each in history.conditions.items()
        ),
        counters={
            "succeeded": history.succeeded,
            "failed": history.failed,
            "skipped": history.skipped,
            "missed": history.missed,
        },
        last_success=history.last_success,
        recent=tuple(history.recent),
    )


def _worker(worker: Worker) -> WorkerRow:
    return WorkerRow(
        namespace=worker.pool.namespace,
        pool=worker.pool.name,
        name=worker.name,
        uid=worker.uid,
        state=_state(worker),
        reason=worker.reason or worker.busy_reason or ("" if worker.heard or not worker.ready else standing.NOT_HEARD),
        runs=tuple(sorted(worker.runs)),
        capacity=worker.concurrency,
        handlers=None if worker.handlers is None else tuple(sorted(worker.handlers)),
        version=worker.version,
        address=f"{worker.address.ip}:{worker.address.port}" if worker.address else "",
        started=_epoch(worker.started),
        labels=worker.labels,
    )


def _state(worker: Worker) -> str:
    if not worker.ready:
        return "Draining" if worker.reason == standing.TERMINATING else "NotReady"
    return "Busy" if len(worker.runs) >= worker.concurrency else "Ready"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _epoch(text: str) -> float | None:
    try:
        return times.epoch(text)
    except ValueError:
        return None
