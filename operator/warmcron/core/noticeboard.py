"""Notices that wait to be posted: repeats counted, namespaces in turn, no more than a rate allows. Pure."""

import heapq
from collections import Counter, deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from warmcron.core.notices import Notice
from warmcron.core.tasks import NEVER, TaskRef

RATE: Final = 10.0
BURST: Final = 100
# The same of the same task is told again only after this long, with how often it came up meanwhile.
REPEAT_SECONDS: Final = 60.0
# What waits at most: of all tasks, and of one namespace, so that a herd of one leaves room for the others.
MOST_WAITING: Final = 1000
MOST_OF_ONE: Final = 250
MOST_REMEMBERED: Final = 5000

Key = tuple[str, str]  # uid of the task, reason


class Fate(StrEnum):
    """What becomes of a notice that is put up."""

    WAITS = "waits"
    MERGED = "merged"  # counted with one of its kind that waits
    DROPPED = "dropped"  # too many wait


@dataclass(slots=True)
class Waiting:
    """A notice on its way, and how often it came up. Times are UTC epoch seconds."""

    ref: TaskRef
    notice: Notice
    first: float
    last: float
    count: int = 1


class Allowance:
    """A token bucket: `burst` at once, `rate` a second in the long run."""

    def __init__(self, *, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, float(burst)
        self._left, self._at = float(burst), 0.0

    def take(self, now: float) -> float:
        """Takes one if there is one. Returns 0, or in how many seconds there will be one."""
        self._left = min(self._left + (now - self._at) * self._rate, self._burst)
        self._at = now
        if self._left < 1:
            return (1 - self._left) / self._rate
        self._left -= 1
        return 0.0


class NoticeBoard:
    """What waits. `now` is a clock that only grows, in seconds; `at` is UTC epoch seconds."""

    def __init__(self) -> None:
        self._allowance = Allowance(rate=RATE, burst=BURST)
        self._waiting: dict[Key, Waiting] = {}
        self._of_namespace: Counter[str] = Counter()
        self._heap: list[tuple[float, Key]] = []  # when each may go
        self._lines: dict[str, deque[Key]] = {}  # what may go now, by namespace; the first is next
        self._last: dict[Key, float] = {}  # when each went last

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, ref: TaskRef, notice: Notice, *, at: float, now: float) -> Fate:
        """Puts a notice up, or counts it with one of its kind that waits."""
        key = (ref.uid, notice.reason)
        if known := self._waiting.get(key):
            known.notice, known.last, known.count = notice, at, known.count + 1
            return Fate.MERGED
        if len(self._waiting) >= MOST_WAITING or self._of_namespace[ref.namespace] >= MOST_OF_ONE:
            return Fate.DROPPED
        self._waiting[key] = Waiting(ref, notice, at, at)
        self._of_namespace[ref.namespace] += 1
        last = self._last.get(key)
        heapq.heappush(self._heap, (now if last is None else max(last + REPEAT_SECONDS, now), key))
        return Fate.WAITS

    def take(self, now: float) -> Waiting | float:
        """The next one that may go; or in how many seconds to ask again, NEVER if nothing waits."""
        while self._heap and self._heap[0][0] <= now:
            _, key = heapq.heappop(self._heap)
            self._lines.setdefault(self._waiting[key].ref.namespace, deque()).append(key)
        if not self._lines:
            return self._heap[0][0] - now if self._heap else NEVER
        if pause := self._allowance.take(now):
            return pause
        namespace, line = next(iter(self._lines.items()))
        del self._lines[namespace]
        key = line.popleft()
        if line:
            self._lines[namespace] = line  # at the end: the others come first
        self._of_namespace[namespace] -= 1
        self._remember(key, now)
        return self._waiting.pop(key)

    def clear(self) -> int:
        """Takes everything down; returns how many waited."""
        count = len(self._waiting)
        self._waiting.clear()
        self._of_namespace.clear()
        self._heap.clear()
        self._lines.clear()
        return count

    def _remember(self, key: Key, now: float) -> None:
        if len(self._last) >= MOST_REMEMBERED:
            self._last = {old: when for old, when in self._last.items() if when + REPEAT_SECONDS > now}
        self._last[key] = now
