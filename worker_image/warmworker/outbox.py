"""The events of one run that the operator has not acknowledged: numbers them and repeats them; never sends."""

from collections import deque
from typing import Any, Final

from warmworker import times
from warmworker.output import EVENT_LINES, Output

BATCH_CHARACTERS: Final = 128 * 1024
# After a restart of the container it is not known how far the numbers had come; no run gets here by counting.
FIRST_AFTER_RESTART: Final = 1_000_000_000

Event = dict[str, Any]


class Outbox:
    """Started, then lines and progress as they come, then Finished; each event keeps its number until acknowledged."""

    def __init__(self, output: Output | None = None, *, first: int = 1) -> None:
        self._output = output if output is not None else Output()
        self._next = first
        self._pending: deque[Event] = deque()
        self._finished: Event | None = None
        self.complete = False

    def add(self, kind: str, now: float, **fields: Any) -> None:
        """Put an event behind the others."""
        self._pending.append({"seq": self._next, "time": times.text(now), "type": kind, **fields})
        self._next += 1

    def finish(self, now: float, **fields: Any) -> None:
        """The run has ended; its Finished follows the last of its lines."""
        if self._finished is None:
            self._finished = {"time": times.text(now), "type": "Finished", **fields}

    def batch(self, now: float) -> list[Event]:
        """What to send next: what is unacknowledged, unchanged, or else what is new."""
        if not self._pending or self._pending[-1]["type"] == "Started":
            self._fill(now)
        return list(self._pending)

    def acknowledge(self, last: int) -> None:
        """The operator has everything up to `last`."""
        while self._pending and self._pending[0]["seq"] <= last:
            self.complete = self._pending.popleft()["type"] == "Finished"

    def _fill(self, now: float) -> None:
        if lines := self._output.take(BATCH_CHARACTERS, most=EVENT_LINES):
            self.add("Log", now, lines=lines)
        if (progress := self._output.take_progress()) is not None:
            self.add("Progress", now, fraction=progress[0], text=progress[1])
        if self._finished is not None and not self._output:
            self._pending.append({"seq": self._next, **self._finished})
            self._next += 1
            self._finished = None
