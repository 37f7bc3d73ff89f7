"""A made-up cluster for the dashboard: tasks, workers and a history in memory, the same on every run."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from warmcron.core import schedule
from warmcron.core import selector as selectors
from warmcron.core.tasks import RunRecord, manual_run_id, tick_run_id
from warmcron.errors import HistoryError, KubeError
from warmcron.history.model import FINAL, AttemptRow, LogRow, Page, Place, RunFilter, RunRow, Told
from warmcron.local import labels
from warmcron.spec.task import DaylightSavingPolicy
from warmcron.web.sources import Condition, Flag, Order, OrderError, PoolRow, TaskDetail, TaskRow, Viewer, WorkerRow

NOW = 1_795_559_403.0  # 2026-11-24T22:30:03Z
FIRST_POD = str(uuid.UUID(int=1))

# namespace, name, schedule, zone, pool, handler, how many of its last runs failed, of a hundred
PATTERNS = (
    ("billing", "invoice-mail", "30 6 * * 1-5", "Europe/Berlin", "mailers", "mail.invoices", 4),
    ("billing", "close-ledger", "0 2 1 * *", "Europe/Berlin", "python", "ledger.close", 0),
    ("shop", "stock-sync", "*/5 * * * *", "UTC", "python", "stock.sync", 12),
    ("shop", "price-feed", "H * * * *", "America/New_York", "feeds", "feeds.prices", 2),
    ("shop", "cart-expiry", "@every 90s", "UTC", "python", "carts.expire", 0),
    ("search", "reindex", "15 3 * * 0", "Asia/Shanghai", "indexers", "search.reindex", 30),
    ("search", "suggest-train", "0 4 * * *", "Asia/Shanghai", "indexers", "search.train", 0),
    ("ops", "certificate-check", "0 */6 * * *", "UTC", "python", "certs.check", 0),
    ("ops", "backup-verify", "30 1 * * *", "Europe/London", "python", "backup.verify", 8),
    ("ops", "usage-report", "0 8 L * *", "Europe/London", "reports", "report.usage", 0),
)


class FakeClock:
    def __init__(self, now: float = NOW) -> None:
        self.time = now

    def now(self) -> float:
        return self.time


def plan(text: str, zone: str, key: str) -> schedule.Schedule:
    return schedule.parse(
        text, zone=zone, policy=DaylightSavingPolicy.RUN_ONCE, anchor=int(NOW) - 86_400 * 90, hash_key=key
    )


def task_row(namespace: str, name: str, **changes: Any) -> TaskRow:
    """A task at 02:00 UTC, unless told otherwise."""
    text, zone = changes.pop("schedule", "0 2 * * *"), changes.pop("zone", "UTC")
    parsed = changes.pop("plan", None) or plan(text, zone, f"{namespace}/{name}")
    row = TaskRow(
        uid=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{namespace}/{name}")),
        namespace=namespace,
        name=name,
        schedule=text,
        zone=zone,
        plan=parsed,
        pool="python",
        handler="demo",
        flags=frozenset({Flag.SCHEDULED}),
        next=parsed.next_after(int(NOW)),
    )
    return replace(row, **changes)


def run_row(task: TaskRow, tick: int, **changes: Any) -> RunRow:
    """A run of that tick that took three seconds and went well, unless told otherwise."""
    row = RunRow(
        run_id=tick_run_id(task.uid, tick),
        task_uid=task.uid,
        namespace=task.namespace,
        task=task.name,
        pool=task.pool,
        handler=task.handler,
        trigger="Schedule",
        scheduled=tick,
        state="Succeeded",
        attempts=1,
        pod_name=f"{task.pool}-7c9d5b6f4-x2k8p",
        started=tick + 0.02,
        finished=tick + 3.02,
    )
    return replace(row, **changes)


class FakeHistory:
    """Runs in memory, newest first; `broken` makes it fail as a database does.

    A search for text looks at runs since `stops` first, and goes on with the others behind its cursor. A run that is
    `coming` arrives when it has been asked for that often.
    """

    def __init__(self) -> None:
        self.rows: dict[str, RunRow] = {}
        self.attempt_rows: dict[str, list[AttemptRow]] = {}
        self.lines: dict[str, list[LogRow]] = {}
        self.broken = ""
        self.stops: float | None = None
        self.coming: dict[str, tuple[RunRow, int]] = {}

    def add(self, row: RunRow) -> None:
        self.rows[row.run_id] = row

    def say(self, run_id: str, text: str, *, at: float, stream: str = "stdout", pod_uid: str = FIRST_POD) -> None:
        lines = self.lines.setdefault(run_id, [])
        lines.append(
            LogRow(run_id=run_id, attempt=1, seq=len(lines) + 1, time=at, stream=stream, text=text, pod_uid=pod_uid)
        )

    async def runs(self, wanted: RunFilter, *, limit: int, cursor: str = "") -> Page[RunRow]:
        self._check()
        found = sorted(
            filter(lambda row: self._matches(row, wanted), self.rows.values()), key=lambda row: -row.scheduled
        )
        start = (
            int(cursor) if cursor.isdecimal() and cursor.isascii() else 0
        )  # as the real one: nonsense is the first page
        if wanted.text and self.stops is not None and not cursor:
            part = [row for row in found if row.scheduled >= self.stops][:limit]
            return Page(tuple(part), str(len(part)), searched=self.stops)
        rest = len(found) > start + limit
        return Page(tuple(found[start : start + limit]), str(start + limit) if rest else "")

    async def run(self, run_id: str) -> RunRow | None:
        self._check()
        if run_id in self.coming:
            row, times = self.coming.pop(run_id)
            if times > 1:
                self.coming[run_id] = row, times - 1
            else:
                self.add(row)
        return self.rows.get(run_id)

    async def first_from(self, task_uid: str, tick: float) -> RunRow | None:
        self._check()
        later = [row for row in self.rows.values() if row.task_uid == task_uid and row.scheduled >= tick]
        return min((row for row in later if row.trigger == "Schedule"), key=lambda row: row.scheduled, default=None)

    async def attempts(self, run_id: str) -> tuple[AttemptRow, ...]:
        self._check()
        return tuple(self.attempt_rows.get(run_id, ()))

    async def logs(self, run_id: str, *, after: int = 0, limit: int = 1000, last: bool = False) -> tuple[LogRow, ...]:
        self._check()
        said = [line for line in self.lines.get(run_id, ()) if line.seq > after]
        return tuple(said[max(len(said) - limit, 0) :] if last else said[:limit])

    async def onward(self, run_id: str, place: Place, *, limit: int = 1000) -> Told:
        self._check()
        said = self.lines.get(run_id, [])
        mark = len(said) if place.mark is None else place.mark
        if place.seq is not None:
            first = [line for line in said[:mark] if line.seq > place.seq][:limit]
            if first:
                return Told(tuple((line, Place(line.seq, mark)) for line in first), Place(first[-1].seq, mark))
        fresh = tuple((line, Place(None, mark + number)) for number, line in enumerate(said[mark:][:limit], 1))
        return Told(fresh, fresh[-1][1] if fresh else Place(None, mark))

    async def recent(self, tasks: tuple[str, ...], *, limit: int) -> dict[str, tuple[RunRow, ...]]:
        self._check()
        wanted: dict[str, list[RunRow]] = {uid: [] for uid in tasks}
        for row in sorted(self.rows.values(), key=lambda row: -row.scheduled):
            if row.task_uid in wanted and len(wanted[row.task_uid]) < limit:
                wanted[row.task_uid].append(row)
        return {uid: tuple(rows) for uid, rows in wanted.items()}

    async def counts(self, namespaces: tuple[str, ...] | None, *, since: float) -> dict[str, int]:
        self._check()
        found: dict[str, int] = {}
        for row in self.rows.values():
            if row.scheduled >= since and (namespaces is None or row.namespace in namespaces):
                found[row.state] = found.get(row.state, 0) + 1
        return found

    def _check(self) -> None:
        if self.broken:
            raise HistoryError(self.broken)

    def _matches(self, row: RunRow, wanted: RunFilter) -> bool:
        said = (line.text for line in self.lines.get(row.run_id, ()))
        return (
            (wanted.namespaces is None or row.namespace in wanted.namespaces)
            and wanted.task in ("", row.task)
            and (wanted.uids is None or row.task_uid in wanted.uids)
            and (not wanted.states or row.state in wanted.states)
            and wanted.trigger in ("", row.trigger)
            and wanted.pod in ("", row.pod_name)
            and (wanted.since is None or row.scheduled >= wanted.since)
            and (wanted.until is None or row.scheduled < wanted.until)
            and (
                not wanted.text
                or any(wanted.text in part for part in (row.run_id, row.task, row.reason))
                or any(wanted.text in text for text in said)
            )
        )


class FakeViewer:
    def __init__(self, name: str = "", *, scope: tuple[str, ...] | None = None, rights: bool = True) -> None:
        self.name = name
        self._scope, self._rights = scope, rights

    async def namespaces(self) -> tuple[str, ...] | None:
        return self._scope

    async def may(self, order: Order, namespace: str) -> bool:
        return self._rights


class FakeGuard:
    """Everybody is let in, or those whose token it knows."""

    def __init__(self, viewers: dict[str, FakeViewer] | None = None) -> None:
        self.open = viewers is None
        self._viewers = viewers or {}
        self.broken = ""

    async def viewer(self, token: str) -> Viewer | None:
        if self.broken:
            raise KubeError(self.broken)
        return FakeViewer() if self.open else self._viewers.get(token)


class FakeCluster:
    """Tasks and workers as the engine would tell of them, and orders that change them at once."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.history = FakeHistory()
        self.rows: dict[tuple[str, str], TaskRow] = {}
        self.workers_rows: list[WorkerRow] = []
        self.orders: list[tuple[str, ...]] = []
        self.queued: dict[str, tuple[str, str]] = {}  # runs that wait for their turn: namespace and name by id
        self.remembered: dict[str, RunRow] = {}  # runs that their tasks' status has
        self.recent: dict[tuple[str, str], tuple[RunRecord, ...]] = {}  # the last runs, as the tasks' status has them
        self.late = 0  # how often the history is asked for a run that was triggered before it has it; then it is over
        self.refuse = ""
        self.refused = ""  # the one that is refused; empty for all
        self.payload: Any = {"since": "yesterday", "limit": 500}
        self.labels: dict[tuple[str, str], dict[str, str]] = {}
        self.leading = True

    # ---- Live

    async def tasks(self, namespaces: tuple[str, ...] | None) -> Sequence[TaskRow]:
        return [row for row in self.rows.values() if namespaces is None or row.namespace in namespaces]

    async def task(self, namespace: str, name: str) -> TaskDetail | None:
        row = self.rows.get((namespace, name))
        if row is None:
            return None
        return TaskDetail(
            row=row,
            created=NOW - 86_400 * 90,
            settings=(
                ("concurrencyPolicy", "Forbid"),
                ("missedRunPolicy", "RunLatest"),
                ("routingPolicy", "LeastLoaded"),
                ("deliveryPolicy", "AtLeastOnce"),
                ("noWorkerPolicy", "Wait"),
                ("activeDeadlineSeconds", "3600"),
                ("backoffLimit", "3"),
                ("backoff", "1 s × 2, at most 300 s"),
                ("jitterSeconds", "0"),
                ("historyLimit", "3"),
            ),
            payload=self.payload,
            conditions=(
                Condition(kind="Ready", status="True", reason="Scheduled", message="", since=NOW - 86_400 * 20),
                Condition(kind="WorkersAvailable", since=NOW - 7200, **_available(row)),
                Condition(kind="LastRunSucceeded", since=NOW - 600, **_succeeded(row)),
            ),
            counters={"succeeded": 1841, "failed": 23, "skipped": 6, "missed": 1},
            last_success=NOW - 900,
            recent=self.recent.get((namespace, name), ()),
        )

    async def workers(self, namespaces: tuple[str, ...] | None) -> Sequence[WorkerRow]:
        return [row for row in self.workers_rows if namespaces is None or row.namespace in namespaces]

    async def holder(self, run_id: str) -> tuple[str, str] | None:
        row = self.history.rows.get(run_id)
        return (row.namespace, row.task) if row and row.finished is None else self.queued.get(run_id)

    async def run(self, run_id: str) -> RunRow | None:
        row = self.history.rows.get(run_id)
        return row if row and row.state not in FINAL else self.remembered.get(run_id)

    async def demand(self, namespace: str, pool: str, *, within: float) -> PoolRow | None:
        ready = [row for row in self.workers_rows if (row.namespace, row.pool, row.state) == (namespace, pool, "Ready")]
        until = self.clock.now() + within
        due = [
            row
            for row in self.rows.values()
            if (row.namespace, row.pool) == (namespace, pool) and row.next is not None and row.next <= until
        ]
        return (
            PoolRow(
                namespace=namespace,
                pool=pool,
                running=sum(len(row.runs) for row in ready),
                waiting=0,
                due=len(due),
                ready_workers=len(ready),
                capacity=sum(row.capacity for row in ready),
            )
            if self.leading
            else None
        )

    # ---- Labels

    async def select(self, viewer: Viewer, selector: str, *, namespaces: tuple[str, ...] | None) -> frozenset[str]:
        wanted = labels.parse(selector)
        return frozenset(
            row.uid
            for key, row in self.rows.items()
            if selectors.holds(wanted, self.labels.get(key, {})) and (namespaces is None or row.namespace in namespaces)
        )

    # ---- Orders

    async def trigger(self, viewer: Viewer, namespace: str, name: str, *, payload: dict[str, Any] | None) -> str:
        self._note("trigger", f"{namespace}/{name}", str(payload))
        row = self.rows[namespace, name]
        run_id = manual_run_id(row.uid, str(len(self.orders)))
        now = self.clock.now()
        run = run_row(row, int(now), run_id=run_id, trigger="Manual", state="Running", started=now, finished=None)
        if self.late:
            self.remembered[run_id] = run
            self.history.coming[run_id] = replace(run, state="Succeeded", finished=now + 3), self.late
            self.history.say(run_id, "the first line", at=now)
        else:
            self.history.add(run)
        return run_id

    async def suspend(self, viewer: Viewer, namespace: str, name: str, *, suspend: bool) -> None:
        self._note("suspend" if suspend else "resume", f"{namespace}/{name}")
        row = self.rows[namespace, name]
        flags = frozenset({Flag.SUSPENDED}) if suspend else frozenset({Flag.SCHEDULED})
        self.rows[namespace, name] = replace(row, flags=flags)

    async def cancel(self, viewer: Viewer, run_id: str) -> None:
        self._note("cancel", run_id)
        if self.queued.pop(run_id, None):
            return
        row = self.history.rows[run_id]
        self.history.add(replace(row, state="Cancelled", finished=self.clock.now(), reason="CancelledByUser"))

    async def retry(self, viewer: Viewer, run_id: str) -> str:
        old = self.history.rows[run_id]
        return await self.trigger(viewer, old.namespace, old.task, payload=None)

    async def manifest(self, viewer: Viewer, namespace: str, name: str) -> dict[str, Any]:
        if self.refuse:
            raise OrderError(self.refuse)
        row = self.rows[namespace, name]
        return {
            "apiVersion": "warmcron.dev/v1alpha1",
            "kind": "ScheduledTask",
            "metadata": {
                "namespace": namespace,
                "name": name,
                "labels": dict(row.labels),
                "annotations": {
                    "team": "payments",
                    "warmcron.dev/trigger": "2026-11-24T22:00:00Z",
                    "kubectl.kubernetes.io/last-applied-configuration": "{}",
                },
                "uid": row.uid,
                "resourceVersion": "77",
                "generation": 3,
                "managedFields": [{"manager": "kubectl"}],
            },
            "spec": {
                "schedule": row.schedule,
                "timeZone": row.zone,
                "pool": row.pool,
                "handler": row.handler,
                "payload": self.payload,
            },
            "status": {"succeeded": 4},
        }

    def _note(self, *order: str) -> None:
        if self.refuse and self.refused in ("", order[1]):
            raise OrderError(self.refuse)
        self.orders.append(order)

    # ---- filling

    def add(self, row: TaskRow) -> TaskRow:
        self.rows[row.namespace, row.name] = row
        return row


