from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from fakes.postgres import Postgres, postgres
from warmcron.history.address import parse
from warmcron.history.database import Database
from warmcron.history.reader import StoreReader
from warmcron.history.store import Store


class Kept:
    """A database of either kind with its writer and its reader."""

    def __init__(self, url: str) -> None:
        self.database = Database(parse(url))
        self.store = Store(self.database)
        self.reader = StoreReader(self.database)


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    with postgres() as found:
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
async def kept(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kept]:
    if request.param == "sqlite":
        found = Kept(f"sqlite:///{tmp_path}/history.db")
    else:
        server: Postgres = request.getfixturevalue("server")
        server.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        found = Kept(server.url)
    await found.database.open()
    yield found
    await found.database.close()
