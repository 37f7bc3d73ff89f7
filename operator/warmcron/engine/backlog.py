"""What was heard of attempts while more was due than one turn could send: it waits until that is out.

An answer costs half as much as a request; heard between two of them, it makes every later tick of a herd late. Whoever
decides anything about a run hears first what waits about it, so that nobody decides by what is over. A crash loses
nothing that is not lost with the runs themselves: the next leader asks the workers.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from warmcron.core import runs

# How many runs have something waiting at most; each further one makes the oldest be heard. About 5 MiB.
MOST: Final = 10_000


class Backlog:
    """Events that wait, by run: each run's in their order, the run first that has waited longest.

    Args:
        hear: takes one event in.
    """

    def __init__(self, hear: Callable[[runs.Attempt, runs.Event], None]) -> None:
        self._hear = hear
        self._waiting: OrderedDict[str, list[tuple[runs.Attempt, runs.Event]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, about: runs.Attempt, event: runs.Event) -> None:
        """This one waits."""
        self._waiting.setdefault(about.run_id, []).append((about, event))
        if len(self._waiting) > MOST:
            self.take(1)

    def take(self, limit: int) -> None:
        """Hears what waits about at most so many runs."""
        for _ in range(min(limit, len(self._waiting))):
            _, waited = self._waiting.popitem(last=False)
            self._hear_all(waited)

    def catch_up(self, run_id: str) -> None:
        """Hears what waits about one run: something is about to be decided about it."""
        if waited := self._waiting.pop(run_id, None):
            self._hear_all(waited)

    def clear(self) -> None:
        """What was heard is the next leader's to ask for."""
        self._waiting.clear()

    def _hear_all(self, waited: list[tuple[runs.Attempt, runs.Event]]) -> None:
        for about, event in waited:
            self._hear(about, event)
