"""The hub over real connections: workers are asked before they are used, statuses read before they are believed."""

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
from aiohttp import web

from fakes.engine import FakeGate, FakeRecorder
from fakes.kube import until
from warmcron import hub as module
from warmcron.core import times
from warmcron.core.pool import Address, Worker
from warmcron.core.tasks import PoolKey
from warmcron.errors import KubeError
from warmcron.hub import Hub
from warmcron.observe import Metrics
from warmcron.workers.signing import Signer

UID = "0b1e9b7e-5f0f-4c6a-9d55-3c7a3d1b8a10"
POOL = PoolKey("ns", "p")


class Pod:
    """A worker on loopback. Without `handlers` it is a plain endpoint, which knows of no other path than execute."""

    def __init__(self, name: str, handlers: list[str] | None) -> None:
        self.name, self.handlers = name, handlers
        self.got: list[str] = []
        self.speaks = asyncio.Event()
        self.speaks.set()

    async def open(self) -> None:
        app = web.Application()
        app.router.add_post("/api/task/execute", self._execute)
        if self.handlers is not None:
            app.router.add_get("/api/task/handlers", self._handlers)
            app.router.add_get("/api/task/runs", self._runs)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        self.speaks.set()
        await self._runner.cleanup()

    @property
    def seen(self) -> Worker:
        return Worker(f"uid-{self.name}", self.name, POOL, Address("127.0.0.1", self.port), ready=True)

    async def _execute(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.got.append(body["runId"])
        if self.handlers is not None and body["handler"] not in self.handlers:
            return web.json_response({"title": "unknown handler"}, status=404)
        return web.json_response({"outcome": "Succeeded"})

    async def _handlers(self, _: web.Request) -> web.Response:
        await self.speaks.wait()
        return web.json_response({"handlers": self.handlers, "concurrency": 5})

    async def _runs(self, _: web.Request) -> web.Response:
        return web.json_response({"podUID": f"uid-{self.name}", "runs": []})


class Statuses:
    """The API server's list of all tasks, which takes as long as the test wants."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.refuses = 0
        self.read = asyncio.Event()

    async def reread(self, namespace: str) -> None:
        self.asked.append(namespace)
        if len(self.asked) <= self.refuses:
            raise KubeError("away")
        await self.read.wait()


@pytest.fixture
async def statuses() -> Statuses:
    return Statuses()


@pytest.fixture
async def hub(statuses: Statuses) -> AsyncIterator[Hub]:
    found = Hub(
        gate=FakeGate(),
        recorder=FakeRecorder(),
        leader_address=lambda: "",
        callback_url="http://127.0.0.1:9",
        callback_key=b"k" * 32,
        signer=Signer.made(),
        metrics=Metrics(),
        random=Random(1),
        reread=statuses.reread,
    )
    loop = asyncio.create_task(found.engine.run())
    yield found
    loop.cancel()
    await found.close()


@pytest.fixture
async def pods() -> AsyncIterator[list[Pod]]:
    opened: list[Pod] = []
    yield opened
    for pod in opened:
        await pod.close()


async def opened(pods: list[Pod], name: str, handlers: list[str] | None) -> Pod:
    pod = Pod(name, handlers)
    await pod.open()
    pods.append(pod)
    return pod


def task(**annotations: str) -> dict[str, Any]:
    """A task that runs only when it is told to."""
    return {
        "metadata": {
            "uid": UID,
            "namespace": "ns",
            "name": "task",
            "generation": 1,
            "creationTimestamp": times.text(1_800_000_000),
            "annotations": annotations,
        },
        "spec": {"schedule": "0 0 29 2 *", "pool": "p", "handler": "h"},
    }


async def test_a_pod_that_lacks_the_handler_gets_nothing_in_its_first_moment(hub: Hub, pods: list[Pod]) -> None:
    """It is ready a moment before it has said what it can do; the one with the handler comes later."""
    lacking, able = await opened(pods, "lacking", ["other"]), await opened(pods, "able", ["h"])
    lacking.speaks.clear()
    hub.worker_seen(lacking.seen)
    hub.task_seen(task())
    hub.lead()
    hub.engine.open_pool(POOL, [])
    hub.task_seen(task(**{"warmcron.dev/trigger": "now"}))
    await asyncio.sleep(0.05)
    assert lacking.got == []
    hub.worker_seen(able.seen)
    await until(lambda: able.got)
    lacking.speaks.set()
    await until(lambda: "Succeeded" in str(hub.engine.status_of(UID)))
    assert lacking.got == []


async def test_a_worker_that_is_asked_when_a_term_ends_is_known_in_the_next_one(hub: Hub, pods: list[Pod]) -> None:
    able = await opened(pods, "able", ["h"])
    able.speaks.clear()
    hub.worker_seen(able.seen)
    hub.task_seen(task())
    hub.lead()
    hub.follow()
    able.speaks.set()
    hub.lead()
    hub.engine.open_pool(POOL, [])
    hub.task_seen(task(**{"warmcron.dev/trigger": "now"}))
    await until(lambda: able.got)


async def test_a_new_leader_reads_the_statuses_afresh_before_it_uses_a_plain_endpoint(
    hub: Hub, pods: list[Pod], statuses: Statuses
) -> None:
    plain = await opened(pods, "plain", None)
    hub.worker_seen(plain.seen)
    await until(lambda: hub.engine.pool.of(POOL)[0].heard)
    hub.task_seen(task(**{"warmcron.dev/trigger": "done"}))
    hub.lead()
    await until(lambda: statuses.asked)
    # What the watch had not told: the leader before has run it.
    hub.task_seen(task(**{"warmcron.dev/trigger": "done"}) | {"status": {"lastTrigger": "done"}})
    statuses.read.set()
    await until(lambda: hub.engine.settled)
    assert plain.got == []


async def test_statuses_are_read_until_the_api_server_answers(hub: Hub, pods: list[Pod], statuses: Statuses) -> None:
    statuses.refuses = 2
    statuses.read.set()
    plain = await opened(pods, "plain", None)
    hub.worker_seen(plain.seen)
    hub.task_seen(task())
    hub.lead()
    await until(lambda: hub.engine.settled)
    assert len(statuses.asked) == 3


async def test_where_workers_tell_what_they_have_nothing_is_read_afresh(
    hub: Hub, pods: list[Pod], statuses: Statuses
) -> None:
    able = await opened(pods, "able", ["h"])
    hub.worker_seen(able.seen)
    await until(lambda: hub.engine.pool.of(POOL)[0].heard)
    hub.task_seen(task())
    hub.lead()
    await until(lambda: hub.engine.settled)
    assert statuses.asked == []


async def test_statuses_that_do_not_come_hold_a_pool_back_only_so_long(
    hub: Hub, pods: list[Pod], statuses: Statuses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REREAD_SECONDS", 0.01)
    plain = await opened(pods, "plain", None)
    hub.worker_seen(plain.seen)
    hub.task_seen(task())
    hub.lead()
    await until(lambda: hub.engine.settled)
    assert statuses.asked == ["ns"]
