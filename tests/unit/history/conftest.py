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
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty database of either kind is."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/history.db"
    server: Postgres = request.getfixturevalue("server")
    server.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return server.url


@pytest.fixture
async def kept(url: str) -> AsyncIterator[Kept]:
    found = Kept(url)
    await found.database.open()
    yield found
    await found.database.close()
