"""One control plane with its workers and operators for the length of a scenario, and what they had used at a moment."""

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import replica
from benchmarks.api import Api, total
from benchmarks.fleet import Fleet
from benchmarks.plane import ETCD, Plane
from benchmarks.processes import busy_seconds
from benchmarks.replica import Replica

WRITES = "POST|PUT|PATCH|APPLY|DELETE"


@dataclass(frozen=True, slots=True)
class Used:
    """Counters at one moment; two of them subtract to what a measurement used.

    Attributes:
        at: epoch seconds.
        operator, apiserver, etcd, workers, machine: CPU seconds.
        status_writes: requests that changed ScheduledTasks; api_writes: requests that changed anything.
        puts: keys written to etcd.
    """

    at: float
    operator: float
    apiserver: float
    etcd: float
    workers: float
    machine: float
    status_writes: float
    api_writes: float
    puts: float

    def __sub__(self, other: "Used") -> "Used":
        return Used(*(getattr(self, name) - getattr(other, name) for name in self.__slots__))


@dataclass(slots=True)
class Session:
    """What is running."""

    folder: Path
    plane: Plane
    api: Api
    fleet: Fleet
    replicas: list[Replica] = field(default_factory=list)

    def start_operator(self, **settings: str) -> Replica:
        """Starts one more replica."""
        found = replica.start(
            kubeconfig=self.plane.kubeconfig, logs=self.plane.logs, number=len(self.replicas) + 1, **settings
        )
        self.replicas.append(found)
        return found

    async def used(self) -> Used:
        """What everything has used up to now."""
        server, etcd = await asyncio.gather(self.api.metrics(), self.api.metrics(f"{ETCD}/metrics"))
        children = self.plane.children
        return Used(
            at=time.time(),
            operator=sum(found.child.cpu() for found in self.replicas if found.child.alive()),
            apiserver=children["apiserver"].cpu(),
            etcd=children["etcd"].cpu(),
            workers=self.fleet.cpu(),
            machine=busy_seconds(),
            status_writes=total(server, "apiserver_request_total", verb=WRITES, resource="scheduledtasks"),
            api_writes=total(server, "apiserver_request_total", verb=WRITES),
            puts=total(etcd, "etcd_mvcc_put_total"),
        )

    async def settled(self, replica: Replica, *, quiet: float = 2.0, seconds: float = 300.0) -> None:
        """Waits until a replica has written nothing for a while."""
        before, since, end = -1.0, time.monotonic(), time.monotonic() + seconds
        while time.monotonic() < end:
            now = total(await replica.metrics(), "warmcron_status_writes_total")
            if now != before:
                before, since = now, time.monotonic()
            elif time.monotonic() - since > quiet:
                return
            await asyncio.sleep(0.25)
        raise TimeoutError(f"{replica.child.name} goes on writing after {seconds:.0f} s")


@contextlib.asynccontextmanager
async def session(kind: str, keep: Path | None) -> AsyncIterator[Session]:
    """Opens a control plane and a fleet of one kind; in `keep` a folder with its data and logs stays."""
    folder = _folder(keep)
    plane = Plane(folder)
    api = None
    fleet = Fleet(kind, folder / "fleet")
    opened: Session | None = None
    try:
        api = await plane.start()
        await api.namespace("warmcron")
        opened = Session(folder, plane, api, fleet)
        yield opened
    finally:
        for found in opened.replicas if opened else []:
            await found.child.stop()
        await fleet.stop()
        if api:
            await api.close()
        await plane.stop()
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def _folder(keep: Path | None) -> Path:
    """A new folder for each session: a control plane must not find what another one has left."""
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="warmcron-bench-", dir=keep))
