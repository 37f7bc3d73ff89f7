"""A task's history as the `.status` of its object and back: what a new leader will know. Pure.

The object's size decides what a write costs (docs/adr/0004-status-writes.md): nothing in here grows with time.
"""

import functools
import re
import sys
from typing import Any, Final

from warmcron.core import notices, times
from warmcron.core.run import Run
from warmcron.core.tasks import NEVER, ActiveRecord, Condition, History, RunRecord, Task, Ticket

Json = dict[str, Any]

# One message of a condition; longer ones are cut, so that no worker's answer can fill the object.
MESSAGE_LIMIT: Final = 256
UUID_TEXT: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What the CRD's schema takes. `decide` never lets a task come near it.
ACTIVE_LIMIT: Final = 256
QUEUED: Final = "Queued"
# The year 3000: no clock of ours has written a later time.
LATEST: Final = 32_503_680_000
SHARDS: Final = ("total", "succeeded", "failed")
# The reason of `Ready` while ticks start.
SCHEDULED: Final = "Scheduled"


def render(task: Task, active: list[Run], *, epoch: int) -> Json:
    """The whole status that the object should have; `epoch` is the term of the leader that leads the runs."""
    history = task.history
    shown = [_active(run, epoch) for run in active] + [_queued(ticket) for ticket in task.queued]
    status: Json = {
        "observedGeneration": task.generation,
        "conditions": [
            {
                "type": kind,
                "status": condition.status,
                "reason": condition.reason,
                "message": condition.message,
                "lastTransitionTime": times.text(condition.since),
                "observedGeneration": condition.generation,
            }
            for kind, condition in history.conditions.items()
        ],
        "scheduleChangedTime": times.text(history.schedule_changed),
        "observedSchedule": history.schedule_text,
        "lastScheduleTime": _time(history.last_tick or None),
        "lastSuccessfulTime": _time(history.last_success),
        "nextScheduleTime": times.text(task.next_tick) if task.next_tick is not None else None,
        "active": shown[:ACTIVE_LIMIT],
        "activeCount": len(active),
        "recentRuns": [document(record) for record in history.recent],
        "succeeded": history.succeeded,
        "failed": history.failed,
        "skipped": history.skipped,
        "missed": history.missed,
        "consecutiveFailures": history.consecutive_failures,
        "lastTrigger": history.last_trigger or None,
    }
    return status


def restore(status: Json, *, created: int) -> History:
    """What a status says of the past; a status that makes no sense is read as far as it does."""
    conditions = {
        sys.intern(str(found.get("type"))): _condition(
            status=sys.intern(str(found.get("status", "Unknown"))),
            reason=sys.intern(str(found.get("reason", ""))),
            message=sys.intern(str(found.get("message", ""))),
            since=_epoch(found.get("lastTransitionTime")) or created,
            generation=int(found.get("observedGeneration") or 0),
        )
        for found in _dicts(status.get("conditions"))
    }
    ready = conditions.get("Ready")
    changed = int(_epoch(status.get("scheduleChangedTime")) or created)
    history = History(
        last_tick=int(_epoch(status.get("lastScheduleTime")) or 0),
        # What says the same as the rest of the task is the same object: 100,000 tasks are read this way.
        schedule_changed=created if changed == created else changed,
        schedule_text=sys.intern(str(status.get("observedSchedule") or "")),
        last_success=_epoch(status.get("lastSuccessfulTime")),
        last_trigger=str(status.get("lastTrigger") or ""),
        succeeded=_count(status, "succeeded"),
        failed=_count(status, "failed"),
        skipped=_count(status, "skipped"),
        missed=_count(status, "missed"),
        consecutive_failures=_count(status, "consecutiveFailures"),
        generation=_count(status, "observedGeneration"),
        idle=ready is not None and ready.reason != SCHEDULED,
        active=tuple(_read_active(found) for found in _dicts(status.get("active")) if _is_run_id(found.get("runId"))),
        recent=[_read_record(found) for found in _dicts(status.get("recentRuns"))],
        conditions=conditions,
    )
    history.told = notices.told(history)  # by whoever wrote it
    return history


@functools.lru_cache(maxsize=4096)
def _condition(status: str, reason: str, message: str, since: float, generation: int) -> Condition:
    """One for all tasks that have come to the same state in the same second."""
    return Condition(status, reason, message, since, generation)


def set_condition(task: Task, kind: str, *, status: str, reason: str, message: str, now: float) -> bool:
    """Sets a condition; its time moves only when its status does. True if anything a user sees changed."""
    message = message[:MESSAGE_LIMIT]
    old = task.history.conditions.get(kind)
    since = old.since if old and old.status == status else int(now)  # as it is written
    task.history.conditions[kind] = _condition(status, reason, message, since, task.generation)
    return old is None or (old.status, old.reason, old.message) != (status, reason, message)


