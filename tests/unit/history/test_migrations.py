"""The tables that the revisions make are those of the schema, and what an older version kept is there after them."""

import io
from typing import Any

import alembic.command
import alembic.config
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import create_async_engine

from unit.history.builders import NOW, batch, run, run_id
from unit.history.conftest import Kept
from warmcron.errors import HistoryError
from warmcron.history.address import parse
from warmcron.history.database import MIGRATIONS
from warmcron.history.model import RunFilter
from warmcron.history.schema import METADATA, RUNS
from warmcron.history.store import run_values

# Made for the search over lines, which each database does in its own way.
OWN_WAY = ("lines_words", "words")


def _ours(_: Any, name: str | None, kind: str, __: bool, ___: Any) -> bool:
    return not (name or "").startswith(OWN_WAY) and name != "warmcron_history_version" and kind != "unique_constraint"


def _differences(connection: sa.Connection) -> Any:
    context = MigrationContext.configure(connection, opts={"include_object": _ours, "compare_type": True})
    return compare_metadata(context, METADATA)


async def test_the_revisions_make_what_the_schema_says(kept: Kept) -> None:
    async with kept.database.write() as connection:
        assert await connection.run_sync(_differences) == []
        trigger = await connection.run_sync(lambda found: sa.inspect(found).get_indexes("runs"))
    (partial,) = [index for index in trigger if index["name"] == "runs_by_trigger"]
    assert any(name.endswith("_where") for name in partial["dialect_options"])


def _upgrade(connection: sa.Connection, revision: str) -> None:
    config = alembic.config.Config(stdout=io.StringIO(), output_buffer=io.StringIO())
    config.set_main_option("script_location", MIGRATIONS)
    config.attributes["connection"] = connection
    alembic.command.upgrade(config, revision)


async def _at(url: str, revision: str, *statements: str) -> None:
    """What a version of that revision left behind: three runs of two states."""
    engine = create_async_engine(parse(url))
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade, revision)
        old = [run(1), run(2, state="Failed"), run(3, scheduled=NOW + 7200)]
        await connection.execute(sa.insert(RUNS), [run_values(row) for row in old])
        for statement in statements:
            await connection.exec_driver_sql(statement)
    await engine.dispose()


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
async def test_what_an_older_version_kept_is_found_counted_and_gone_on_with(url: str, revision: str) -> None:
    await _at(url, revision)
    kept = Kept(url)
    await kept.database.open()

    assert await kept.reader.counts(None, since=0) == {"Succeeded": 2, "Failed": 1}
    await kept.store.write(batch(run(4), run(2, state="Running")))
    kept.reader.forget_counts()
    assert await kept.reader.counts(None, since=0) == {"Succeeded": 3, "Failed": 1}
    assert len((await kept.reader.runs(RunFilter(), limit=10)).rows) == 4
    async with kept.database.write() as connection:
        assert await connection.run_sync(_differences) == []
    await kept.database.close()


async def test_an_upgrade_that_dies_on_the_way_leaves_everything_as_it_was(url: str) -> None:
    """Its last trigger cannot be made, because there is one of that name."""
    postgres = url.startswith("postgresql")
    taken = (
        (
            "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            "CREATE TRIGGER runs_removed AFTER DELETE ON runs EXECUTE FUNCTION nothing()",
        )
        if postgres
        else ("CREATE TRIGGER runs_removed AFTER DELETE ON runs BEGIN SELECT 1; END",)
    )
    await _at(url, "0003", *taken)
    kept = Kept(url)
    with pytest.raises(HistoryError, match="runs_removed"):
        await kept.database.open()
    async with kept.database.read() as connection:
        tables = await connection.run_sync(lambda found: sa.inspect(found).get_table_names())
        assert "counts" not in tables
        assert [row.run_id for row in await connection.execute(sa.select(RUNS))] == [run_id(n) for n in (1, 2, 3)]

    async with kept.database.write() as connection:
        await connection.exec_driver_sql("DROP TRIGGER runs_removed" + (" ON runs" if postgres else ""))
    await kept.database.open()
    assert await kept.reader.counts(None, since=0) == {"Succeeded": 2, "Failed": 1}
    await kept.database.close()
