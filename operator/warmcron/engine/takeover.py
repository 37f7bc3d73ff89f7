"""Which runs of the leader before go on: those its statuses name, and those that only the workers know of. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from warmcron.core import decide, runs
from warmcron.core.tasks import ActiveRecord, Task, TaskSpec, Ticket, tick_run_id
from warmcron.workers.protocol import Report


@dataclass(frozen=True, slots=True)
class Found:
    """A run to take over, and what its worker says of it; None if no worker that was asked knows it."""

    run: runs.Run
    event: runs.Event | None


def latest(reports: Iterable[Report]) -> dict[str, Report]:
    """Reports by run id; of a run that several workers know, the word of the one with the latest attempt."""
    found: dict[str, Report] = {}
    for report in reports:
        known = found.get(report.run_id)
        if known is None or report.attempt > known.attempt:
            found[report.run_id] = report
    return found


def runs_of(task: Task, reports: dict[str, Report], now: float) -> Iterator[Found]:
    """All runs of a task that the leader before may have begun. Marks the ticks of those it never wrote down."""
    spec = task.spec
    if spec is None:
        return
    for record in task.history.active:
        report = reports.get(record.run_id)
        yield Found(_run(task, spec, record, report, now), report.event if report else None)
    if not reports or spec.suspend:
        return
    ticks, _ = decide.latest_ticks(spec.schedule, after=task.history.cursor, until=int(now), count=decide.COUNTED)
    for tick in ticks:
        run_id = tick_run_id(task.ref.uid, tick)
        if report := reports.get(run_id):
            task.adopted.add(tick)
            yield sent_before(task, spec, Ticket(run_id, "Schedule", tick, spec.payload), report, now)


def sent_before(task: Task, spec: TaskSpec, ticket: Ticket, report: Report, now: float) -> Found:
    """A run that was sent and that the leader before did not live to write down."""
    record = ActiveRecord(ticket.run_id, ticket.tick, ticket.trigger, report.attempt, "", report.pod_uid, now)
    return Found(_run(task, spec, record, report, now), report.event)


def _run(task: Task, spec: TaskSpec, record: ActiveRecord, report: Report | None, now: float) -> runs.Run:
    began = record.started if record.started is not None else now
    attempt = max(record.attempt, report.attempt if report else 1)
    return runs.Run(
        id=record.run_id,
        task=task.ref,
        spec=spec,
        trigger=record.trigger,
        scheduled=record.scheduled,
        created=began,
        deadline=began + spec.active_deadline,
        payload=spec.payload,
        attempt=attempt,
        # Nobody wrote down why earlier attempts ended; counted as failures they cost at most a retry too many.
        failures=min(attempt - 1, spec.backoff_limit),
        pod_name=record.pod_name,
        pod_uid=report.pod_uid if report else record.pod_uid,
        started=record.started,
    )
