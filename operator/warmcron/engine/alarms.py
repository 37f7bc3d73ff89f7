"""When each run is to be looked at next: a heap in which what has gone stale stays until it comes up. Pure."""

import heapq

from warmcron.core.run import Run
from warmcron.core.tasks import NEVER


class Alarms:
    """The alarms of the runs in `runs`; a run has one, `Run.wake`, and setting another makes the first one stale."""

    def __init__(self, runs: dict[str, Run]) -> None:
        self._runs = runs
        self._heap: list[tuple[float, str]] = []

    def set(self, run: Run, when: float) -> None:
        """The run is to be looked at then, and not before."""
        run.wake = when
        if when != NEVER:
            heapq.heappush(self._heap, (when, run.key))

    def next(self) -> float:
        """When a run is to be looked at next; NEVER if none is."""
        while self._heap:
            when, key = self._heap[0]
            run = self._runs.get(key)
            if run and run.wake == when:
                return when
            heapq.heappop(self._heap)
        return NEVER

    def pop(self, now: float) -> Run | None:
        """A run whose time has come."""
        return self._runs[heapq.heappop(self._heap)[1]] if self.next() <= now else None

    def clear(self) -> None:
        """Nobody is to be looked at."""
        self._heap.clear()
