"""The workers as last seen, and which of them gets a run. The readiness probe is the heartbeat; nobody registers."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Final, NamedTuple

from warmcron.core.tasks import NEVER, PoolKey
from warmcron.spec.task import RoutingPolicy

# How many runs a worker gets at once while it has not said how many it takes.
DEFAULT_CONCURRENCY: Final = 100
# A worker that refused a connection is left alone until its probe has had time to say what is wrong, or this long.
SUSPECT_SECONDS: Final = 5.0
UNKNOWN_HANDLER: Final = "handler not registered"
FAILED_HERE: Final = "an earlier attempt failed here"


class Address(NamedTuple):
    """Where a worker listens: the pod's IP and its container port named `warmcron`."""

    ip: str
    port: int


@dataclass(slots=True)
class Worker:
    """One pod of a pool.

    Attributes:
        ready: Running, Ready, not terminating, not on the host's network, with an address.
        started: when its container last started, as text: a change means that what ran in it is gone.
        ended: why its container ended before that, in the kubelet's word (`OOMKilled`, `Error`); empty if it never did.
        gone_after: when its pod is to be gone (epoch seconds); NEVER while nobody has deleted it.
        handlers: what it has registered; None while it has not said or cannot.
        plain: an HTTP endpoint without the SDK: it cannot say that it will report later, and is waited for.
        concurrency: how many runs it takes at once.
        runs: ids of the runs that it has been sent and that have not ended.
        busy_until: it said it has no room, or refused: not chosen before this (epoch seconds).
        last_picked: when it was last chosen, to spread what is equal.
    """

    uid: str
    name: str
    pool: PoolKey
    address: Address | None
    ready: bool
    started: str = ""
    reason: str = ""
    handlers: frozenset[str] | None = None
    plain: bool = False
    concurrency: int = DEFAULT_CONCURRENCY
    runs: set[str] = field(default_factory=set)
    busy_until: float = 0.0
    busy_reason: str = ""
    last_picked: int = 0
    ended: str = ""
    gone_after: float = NEVER

    def see(self, seen: "Worker") -> bool:
        """Takes in what its pod says now. True if its container has started anew."""
        restarted = bool(self.started and seen.started) and self.started != seen.started
        if self.ready != seen.ready:
            self.busy_until = 0.0
        self.address, self.ready, self.reason = seen.address, seen.ready, seen.reason
        self.started, self.ended = seen.started or self.started, seen.ended
        self.gone_after = seen.gone_after
        return restarted


@dataclass(frozen=True, slots=True)
class Picked:
    """This worker gets the run.

    Attributes:
        filtered: why each pod that was passed over could not take it, by pod name.
    """

    worker: Worker
    filtered: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class NoWorker:
    """Nobody can take it.

    Attributes:
        reason: `NoReadyWorker` (nobody is ready), `HandlerUnknown` (nobody who is ready has the handler) or
            `WorkersBusy`.
        filtered: why each pod of the pool was passed over, by pod name.
    """

    reason: str
    filtered: tuple[tuple[str, str], ...]


