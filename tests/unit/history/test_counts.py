"""Runs are counted as they are written and purged: what is counted is what is there, whoever writes."""

import asyncio
import itertools
from random import Random

import pytest
import sqlalchemy as sa

from fakes.postgres import Postgres
from unit.history.builders import NOW, batch, run, run_id
from unit.history.conftest import Kept
from warmcron.errors import HistoryError
from warmcron.history.journal import Batch
from warmcron.history.model import STATES, RunRow
from warmcron.history.retention import Limits, Retention
from warmcron.history.schema import COUNTS, RUNS

HOUR = 3600
START = NOW // HOUR * HOUR
Counts = dict[str, int]


async def _told(kept: Kept, namespaces: tuple[str, ...] | None, since: float) -> Counts:
    kept.reader.forget_counts()
    return await kept.reader.counts(namespaces, since=since)


async def _there(kept: Kept, namespaces: tuple[str, ...] | None, since: float) -> Counts:
    """The same by looking at every run."""
    found: Counts = {}
    async with kept.database.read() as connection:
        for row in await connection.execute(sa.select(RUNS).where(RUNS.c.scheduled >= since)):
            if namespaces is None or row.namespace in namespaces:
                found[row.state] = found.get(row.state, 0) + 1
    return found


async def _agree(kept: Kept) -> None:
    # From the beginning, on the hour, within an hour, behind everything.
    for since in (0.0, START + HOUR, START + 1800.5, START + 100 * HOUR):
        for namespaces in (None, ("a",), ("a", "b"), ("none",), ()):
            assert await _told(kept, namespaces, since) == await _there(kept, namespaces, since), (namespaces, since)


def _drawn(random: Random, number: int) -> RunRow:
    """Always of the same time and namespace, in any state."""
    own = Random(number)
    return run(
        number,
        namespace=own.choice("abc"),
        scheduled=START + own.choice((0, HOUR, own.uniform(0, 3 * HOUR), own.uniform(0, 3 * HOUR))),
        state=random.choice(STATES),
    )


@pytest.mark.parametrize("seed", range(5))
async def test_counts_are_those_of_the_runs_after_whatever_was_written_and_purged(kept: Kept, seed: int) -> None:
    random = Random(seed)
    batches: list[Batch] = []
    for _ in range(12):
        match random.randrange(4):
            case 0 if batches:  # written twice, as after a failure that was none
                await kept.store.write(random.choice(batches))
            case 1:
                retention = Retention(
                    kept.database, Limits(seconds=1e9, runs=random.randrange(5, 40), line_seconds=1e9, lines=10)
                )
                bounds = await retention.bounds(NOW)
                while await retention.step(bounds):
                    pass
            case _:
                batches.append(batch(*(_drawn(random, number) for number in random.sample(range(60), 25))))
                await kept.store.write(batches[-1])
        await _agree(kept)


async def test_a_batch_that_fails_is_not_counted(kept: Kept) -> None:
    await kept.store.write(batch(run(1)))
    with pytest.raises(HistoryError):
        await kept.store.write(batch(run(2), run(3, reason="a zero \x00 and half a character \ud800")))

    assert await _told(kept, None, 0) == {"Succeeded": 1}


async def test_hours_without_runs_are_forgotten_once_they_are_purged(kept: Kept) -> None:
    await kept.store.write(batch(run(1, scheduled=START), run(2, scheduled=START + 5 * HOUR, state="Running")))
    await kept.store.write(batch(run(2, scheduled=START + 5 * HOUR)))
    retention = Retention(kept.database, Limits(seconds=2 * HOUR, runs=100, line_seconds=1e9, lines=100))

    while await retention.step(await retention.bounds(START + 6 * HOUR)):
        pass

    async with kept.database.read() as connection:
        rows = [tuple(row) for row in await connection.execute(sa.select(COUNTS).order_by(COUNTS.c.state))]
    assert rows == [(START + 5 * HOUR, "ns", "Running", 0), (START + 5 * HOUR, "ns", "Succeeded", 1)]


@pytest.mark.timeout(300)
async def test_two_who_write_the_same_runs_while_a_third_purges_count_each_run_once(server: Postgres) -> None:
    """As around a change of leader: the old one still writes what the new one writes as well."""
    server.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    first, second = Kept(server.url), Kept(server.url)
    await first.database.open()
    await second.database.open()

    async def write(kept: Kept, seed: int) -> None:
        random = Random(seed)
        for _ in range(20):
            rows = batch(*(_drawn(random, number) for number in random.sample(range(400), 100)))
            for _ in itertools.count():
                try:
                    await kept.store.write(rows)
                except HistoryError:  # refused as a whole: what is given back is written again
                    continue
                break

    async def purge() -> None:
        retention = Retention(second.database, Limits(seconds=1e9, runs=150, line_seconds=1e9, lines=10))
        while not done.is_set():
            await retention.step(await retention.bounds(NOW))

    done = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(purge())
        async with asyncio.TaskGroup() as writers:
            for seed, kept in enumerate((first, second, first, second)):
                writers.create_task(write(kept, seed))
        done.set()

    await _agree(first)
    for kept in (first, second):
        await kept.database.close()


async def test_who_deletes_a_run_by_sql_is_counted_too(kept: Kept) -> None:
    await kept.store.write(batch(run(1), run(2), run(3, state="Failed")))
    async with kept.database.write() as connection:
        await connection.execute(sa.delete(RUNS).where(RUNS.c.run_id == run_id(2)))

    assert await _told(kept, None, 0) == {"Succeeded": 1, "Failed": 1}
