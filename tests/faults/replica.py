"""One replica's hub, recorder and client as a process that kills itself: `replica.py ADDRESS EPOCH MOMENT`.

It has what the operator has between the API server and its workers, without kopf and without an election: the test is
both servers, and decides who leads.
"""

import asyncio
import os
import signal
import sys
from random import Random
from typing import Any

import kopf

from fakes.engine import FakeGate
from warmcron.core import runs
from warmcron.core.pool import Address, Worker
from warmcron.core.tasks import PoolKey
from warmcron.hub import Hub
from warmcron.kube import paths
from warmcron.kube.client import KubeClient
from warmcron.kube.recorder import Recorder
from warmcron.kube.statuses import StatusWriter
from warmcron.observe import Metrics
from warmcron.workers.signing import Signer

ADDRESS, EPOCH, MOMENT = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def die(moment: str) -> None:
    if moment == MOMENT:
        os.kill(os.getpid(), signal.SIGKILL)


class DyingClient(KubeClient):
    async def merge(self, path: str, body: bytes) -> bytes:
        die("before a status leaves")
        answer = await super().merge(path, body)
        die("after a status has arrived")
        return answer


class Between:
    """Engine and recorder need each other: what one says to the other goes through here."""

    recorder: Recorder
    hub: Hub

    def note(self, uid: str, *, urgent: bool) -> None:
        self.recorder.note(uid, urgent=urgent)

    def commit(self, run: runs.Run) -> None:
        die("before an intent is given to the recorder")
        self.recorder.commit(run)

    def on_event(self, about: runs.Attempt, event: runs.Event) -> None:
        die("before it is told that an intent is written")
        self.hub.engine.on_event(about, event)


async def main() -> None:
    gate, between, metrics, random = FakeGate(), Between(), Metrics(), Random(1)
    gate.epoch = EPOCH
    client = DyingClient(kopf.ConnectionInfo(server=ADDRESS), timeout=15, limit=4)
    hub = between.hub = Hub(
        gate=gate,
        recorder=between,
        intents=between,
        leader_address=lambda: "",
        callback_url="http://127.0.0.1:9",
        callback_key=b"k" * 32,
        signer=Signer.made(),
        metrics=metrics,
        random=random,
    )
    between.recorder = Recorder(
        writer=StatusWriter(client=client, source=hub.engine, metrics=metrics),
        gate=gate,
        inbox=between,
        herd=hub.herd,
        writers=2,
        interval=0.0,
        random=random,
    )
    answered = hub.engine.on_event

    def on_event(about: runs.Attempt, event: runs.Event) -> None:
        if isinstance(event, runs.Finished):
            die("before the answer of a worker is taken in")
        answered(about, event)

    setattr(hub.engine, "on_event", on_event)  # noqa: B010 - this process is made to die, and mypy need not know
    port = int(ADDRESS.rpartition(":")[2])
    hub.worker_seen(Worker("uid-pod", "pod", PoolKey("ns", "p"), Address("127.0.0.1", port), ready=True))
    page: dict[str, Any] = await client.get(paths.tasks(""))
    for raw in page["items"]:
        hub.task_seen(raw)
    hub.lead()
    await hub.engine.run()


asyncio.run(main())