def _available(row: TaskRow) -> dict[str, str]:
    if Flag.NO_WORKER in row.flags:
        return {"status": "False", "reason": "NoReadyWorker", "message": row.message}
    return {"status": "True", "reason": "WorkersReady", "message": ""}


def _succeeded(row: TaskRow) -> dict[str, str]:
    if Flag.FAILING in row.flags:
        return {"status": "False", "reason": "Failed", "message": row.message}
    return {"status": "True", "reason": "Succeeded", "message": ""}


def cluster(tasks: int, *, clock: FakeClock | None = None, seed: int = 7) -> FakeCluster:
    """A cluster with so many tasks; those beyond the patterns are the patterns again, under other names."""
    random = Random(seed)
    found = FakeCluster(clock or FakeClock())
    for number in range(tasks):
        namespace, name, text, zone, pool, handler, failing = PATTERNS[number % len(PATTERNS)]
        name = name if number < len(PATTERNS) else f"{name}-{number:05}"
        labels = (("team", namespace), ("tier", "gold" if number % 4 == 0 else "silver"))
        row = task_row(namespace, name, schedule=text, zone=zone, pool=pool, handler=handler, labels=labels)
        runs = _runs(row, failing, random) if number < 300 else []
        for run in runs:
            found.history.add(run)
        found.add(_flagged(row, runs, number))
    if tasks:
        _add_workers(found, random)
        _add_stories(found)
    return found


