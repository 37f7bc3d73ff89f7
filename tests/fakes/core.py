"""Specs, tasks and runs for tests of the pure core: what a test does not name is as a plain task has it."""

from typing import Any

from warmcron.core import runs, schedule, status
from warmcron.core.tasks import PoolKey, Task, TaskRef, TaskSpec
from warmcron.spec.task import (
    ConcurrencyPolicy,
    DaylightSavingPolicy,
    DeliveryPolicy,
    MissedRunPolicy,
    NoWorkerPolicy,
    RoutingPolicy,
)

CREATED = 1_800_000_000
UID = "0b1e9b7e-5f0f-4c6a-9d55-3c7a3d1b8a10"
RUN_ID = "5d6bd2a5-8a4c-5a0b-9d38-7d1b3f0c9a11"
REF = TaskRef(UID, "ns", "task")


def spec(text: str = "@every 10s", **changes: Any) -> TaskSpec:
    parsed = schedule.parse(text, zone="UTC", policy=DaylightSavingPolicy.RUN_ONCE, anchor=CREATED, hash_key="ns/task")
    fields: dict[str, Any] = {
        "schedule": parsed,
        "schedule_text": text,
        "suspend": False,
        "starting_deadline": None,
        "missed_runs": MissedRunPolicy.RUN_LATEST,
        "max_missed": 10,
        "concurrency": ConcurrencyPolicy.ALLOW,
        "max_queued": 10,
        "jitter": 0,
        "pool": PoolKey("ns", "p"),
        "routing": RoutingPolicy.LEAST_LOADED,
        "routing_key": "ns/task",
        "handler": "h",
        "payload": None,
        "delivery": DeliveryPolicy.AT_LEAST_ONCE,
        "active_deadline": 3600,
        "attempt_deadline": None,
        "backoff_limit": 3,
        "backoff_initial": 1.0,
        "backoff_multiplier": 2.0,
        "backoff_max": 300.0,
        "no_worker": NoWorkerPolicy.WAIT,
        "suspend_after_failures": None,
        "history_limit": 3,
    }
    return TaskSpec(**fields | changes)


def task(found: TaskSpec | None = None, *, last_tick: int = 0, written: status.Json | None = None) -> Task:
    """A task that was created at CREATED; ticks up to `last_tick` are decided."""
    history = status.restore(written or {}, created=CREATED)
    history.last_tick = last_tick or history.last_tick
    return Task(REF, 1, CREATED, found or spec(), None, None, history)


def run(found: TaskSpec | None = None, *, now: float = CREATED, **changes: Any) -> runs.Run:
    found = found or spec()
    fields: dict[str, Any] = {
        "id": RUN_ID,
        "task": REF,
        "spec": found,
        "trigger": "Schedule",
        "scheduled": int(now),
        "created": now,
        "deadline": now + found.active_deadline,
        "payload": None,
    }
    return runs.Run(**fields | changes)
