"""How much reports may take of the leader: of its time by each run, of its memory by each pod and by all of them.

It reads no report. What is over a limit is refused for now, never lost: a worker repeats what was not acknowledged.
"""

from typing import Final

# What the SDK sends while a handler writes as fast as it can: 128 KiB of text and two reports a second.
BYTES_PER_SECOND: Final = 512 * 1024
# A handler that has ended sends what it still has, up to a megabyte, without a pause.
BURST_BYTES: Final = 4 * 1024 * 1024
# A report costs about a millisecond whatever is in it, and a line about as much as so many bytes of another's text.
REPORT_COST: Final = 16 * 1024
LINE_COST: Final = 200
# Bytes of bodies that are being read or taken in at once.
ROOM: Final = 32 * 1024 * 1024
POD_ROOM: Final = 8 * 1024 * 1024
# Runs of which it is remembered what they have used, before those that have said nothing for longest are forgotten.
MOST: Final = 20_000

Who = tuple[str, str]  # run id and pod uid: what an earlier pod of a run does is no fault of the next


class Rates:
    """A bucket of bytes for each run on each pod, refilled as time passes. It may be overdrawn once, never again."""

    def __init__(self) -> None:
        self._levels: dict[Who, tuple[float, float]] = {}  # what was left, and when

    def wait(self, who: Who, now: float) -> float:
        """Seconds until this run may report; 0 if it may now."""
        return max(-self._level(who, now) / BYTES_PER_SECOND, 0.0)

    def used(self, who: Who, now: float, *, size: int, lines: int = 0) -> None:
        """A report of `size` bytes with so many lines was taken in."""
        level = self._level(who, now) - size - REPORT_COST - lines * LINE_COST
        self._levels.pop(who, None)  # the last to report is the last to be forgotten
        if len(self._levels) >= MOST:
            self._levels = dict(list(self._levels.items())[MOST // 2 :])
        self._levels[who] = (level, now)

    def _level(self, who: Who, now: float) -> float:
        left, at = self._levels.get(who, (float(BURST_BYTES), now))
        return min(left + (now - at) * BYTES_PER_SECOND, float(BURST_BYTES))


class Room:
    """Memory for bodies: a share for each pod, so that one that sends slowly or much takes none from others."""

    def __init__(self) -> None:
        self._taken = 0
        self._by_pod: dict[str, int] = {}

    def take(self, pod_uid: str, size: int) -> bool:
        """Whether so many more bytes of this pod fit; if they do, they are the caller's until given back."""
        mine = self._by_pod.get(pod_uid, 0) + size
        if mine > POD_ROOM or self._taken + size > ROOM:
            return False
        self._by_pod[pod_uid] = mine
        self._taken += size
        return True

    def give_back(self, pod_uid: str, size: int) -> None:
        """They are gone."""
        self._taken -= size
        left = self._by_pod.get(pod_uid, 0) - size
        if left > 0:
            self._by_pod[pod_uid] = left
        else:
            self._by_pod.pop(pod_uid, None)
