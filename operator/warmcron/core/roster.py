"""The workers of one pool in the orders in which they are chosen, so that choosing need not look at each. Pure.

A herd chooses once for each run: with a thousand workers, looking at all of them would take longer than sending. So
each change of a worker is told here (`update`), and costs the logarithm of the pool's size.
"""

import hashlib
import heapq
from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterator
from itertools import chain
from random import Random
from typing import TYPE_CHECKING, Final

from warmcron.core.agenda import NEVER
from warmcron.spec.task import RoutingPolicy

if TYPE_CHECKING:
    from warmcron.core.pool import Worker

Handlers = frozenset[str] | None
Rank = tuple[float, int, int, str]
# Keys whose place on the ring is remembered; beyond it all are looked up anew.
HOMES_MAX: Final = 100_000


class Crew:
    """The ready workers that have the same handlers: those that can take a run now, and those that cannot."""

    def __init__(self, handlers: Handlers) -> None:
        self.handlers = handlers
        self.free: dict[str, Worker] = {}
        self.busy: dict[str, Worker] = {}
        self._uids: list[str] = []  # the free ones, sorted
        self._ranks: list[Rank] = []  # a heap; what has gone stale is dropped when it comes up

    def __len__(self) -> int:
        return len(self.free) + len(self.busy)

    def __iter__(self) -> "Iterator[Worker]":
        return chain(self.free.values(), self.busy.values())

    def put(self, worker: "Worker", *, free: bool) -> None:
        """Takes a worker in, or sees what has changed about it."""
        if not free:
            self.remove(worker.uid)
            self.busy[worker.uid] = worker
            return
        if worker.uid not in self.free:
            self.remove(worker.uid)
            self.free[worker.uid] = worker
            insort(self._uids, worker.uid)
        if len(self._ranks) > 4 * len(self.free) + 16:
            self._ranks = [_rank(each) for each in self.free.values()]
            heapq.heapify(self._ranks)
        heapq.heappush(self._ranks, _rank(worker))

    def remove(self, uid: str) -> None:
        """Forgets a worker."""
        self.busy.pop(uid, None)
        if self.free.pop(uid, None):
            del self._uids[bisect_left(self._uids, uid)]

    def least_loaded(self, avoid: Collection[str]) -> "Worker | None":
        """The free one with the smallest share of its places taken; of equals, the one not chosen for longest."""
        avoided: list[Rank] = []
        found = None
        while self._ranks and found is None:
            rank = self._ranks[0]
            worker = self.free.get(rank[-1])
            if worker is None or rank != _rank(worker):
                heapq.heappop(self._ranks)
            elif worker.uid in avoid:
                avoided.append(heapq.heappop(self._ranks))
            else:
                found = worker
        for rank in avoided:
            heapq.heappush(self._ranks, rank)
        return found

    def after(self, uid: str, avoid: Collection[str]) -> "Worker | None":
        """The free one that follows in the order of uids, the first after the last."""
        start = bisect_right(self._uids, uid)
        for step in range(len(self._uids)):
            found = self._uids[(start + step) % len(self._uids)]
            if found not in avoid:
                return self.free[found]
        return None

    def at(self, index: int) -> "Worker":
        """The free one at this place in the order of uids."""
        return self.free[self._uids[index]]


