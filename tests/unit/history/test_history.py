"""The history stands a database that dies, is slow to come up, is full or read-only: it waits, counts, and goes on."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from unit.history.builders import NOW, batch, line, run, run_id
from unit.history.service import running, until, url_of
from warmcron.errors import ConfigError, HistoryError
from warmcron.history.address import parse
from warmcron.history.database import Database
from warmcron.history.history import History
from warmcron.history.model import RunFilter
from warmcron.history.reader import StoreReader
from warmcron.history.retention import Limits, Retention
from warmcron.history.store import Store


def put(history: History, *numbers: int) -> None:
    for number in numbers:
        history.journal._put_run(run_id(number), run(number))


async def found(history: History) -> int:
    return len((await history.reader.runs(RunFilter(), limit=100)).rows)


async def until_found(history: History, count: int) -> None:
    async with asyncio.timeout(60):
        while await found(history) < count:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_what_is_put_in_is_found_soon_and_what_is_left_is_written_at_the_end(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = url_of(kind, tmp_path, request)
    async with running(url) as history:
        put(history, 1, 2)
        await until(lambda: not len(history.journal))
        await until_found(history, 2)
        put(history, 3)
    async with running(url) as history:
        put(history, 4)
        await until(lambda: not len(history.journal))
        await until_found(history, 4)


async def test_a_database_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    folder.write_text("a file where the folder should be")
    async with running(f"sqlite:///{folder}/h.db") as history:
        put(history, 1)
        with pytest.raises(HistoryError):
            await history.reader.run(run_id(1))
        folder.unlink()
        await until(lambda: not len(history.journal))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("sqlite", "half a character: \ud800"),
        ("postgresql", "half a character: \ud800"),
        ("postgresql", "a zero byte: \0"),
    ],
)
async def test_a_row_that_no_database_takes_does_not_stop_the_others(
    kind: str, text: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with running(url_of(kind, tmp_path, request)) as history:
        put(history, 1, 2)
        history.journal._put_run(run_id(3), run(3, reason=text))
        put(history, 4)
        await until(lambda: not len(history.journal))
        await until_found(history, 3)
        assert history._figures.dropped.labels("run")._value.get() == 1


async def test_two_processes_do_not_write_the_same_file(tmp_path: Path) -> None:
    first, second = (Database(parse(f"sqlite:///{tmp_path}/h.db")) for _ in range(2))
    await first.open()
    with pytest.raises(HistoryError, match="another process"):
        await second.open()
    await first.close()
    await second.open()
    await second.close()


async def test_an_older_version_reads_what_a_newer_one_has_made(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    database = Database(parse(f"sqlite:///{path}"))
    await database.open()
    await database.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE warmcron_history_version SET version_num = '9999'")
    connection.close()
    await database.open()
    await database.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://host/db", "mysql is not supported"),
        ("sqlite://", "names no file"),
        ("not a url", "is no URL"),
    ],
)
def test_a_url_that_cannot_be_used_is_the_installers_fault(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(url)


async def test_a_file_that_may_grow_no_further_loses_what_is_oldest_and_takes_what_is_new(tmp_path: Path) -> None:
    limits = Limits(seconds=1e9, runs=100_000, line_seconds=1e9, lines=100_000, megabytes=1)
    database = Database(parse(f"sqlite:///{tmp_path}/h.db"), megabytes=1)
    await database.open()
    store, retention = Store(database), Retention(database, limits)
    refused = 0
    for number in range(60):
        rows = batch(run(number), *(line("x " * 4000, number, index=index) for index in range(5)))
        try:
            await store.write(rows)
        except HistoryError:
            refused += 1
        bounds = await retention.bounds(NOW)
        while await retention.step(bounds):
            pass

    found = (await StoreReader(database).runs(RunFilter(), limit=100)).rows
    await database.close()
    assert found[0].run_id == run_id(59)
    assert found[-1].run_id > run_id(0)
    assert refused < 5
    assert (tmp_path / "h.db").stat().st_size <= 1024 * 1024
