"""What was heard of attempts while more was due than one turn could send: it waits until that is out, in its order.

An answer costs half as much as a request; heard between two of them, it makes every later tick of a herd late. A crash
loses nothing that is not lost with the runs themselves: the next leader asks the workers.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from warmcron.core import runs

# How many wait at most; each further one makes the oldest be heard. All of them take less than 50 ms.
MOST: Final = 500


class Backlog:
    """Events that wait.

    Args:
        hear: takes one event in.
    """

    def __init__(self, hear: Callable[[runs.Attempt, runs.Event], None]) -> None:
        self._hear = hear
        self._waiting: deque[tuple[runs.Attempt, runs.Event]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, about: runs.Attempt, event: runs.Event) -> None:
        """This one waits."""
        self._waiting.append((about, event))
        if len(self._waiting) > MOST:
            self.take(1)

    def take(self, limit: int = MOST) -> None:
        """Hears at most so many, the oldest first."""
        for _ in range(min(limit, len(self._waiting))):
            self._hear(*self._waiting.popleft())

    def take_of(self, pod_uid: str) -> None:
        """Hears all that came from one worker."""
        mine = [each for each in self._waiting if each[0].pod_uid == pod_uid]
        if mine:
            self._waiting = deque(each for each in self._waiting if each[0].pod_uid != pod_uid)
            for about, event in mine:
                self._hear(about, event)

    def clear(self) -> None:
        """What was heard is the next leader's to ask for."""
        self._waiting.clear()
