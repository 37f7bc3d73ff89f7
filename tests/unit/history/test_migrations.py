"""The tables that the revisions make are those of the schema, though both say so in their own words."""

from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from unit.history.conftest import Kept
from warmcron.history.schema import METADATA

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
