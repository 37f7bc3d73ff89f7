"""What of all that happens is news, when it is old news, and when it is too much. Pure: it sends nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from warmcron.core import runs, times
from warmcron.core.tasks import RunRecord, TaskRef

FAILED: Final = "dev.warmcron.run.failed"
RECOVERED: Final = "dev.warmcron.run.recovered"
MISSED: Final = "dev.warmcron.ticks.missed"
MISSED_REASONS: Final = ("Missed", "StartingDeadlineExceeded")
MOST_SILENT: Final = 10_000
# So many notifications of a kind are told singly in a minute; what comes beyond is told together at its end.
MOST_SINGLE: Final = 20
MINUTE: Final = 60.0
# Tasks that a summary names; the number says how many there were.
MOST_NAMED: Final = 50
SUMMARIES: Final = {
    FAILED: "dev.warmcron.runs.failed",
    RECOVERED: "dev.warmcron.runs.recovered",
    MISSED: "dev.warmcron.tasks.missed",
}


@dataclass(frozen=True, slots=True)
class News:
    """One notification.

    Attributes:
        id: the same however often it is sent.
        subject: namespace/name of the task; empty for many.
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
            case runs.Outcome.SKIPPED:  # it waited for a worker until it was too late
                return self.skipped(run.task, record, 1, now)
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
        self._until.pop(key, None)
        # The oldest come first, and all are silent for the same time: no more is looked at than is thrown away.
        while self._until:
            oldest = next(iter(self._until))
            if self._until[oldest] > now and len(self._until) < MOST_SILENT:
                break
            del self._until[oldest]
        self._until[key] = now + self._silence
        return False


class Digest:
    """Lets so many notifications of a kind through in a minute, and makes one of all that come beyond."""

    def __init__(self) -> None:
        self._minutes: dict[str, _Minute] = {}

    def put(self, news: News, now: float) -> News | None:
        """What is to be sent now: the news itself, or nothing, for it is told together with others later."""
        minute = self._minutes.get(news.kind)
        if minute is None or (minute.end <= now and not minute.count):
            minute = self._minutes[news.kind] = _Minute(now + MINUTE)
        if minute.single < MOST_SINGLE and not minute.count:
            minute.single += 1
            return news
        minute.add(news)
        return None

    def due(self, now: float) -> list[News]:
        """The summaries whose minute is over."""
        over = {kind: minute for kind, minute in self._minutes.items() if minute.end <= now}
        for kind in over:
            del self._minutes[kind]
        return [minute.summary(kind) for kind, minute in over.items() if minute.count]

    def next(self) -> float | None:
        """When `due` will have something; None while nothing is held back."""
        return min((minute.end for minute in self._minutes.values() if minute.count), default=None)


@dataclass(slots=True)
class _Minute:
    """One kind of news since a moment."""

    end: float
    single: int = 0
    count: int = 0
    tasks: dict[str, None] = field(default_factory=dict)
    first: News | None = None
    last: News | None = None

    def add(self, news: News) -> None:
        self.count += 1
        self.first, self.last = self.first or news, news
        if len(self.tasks) < MOST_NAMED:
            self.tasks[news.subject] = None

    def summary(self, kind: str) -> News:
        """One notification for all; a single one is told as it is."""
        assert self.first is not None  # noqa: S101 - something was added
        assert self.last is not None  # noqa: S101
        if self.count == 1:
            return self.first
        data = {
            "count": self.count,
            "since": times.text(self.first.time),
            "until": times.text(self.last.time),
            "tasks": list(self.tasks),
        }
        return News(f"{self.first.id}.and-more", SUMMARIES[kind], "", self.last.time, data)


def _named(task: TaskRef) -> dict[str, Any]:
    return {"namespace": task.namespace, "task": task.name, "taskUID": task.uid}
