"""Finds, counts, sorts and pages tasks: pure functions over rows, so that every filter has one meaning everywhere."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from heapq import merge, nsmallest
from itertools import islice
from typing import Any, Final

from warmcron.core.schedule import Schedule
from warmcron.core.selector import Requirement
from warmcron.web import selector
from warmcron.web.sources import Answer, Flag, TaskRow

HOUR: Final = 3600
HOURS: Final = 24
PAGE: Final = 50
COMING: Final = 8
SUGGESTED: Final = 30
NEVER: Final = float("inf")
# More rows than this are gone through in a thread, and sorted so many at a time: the event loop, which also sends runs
# to workers, waits for a thread 5 ms, but for a sort until it ends, which for 100,000 rows takes 0.2 s.
FEW: Final = 1000
QUIET: Final = frozenset({Flag.INVALID, Flag.SUSPENDED, Flag.HELD})

SORTS: Final[dict[str, Callable[[TaskRow], tuple[Any, ...]]]] = {
    "name": lambda row: (row.namespace, row.name),
    "next": lambda row: (row.next if row.next is not None else NEVER, row.namespace, row.name),
    "last": lambda row: (-row.last if row.last is not None else NEVER, row.namespace, row.name),
    "failures": lambda row: (-row.failures, row.namespace, row.name),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which tasks: every part that is given must hold.

    Attributes:
        text: found in name, namespace, handler, pool or schedule.
        labels: a parsed selector.
        nothing: what was asked makes no sense, so that nothing is what it finds.
    """

    text: str = ""
    namespace: str = ""
    pool: str = ""
    flag: Flag | None = None
    labels: tuple[Requirement, ...] = ()
    nothing: bool = False
    sort: str = "name"
    page: int = 1


