"""What exists of one kind, by watch events and by lists compared with them: the repair for what a watch loses.

After an expired watch kopf lists again and replays what is left; what was deleted in the gap is never told
(docs/adr/0002-kopf-as-event-source.md). A list that is compared with what we know tells it. Pure.
"""

from collections.abc import Callable, Iterable
from typing import Any

Json = dict[str, Any]


class Mirror:
    """Objects of one kind by uid.

    Args:
        apply: an object exists as described.
        forget: an object is gone; gets its last description, or only its uid in one.
    """

    def __init__(self, *, apply: Callable[[Json], None], forget: Callable[[Json], None]) -> None:
        self._apply, self._forget = apply, forget
        self._touched: dict[str, int] = {}  # uid -> number of the event that last spoke of it
        self._gone: dict[str, int] = {}  # uids deleted while a list is being read
        self._count = 0
        self._listing = 0

    def __len__(self) -> int:
        return len(self._touched)

    def event(self, kind: str | None, raw: Json) -> None:
        """A watch event: ADDED, MODIFIED, DELETED, or None for an object of kopf's own first list."""
        self._count += 1
        uid = raw["metadata"]["uid"]
        if kind == "DELETED":
            self._touched.pop(uid, None)
            if self._listing:
                self._gone[uid] = self._count
            self._forget(raw)
            return
        self._touched[uid] = self._count
        self._apply(raw)

    def begin(self) -> int:
        """A list is about to be read. Returns the mark that `compare` needs."""
        self._listing += 1
        return self._count

    def abandon(self) -> None:
        """The list was not read to its end: nothing follows from it."""
        self._end()

    def compare(self, mark: int, listed: Iterable[Json]) -> tuple[int, int]:
        """Takes in a complete list that was begun at `mark`; returns how many objects it added and removed.

        An object that a watch event spoke of since then is left as the event said: it may be newer.
        """
        seen = set()
        added = removed = 0
        for raw in listed:
            uid = raw["metadata"]["uid"]
            seen.add(uid)
            if self._touched.get(uid, 0) > mark or uid in self._gone:
                continue
            added += uid not in self._touched
            self._touched[uid] = mark
            self._apply(raw)
        for uid in [uid for uid, touched in self._touched.items() if touched <= mark and uid not in seen]:
            del self._touched[uid]
            removed += 1
            self._forget({"metadata": {"uid": uid}})
        self._end()
        return added, removed

    def _end(self) -> None:
        self._listing -= 1
        if not self._listing:
            self._gone.clear()