class Pool:
    """All workers by pod uid and by pool."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._workers: dict[str, Worker] = {}
        self._pools: dict[PoolKey, dict[str, Worker]] = {}
        self._picks = 0
        self._turns: dict[PoolKey, dict[str, str]] = {}  # who had the last turn, by routing key

    def __len__(self) -> int:
        return len(self._workers)

    def get(self, uid: str) -> Worker | None:
        """The worker of that pod uid, if the pod still exists."""
        return self._workers.get(uid)

    def all(self) -> list[Worker]:
        """Every known worker."""
        return list(self._workers.values())

    def of(self, key: PoolKey) -> list[Worker]:
        """The workers of one pool."""
        return list(self._pools.get(key, {}).values())

    def put(self, worker: Worker) -> None:
        """Adds a worker."""
        self._workers[worker.uid] = worker
        self._pools.setdefault(worker.pool, {})[worker.uid] = worker

    def forget(self, uid: str) -> Worker | None:
        """Removes a worker whose pod is gone."""
        worker = self._workers.pop(uid, None)
        if worker:
            members = self._pools[worker.pool]
            del members[uid]
            if not members:
                del self._pools[worker.pool]
                self._turns.pop(worker.pool, None)
        return worker

    def ready_count(self, key: PoolKey) -> int:
        """How many workers of a pool are ready."""
        return sum(worker.ready for worker in self._pools.get(key, {}).values())

    def pick(
        self,
        key: PoolKey,
        *,
        routing: RoutingPolicy,
        routing_key: str,
        handler: str,
        avoid: frozenset[str],
        now: float,
    ) -> Picked | NoWorker:
        """Chooses a worker for a run; workers in `avoid` (where it failed before) only when there is no other."""
        members = self._pools.get(key, {})
        free, filtered = [], []
        for worker in members.values():
            if reason := self._unfit(worker, handler, now):
                filtered.append((worker.name, reason))
            else:
                free.append(worker)
        if not free:
            return NoWorker(_nobody(members.values(), filtered), tuple(filtered))
        fresh = [worker for worker in free if worker.uid not in avoid] or free
        if len(fresh) < len(free):
            filtered += [(worker.name, FAILED_HERE) for worker in free if worker.uid in avoid]
        worker = self._choose(key, fresh, routing, routing_key)
        self._picks += 1
        worker.last_picked = self._picks
        return Picked(worker, tuple(filtered))

    def everybody(self, key: PoolKey, *, handler: str) -> list[Worker] | NoWorker:
        """Every ready worker that has the handler, by name; who is busy gets its part when it has room."""
        members = self._pools.get(key, {}).values()
        found = [worker for worker in members if not self._unable(worker, handler)]
        if found:
            return sorted(found, key=lambda worker: (worker.name, worker.uid))
        filtered = [(worker.name, self._unable(worker, handler)) for worker in members]
        return NoWorker(_nobody(members, filtered), tuple(filtered))

    def pick_one(self, uid: str, *, handler: str, now: float) -> Picked | NoWorker:
        """This worker, for a run that no other may have; `PodGone` if it is no more."""
        worker = self._workers.get(uid)
        if worker is None:
            return NoWorker("PodGone", ())
        reason = self._unfit(worker, handler, now)
        return NoWorker("WorkersBusy", ((worker.name, reason),)) if reason else Picked(worker)

    def _unfit(self, worker: Worker, handler: str, now: float) -> str:
        """Why a worker cannot take a run now; empty if it can."""
        if reason := self._unable(worker, handler):
            return reason
        if worker.busy_until > now:
            return worker.busy_reason or "busy"
        if len(worker.runs) >= worker.concurrency:
            return f"full: {len(worker.runs)} runs"
        return ""

    def _unable(self, worker: Worker, handler: str) -> str:
        """Why a worker cannot take runs of this handler at all; empty if it can."""
        if not worker.ready or worker.address is None:
            return f"not ready: {worker.reason}" if worker.reason else "not ready"
        if worker.handlers is not None and handler not in worker.handlers:
            return UNKNOWN_HANDLER
        return ""

    def _choose(self, key: PoolKey, workers: list[Worker], routing: RoutingPolicy, routing_key: str) -> Worker:
        match routing:
            case RoutingPolicy.RANDOM:
                return self._random.choice(workers)
            case RoutingPolicy.ROUND_ROBIN:
                # Each task takes its own turns: a common one would always give the second task the second worker.
                turns = self._turns.setdefault(key, {})
                before = turns.get(routing_key, "")
                worker = min(workers, key=lambda worker: (worker.uid <= before, worker.uid))
                turns[routing_key] = worker.uid
                return worker
            case RoutingPolicy.CONSISTENT_HASH:
                return _on_ring(workers, routing_key)
        return min(workers, key=lambda worker: (len(worker.runs) / worker.concurrency, worker.last_picked))


def _nobody(members: Iterable[Worker], filtered: list[tuple[str, str]]) -> str:
    """Why nobody can take a run, in one word."""
    ready = {worker.name for worker in members if worker.ready}
    if not ready:
        return "NoReadyWorker"
    unknown = all(reason == UNKNOWN_HANDLER for name, reason in filtered if name in ready)
    return "HandlerUnknown" if unknown else "WorkersBusy"


def _on_ring(workers: list[Worker], key: str) -> Worker:
    """Highest random weight: when a worker goes, only its own keys move."""
    return max(workers, key=lambda worker: hashlib.sha256(f"{key}\0{worker.uid}".encode()).digest())