def _runs(row: TaskRow, failing: int, random: Random) -> list[RunRow]:
    assert row.plan is not None
    tick, ticks = int(NOW) - 86_400 * 60, []
    for step in (86_400 * 60, 86_400 * 5, 86_400, 7200):
        ticks = [found := row.plan.next_after(int(NOW) - step)]
        while found < NOW and len(ticks) < 200:
            ticks.append(found := row.plan.next_after(found))
        if len(ticks) < 200:
            break
    rows = []
    for tick in [tick for tick in ticks if tick < NOW][-40:]:
        took = random.lognormvariate(1.2, 0.7)
        bad = random.random() * 100 < failing
        state = "Failed" if bad else "Skipped" if random.random() < 0.02 else "Succeeded"
        rows.append(
            run_row(
                row,
                tick,
                state=state,
                reason={"Failed": "TimeoutError: no answer within 30 s", "Skipped": "ForbidConcurrent"}.get(state, ""),
                attempts=4 if bad else 0 if state == "Skipped" else 1,
                started=None if state == "Skipped" else tick + 0.02,
                finished=tick + took * (4 if bad else 1) + 0.02,
            )
        )
    return rows


def _flagged(row: TaskRow, runs: list[RunRow], number: int) -> TaskRow:
    flag, message, failures = Flag.SCHEDULED, "", 0
    last = runs[-1].scheduled if runs else None
    match number % len(PATTERNS):
        case 2:
            flag, message, failures = Flag.FAILING, "ConnectionRefused: stock.example.internal:5432", 3
        case 3:
            flag, message = Flag.NO_WORKER, "no ready pod has the label warmcron.dev/pool=feeds"
        case 5 if number < len(PATTERNS):
            flag = Flag.RUNNING
        case 6:
            flag = Flag.SUSPENDED
    following = None if flag is Flag.SUSPENDED else row.next
    return replace(row, flags=frozenset({flag}), message=message, failures=failures, last=last, next=following)


