"""A real dispatcher with an inbox that the test reads, and runs and workers to send with it."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from warmcron.core import runs
from warmcron.core.pool import Address, Worker
from warmcron.core.tasks import PoolKey, Problem, TaskRef, TaskSpec
from warmcron.history.model import LogRow
from warmcron.history.nothing import Nothing
from warmcron.kube import translate
from warmcron.observe import Metrics
from warmcron.workers.dispatcher import Dispatcher
from warmcron.workers.reports import Reports
from warmcron.workers.signing import Signer
from warmcron.workers.tls import Tls
from warmcron.workers.tokens import Tokens

TASK = TaskRef("task-uid", "ns", "nightly")


class Inbox:
    """Takes answers as the engine would, and lets the test wait for them."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[tuple[runs.Attempt, runs.Event]] = asyncio.Queue()

    def on_event(self, about: runs.Attempt, event: runs.Event) -> None:
        self.events.put_nowait((about, event))

    async def event(self) -> runs.Event:
        return (await asyncio.wait_for(self.events.get(), 60))[1]


class Kept(Nothing):
    """Remembers log lines."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def lines(self, found: list[LogRow]) -> None:
        self.texts += [line.text for line in found]


class Sending:
    """One dispatcher and what came of it."""

    def __init__(
        self, *, signer: Signer | None = None, callback_url: str = "http://127.0.0.1:9", tls: Tls | None = None
    ) -> None:
        self.signer = signer or Signer.made()
        self.inbox = Inbox()
        self.epoch = 1
        self.archive = Kept()
        self.dispatcher = Dispatcher(
            may_send=lambda: True,
            epoch=lambda: self.epoch,
            callback_url=callback_url,
            signer=self.signer,
            tls=tls,
            tokens=Tokens(b"k" * 32),
            metrics=Metrics(),
            reports=Reports(archive=self.archive, find=lambda _: None, shard=lambda _: 0, now=time.time, echo=False),
        )
        self.dispatcher.inbox = self.inbox

    async def execute(self, run: runs.Run, worker: Worker) -> runs.Event:
        self.dispatcher.execute(run, worker)
        return await self.inbox.event()

    async def ask(self, run: runs.Run, worker: Worker, *, fence: bool = False) -> runs.Event:
        self.dispatcher.ask(run, worker, fence=fence)
        return await self.inbox.event()

    async def cancel(self, run: runs.Run, worker: Worker) -> runs.Event:
        self.dispatcher.cancel(run, worker)
        return await self.inbox.event()


@asynccontextmanager
async def sending(signer: Signer | None = None, **more: Any) -> AsyncIterator[Sending]:
    """A dispatcher for as long as the test takes."""
    found = Sending(signer=signer, **more)
    try:
        yield found
    finally:
        await found.dispatcher.close()


def worker(port: int, *, uid: str = "uid-a", ip: str = "127.0.0.1") -> Worker:
    return Worker(uid, "pod-a", PoolKey("ns", "p"), Address(ip, port), ready=True)


def run(handler: str = "hello", payload: bytes | None = None, *, attempt: int = 1) -> runs.Run:
    now = time.time()
    return runs.Run(
        id=str(uuid.uuid4()),
        task=TASK,
        spec=spec(handler=handler),
        trigger="Schedule",
        scheduled=int(now),
        created=now,
        deadline=now + 600,
        payload=payload,
        attempt=attempt,
    )


def spec(**fields: Any) -> TaskSpec:
    metadata = {"uid": TASK.uid, "namespace": TASK.namespace, "name": TASK.name}
    raw = {
        "metadata": {**metadata, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"schedule": "@hourly", "pool": "p", "handler": "h", **fields},
    }
    found = translate.task_spec(raw)
    assert not isinstance(found, Problem), found
    return found
