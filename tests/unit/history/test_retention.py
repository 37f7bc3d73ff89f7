"""A hundred thousand runs are purged in the background, a batch at a time, while records go on coming in."""

import asyncio
from pathlib import Path

import pytest

from benchmarks.past import END, Past, load_postgres, load_sqlite
from fakes.postgres import Postgres
from unit.history.builders import batch, run, run_id
from warmcron.history.address import parse
from warmcron.history.database import Database
from warmcron.history.model import RunFilter
from warmcron.history.reader import StoreReader
from warmcron.history.retention import BATCH, Limits, Retention
from warmcron.history.store import Store

RUNS, KEPT = 100_000, 90_000


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_hundred_thousand_runs_go_in_batches_between_which_others_write(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url, past = f"sqlite:///{tmp_path}/h.db", Past(runs=RUNS, tasks=1000)
    if kind == "postgresql":
        server: Postgres = request.getfixturevalue("server")
        server.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        url = server.url
    database = Database(parse(url))
    await database.open()
    if kind == "postgresql":
        await load_postgres(url, past)
    else:
        await database.close()
        await asyncio.to_thread(load_sqlite, tmp_path / "h.db", past)
        await database.open()
    store, reader = Store(database), StoreReader(database)
    retention = Retention(database, Limits(seconds=1e9, runs=KEPT, line_seconds=1e9, lines=KEPT))

    bounds, steps, written = await retention.bounds(END), [], 0
    while gone := await retention.step(bounds):
        steps.append(gone)
        written += 1  # between two batches, and not after the last
        await store.write(batch(run(written, scheduled=END + written)))

    assert max(steps) <= 2 * BATCH  # of lines and of runs
    assert len(steps) >= (RUNS - KEPT) / BATCH
    counts = await reader.counts(None, since=0)
    assert sum(counts.values()) == KEPT + written
    newest = (await reader.runs(RunFilter(), limit=1)).rows[0]
    assert newest.run_id == run_id(written)
    await database.close()
