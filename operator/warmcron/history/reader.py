"""Answers questions to the history from its database; the questions are those of `model.Reader`."""

import json
import time
from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa

from warmcron.history import logs, queries
from warmcron.history.database import Database
from warmcron.history.model import AttemptRow, LogRow, Page, Place, RunFilter, RunRow, Told
from warmcron.history.queries import Position
from warmcron.history.schema import ATTEMPTS, RUNS
from warmcron.history.search import Search, places
from warmcron.history.words import MICRO

# Statements of a hundred parts are as far as both databases plan quickly.
TASKS_AT_ONCE: Final = 50
# Counting reads some rows of every hour and namespace, and many may look at the same page.
COUNTS_SECONDS: Final = 5.0


class StoreReader:
    """Reads one database; fits `model.Reader`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: dict[tuple[Any, int], tuple[float, dict[str, int]]] = {}

    async def runs(self, wanted: RunFilter, *, limit: int, cursor: str = "") -> Page[RunRow]:
        """Runs, newest scheduled time first. A page of a search may be short of `limit` though others follow."""
        after, sqlite = queries.position(cursor), self._database.sqlite
        search = Search(wanted, after, sqlite=sqlite) if wanted.text.strip() else None
        async with self._database.read() as connection:
            if search:
                found = await search.places(connection, limit)
            else:
                found = []
                for statement in queries.pages(wanted, after, limit=limit + 1, sqlite=sqlite):
                    found += await places(connection, statement)
            newest = sorted(set(found), reverse=True)[: limit + 1]
            read = await connection.execute(queries.rows(run_id for _, run_id in newest[:limit])) if newest else None
            rows = tuple(_merged(map(run_row, read.mappings())) if read else ())
        if len(newest) > limit:  # by the places: a run that was purged since ends no page
            line = after.line if search and after else None
            return Page(rows, Position(*newest[limit - 1], line).cursor)
        if search and search.on:
            return Page(rows, search.on.cursor, searched=search.stopped / MICRO)
        return Page(rows)

    async def run(self, run_id: str) -> RunRow | None:
        """One run."""
        async with self._database.read() as connection:
            found = (await connection.execute(sa.select(RUNS).where(RUNS.c.run_id == run_id))).mappings().first()
        return run_row(found) if found else None

    async def first_from(self, task_uid: str, tick: float) -> RunRow | None:
        """The earliest run of that task's schedule at or after a tick."""
        async with self._database.read() as connection:
            found = (await connection.execute(queries.first_from(task_uid, tick))).mappings().first()
        return run_row(found) if found else None

    async def attempts(self, run_id: str) -> tuple[AttemptRow, ...]:
        """The attempts of a run, first to last."""
        wanted = sa.select(ATTEMPTS).where(ATTEMPTS.c.run_id == run_id).order_by(ATTEMPTS.c.attempt, ATTEMPTS.c.sent)
        async with self._database.read() as connection:
            return tuple(_attempt(row) for row in (await connection.execute(wanted)).mappings())

    async def logs(self, run_id: str, *, after: int = 0, limit: int = 1000, last: bool = False) -> tuple[LogRow, ...]:
        """Log lines of a run with a `seq` above `after`, in order: the first `limit` of them, or the last."""
        wanted = logs.numbered(run_id, after, limit=limit, last=last)
        async with self._database.read() as connection:
            found = [_line(row) for row in (await connection.execute(wanted)).mappings()]
        return tuple(reversed(found) if last else found)

    async def onward(self, run_id: str, place: Place, *, limit: int = 1000) -> Told:
        """The next lines of a log that is still written; none if there is nothing new.

        Lines are numbered in the order in which they are committed. Only a leader that still writes while the next one
        does, already breaks that; what it says last may be missed here, and is there when the log is read anew.
        """
        async with self._database.read() as connection:
            newest = (await connection.execute(logs.NEWEST)).scalar() or 0
            mark = newest if place.mark is None else place.mark
            if place.seq is not None:
                first = logs.until(run_id, mark, after=place.seq, limit=limit)
                rows = (await connection.execute(first)).mappings().all()
                if rows:
                    return _told([(row, Place(row["seq"], mark)) for row in rows])
            fresh = logs.since(run_id, mark, newest, limit=limit, sqlite=self._database.sqlite)
            rows = (await connection.execute(fresh)).mappings().all()
        if rows:
            return _told([(row, Place(None, row["id"])) for row in rows])
        return Told((), Place(None, max(newest, mark)))

    async def recent(self, tasks: tuple[str, ...], *, limit: int) -> dict[str, tuple[RunRow, ...]]:
        """The last runs of each of these tasks (uids), newest first."""
        found: dict[str, list[RunRow]] = {uid: [] for uid in tasks}
        async with self._database.read() as connection:
            for start in range(0, len(tasks), TASKS_AT_ONCE):
                statement = queries.recent(tasks[start : start + TASKS_AT_ONCE], limit)
                for row in (await connection.execute(statement)).mappings():
                    found[row["task_uid"]].append(run_row(row))
        return {uid: tuple(_merged(rows)) for uid, rows in found.items()}

    async def counts(self, namespaces: tuple[str, ...] | None, *, since: float) -> dict[str, int]:
        """How many runs are in each state, of those scheduled since then; up to five seconds old."""
        key, now = (namespaces, int(since // 60)), time.monotonic()
        known = self._counts.get(key)
        if known and now - known[0] < COUNTS_SECONDS:
            return known[1]
        async with self._database.read() as connection:
            rows: Any = (await connection.execute(queries.counts(namespaces, since))).all()
        found: dict[str, int] = dict(rows)
        self._counts = {old: value for old, value in self._counts.items() if now - value[0] < COUNTS_SECONDS}
        self._counts[key] = (now, found)
        return found

    def forget_counts(self) -> None:
        """The next counts are counted anew."""
        self._counts.clear()


def _merged(rows: Iterable[RunRow]) -> list[RunRow]:
    """Each run once, newest first."""
    return sorted({row.run_id: row for row in rows}.values(), key=lambda row: (row.scheduled, row.run_id), reverse=True)


def run_row(row: Any) -> RunRow:
    """A row of the table as a value."""
    found = dict(row)
    found["result"], found["error"] = _json(found["result"]), _json(found["error"])
    return RunRow(**found)


def _attempt(row: Any) -> AttemptRow:
    found = dict(row)
    found["filtered"] = tuple((pod, reason) for pod, reason in json.loads(found["filtered"]))
    found["error"] = _json(found["error"])
    return AttemptRow(**found)


def _line(row: Any) -> LogRow:
    found = dict(row)
    del found["id"]
    return LogRow(**found)


def _told(rows: list[tuple[Any, Place]]) -> Told:
    return Told(tuple((_line(row), place) for row, place in rows), rows[-1][1])


def _json(text: str | None) -> Any:
    return None if text is None else json.loads(text)
