"""What a tick or a run leaves behind in its task: counters, recent runs and conditions. Pure."""

import sys
from typing import Final

from warmcron.core import runs, status, times
from warmcron.core.decide import Reason
from warmcron.core.tasks import ActiveRecord, RunRecord, Task, tick_run_id

# Records of a task whose spec, and so its limit, cannot be read: the default.
RECORDS: Final = 3
MISSED = (Reason.MISSED, Reason.STARTING_DEADLINE)


def skip(
    task: Task, tick: int, reason: str, *, count: int = 1, trigger: str = "Schedule", run_id: str = ""
) -> RunRecord:
    """Ticks up to this one are not started; none of them ends without a word, which is the record returned."""
    task.history.skipped += count
    if reason in MISSED:
        task.history.missed += count
    run_id = run_id or tick_run_id(task.ref.uid, tick)
    record = RunRecord(run_id, tick, trigger, "Skipped", reason, "", 0, None, 0.0)
    remember(task, record)
    return record


def count(task: Task, run: runs.Run, record: RunRecord, now: float) -> None:
    """A run of this task is over."""
    history = task.history
    remember(task, record)
    match run.outcome:
        case runs.Outcome.SUCCEEDED:
            history.succeeded += 1
            history.consecutive_failures = 0
            history.last_success = now
        case runs.Outcome.SKIPPED:
            history.skipped += 1
            history.missed += record.reason in MISSED
            return
        case runs.Outcome.FAILED | runs.Outcome.UNKNOWN:
            history.failed += 1
            history.consecutive_failures += 1
        case _:
            return  # cancelled: somebody wanted it so, and it says nothing of the task
    value = {"Succeeded": "True", "Unknown": "Unknown"}.get(record.outcome, "False")
    # Without the run's id: a condition that changed on every run would say nothing and cost a bigger write.
    message = record.reason if value != "True" else ""
    status.set_condition(task, "LastRunSucceeded", status=value, reason=record.outcome, message=message, now=now)
    set_ready(task, now)


def lose(task: Task, active: ActiveRecord, reason: str, now: float) -> RunRecord:
    """A run goes on of which nothing can be known any more; it does not end without a word, which is returned."""
    task.history.failed += 1
    duration = round(now - active.started, 3) if active.started is not None else 0.0
    record = RunRecord(
        active.run_id,
        active.scheduled,
        active.trigger,
        runs.Outcome.UNKNOWN.value,
        reason,
        active.pod_name,
        active.attempt,
        active.started,
        duration,
    )
    remember(task, record)
    return record


def remember(task: Task, record: RunRecord) -> None:
    """Puts a record in front of `recentRuns` and drops what the limit does not keep."""
    limit = task.spec.history_limit if task.spec else RECORDS
    task.history.recent.insert(0, record)
    del task.history.recent[limit:]


def settle(task: Task, now: float, *, moved: bool, workers: int) -> None:
    """Brings the cursor and the conditions in line with a spec that is new to us.

    `moved` says that the past is not to be made up for: the task was suspended, held or could not be done.
    """
    history, spec = task.history, task.spec
    if spec:
        moved = moved or history.schedule_text not in ("", spec.schedule_text)
        history.schedule_text = spec.schedule_text
    if moved:
        # Never back: a clock that was set back must not let ticks that were decided be decided again.
        # A tick of this very instant does not lie before the change.
        history.schedule_changed = max(history.schedule_changed, times.second_before(now))
    history.generation, history.idle = task.generation, task.idle
    set_ready(task, now)
    set_available(task, now, workers=workers)


def set_ready(task: Task, now: float) -> None:
    """`Ready`: accepted and scheduled. Never that the last run was fine: tools wait for Ready after an apply."""
    if task.problem:
        ready, reason, message = "False", task.problem.reason, task.problem.message
    elif task.spec and task.spec.suspend:
        ready, reason, message = "True", "Suspended", "spec.suspend is true: no run starts"
    elif task.held:
        ready, reason = "True", "SuspendedAfterFailures"
        message = f"{task.history.consecutive_failures} runs failed in a row; edit the task to go on"
    else:
        ready, reason, message = "True", status.SCHEDULED, ""
    status.set_condition(task, "Ready", status=ready, reason=reason, message=message, now=now)


def set_available(task: Task, now: float, *, workers: int) -> bool:
    """`WorkersAvailable`: whether a ready worker could take a run. True if that has changed."""
    if task.spec is None:
        return False
    available, reason, message = "True", "WorkersReady", ""
    if not workers:
        available, reason = "False", "NoReadyWorker"
        message = sys.intern(f"no ready pod has the label warmcron.dev/pool={task.spec.pool.name}")
    return status.set_condition(task, "WorkersAvailable", status=available, reason=reason, message=message, now=now)
