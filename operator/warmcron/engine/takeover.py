"""Which runs of the leader before go on: those its statuses name, and those that only the workers know of. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from warmcron.core import runs, shards, status
from warmcron.core.tasks import NEVER, ActiveRecord, Task, TaskSpec, Ticket, manual_run_id, tick_run_id
from warmcron.workers.protocol import Report


@dataclass(frozen=True, slots=True)
class Found:
    """A run to take over, and what its worker says of it; None if no worker that was asked knows it.

    Attributes:
        shards: of a run that every worker got, what each says of its part, by the part's number; else None.
        total: how many parts there are.
        done: how many parts had ended well, of those that nobody tells of.
    """

    run: runs.Run
    event: runs.Event | None
    shards: dict[int, tuple[runs.Attempt, runs.Event]] | None = None
    total: int = 0
    done: int = 0


def by_task(reports: Iterable[Report]) -> dict[str, list[Report]]:
    """What the workers say, by the uid of the task that they say it of."""
    found: dict[str, list[Report]] = {}
    for report in reports:  # a worker that says no more than run ids is heard for every task
        found.setdefault(report.task_uid, []).append(report)
    return found


def hand_over(task: Task, active: Iterable[runs.Run]) -> tuple[ActiveRecord, ...]:
    """What goes on and what waits, as the next leader would read it in the status."""
    going = [
        ActiveRecord(
            r.id, r.scheduled, r.trigger, r.attempt, r.pod_name, r.pod_uid, r.started, shards=status.shards_of(r)
        )
        for r in active
    ]
    waiting = [ActiveRecord(t.run_id, t.tick, t.trigger, 0, "", "", None) for t in task.queued]
    return (*going, *waiting)


def queue_of(task: Task) -> Iterator[Ticket]:
    """The ticks that the leader before had decided to start when their turn comes."""
    for record in task.history.active:
        if record.attempt == 0:
            yield Ticket(record.run_id, record.trigger, record.scheduled, _payload(task, record))


def runs_of(task: Task, reports: Iterable[Report], now: float) -> Iterator[Found]:
    """All runs of a task that the leader before may have begun. Marks the ticks that it did not live to write down."""
    spec = task.spec
    if spec is None:
        return
    reports = list(reports)
    known, parts = _latest(reports), _parts(reports)
    for record in task.history.active:
        if record.attempt == 0:
            continue
        if record.trigger == "Schedule" and record.scheduled > task.history.cursor:
            task.adopted |= {record.scheduled}
        report = known.pop(record.run_id, None)
        if record.shards or record.run_id in parts:
            yield _whole(task, spec, record, parts.get(record.run_id, {}), now)
            continue
        yield Found(_run(task, spec, record, report, now), report.event if report else None)
    for report in known.values():
        if _begun(task, report):
            record = ActiveRecord(
                report.run_id, report.scheduled, report.trigger, report.attempt, "", report.pod_uid, float(now)
            )
            if report.shard:
                yield _whole(task, spec, record, parts[report.run_id], now)
                continue
            yield Found(_run(task, spec, record, report, now), report.event)


def _parts(reports: Iterable[Report]) -> dict[str, dict[int, Report]]:
    """What workers say of their parts of runs that every worker got, by run id and the part's number."""
    found: dict[str, dict[int, Report]] = {}
    for report in reports:
        if report.shard and 0 <= report.shard[0] < report.shard[1] <= shards.MOST:
            found.setdefault(report.run_id, {})[report.shard[0]] = report
    return found


def _whole(task: Task, spec: TaskSpec, record: ActiveRecord, parts: dict[int, Report], now: float) -> Found:
    whole = _run(task, spec, replace(record, attempt=1, pod_uid="", pod_name=""), None, now)
    totals = [report.shard[1] for report in parts.values() if report.shard]
    total, done, _ = record.shards or (max(totals, default=0), 0, 0)
    told = sum(report.event == runs.Finished(runs.Outcome.SUCCEEDED) for report in parts.values())
    known = {
        index: (runs.Attempt(report.run_id, report.attempt, report.pod_uid), report.event)
        for index, report in parts.items()
        if index < total
    }
    return Found(whole, None, known, min(total, shards.MOST), max(done - told, 0))


def _begun(task: Task, report: Report) -> bool:
    """Whether a worker speaks of a run that was sent and never written down, and not of one that ended long ago.

    A worker's word is not trusted further than this: the run id must be the one that its tick or trigger has.
    """
    history, uid = task.history, task.ref.uid
    if report.trigger == "Manual":
        trigger = task.trigger
        if trigger is None or trigger.value == history.last_trigger:
            return False
        if report.run_id != manual_run_id(uid, trigger.value):
            return False
        history.last_trigger = trigger.value
        return True
    if report.scheduled <= history.cursor or report.run_id != tick_run_id(uid, report.scheduled):
        return False
    task.adopted |= {report.scheduled}
    return True


def _latest(reports: Iterable[Report]) -> dict[str, Report]:
    """Reports by run id; of a run that several workers know, the word of the one with the latest attempt."""
    found: dict[str, Report] = {}
    for report in reports:
        known = found.get(report.run_id)
        if known is None or report.attempt > known.attempt:
            found[report.run_id] = report
    return found


def _run(task: Task, spec: TaskSpec, record: ActiveRecord, report: Report | None, now: float) -> runs.Run:
    began = record.started if record.started is not None else now
    attempt = max(record.attempt, report.attempt if report else 1)
    pod_uid = report.pod_uid if report else record.pod_uid
    # Nobody wrote down when a later attempt was sent: it gets no more than its whole time from now.
    ends = (began if attempt == 1 else now) + spec.attempt_deadline if spec.attempt_deadline and pod_uid else NEVER
    return runs.Run(
        id=record.run_id,
        task=task.ref,
        spec=spec,
        trigger=record.trigger,
        scheduled=record.scheduled,
        created=began,
        deadline=began + spec.active_deadline,
        payload=_payload(task, record),
        attempt=attempt,
        # Nobody wrote down why earlier attempts ended; counted as failures they cost at most a retry too many.
        failures=min(attempt - 1, spec.backoff_limit),
        pod_name=record.pod_name,
        attempt_deadline=ends,
        pod_uid=pod_uid,
        started=record.started,
    )


def _payload(task: Task, record: ActiveRecord) -> bytes | None:
    """What the run is given. A manual run's own payload is known as long as its annotations stand."""
    trigger = task.trigger
    own = trigger is not None and record.run_id == manual_run_id(task.ref.uid, trigger.value)
    if own and trigger is not None and trigger.payload is not None:
        return trigger.payload
    return task.spec.payload if task.spec else None
