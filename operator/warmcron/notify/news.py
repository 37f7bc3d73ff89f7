"""What of all that happens is news, and when it is old news. Pure: it sends nothing and reads no clock."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from warmcron.core import runs, times
from warmcron.core.tasks import RunRecord, TaskRef

FAILED: Final = "dev.warmcron.run.failed"
RECOVERED: Final = "dev.warmcron.run.recovered"
MISSED: Final = "dev.warmcron.ticks.missed"
MISSED_REASONS: Final = ("Missed", "StartingDeadlineExceeded")
MOST_SILENT: Final = 10_000


@dataclass(frozen=True, slots=True)
class News:
    """One notification.

    Attributes:
        id: the same however often it is sent.
        subject: namespace/name of the task.
    """

    id: str
    kind: str
    subject: str
    time: float
    data: dict[str, Any]


class Desk:
    """Decides what is told.

    Args:
        failures: how many runs of a task had failed in a row before the one that has just ended.
        silence: seconds in which a task's failures, or its missed ticks, are told once.
    """

    def __init__(self, *, failures: Callable[[str], int], silence: float) -> None:
        self._failures, self._silence = failures, silence
        self._until: dict[tuple[str, str], float] = {}

    def ended(self, run: runs.Run, record: RunRecord, now: float) -> News | None:
        """A run is over, its retries spent."""
        before = self._failures(run.task.uid)
        match run.outcome:
            case runs.Outcome.FAILED | runs.Outcome.UNKNOWN:
                if self._quiet(run.task, FAILED, now):
                    return None
                return self._of_run(FAILED, run, record, now, consecutiveFailures=before + 1)
            case runs.Outcome.SUCCEEDED if before:
                self._until.pop((run.task.uid, FAILED), None)  # the next failure is news again
                return self._of_run(RECOVERED, run, record, now, failuresBefore=before)
        return None

    def skipped(self, task: TaskRef, record: RunRecord, count: int, now: float) -> News | None:
        """Ticks were not started."""
        if record.reason not in MISSED_REASONS or self._quiet(task, MISSED, now):
            return None
        data = {**_named(task), "count": count, "reason": record.reason, "lastMissed": times.text(record.scheduled)}
        return News(f"{record.run_id}.missed", MISSED, f"{task.namespace}/{task.name}", now, data)

    def _of_run(self, kind: str, run: runs.Run, record: RunRecord, now: float, **more: int) -> News:
        data = {
            **_named(run.task),
            "runId": run.id,
            "scheduledTime": times.text(run.scheduled),
            "trigger": run.trigger,
            "outcome": record.outcome,
            "reason": record.reason,
            "podName": record.pod_name,
            "attempts": record.attempts,
            "durationSeconds": record.duration,
            **more,
        }
        return News(f"{run.id}.{record.outcome}", kind, f"{run.task.namespace}/{run.task.name}", now, data)

    def _quiet(self, task: TaskRef, kind: str, now: float) -> bool:
        """Whether this was told a short while ago; if not, it counts as told now."""
        key = (task.uid, kind)
        if self._until.get(key, 0.0) > now:
            return True
        if len(self._until) >= MOST_SILENT:
            self._until = {old: until for old, until in self._until.items() if until > now}
        self._until[key] = now + self._silence
        return False


def _named(task: TaskRef) -> dict[str, Any]:
    return {"namespace": task.namespace, "task": task.name, "taskUID": task.uid}
