"""The port of the API on the operator's own loop, and a replica that passes questions on to the one that leads."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from fakes.web import NOW, FakeCluster, FakeGuard, FakeViewer, cluster
from warmcron.api.app import Sources, create
from warmcron.api.serving import Server
from warmcron.errors import ConfigError

HEADERS = {"authorization": "Bearer all"}


@asynccontextmanager
async def serving(source: FakeCluster, *, leader: str = "", alone: bool = False) -> AsyncIterator[str]:
    guard = FakeGuard({"all": FakeViewer("alice")})
    sources = Sources(live=source, reader=source.history, orders=source, labels=source, guard=guard)
    server = Server(create(sources, leader=lambda: leader, alone=lambda _: alone), host="127.0.0.1", port=0)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        await server.close()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers=HEADERS, timeout=aiohttp.ClientTimeout(60)) as found:
        yield found


async def test_a_follower_gives_the_leaders_answers(session: aiohttp.ClientSession) -> None:
    source = cluster(10)
    async with serving(source) as leader, serving(cluster(1), leader=leader) as follower:
        async with session.get(f"{follower}/api/v1/tasks?q=stock") as answer:
            assert [task["name"] for task in (await answer.json())["items"]] == ["stock-sync"]
        async with session.post(
            f"{follower}/api/v1/tasks/shop/stock-sync/trigger", json={"payload": {"a": 1}}
        ) as answer:
            assert answer.status == 202
            assert answer.headers["location"].startswith("/api/v1/runs/")
        async with session.get(f"{follower}/api/v1/tasks", headers={"authorization": "Bearer other"}) as answer:
            assert (answer.status, answer.content_type) == (401, "application/problem+json")
    assert [order[0] for order in source.orders] == ["trigger"]


async def test_a_leader_that_is_gone_is_said_and_no_request_goes_in_circles(session: aiohttp.ClientSession) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
        async with (
            serving(cluster(1), leader=nobody) as lost,
            serving(cluster(1), leader=lost) as confused,
            session.get(f"{confused}/api/v1/tasks") as circle,
            session.get(f"{lost}/api/v1/tasks") as gone,
        ):
            assert circle.status == 200  # it was passed on once, and is answered where it came to
            assert (gone.status, (await gone.json())["type"]) == (503, "urn:warmcron:problem:no-leader")


async def test_a_follower_answers_itself_what_it_can(session: aiohttp.ClientSession) -> None:
    async with (
        serving(cluster(10)) as leader,
        serving(cluster(1), leader=leader, alone=True) as follower,
        session.get(f"{follower}/api/v1/tasks") as answer,
    ):
        assert (await answer.json())["total"] == 1


async def test_new_lines_reach_a_follower_while_the_run_goes_on(session: aiohttp.ClientSession) -> None:
    source = cluster(10)
    run = next(row for row in source.history.rows.values() if row.state == "Running")
    source.history.lines[run.run_id] = []
    async with serving(source) as leader, serving(cluster(1), leader=leader) as follower:
        path = f"/api/v1/runs/{run.run_id}/logs?follow=true"
        async with session.get(follower + path) as stream:
            for number in range(3):
                source.history.say(run.run_id, f"line {number}", at=NOW)
                assert f'"text":"line {number}"' in await _data(stream)
        # The connection is lost, a line is written, and the client comes back with the last number it saw.
        source.history.say(run.run_id, "line 3", at=NOW)
        source.history.add(replace(run, state="Succeeded"))
        async with session.get(follower + path, headers={"last-event-id": "3"}) as stream:
            assert '"text":"line 3"' in await _data(stream)
            assert '"state":"Succeeded"' in await _data(stream)


async def _data(stream: aiohttp.ClientResponse) -> str:
    async with asyncio.timeout(30):
        async for line in stream.content:
            if line.startswith(b"data: "):
                return line.decode()
    raise AssertionError(await stream.text())


async def test_a_port_that_is_taken_is_the_installers_fault() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port: Any = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} cannot be listened on"):
            Server(None, host="127.0.0.1", port=port)  # type: ignore[arg-type]
