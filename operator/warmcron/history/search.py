"""Finds runs by a text: the beginning of their id, a part of their task's name, words of their outcome and lines.

A search walks the lines from the newest and takes so many that match at a time. Where it stops before the last, it
says so and leaves a position to go on from: it never passes a part for the whole. Answers nothing else.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from warmcron.history import queries, words
from warmcron.history.model import RunFilter
from warmcron.history.queries import Position
from warmcron.history.schema import RUNS

# Statements of so many ids are as far as both databases plan quickly.
IDS_AT_ONCE: Final = 500
ALL: Final = 0  # the number of no line: every line was looked at

Place = tuple[float, str]  # of a run in the order of pages: its time and its id


class Search:
    """One question, from one position on.

    Attributes:
        stopped: every line that matches was taken from this number on; `ALL` if none is left below it. Known once
            `rows` has been asked for.
    """

    def __init__(self, wanted: RunFilter, after: Position | None, *, sqlite: bool) -> None:
        self._wanted, self._after, self._sqlite = wanted, after, sqlite
        self._below = after.line if after else None
        self.stopped = ALL

    async def places(self, connection: AsyncConnection, limit: int) -> list[Place]:
        """Time and id of runs in any order, some of them perhaps twice; more than `limit` where others follow."""
        by_line = await self._by_line(connection)
        # A run whose id or task has the text comes with the part that its time is in, whatever its lines say; any
        # other with the part that its lines are in.
        here = self._stretch()
        by_id = await self._by_id(connection, here)
        found = await self._places(connection, here, by_id)
        found += await self._places(connection, self._wanted, by_line - by_id, unnamed=True)
        return [*found, *await self._named(connection, here, limit)]

    @property
    def on(self) -> Position | None:
        """Where the search goes on behind all that this part of it found; None where nothing is left."""
        return Position(line=self.stopped) if self.stopped else None

    async def _by_line(self, connection: AsyncConnection) -> set[str]:
        found: dict[int, str] = {}
        between = words.span(self._wanted, self._below)
        for having in words.searches(self._wanted.text, between, sqlite=self._sqlite):
            lines = {row.id: row.run_id for row in await connection.execute(having)}
            found |= lines
            if len(lines) >= words.CANDIDATES:
                self.stopped = min(lines)
                break
        return {run_id for line, run_id in found.items() if line >= self.stopped}

    def _stretch(self) -> RunFilter:
        """The same question of the time that the lines of this part are from."""
        since, until = self._wanted.since, self._wanted.until
        if self.stopped:
            since = max(since or 0.0, self.stopped / words.MICRO)
        if self._below is not None:
            below = self._below / words.MICRO
            until = below if until is None else min(until, below)
        return replace(self._wanted, since=since, until=until)

    async def _by_id(self, connection: AsyncConnection, here: RunFilter) -> set[str]:
        alike = queries.id_like(here.text)
        return set() if alike is None else set((await connection.execute(alike)).scalars())

    async def _places(
        self, connection: AsyncConnection, wanted: RunFilter, ids: Iterable[str], *, unnamed: bool = False
    ) -> list[Place]:
        """Where in the order those of these runs are that the filter wants; `unnamed`: whose task has not the text."""
        found: list[Place] = []
        known = sorted(ids)
        for start in range(0, len(known), IDS_AT_ONCE):
            chosen = queries.by_id(wanted, self._after, known[start : start + IDS_AT_ONCE], sqlite=self._sqlite)
            if unnamed:
                chosen = chosen.where(sa.not_(queries.contains(RUNS.c.task, wanted.text)))
            found += await places(connection, chosen)
        return found

    async def _named(self, connection: AsyncConnection, here: RunFilter, limit: int) -> list[Place]:
        names = list((await connection.execute(queries.names_like(here))).scalars())
        found: list[Place] = []
        for part in queries.of_names(here, names, self._after, limit=limit + 1, sqlite=self._sqlite):
            found += await places(connection, part)
        return found


async def places(connection: AsyncConnection, statement: sa.Select[Any]) -> list[Place]:
    """What a statement of places finds."""
    return [(scheduled, run_id) for scheduled, run_id in await connection.execute(statement)]
