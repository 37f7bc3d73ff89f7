"""PostgreSQL goes about a question by what is asked, not by what might be asked, however often it was asked before."""

from sqlalchemy.dialects.postgresql import asyncpg

from fakes.postgres import Postgres
from unit.history.conftest import Kept
from warmcron.history import words

# So many times a prepared statement is planned anew before PostgreSQL thinks of one plan for all values.
TIMES = 6


async def test_a_rare_word_is_looked_up_also_after_many_searches(server: Postgres) -> None:
    """One plan for all values takes every range of time for a narrow one, and reads all lines instead."""
    server.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    kept = Kept(server.url)
    await kept.database.open()
    server.sql(
        "INSERT INTO lines (id, run_id, seq, attempt, time, stream, level, text) "
        "SELECT n, n::text, 1, 1, 0, '', '', 'order ' || n FROM generate_series(1, 50000) AS n",
        "VACUUM ANALYZE lines",
    )
    (*_, rare) = words.searches("needle", (0, words.NO_END), sqlite=False)
    asked = rare.compile(dialect=asyncpg.dialect())  # type: ignore[no-untyped-call]
    values = ", ".join(repr(asked.params[name]) for name in asked.positiontup or ())

    async with kept.database.read() as connection:
        await connection.exec_driver_sql(f"PREPARE asked AS {asked}")
        for _ in range(TIMES):
            await connection.exec_driver_sql(f"EXECUTE asked({values})")
        plan = "\n".join((await connection.exec_driver_sql(f"EXPLAIN EXECUTE asked({values})")).scalars())
    await kept.database.close()

    assert "Bitmap Index Scan on lines_words" in plan
    assert "lines_pkey" not in plan
