"""The dashboard over a real PostgreSQL that is stopped while pages are asked for, and comes back."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from fakes.asgi import Browser
from fakes.postgres import Postgres, postgres
from fakes.web import FakeGuard, cluster
from warmcron.history.address import parse
from warmcron.history.database import Database
from warmcron.history.journal import Batch
from warmcron.history.reader import StoreReader
from warmcron.history.store import Store
from warmcron.web.app import app

LIVE = ("/", "/tasks", "/tasks/shop/stock-sync", "/workers", "/runs")
SAID = "The history does not answer"
PATIENCE = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as found:
        yield found


@pytest.fixture
async def database(server: Postgres) -> AsyncIterator[Database]:
    found = Database(parse(server.url))
    await found.open()
    yield found
    await found.close()


async def test_pages_go_on_while_the_database_is_stopped_and_say_so(server: Postgres, database: Database) -> None:
    source = cluster(10)
    rows = dict(source.history.rows)
    await Store(database).write(Batch(runs=rows))
    pages = app(
        live_source=source,
        reader=StoreReader(database),
        orders_to=source,
        guarded_by=FakeGuard(),
        clock=source.clock,
    )
    run_id = next(iter(rows))
    browser = Browser(pages)
    assert SAID not in (await browser.get("/runs?ns=shop")).text
    statuses: list[tuple[str, int]] = []
    stopped = asyncio.Event()

    async def look() -> None:
        """Somebody whose pages ask for updates all the time."""
        mine = Browser(pages)
        while not stopped.is_set():
            statuses.extend([(path, (await mine.get(path)).status) for path in LIVE])
            await asyncio.sleep(0)

    lookers = [asyncio.create_task(look()) for _ in range(4)]
    try:
        await asyncio.to_thread(server.stop)
        for path in LIVE:
            reply = await browser.get(path)
            assert reply.status == 200
            assert path == "/workers" or SAID in reply.text
        for path in ("/tasks", "/tasks/shop/stock-sync"):
            assert "stock-sync" in (await browser.get(path)).text
        assert "indexers" in (await browser.get("/workers")).text
        reply = await browser.get(f"/runs/{run_id}")
        assert (reply.status, 'id="poll"' in reply.text) == (503, True)
        await browser.post("/orders/suspend", {"on": "shop/stock-sync"})
        assert source.orders == [("suspend", "shop/stock-sync")]

        await asyncio.to_thread(server.start)
        async with asyncio.timeout(PATIENCE):
            # What is waited for has no event.
            while SAID in (await browser.get("/")).text or (await browser.get(f"/runs/{run_id}")).status != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        stopped.set()
        await asyncio.gather(*lookers)
    assert {status for _, status in statuses} == {200}
