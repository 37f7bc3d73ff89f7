"""Lists in pages: the next one is on its way while the caller is at work on this one."""

import asyncio
from collections.abc import AsyncIterator

import kopf
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from warmcron.errors import KubeError
from warmcron.kube.client import KubeClient, nobody

PAGES = 3


class Collection:
    """Three pages; `expired` is the one whose token is refused, `slow` the one that never comes."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.expired = self.slow = PAGES
        self.left = asyncio.Event()

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/things", self._page)
        return app

    async def _page(self, request: web.Request) -> web.Response:
        number = int(request.query.get("continue", "0"))
        self.asked.append(number)
        if number == self.slow:
            try:
                await asyncio.Event().wait()
            finally:
                self.left.set()
        if number == self.expired:
            return web.json_response({"message": "too old"}, status=410)
        more = {"continue": str(number + 1)} if number < PAGES - 1 else {}
        return web.json_response({"metadata": more, "items": [number]})


@pytest.fixture
def collection() -> Collection:
    return Collection()


@pytest.fixture
async def client(collection: Collection) -> AsyncIterator[KubeClient]:
    async with TestServer(collection.app(), handler_cancellation=True) as server:
        found = KubeClient(nobody(kopf.ConnectionInfo(server=str(server.make_url("")))), timeout=5, limit=4)
        yield found
        await found.close()


async def until_asked(collection: Collection, count: int) -> None:
    async with asyncio.timeout(5):
        while len(collection.asked) < count:  # noqa: ASYNC110 - of a server
            await asyncio.sleep(0.005)


async def test_every_page_comes_once_and_the_next_is_asked_for_while_one_is_worked_on(
    client: KubeClient, collection: Collection
) -> None:
    seen: list[int] = []
    async for page in client.pages("/things"):
        seen += page["items"]
        await until_asked(collection, min(len(seen) + 1, PAGES))
    assert (seen, collection.asked) == ([0, 1, 2], [0, 1, 2])


async def test_an_expired_list_ends_with_its_status_behind_the_pages_before(
    client: KubeClient, collection: Collection
) -> None:
    collection.expired = 1
    seen: list[int] = []

    async def read() -> None:
        async for page in client.pages("/things"):
            seen.extend(page["items"])
            await until_asked(collection, 2)

    with pytest.raises(KubeError, match="too old") as raised:
        await read()
    assert (seen, raised.value.status) == ([0], 410)


async def test_whoever_stops_reading_leaves_no_request_behind(client: KubeClient, collection: Collection) -> None:
    collection.slow = 1
    reading = client.pages("/things")
    assert (await anext(reading))["items"] == [0]
    await until_asked(collection, 2)
    await reading.aclose()  # type: ignore[attr-defined]
    async with asyncio.timeout(5):
        await collection.left.wait()