def record(run: Run, now: float) -> RunRecord:
    """A run that has ended, for `recentRuns`."""
    return RunRecord(
        run_id=run.id,
        scheduled=run.scheduled,
        trigger=run.trigger,
        outcome=run.outcome.value if run.outcome else "Unknown",
        reason=run.reason[:MESSAGE_LIMIT],
        pod_name=run.pod_name,
        # What waits for a worker or for its backoff has not been sent under its number yet.
        attempts=run.parts.attempts if run.parts else run.attempt - (not run.pod_uid) if run.started is not None else 0,
        started=run.started,
        duration=round(now - run.started, 3) if run.started is not None else 0.0,
    )


def shards_of(run: Run) -> tuple[int, int, int] | None:
    """How many shards a run has, how many succeeded, and how many failed; None for a run without any."""
    return (run.parts.total, run.parts.succeeded, len(run.parts.failed)) if run.parts else None


def _shards(found: tuple[int, int, int] | None) -> Json | None:
    return dict(zip(SHARDS, found, strict=True)) if found else None


def _read_shards(found: object) -> tuple[int, int, int] | None:
    if not isinstance(found, dict):
        return None
    total, succeeded, failed = (_count(found, key) for key in SHARDS)
    return (total, succeeded, failed) if total else None


def _queued(ticket: Ticket) -> Json:
    return {
        "runId": ticket.run_id,
        "scheduledTime": times.text(ticket.tick),
        "trigger": ticket.trigger,
        "attempt": 0,
        "reason": QUEUED,
    }


def _active(run: Run, epoch: int) -> Json:
    found = {
        "runId": run.id,
        "scheduledTime": times.text(run.scheduled),
        "trigger": run.trigger,
        "attempt": run.attempt,
        "podName": run.pod_name or None,
        "podUID": run.pod_uid or None,
        "epoch": epoch if run.pod_uid else None,
        "startTime": _time(run.started),
        "shards": _shards(shards_of(run)),
        "reason": run.reason[:MESSAGE_LIMIT] or None,
    }
    return _without_none(found)


def document(record: RunRecord) -> Json:
    """A finished run as `recentRuns` has it."""
    found = {
        "runId": record.run_id,
        "scheduledTime": times.text(record.scheduled),
        "trigger": record.trigger,
        "outcome": record.outcome,
        "reason": record.reason or None,
        "podName": record.pod_name or None,
        "attempts": record.attempts,
        "startTime": _time(record.started),
        "durationSeconds": record.duration,
    }
    return _without_none(found)


def _is_run_id(value: object) -> bool:
    """Whether it can be one that we have written: it goes into requests, and others may be able to write a status."""
    return isinstance(value, str) and UUID_TEXT.fullmatch(value) is not None


def _read_active(found: Json) -> ActiveRecord:
    return ActiveRecord(
        run_id=str(found["runId"]),
        scheduled=int(_epoch(found.get("scheduledTime")) or 0),
        trigger=str(found.get("trigger") or "Schedule"),
        attempt=_count(found, "attempt"),
        pod_name=str(found.get("podName") or ""),
        pod_uid=str(found.get("podUID") or ""),
        started=_epoch(found.get("startTime")),
        epoch=_count(found, "epoch"),
        shards=_read_shards(found.get("shards")),
    )


def _read_record(found: Json) -> RunRecord:
    return RunRecord(
        run_id=str(found.get("runId", "")),
        scheduled=int(_epoch(found.get("scheduledTime")) or 0),
        trigger=str(found.get("trigger") or "Schedule"),
        outcome=str(found.get("outcome") or "Unknown"),
        reason=str(found.get("reason") or ""),
        pod_name=str(found.get("podName") or ""),
        attempts=_count(found, "attempts"),
        started=_epoch(found.get("startTime")),
        duration=float(found.get("durationSeconds") or 0),
    )


def _without_none(found: Json) -> Json:
    return {key: value for key, value in found.items() if value is not None}


def _time(instant: float | None) -> str | None:
    return times.text(instant) if instant is not None and instant != NEVER else None


def _epoch(value: object) -> float | None:
    """A time in a status; None for none of ours. What is near the end of all dates has no tick after it."""
    try:
        found = times.epoch(value) if isinstance(value, str) else -1.0
    except (ValueError, OverflowError):
        return None
    return found if 0 <= found < LATEST else None


def _count(found: Json, key: str) -> int:
    value = found.get(key)
    return value if isinstance(value, int) and value > 0 else 0


def _dicts(value: object) -> list[Json]:
    return [found for found in value if isinstance(found, dict)] if isinstance(value, list) else []