def _add_workers(found: FakeCluster, random: Random) -> None:
    pools = sorted({(row.namespace, row.pool) for row in found.rows.values()} - {("shop", "feeds")})
    for namespace, pool in pools:
        for index in range(3):
            state = ("Ready", "Busy", "Ready")[index] if (namespace, index) != ("ops", 2) else "Draining"
            if (namespace, pool, index) == ("search", "indexers", 2):
                state = "NotReady"
            found.workers_rows.append(
                WorkerRow(
                    namespace=namespace,
                    pool=pool,
                    name=f"{pool}-{random.randrange(16**9):09x}-{random.randrange(16**5):05x}",
                    uid=str(uuid.UUID(int=random.getrandbits(128))),
                    state=state,
                    reason={"NotReady": "ContainersNotReady", "Draining": "terminating"}.get(state, ""),
                    runs=tuple(str(uuid.UUID(int=i)) for i in range(4 if state == "Busy" else index)),
                    capacity=4,
                    handlers=tuple(sorted({r.handler for r in found.rows.values() if r.pool == pool}))[:12],
                    version="1.4.2" if index else "1.4.1",
                    address=f"10.42.{index}.{random.randrange(2, 250)}:8080",
                    started=NOW - random.randrange(3600, 86_400 * 9),
                )
            )