class Roster:
    """All workers of a pool. A worker that has changed in any way must be told to `update`."""

    def __init__(self) -> None:
        self.members: dict[str, Worker] = {}
        self.unready: dict[str, Worker] = {}
        self.silent: dict[str, Worker] = {}  # ready, and not yet heard: nobody's crew
        self._crews: dict[Handlers, Crew] = {}
        self._places: dict[str, Crew] = {}  # of the ready ones: the crew each is in
        self._now = 0.0
        self._resting: list[tuple[float, str]] = []  # a heap of who is left alone, and until when
        self._joined = 0
        self._turns: dict[str, str] = {}  # who had the last turn, by routing key
        self._homes: dict[str, str] = {}  # whom the ring names, by routing key

    @property
    def ready(self) -> int:
        """How many are ready."""
        return len(self.members) - len(self.unready)

    def put(self, worker: "Worker") -> None:
        """Adds a worker."""
        if worker.uid in self.members:
            self.forget(worker.uid)
        self._joined += 1
        worker.joined = self._joined
        self.members[worker.uid] = worker
        self._homes.clear()
        self.update(worker)

    def forget(self, uid: str) -> None:
        """Removes a worker."""
        self._leave(uid)
        del self.members[uid]
        self.unready.pop(uid, None)
        self.silent.pop(uid, None)
        self._homes.clear()

    def update(self, worker: "Worker") -> None:
        """Something about a worker has changed; one that is not here is none of ours."""
        if self.members.get(worker.uid) is not worker:
            return
        self.unready.pop(worker.uid, None)
        self.silent.pop(worker.uid, None)
        if not worker.ready or worker.address is None or not worker.heard:
            self._leave(worker.uid)
            able = worker.ready and worker.address is not None
            (self.silent if able else self.unready)[worker.uid] = worker
            return
        crew = self._crews.get(worker.handlers)
        if crew is None:
            crew = self._crews[worker.handlers] = Crew(worker.handlers)
        if self._places.get(worker.uid) is not crew:
            self._leave(worker.uid)
            self._places[worker.uid] = crew
        rests = worker.busy_until > self._now
        if rests:
            heapq.heappush(self._resting, (worker.busy_until, worker.uid))
        crew.put(worker, free=not rests and len(worker.runs) < worker.concurrency)

    def look(self, now: float) -> float:
        """Whoever has been left alone for long enough is chosen again. Returns when the next one will be, or NEVER."""
        self._now = now
        while self._resting:
            until, uid = self._resting[0]
            worker = self.members.get(uid) if uid in self._places else None
            rests = worker is not None and worker.busy_until == until
            if rests and until > now:
                return until
            heapq.heappop(self._resting)
            if worker and rests:
                self.update(worker)
        return NEVER

    def able(self, handler: str) -> list[Crew]:
        """The crews that have a handler, or have not said what they have."""
        return [crew for crew in self._crews.values() if crew.handlers is None or handler in crew.handlers]

    def unable(self, handler: str) -> Iterator[Crew]:
        """The other ones."""
        return (crew for crew in self._crews.values() if crew.handlers is not None and handler not in crew.handlers)

    def choose(
        self, crews: list[Crew], *, routing: RoutingPolicy, key: str, avoid: Collection[str], random: Random
    ) -> "Worker":
        """One that is free in one of the crews and not to be avoided; there must be one."""
        match routing:
            case RoutingPolicy.RANDOM:
                return _at_random(crews, avoid, random)
            case RoutingPolicy.ROUND_ROBIN:
                # Each task takes its own turns: a common one would always give the second task the second worker.
                before = self._turns.get(key, "")
                following = [found for crew in crews if (found := crew.after(before, avoid))]
                worker = min(following, key=lambda worker: (worker.uid <= before, worker.uid))
                self._turns[key] = worker.uid
                return worker
            case RoutingPolicy.CONSISTENT_HASH:
                return self._on_ring(crews, key, avoid)
        least = [found for crew in crews if (found := crew.least_loaded(avoid))]
        return min(least, key=_rank)

    def _on_ring(self, crews: list[Crew], key: str, avoid: Collection[str]) -> "Worker":
        """Highest random weight: when a worker goes, only its own keys move.

        The first of all is remembered for each key. Only while that one cannot take the run all have to be weighed.
        """
        home = self._homes.get(key)
        if home is None:
            if len(self._homes) >= HOMES_MAX:
                self._homes.clear()
            home = self._homes[key] = max(self.members, key=lambda uid: _weight(key, uid))
        if home not in avoid:
            for crew in crews:
                if found := crew.free.get(home):
                    return found
        free = (worker for crew in crews for worker in crew.free.values() if worker.uid not in avoid)
        return max(free, key=lambda worker: _weight(key, worker.uid))

    def _leave(self, uid: str) -> None:
        crew = self._places.pop(uid, None)
        if crew is not None:
            crew.remove(uid)
            if not len(crew):
                del self._crews[crew.handlers]


def _rank(worker: "Worker") -> Rank:
    return len(worker.runs) / worker.concurrency, worker.last_picked, worker.joined, worker.uid


def _weight(key: str, uid: str) -> bytes:
    return hashlib.sha256(f"{key}\0{uid}".encode()).digest()


def _at_random(crews: list[Crew], avoid: Collection[str], random: Random) -> "Worker":
    """Drawn again while it is one to be avoided: of them there are few, and at least one other."""
    while True:
        index = random.randrange(sum(len(crew.free) for crew in crews))
        for crew in crews:
            if index < len(crew.free):
                found = crew.at(index)
                if found.uid not in avoid:
                    return found
                break
            index -= len(crew.free)
