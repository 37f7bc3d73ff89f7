"""A real history with thousands of runs, of which one is acme's nightly report."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.past import Past, load_sqlite
from fakes import nightly
from fakes.web import FakeCluster, cluster
from warmcron.history.address import parse
from warmcron.history.database import Database
from warmcron.history.reader import StoreReader
from warmcron.history.store import Store

MANY = Past(runs=3000, tasks=100)


class ManyRuns:
    """Fits `history.model.Reader`. The file is opened for each question: no connection outlives the server's loop."""

    def __init__(self, file: Path) -> None:
        self._file, self._turn = file, asyncio.Lock()
        with ThreadPoolExecutor(1) as other:  # Playwright has a loop of its own in this thread
            other.submit(asyncio.run, self._fill()).result()

    def __getattr__(self, question: str) -> Any:
        async def ask(*values: Any, **named: Any) -> Any:
            async with self._turn, self._database() as database:
                database._connect()
                return await getattr(StoreReader(database), question)(*values, **named)

        return ask

    async def _fill(self) -> None:
        async with self._database() as database:
            await database.open()
        load_sqlite(self._file, MANY)
        async with self._database() as database:
            await database.open()
            await Store(database).write(nightly.batch())

    @asynccontextmanager
    async def _database(self) -> AsyncIterator[Database]:
        found = Database(parse(f"sqlite:///{self._file}"))
        try:
            yield found
        finally:
            await found.close()


def cluster_with(file: Path) -> FakeCluster:
    """A made-up cluster that has the task and remembers all of these runs."""
    found = cluster(10)
    found.add(nightly.TASK)
    found.history = ManyRuns(file)  # type: ignore[assignment]  # another reader
    return found
