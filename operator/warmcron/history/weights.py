"""What waits in memory by its weight in bytes: one total, and who holds how much of it. It keeps none of it itself."""

from collections.abc import Hashable


class Weights:
    """A budget that many share.

    Args:
        most: bytes of all together.
        each: bytes that one of them may hold; all of it unless given.
    """

    def __init__(self, most: int, *, each: int = 0) -> None:
        self._most, self._each = most, each or most
        self.total = 0
        self._held: dict[Hashable, int] = {}

    def add(self, who: Hashable, size: int) -> bool:
        """Whether so much more of one fits; if it does, it counts from now on."""
        mine = self._held.get(who, 0) + size
        if mine > self._each or self.total + size > self._most:
            return False
        self._held[who] = mine
        self.total += size
        return True

    def drop(self, who: Hashable, size: int | None = None) -> int:
        """So much of one, or all of it, waits no more; returns how much that was."""
        mine = self._held.pop(who, 0)
        gone = mine if size is None else min(size, mine)
        if mine > gone:
            self._held[who] = mine - gone
        self.total -= gone
        return gone
