"""Decides what becomes of each tick: started, queued, replacing, or skipped with a reason. Pure; nothing is sent.

The order of the questions is the order of CronJob's, with its faults left out (docs/adr/0003-cron-dialect.md).
"""

import hashlib
from collections import deque
from dataclasses import dataclass
from typing import Final

from warmcron.core import times
from warmcron.core.schedule import Schedule
from warmcron.core.tasks import NEVER, Task, TaskSpec
from warmcron.spec.task import ConcurrencyPolicy, MissedRunPolicy

# An outage this short leaves ticks late, not missed: a change of leader (4 s) or a busy machine must not drop them
# under Skip, nor fold several into one under RunLatest.
GRACE_SECONDS: Final = 10
# After a longer one, only a tick that became due less than this ago is not missed.
ON_TIME_SECONDS: Final = 1
# Ticks counted one by one after downtime. Beyond it the count says "at least": a second-by-second schedule
# has 31 million ticks a year, and only those that the policy can use are worth finding.
COUNTED: Final = 1000
# Runs of one task that go on at once under Allow; each stands in the task's status, which has an end.
MAX_ACTIVE: Final = 128


class Reason:
    """Why a tick was skipped or a run ended; the words of status, metrics and logs."""

    CONCURRENT: Final = "ForbidConcurrent"
    MISSED: Final = "Missed"
    STARTING_DEADLINE: Final = "StartingDeadlineExceeded"
    QUEUE_FULL: Final = "QueueFull"
    NO_WORKER: Final = "NoReadyWorker"
    TOO_MANY: Final = "TooManyActiveRuns"
    EDITED: Final = "ScheduleChanged"
    SUSPENDED: Final = "Suspended"
    REPLACED: Final = "Replaced"


@dataclass(frozen=True, slots=True)
class Start:
    """Start a run for this tick now."""

    tick: int


@dataclass(frozen=True, slots=True)
class Queue:
    """Start it when the runs before it have ended."""

    tick: int


@dataclass(frozen=True, slots=True)
class Replace:
    """Cancel what runs, then start a run for this tick."""

    tick: int


@dataclass(frozen=True, slots=True)
class Skip:
    """No run for this tick (for `count` ticks up to this one)."""

    tick: int
    reason: str
    count: int = 1


Decision = Start | Queue | Replace | Skip


def decide(task: Task, now: float) -> tuple[list[Decision], int]:
    """What becomes of every tick of a task that is due at `now`, and the last of them: the new cursor."""
    spec = task.spec
    if spec is None or task.idle:
        return [], task.history.cursor
    # All that can be chosen (a tick a second is in grace for eleven), and one that is not, for the record of the rest.
    most = spec.max_missed + GRACE_SECONDS + 2
    latest, total = latest_ticks(spec.schedule, after=task.history.cursor, until=int(now), count=most)
    if latest and due_time(spec, task.ref.uid, latest[-1]) > now:  # jittered, so its own turn comes later
        latest.pop()
        total -= 1
    cursor = latest[-1] if latest else task.history.cursor
    latest, total = _without_adopted(task, latest, total, until=cursor)
    missed, fresh = _split(task, spec, latest, now)
    chosen = _choose(spec, missed, fresh)
    dropped = [tick for tick in latest if tick not in chosen] or [cursor]
    decisions = _dropped(task, spec, dropped, total - len(chosen), now)
    active, queued = len(task.active), len(task.queued)
    for tick in chosen:
        in_turn = spec.missed_runs is MissedRunPolicy.RUN_ALL and tick in missed
        decision = admit(spec, tick, active=active, queued=queued, in_turn=in_turn)
        active += isinstance(decision, Start | Replace)
        queued += isinstance(decision, Queue)
        decisions.append(decision)
    return decisions, cursor


def admit(spec: TaskSpec, tick: int, *, active: int, queued: int, in_turn: bool = False) -> Decision:
    """What the concurrency policy says to one tick while `active` runs go on and `queued` ticks wait.

    `in_turn` is a missed tick under RunAll, which promises it a run, as Forbid promises that none overlaps.
    """
    if active == 0 and queued == 0:
        return Start(tick)
    match spec.concurrency:
        case ConcurrencyPolicy.ALLOW:
            return Start(tick) if active < MAX_ACTIVE else Skip(tick, Reason.TOO_MANY)
        case ConcurrencyPolicy.REPLACE:
            return Replace(tick)
        case ConcurrencyPolicy.QUEUE:
            return Queue(tick) if queued < spec.max_queued or in_turn else Skip(tick, Reason.QUEUE_FULL)
        case ConcurrencyPolicy.FORBID if in_turn:
            return Queue(tick)
    return Skip(tick, Reason.CONCURRENT)


