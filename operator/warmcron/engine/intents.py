"""Which AtMostOnce runs may be written down now: a herd of them takes neither all writers nor all workers."""

from typing import Final

from warmcron.core.events import Committed
from warmcron.core.run import Attempt, Run
from warmcron.engine.ports import Inbox

# Intents on their way at once. Each holds a place on a worker until it is written (4 to 7 ms, eight at a time);
# the others wait without one, so that AtLeastOnce runs find workers meanwhile.
AT_ONCE: Final = 64


class IntentLine:
    """Counts the intents on their way, and keeps those that wait for their turn."""

    def __init__(self) -> None:
        self._out: set[str] = set()
        self._waiting: dict[str, Run] = {}

    def __bool__(self) -> bool:
        return bool(self._out or self._waiting)

    def full(self) -> bool:
        """Whether no further intent may go out now."""
        return len(self._out) >= AT_ONCE

    def wait(self, run: Run) -> None:
        """The run waits for its turn."""
        self._waiting.setdefault(run.key, run)

    def enter(self, run: Run) -> None:
        """Its intent goes out."""
        self._waiting.pop(run.key, None)
        self._out.add(run.key)

    def leave(self, run: Run) -> None:
        """Its intent is written, or it does not want one any more."""
        self._out.discard(run.key)
        self._waiting.pop(run.key, None)

    def clear(self) -> None:
        """Nobody waits."""
        self._out.clear()
        self._waiting.clear()

    def next(self) -> Run | None:
        """Who goes next, if there is room; it leaves the line."""
        if self._waiting and not self.full():
            return self._waiting.pop(next(iter(self._waiting)))
        return None


class InMemoryIntents:
    """Intents for a process whose statuses live and die with it: what it remembers is as durable as all the rest."""

    def __init__(self) -> None:
        self.inbox: Inbox | None = None

    def commit(self, run: Run) -> None:
        """Committed at once."""
        if self.inbox:
            self.inbox.on_event(Attempt(run.id, run.attempt, run.pod_uid), Committed())
