"""A run that every ready worker gets: split into shards, and put together again from how they ended. Pure.

A shard belongs to its worker: it is retried there, and ends with it. Broadcast means "every worker that was ready", and
work that is moved to another worker would be done there twice and nowhere in its place
(docs/adr/0012-a-shard-belongs-to-its-worker.md).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from warmcron.core.events import End, Outcome
from warmcron.core.pool import Worker
from warmcron.core.run import Run, State
from warmcron.core.tasks import NEVER, Shard

# Workers of one broadcast that a status or a report is believed to have had.
MOST: Final = 10_000
# Failed shards that are named in the run's reason.
NAMED: Final = 5


@dataclass(slots=True)
class Parts:
    """How the shards of a run stand: those that go on by the uid of their pod, the others as counts and words.

    Attributes:
        numbers: of every shard that we began or were told of, by the uid of its pod; it stays when the shard is over.
    """

    total: int
    open: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    succeeded: int = 0
    failed: list[str] = field(default_factory=list)
    attempts: int = 0


def split(whole: Run, workers: Collection[Worker], now: float) -> list[Run]:
    """One shard for each worker, in the order given; from here on the whole only waits for them."""
    total = len(workers)
    return _begin(whole, [(Shard(i, total, w.name, w.uid), 1) for i, w in enumerate(workers)], total, now)


def take_over(
    whole: Run, known: Mapping[int, tuple[Worker, int]], ready: Collection[Worker], *, total: int, done: int, now: float
) -> list[Run]:
    """The shards of a run that the leader before began.

    What no worker tells of goes to a ready worker that has none of it; where there is none left, it is over: well, as
    far as `done` says that so many had ended well, else not.

    Args:
        whole: the run.
        known: worker and attempt by the number of the shard, from those that told of theirs.
        ready: the workers that could have a shard.
        total: how many shards there are.
        done: how many had ended well, of those that nobody tells of.
        now: UTC epoch seconds.
    """
    shards = [(Shard(i, total, worker.name, worker.uid), attempt) for i, (worker, attempt) in known.items()]
    taken = {worker.uid for worker, _ in known.values()}
    free = iter([worker for worker in ready if worker.uid not in taken])
    parts_lost, parts_done = [], 0
    for index in range(total):
        if index in known:
            continue
        if worker := next(free, None):
            shards.append((Shard(index, total, worker.name, worker.uid), 1))
        elif parts_done < done:
            parts_done += 1
        else:
            parts_lost.append(f"shard {index} (WorkerGone)")
    begun = _begin(whole, shards, total, now)
    if whole.parts:
        whole.parts.succeeded, whole.parts.failed = parts_done, parts_lost
    return begun


def ended(whole: Run, part: Run) -> End | None:
    """Counts a shard that is over; how the whole ended if that was the last one."""
    parts = whole.parts
    if parts is None or part.shard is None or parts.open.pop(part.shard.pod_uid, None) is None:
        return None
    parts.attempts += part.attempt - (not part.pod_uid)
    if part.outcome is Outcome.SUCCEEDED:
        parts.succeeded += 1
    else:
        parts.failed.append(f"{part.shard.pod_name} ({part.reason})")
    return over(whole)


def over(whole: Run) -> End | None:
    """How the whole ended; None while a shard goes on. It succeeded only if all of them did."""
    parts = whole.parts
    if parts is None or parts.open:
        return None
    if not parts.failed:
        return End(Outcome.SUCCEEDED)
    if whole.state is State.CANCELLING:
        return End(Outcome.CANCELLED, whole.reason)
    more = len(parts.failed) - NAMED
    names = ", ".join(parts.failed[:NAMED]) + (f" and {more} more" if more > 0 else "")
    return End(Outcome.FAILED, f"{len(parts.failed)} of {parts.total} shards failed: {names}")


def _begin(whole: Run, shards: list[tuple[Shard, int]], total: int, now: float) -> list[Run]:
    whole.state, whole.wake, whole.reason = State.RUNNING, NEVER, ""
    whole.started = whole.started or now
    begun = [
        replace(whole, state=State.PENDING, attempt=attempt, started=None, tried=set(), parts=None, shard=shard)
        for shard, attempt in shards
    ]
    whole.parts = Parts(
        total,
        {part.shard.pod_uid: part.key for part in begun if part.shard},
        {shard.pod_uid: shard.index for shard, _ in shards},
    )
    return begun