def _add_stories(found: FakeCluster) -> None:
    """One run that goes on and logs, one row for ticks that were missed, and one run that failed four times."""
    if ("search", "reindex") in found.rows:
        row = found.rows["search", "reindex"]
        live = run_row(
            row,
            int(NOW) - 95,
            state="Running",
            finished=None,
            progress=0.42,
            progress_text="420,000 of 1,000,000 documents",
            trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
        )
        found.history.add(live)
        found.add(replace(row, active=(live.run_id,)))
        found.history.attempt_rows[live.run_id] = [_attempt(live, 1, sent=NOW - 95, answer="Accepted")]
        for step in range(1, 43):
            found.history.say(live.run_id, f"indexed {step * 10_000:,} documents", at=NOW - 95 + step * 2)
    if ("shop", "stock-sync") in found.rows:
        row, tick = found.rows["shop", "stock-sync"], int(NOW) // 300 * 300 - 86_400 * 2
        gone = run_row(row, tick, state="Skipped", reason="Missed", attempts=0, pod_name="", started=None)
        found.history.add(replace(gone, skipped_ticks=12, finished=tick + 70))
    failed = next((row for row in found.history.rows.values() if row.state == "Failed"), None)
    if failed is None:
        return
    found.history.add(
        replace(
            failed,
            error={
                "type": "TimeoutError",
                "message": "no answer within 30 s",
                "traceback": 'Traceback (most recent call last):\n  File "handlers.py", line 41, in invoices\n'
                "    smtp.send(mail)\nTimeoutError: no answer within 30 s",
            },
            trace_id="0af7651916cd43dd8448eb211c80319c",
        )
    )
    found.history.attempt_rows[failed.run_id] = [
        _attempt(failed, number, sent=failed.scheduled + number * 31, answer="Finished", reason="TimeoutError")
        for number in range(1, 5)
    ]
    for number in range(1, 5):
        at = failed.scheduled + number * 31
        found.history.say(failed.run_id, f"attempt {number}: 118 invoices to send", at=at)
        found.history.say(failed.run_id, "TimeoutError: no answer within 30 s", at=at + 30, stream="stderr")


def _attempt(run: RunRow, number: int, *, sent: float, answer: str, reason: str = "") -> AttemptRow:
    return AttemptRow(
        run_id=run.run_id,
        attempt=number,
        pod_name=f"{run.pool}-7c9d5b6f4-{('x2k8p', 'q7m4t', 'b9z1c', 'h5w3d')[number % 4]}",
        pod_uid=str(uuid.UUID(int=number)),
        epoch=17,
        sent=sent,
        ended=sent + 30.2 if reason else None,
        answer=answer,
        reason=reason,
        chosen_by="LeastLoaded",
        filtered=(
            (f"{run.pool}-7c9d5b6f4-t8r2v", "not ready: ContainersNotReady"),
            (f"{run.pool}-7c9d5b6f4-n3j6s", "full: 4 runs"),
        ),
    )
