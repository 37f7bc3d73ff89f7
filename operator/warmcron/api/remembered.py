"""A run as its task remembers it: what there is to show when no history answers. Pure; it asks nobody."""

from warmcron.core.tasks import ActiveRecord, RunRecord, Task, Ticket
from warmcron.core.trace import trace_id
from warmcron.history import rows
from warmcron.history.model import RunRow


def of(task: Task, run_id: str) -> RunRow | None:
    """The task's run of that id, if it waits for its turn, goes on, or is one of the last that ended."""
    for ticket in task.queued:
        if ticket.run_id == run_id:
            return _open(task, ticket, float(ticket.tick))
    for active in task.history.active:
        if active.run_id == run_id:
            return _open(task, active, float(active.scheduled))
    for record in task.history.recent:
        if record.run_id == run_id:
            return ended(task, record)
    return None


def ended(task: Task, record: RunRecord) -> RunRow:
    """A run of the task's `recentRuns`."""
    finished = None if record.started is None else record.started + record.duration
    return rows.of_record(task.ref, task.spec, record, count=1, finished=finished)


def _open(task: Task, found: Ticket | ActiveRecord, scheduled: float) -> RunRow:
    begun = isinstance(found, ActiveRecord) and found.attempt > 0
    return RunRow(
        run_id=found.run_id,
        task_uid=task.ref.uid,
        namespace=task.ref.namespace,
        task=task.ref.name,
        pool=task.spec.pool.name if task.spec else "",
        handler=task.spec.handler if task.spec else "",
        trigger=found.trigger,
        scheduled=scheduled,
        state="Running" if begun else "Pending",
        attempts=found.attempt if isinstance(found, ActiveRecord) else 0,
        pod_name=found.pod_name if isinstance(found, ActiveRecord) else "",
        started=found.started if isinstance(found, ActiveRecord) else None,
        trace_id=trace_id(found.run_id),
    )