def select(rows: Iterable[TaskRow], wanted: Wanted) -> Answer:
    """The page that was asked for. Counts of flags are of what matches all but the flag: what a click would show."""
    namespaces, pools = set(), set()
    labels: Counter[tuple[tuple[str, str], ...]] = Counter()
    known: list[TaskRow] = []
    for row in rows:
        namespaces.add(row.namespace)
        pools.add(row.pool)
        if row.labels:
            labels[row.labels] += 1
        known.append(row)
    matching = _matching(known, wanted)
    counts = count(matching)
    shown = _flagged(matching, wanted)
    pages = max(1, -(-len(shown) // PAGE))
    page = min(max(wanted.page, 1), pages)
    return Answer(
        rows=tuple(islice(_sorted(shown, wanted), (page - 1) * PAGE, page * PAGE)),
        total=len(shown),
        page=page,
        pages=pages,
        counts=counts,
        namespaces=tuple(sorted(namespaces)),
        pools=tuple(sorted(pools)),
        labels=_frequent(labels),
    )


async def look(rows: Sequence[TaskRow], wanted: Wanted) -> Answer:
    """`select`, by which nobody is held up however many rows there are."""
    return select(rows, wanted) if len(rows) <= FEW else await asyncio.to_thread(select, rows, wanted)


async def every(rows: Sequence[TaskRow], wanted: Wanted) -> list[TaskRow]:
    """All rows that match, of every page, in the order in which pages show them."""
    return _every(rows, wanted) if len(rows) <= FEW else await asyncio.to_thread(_every, rows, wanted)


def count(rows: Iterable[TaskRow]) -> dict[Flag, int]:
    """How many tasks have each flag."""
    found = Counter(flag for row in rows for flag in row.flags)
    return {flag: found[flag] for flag in Flag}


def foremost(row: TaskRow) -> Flag:
    """The one flag to show where there is room for one: the most urgent."""
    return next((flag for flag in Flag if flag in row.flags), Flag.SCHEDULED)


def coming(rows: Iterable[TaskRow], *, limit: int = COMING) -> tuple[tuple[float, TaskRow], ...]:
    """The next ticks, one a task, soonest first."""
    due = ((row.next, row) for row in rows if row.next is not None and not row.flags & QUIET)
    return tuple(nsmallest(limit, due, key=lambda found: (found[0], found[1].namespace, found[1].name)))


Found = dict[Schedule, tuple[int, ...] | None]


class Hours:
    """Ticks after `now` by hour from `start`, a task at a time, so that who counts 10,000 of them can pause in between.

    A task that is due more often than hourly is counted once, as frequent: its thousands of ticks say nothing about
    when the day is busy, and would take as many steps to find.

    Args:
        found: the ticks of schedules from `start` on, None for a frequent one. Whoever counts again from there gives it
            again: only what is new is searched for.
    """

    def __init__(self, *, start: float, now: float, found: Found | None = None) -> None:
        self._start, self._now = int(start), int(now)
        self._found: Found = {} if found is None else found
        self.hours = [0] * HOURS
        self.frequent = 0

    def add(self, row: TaskRow) -> None:
        """Counts one task's ticks."""
        if row.plan is None or row.flags & QUIET:
            return
        # Equal schedules in equal zones are one object, so that a thousand tasks at midnight cost one search.
        if row.plan not in self._found:
            self._found[row.plan] = self._search(row.plan)
        ticks = self._found[row.plan]
        if ticks is None:
            self.frequent += 1
            return
        for tick in ticks:
            if tick > self._now:
                self.hours[(tick - self._start) // HOUR] += 1

    def _search(self, plan: Schedule) -> tuple[int, ...] | None:
        found = []
        tick = plan.next_after(self._start - 1)
        while tick < self._start + HOURS * HOUR:
            found.append(tick)
            following = plan.next_after(tick)
            if following - tick < HOUR:
                return None
            tick = following
        return tuple(found)


def _matching(rows: Iterable[TaskRow], wanted: Wanted) -> list[TaskRow]:
    """What matches all but the flag."""
    if wanted.nothing:
        return []
    text, met = wanted.text.casefold(), _Met(wanted.labels)
    return [
        row
        for row in rows
        if (not wanted.namespace or row.namespace == wanted.namespace)
        and (not wanted.pool or row.pool == wanted.pool)
        and (not text or _contains(row, text))
        and (not wanted.labels or met[row.labels])
    ]


class _Met(dict[tuple[tuple[str, str], ...], bool]):
    """Whether labels meet a selector; asked once for each set of labels, not for each task that has it."""

    def __init__(self, requirements: tuple[Requirement, ...]) -> None:
        super().__init__()
        self._requirements = requirements

    def __missing__(self, labels: tuple[tuple[str, str], ...]) -> bool:
        found = self[labels] = selector.holds(self._requirements, labels)
        return found


def _flagged(rows: Iterable[TaskRow], wanted: Wanted) -> list[TaskRow]:
    return [row for row in rows if wanted.flag is None or wanted.flag in row.flags]


def _sorted(rows: list[TaskRow], wanted: Wanted) -> Iterable[TaskRow]:
    order = SORTS.get(wanted.sort, SORTS["name"])
    return merge(*(sorted(rows[start : start + FEW], key=order) for start in range(0, len(rows), FEW)), key=order)


def _every(rows: Iterable[TaskRow], wanted: Wanted) -> list[TaskRow]:
    return list(_sorted(_flagged(_matching(rows, wanted), wanted), wanted))


def _frequent(sets: Counter[tuple[tuple[str, str], ...]]) -> tuple[str, ...]:
    found: Counter[str] = Counter()
    for labels, tasks in sets.items():
        for key, value in labels:
            found[f"{key}={value}"] += tasks
    return tuple(label for label, _ in sorted(found.most_common(SUGGESTED), key=lambda each: (-each[1], each[0])))


def _contains(row: TaskRow, text: str) -> bool:
    where = (row.name, row.namespace, row.handler, row.pool, row.schedule)
    return any(text in part.casefold() for part in where)