def _dropped(task: Task, spec: TaskSpec, latest: list[int], count: int, now: float) -> list[Decision]:
    """Records for the `count` ticks that are not started: one for those too late, one for the rest.

    `latest` are the last of them.
    """
    if count <= 0:
        return []
    last, (late, too_late) = latest[-1], _too_late(task, spec, now)
    if late is None:
        return [Skip(last, Reason.MISSED, count)]
    if late >= last:
        return [Skip(late, Reason.STARTING_DEADLINE, count)]
    # After a very long time both counts are lower bounds; what can be seen is there for certain.
    in_time = max(count - too_late, sum(tick > late for tick in latest))
    late_ones = [Skip(late, Reason.STARTING_DEADLINE, count - in_time)] if count > in_time else []
    return [*late_ones, Skip(last, Reason.MISSED, in_time)]


def _too_late(task: Task, spec: TaskSpec, now: float) -> tuple[int | None, int]:
    """The last undecided tick that has passed its starting deadline, and how many have; (None, 0) for none."""
    if spec.starting_deadline is None:
        return None, 0
    until = times.second_before(now - spec.starting_deadline)
    found, count = latest_ticks(spec.schedule, after=task.history.cursor, until=until, count=len(task.adopted) + 1)
    found, count = _without_adopted(task, found, count, until=until)
    return (found[-1], count) if found else (None, 0)


def _without_adopted(task: Task, ticks: list[int], count: int, *, until: int) -> tuple[list[int], int]:
    """Ticks and their number without those whose runs a leader before us had begun."""
    adopted = sum(task.history.cursor < tick <= until for tick in task.adopted)
    return [tick for tick in ticks if tick not in task.adopted], count - adopted


def outstanding(task: Task, now: float) -> Skip | None:
    """The ticks before `now` that are not decided yet, for jitter holds them back: lost if the schedule changes."""
    spec = task.spec
    if spec is None or task.idle:
        return None
    until = times.second_before(now)
    latest, total = latest_ticks(spec.schedule, after=task.history.cursor, until=until, count=1)
    if not latest or latest[-1] in task.adopted:
        return None
    return Skip(latest[-1], Reason.EDITED, total)


def _split(task: Task, spec: TaskSpec, ticks: list[int], now: float) -> tuple[list[int], list[int]]:
    """The ticks that may still start, as missed and merely late ones: by how long nobody has looked."""
    oldest = spec.schedule.next_after(task.history.cursor)
    waited = now - due_time(spec, task.ref.uid, oldest)
    if spec.starting_deadline is not None:
        ticks = [tick for tick in ticks if now - tick <= spec.starting_deadline]
    if waited <= GRACE_SECONDS:
        return [], ticks
    fresh = [tick for tick in ticks if now - due_time(spec, task.ref.uid, tick) < ON_TIME_SECONDS]
    return ticks[: len(ticks) - len(fresh)], fresh


def _choose(spec: TaskSpec, missed: list[int], fresh: list[int]) -> list[int]:
    """The ticks worth starting: those merely late, and of the missed ones what the policy asks for."""
    match spec.missed_runs:
        case MissedRunPolicy.RUN_ALL:
            return missed[-spec.max_missed :] + fresh
        case MissedRunPolicy.RUN_LATEST if not fresh:
            return missed[-1:]
    return fresh


def next_look(task: Task, now: float) -> tuple[int | None, float]:
    """The next tick after the cursor and when it is due; (None, NEVER) for a task that starts nothing."""
    spec = task.spec
    if spec is None or task.idle:
        return None, NEVER
    tick = spec.schedule.next_after(task.history.cursor)
    if tick <= now - GRACE_SECONDS:
        return tick, now
    return tick, due_time(spec, task.ref.uid, tick)


def due_time(spec: TaskSpec, uid: str, tick: int) -> float:
    """When a tick is to start: itself, or later by a jitter that every replica draws alike."""
    if not spec.jitter:
        return tick
    room = min(spec.jitter, spec.schedule.next_after(tick) - tick - 1)
    if spec.starting_deadline is not None:  # the delay is ours: it must not be what makes a tick too late
        room = min(room, spec.starting_deadline - 1)
    digest = int.from_bytes(hashlib.sha256(f"{uid}\0{tick}".encode()).digest()[:8])
    return tick + (digest % (room * 1000 + 1)) / 1000 if room > 0 else tick


def latest_ticks(schedule: Schedule, *, after: int, until: int, count: int) -> tuple[list[int], int]:
    """The last `count` ticks in (after, until], ascending, and how many there are (at least: see COUNTED)."""
    latest: deque[int] = deque(maxlen=count)
    total = 0
    tick = schedule.next_after(after)
    while tick <= until and total < COUNTED:
        latest.append(tick)
        total += 1
        tick = schedule.next_after(tick)
    if tick > until:
        return list(latest), total
    # More than can be walked: look back from the end, over a window that doubles until it holds enough.
    window = 60
    while True:
        start = max(after, until - window)
        found, tick = deque[int](maxlen=count), schedule.next_after(start)
        while tick <= until:
            found.append(tick)
            tick = schedule.next_after(tick)
        if len(found) == count or start == after:
            return list(found), max(total, len(found))
        window *= 2
