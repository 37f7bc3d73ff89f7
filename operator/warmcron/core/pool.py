"""The workers as last seen, and which of them gets a run. The readiness probe is the heartbeat; nobody registers."""

from dataclasses import dataclass, field
from itertools import chain, islice
from random import Random
from typing import Final, NamedTuple

from warmcron.core import standing
from warmcron.core.roster import Crew, Roster
from warmcron.core.tasks import NEVER, PoolKey
from warmcron.spec.task import RoutingPolicy

# How many runs a worker gets at once while it has not said how many it takes.
DEFAULT_CONCURRENCY: Final = 100
# A worker that refused a connection is left alone until its probe has had time to say what is wrong, or this long.
SUSPECT_SECONDS: Final = 5.0
# Of how many pods it is said why they were passed over; for each of a thousand it would cost more than the run.
PASSED_OVER_MAX: Final = 50


class Address(NamedTuple):
    """Where a worker listens: the pod's IP and its container port named `warmcron`."""

    ip: str
    port: int


@dataclass(slots=True)
class Worker:
    """One pod of a pool. Who changes one that is in a `Pool` says so there (`Pool.update`).

    Attributes:
        ready: Running, Ready, not terminating, not on the host's network, with an address.
        started: when its container last started, as text: a change means that what ran in it is gone.
        ended: why its container ended before that, in the kubelet's word (`OOMKilled`, `Error`); empty if it never did.
        gone_after: when its pod is to be gone (epoch seconds); NEVER while nobody has deleted it.
        heard: it has said what it can do, or was asked for long enough: before that it gets nothing.
        handlers: what it has registered; None while it has not said or cannot.
        plain: an HTTP endpoint without the SDK: it cannot say that it will report later, and is waited for.
        concurrency: how many runs it takes at once.
        version: of what it runs, in its own words; `labels`, those of its pod: shown, and nothing follows from them.
        runs: ids of the runs that it has been sent and that have not ended.
        busy_until: it said it has no room, or refused: not chosen before this (epoch seconds).
        last_picked: when it was last chosen, to spread what is equal; `joined`, when it came, where that is equal, too.
    """

    uid: str
    name: str
    pool: PoolKey
    address: Address | None
    ready: bool
    started: str = ""
    reason: str = ""
    heard: bool = False
    handlers: frozenset[str] | None = None
    plain: bool = False
    concurrency: int = DEFAULT_CONCURRENCY
    version: str = ""
    runs: set[str] = field(default_factory=set)
    busy_until: float = 0.0
    busy_reason: str = ""
    last_picked: int = 0
    joined: int = 0
    ended: str = ""
    gone_after: float = NEVER
    labels: tuple[tuple[str, str], ...] = ()

    def see(self, seen: "Worker") -> bool:
        """Takes in what its pod says now. True if its container has started anew."""
        restarted = bool(self.started and seen.started) and self.started != seen.started
        if self.ready != seen.ready:
            self.busy_until = 0.0
        if restarted:
            self.heard = False  # its code may be another one
        self.address, self.ready, self.reason = seen.address, seen.ready, seen.reason
        self.started, self.ended = seen.started or self.started, seen.ended
        self.gone_after, self.labels = seen.gone_after, seen.labels
        return restarted


@dataclass(frozen=True, slots=True)
class Picked:
    """This worker gets the run.

    Attributes:
        filtered: why pods that were passed over could not take it, by pod name; of at most `PASSED_OVER_MAX`.
    """

    worker: Worker
    filtered: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class NoWorker:
    """Nobody can take it.

    Attributes:
        reason: `NoReadyWorker` (nobody is ready), `HandlerUnknown` (nobody who is ready has the handler),
            `WorkersStarting` (who is ready and might have it has not yet said so) or `WorkersBusy`.
        filtered: why pods of the pool were passed over, by pod name; of at most `PASSED_OVER_MAX`.
    """

    reason: str
    filtered: tuple[tuple[str, str], ...]


