"""Purges what is too old or too much, in batches so small that nobody waits for them. No schedule is moved by it."""

from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from warmcron.history.database import Database
from warmcron.history.model import FINAL
from warmcron.history.schema import ATTEMPTS, COUNTS, LINES, RUNS

# Rows of one transaction: on SQLite a new record waits for it, about 20 ms.
BATCH: Final = 500
MICRO: Final = 1_000_000
CROWDED: Final = 0.9


@dataclass(frozen=True, slots=True)
class Limits:
    """What is kept: runs that are younger than `seconds`, and at most so many; the same for log lines.

    Attributes:
        megabytes: size of a SQLite file; when nine tenths are used, the oldest tenth of everything goes. 0 for none.
    """

    seconds: float
    runs: int
    line_seconds: float
    lines: int
    megabytes: int = 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Runs scheduled up to `run`, and lines numbered up to `line`, are to go."""

    run: float
    line: int


class Retention:
    """Purges one database."""

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database, self._limits = database, limits

    async def bounds(self, now: float, *, full: bool = False) -> Bounds:
        """Up to where everything goes; `full` is what the database has said of itself."""
        limits = self._limits
        crowded = full or await self._database.filled() > CROWDED
        async with self._database.read() as connection:
            line = await _nth(connection, sa.select(LINES.c.id).order_by(LINES.c.id.desc()), limits.lines)
            run = await _nth(connection, sa.select(RUNS.c.scheduled).order_by(RUNS.c.scheduled.desc()), limits.runs)
            if crowded:
                line = max(line or 0, await _tenth(connection, LINES.c.id))
                run = max(run or 0.0, await _tenth(connection, RUNS.c.scheduled))
        return Bounds(
            run=max(now - limits.seconds, run or 0.0),
            line=max(int((now - limits.line_seconds) * MICRO), int(line or 0)),
        )

    async def step(self, bounds: Bounds) -> int:
        """Deletes at most a batch of each kind; returns how many rows went, 0 when there is no more to do."""
        return await self._lines(bounds.line) + await self._runs(bounds.run)

    async def optimize(self) -> None:
        """Lets the database look at its own figures, so that it plans well."""
        async with self._database.write() as connection:
            await connection.execute(
                sa.text("PRAGMA optimize" if self._database.sqlite else "ANALYZE runs, attempts, lines, counts")
            )

    async def _lines(self, bound: int) -> int:
        old = sa.select(LINES.c.id).where(LINES.c.id <= bound).order_by(LINES.c.id).limit(BATCH)
        async with self._database.write() as connection:
            return (await connection.execute(sa.delete(LINES).where(LINES.c.id.in_(old)))).rowcount

    async def _runs(self, bound: float) -> int:
        # A run that goes on stays, however old it is.
        old = sa.select(RUNS.c.run_id).where(RUNS.c.scheduled <= bound, RUNS.c.state.in_(FINAL))
        async with self._database.read() as connection:
            ids = list((await connection.execute(old.order_by(RUNS.c.scheduled).limit(BATCH))).scalars())
        if not ids:
            await self._forget_empty_hours(bound)
            return 0
        async with self._database.write() as connection:
            for table in (LINES, ATTEMPTS, RUNS):
                await connection.execute(sa.delete(table).where(table.c.run_id.in_(ids)))
        return len(ids)

    async def _forget_empty_hours(self, bound: float) -> None:
        """Counts of runs that are no more. Those of younger hours change again, so they wait for their time."""
        empty = sa.and_(COUNTS.c.hour <= bound, COUNTS.c.runs <= 0)
        async with self._database.read() as connection:
            if (await connection.execute(sa.select(COUNTS.c.hour).where(empty).limit(1))).first() is None:
                return
        async with self._database.write() as connection:
            await connection.execute(sa.delete(COUNTS).where(empty))


async def _nth(connection: AsyncConnection, newest: sa.Select[Any], count: int) -> float | None:
    """The value behind the `count` newest; None when there are not so many."""
    found: float | None = (await connection.execute(newest.offset(count).limit(1))).scalar()
    return found


async def _tenth(connection: AsyncConnection, column: sa.Column[Any]) -> float:
    """The value behind the oldest tenth."""
    count = int((await connection.execute(sa.select(sa.func.count()).select_from(column.table))).scalar() or 0)
    return await _nth(connection, sa.select(column).order_by(column), count // 10) or 0.0
