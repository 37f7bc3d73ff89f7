"""A PostgreSQL's user that may do nothing but keep a history is enough; TLS is used; no text is taken for SQL."""

import re
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import asyncpg
import pytest

from fakes.authority import Authority
from fakes.postgres import Postgres, postgres
from unit.history.builders import NOW, attempt, batch, line, run, run_id
from unit.history.conftest import Kept
from warmcron.errors import ConfigError, HistoryError
from warmcron.history.address import parse
from warmcron.history.database import Database
from warmcron.history.model import RunFilter
from warmcron.history.reader import StoreReader
from warmcron.history.retention import Limits, Retention
from warmcron.history.store import Store

DOCUMENTED = re.search(
    r"```sql\n(CREATE ROLE .*?)```", (Path(__file__).parents[3] / "docs/history.md").read_text(), re.DOTALL
)
PASSWORD = "change-me"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Postgres, Path]]:
    """A server that lets the documented user in by TLS and password only, and the authority that it can be known by."""
    folder = Authority().secret(tmp_path_factory.mktemp("tls"), "127.0.0.1")
    with postgres() as server:
        server.certify(folder / "tls.crt", folder / "tls.key")
        server.admit("hostssl all history 127.0.0.1/32 scram-sha-256", "host all warmcron 127.0.0.1/32 trust")
        server.stop("fast")
        server.start()
        assert DOCUMENTED
        server.sql("CREATE TABLE public.others (secret text)", *DOCUMENTED.group(1).strip().rstrip(";").split(";\n"))
        yield server, folder / "ca.crt"


async def test_the_documented_user_can_keep_a_history_and_nothing_else(guarded: tuple[Postgres, Path]) -> None:
    server, authority = guarded
    url = server.url_of("history", password=PASSWORD)
    database = Database(parse(f"{url}?sslmode=verify-full&sslrootcert={authority}"))
    await database.open()
    await Store(database).write(batch(run(1), run(2), attempt(1), line("words", 1)))
    retention = Retention(database, Limits(seconds=1e9, runs=1, line_seconds=1e9, lines=10))
    while await retention.step(await retention.bounds(NOW)):
        pass
    await retention.optimize()
    found = (await StoreReader(database).runs(RunFilter(), limit=10)).rows
    async with database.read() as connection:
        encrypted = (
            await connection.exec_driver_sql("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        ).scalar()
    await database.close()

    assert [row.run_id for row in found] == [run_id(2)]
    assert encrypted is True
    other = await asyncpg.connect(url, ssl="require")
    for statement in (
        "SELECT * FROM public.others",
        "CREATE TABLE public.mine (a int)",
        "CREATE ROLE another",
        "CREATE DATABASE another",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY history.runs TO PROGRAM 'true'",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await other.execute(statement)
    await other.close()


@pytest.mark.parametrize(
    ("mode", "because"),
    [
        ("disable", "no pg_hba.conf entry"),  # the server insists
        ("verify-full", "certificate verify failed"),  # an authority that nobody has named
    ],
)
async def test_a_connection_that_is_not_what_both_ask_for_is_not_made(
    guarded: tuple[Postgres, Path], mode: str, because: str, tmp_path: Path
) -> None:
    server, _ = guarded
    Authority().secret(tmp_path, "127.0.0.1")
    roots = f"&sslrootcert={tmp_path}/ca.crt" if mode == "verify-full" else ""
    database = Database(parse(f"{server.url_of('history', password=PASSWORD)}?sslmode={mode}{roots}"))
    with pytest.raises(HistoryError, match=because):
        await database.open()
    await database.close()


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("sslcert=x", "sslcert"),  # nothing that we would pass over in silence
        ("sslmode=require&sslrootcert=x", "verify-full"),  # it would not be looked at
        ("sslmode=none", "sslmode"),
    ],
)
def test_a_part_of_the_url_that_cannot_be_meant_is_the_installers_fault(query: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        parse(f"postgresql://a:b@host/db?{query}")


HOSTILE = (
    "'; DROP TABLE runs; --",
    '" OR 1=1 --',
    "%_\\' UNION SELECT * FROM names",
    "$1 :text ?1 {0} %s",
    "a\\'; ATTACH DATABASE '/tmp/x' AS y; --",
    "NEAR(a b) AND NOT * ^ runs:x",
)


@pytest.mark.parametrize("text", HOSTILE)
async def test_no_text_is_taken_for_sql(kept: Kept, text: str) -> None:
    hostile = {field.name: text for field in fields(run()) if field.type is str and field.name != "run_id"}
    mean = run(1, **hostile | {"state": "Failed"}, result=text, error={"message": text})
    hostile = {field.name: text for field in fields(attempt()) if field.type is str and field.name != "run_id"}
    tried = attempt(1, **hostile, filtered=((text, text),), error={"message": text})
    said = replace(line(text, 1), stream=text, level=text)
    await kept.store.write(batch(mean, run(2), tried, said, line("harmless", 2)))

    assert await kept.reader.run(run_id(1)) == mean
    assert await kept.reader.run(text) is None
    assert await kept.reader.attempts(run_id(1)) == (tried,)
    assert [row.text for row in await kept.reader.logs(run_id(1))] == [text]
    assert (await kept.reader.recent((text,), limit=5))[text] == (mean,)
    assert await kept.reader.counts((text,), since=0) == {"Failed": 1}
    for wanted in (
        RunFilter(namespaces=(text,)),
        RunFilter(namespaces=(text,), states=("Failed", text)),
        RunFilter(task=text),
        RunFilter(trigger=text),
        RunFilter(pod=text),
        RunFilter(text=text, task=text),
    ):
        assert [row.run_id for row in (await kept.reader.runs(wanted, limit=5)).rows] == [run_id(1)]
    await kept.reader.runs(RunFilter(text=text), limit=5, cursor=f"{text}~{text}")
    assert len((await kept.reader.runs(RunFilter(), limit=5)).rows) == 2