class Pool:
    """All workers by pod uid and by pool."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._workers: dict[str, Worker] = {}
        self._pools: dict[PoolKey, Roster] = {}
        self._picks = 0

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
        roster = self._pools.get(key)
        return list(roster.members.values()) if roster else []

    def put(self, worker: Worker) -> None:
        """Adds a worker."""
        self._workers[worker.uid] = worker
        self._pools.setdefault(worker.pool, Roster()).put(worker)

    def forget(self, uid: str) -> Worker | None:
        """Removes a worker whose pod is gone."""
        worker = self._workers.pop(uid, None)
        if worker:
            roster = self._pools[worker.pool]
            roster.forget(uid)
            if not roster.members:
                del self._pools[worker.pool]
        return worker

    def update(self, worker: Worker) -> None:
        """A worker has changed."""
        if roster := self._pools.get(worker.pool):
            roster.update(worker)

    def take(self, worker: Worker, run: str) -> None:
        """A worker gets a run, or is found to have it."""
        self._picks += 1
        worker.last_picked = self._picks
        worker.runs.add(run)
        self.update(worker)

    def release(self, worker: Worker, run: str) -> None:
        """A worker has a run no more."""
        worker.runs.discard(run)
        self.update(worker)

    def ready_count(self, key: PoolKey) -> int:
        """How many workers of a pool are ready."""
        roster = self._pools.get(key)
        return roster.ready if roster else 0

    def next_rested(self, key: PoolKey, now: float) -> float:
        """When the next ready worker that refused may be tried again; NEVER if there is none."""
        roster = self._pools.get(key)
        return roster.look(now) if roster else NEVER

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
        """Chooses a worker for a run; workers in `avoid` (where it failed before) only when there is no other.

        That it gets the run is told by `take`; until then the next run could be given to the same one.
        """
        roster = self._pools.get(key)
        if roster is None:
            return NoWorker("NoReadyWorker", ())
        roster.look(now)
        crews = roster.able(handler)
        shunned = [worker for crew in crews for uid in avoid if (worker := crew.free.get(uid))]
        free = sum(len(crew.free) for crew in crews)
        if len(shunned) == free:
            shunned = []
        everybody = free == len(roster.members) and not shunned
        filtered = () if everybody else self._passed_over(roster, handler, shunned, now)
        if not free:
            return NoWorker(_nobody(roster, crews), filtered)
        worker = roster.choose(
            crews,
            routing=routing,
            key=routing_key,
            avoid=frozenset(each.uid for each in shunned),
            random=self._random,
        )
        return Picked(worker, filtered)

    def everybody(self, key: PoolKey, *, handler: str) -> list[Worker] | NoWorker:
        """Every ready worker that has the handler, by name; who is busy gets its part when it has room.

        It waits for those who have not yet said what they can do: a ready worker must not be left out.
        """
        roster = self._pools.get(key)
        if roster is None:
            return NoWorker("NoReadyWorker", ())
        crews = roster.able(handler)
        if roster.silent:
            return NoWorker("WorkersStarting", self._passed_over(roster, handler, [], 0.0))
        if found := [worker for crew in crews for worker in crew]:
            return sorted(found, key=lambda worker: (worker.name, worker.uid))
        return NoWorker(_nobody(roster, crews), self._passed_over(roster, handler, [], 0.0))

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
            return worker.busy_reason or standing.BUSY
        if len(worker.runs) >= worker.concurrency:
            return standing.filled(standing.FULL, runs=len(worker.runs))
        return ""

    def _unable(self, worker: Worker, handler: str) -> str:
        """Why a worker cannot take runs of this handler at all; empty if it can."""
        if not worker.ready or worker.address is None:
            return (
                standing.filled(standing.NOT_READY_FOR, reason=worker.reason) if worker.reason else standing.NOT_READY
            )
        if not worker.heard:
            return standing.NOT_HEARD
        if worker.handlers is not None and handler not in worker.handlers:
            return standing.UNKNOWN_HANDLER
        return ""

    def _passed_over(
        self, roster: Roster, handler: str, shunned: list[Worker], now: float
    ) -> tuple[tuple[str, str], ...]:
        unable = chain(roster.unready.values(), roster.silent.values(), *roster.unable(handler))
        busy = (worker for crew in roster.able(handler) for worker in crew.busy.values())
        found = chain(
            ((worker.name, self._unfit(worker, handler, now)) for worker in chain(unable, busy)),
            ((worker.name, standing.FAILED_HERE) for worker in shunned),
        )
        return tuple(islice(found, PASSED_OVER_MAX))


def _nobody(roster: Roster, crews: list[Crew]) -> str:
    """Why nobody can take a run, in one word."""
    if not roster.ready:
        return "NoReadyWorker"
    return "WorkersBusy" if crews else "WorkersStarting" if roster.silent else "HandlerUnknown"
