"""A history that runs over a database of either kind, and an engine that works on whatever becomes of that."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from benchmarks.postgres import Postgres
from fakes.engine import World
from warmcron.errors import HistoryError
from warmcron.history.history import History
from warmcron.history.model import LogRow, line_seq
from warmcron.history.retention import Limits

LIMITS = Limits(seconds=1e9, runs=10_000, line_seconds=1e9, lines=10_000)
PATIENCE = 120


@asynccontextmanager
async def running(url: str, *, limits: Limits = LIMITS) -> AsyncIterator[History]:
    history = History(
        url=url,
        limits=limits,
        epoch=lambda: 1,
        leading=lambda: True,
        herd=lambda: False,
        registry=CollectorRegistry(),
    )
    work = asyncio.create_task(history.run())
    try:
        yield history
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await history.close(5)


def url_of(kind: str, folder: Path, request: pytest.FixtureRequest) -> str:
    if kind == "sqlite":
        return f"sqlite:///{folder}/h.db"
    server: Postgres = request.getfixturevalue("server")
    server.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return server.url


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.02)


def up(history: History) -> bool:
    return bool(history._figures.up._value.get())


def dropped(history: History, kind: str) -> int:
    return int(history._figures.dropped.labels(kind)._value.get())


class Busy:
    """Five tasks every ten seconds, each with one worker's answer, a line of its log and a result.

    Attributes:
        sent: ids of the runs that were sent.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._world = World(journal=history.journal)
        self._world.worker(concurrency=100)
        name = uuid.uuid4().hex  # ids are those of no other engine of the same test
        for number in range(5):
            self._world.task(f"{name}-{number}")
        self.sent: list[str] = []

    async def work(self, ticks: int) -> None:
        """So many ticks; each is sent at its due second, whatever the history does."""
        world, journal = self._world, self._history.journal
        for _ in range(ticks):
            known = len(world.sender.requests)
            world.pass_time(10)
            requests = world.sender.requests[known:]
            assert [request.at for request in requests] == [request.scheduled for request in requests]
            assert len(requests) == 5
            for request in requests:
                run = world.engine.runner.runs[request.run_id]
                line = LogRow(
                    run_id=run.id, attempt=1, seq=line_seq(1, 1, 0), time=request.at, stream="stdout", text="a word"
                )
                journal.lines([line])
                journal.finished(run, result={"rows": 3}, error=None)
                world.succeed(request)
                self.sent.append(request.run_id)
            await asyncio.sleep(0)

    async def ended(self) -> list[str]:
        """The runs that the database has with their end."""
        try:
            found = [await self._history.reader.run(run_id) for run_id in self.sent]
        except HistoryError:
            return []
        return [run.run_id for run in found if run and run.state == "Succeeded"]

    async def told(self) -> list[str]:
        """Waits until every run is there with its end or counted as dropped; returns those that are there."""
        async with asyncio.timeout(PATIENCE):
            while len(found := await self.ended()) + dropped(self._history, "run") < len(self.sent):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        return found

    async def whole(self) -> list[str]:
        """Waits as `told`; returns the runs that have their result, their attempt and their line as well."""
        reader, found = self._history.reader, []
        for run_id in await self.told():
            run, attempts, lines = await reader.run(run_id), await reader.attempts(run_id), await reader.logs(run_id)
            if run and run.result == {"rows": 3} and len(attempts) == len(lines) == 1:
                found.append(run_id)
        return found
