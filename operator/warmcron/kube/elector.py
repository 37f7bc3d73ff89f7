"""Drives `core.lease` against one Lease object, on a connection of its own. It decides nothing about leadership."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any, Final

import structlog

from warmcron.core import lease, times
from warmcron.errors import KubeError
from warmcron.kube.client import KubeClient

log = structlog.get_logger("warmcron.election")

ADDRESS: Final = "warmcron.dev/address"
# A new Lease counts its terms from here in seconds: more than one term a second there never was, and the field is an
# int32, which lasts until 2093 (docs/adr/0010-epochs-start-at-the-clock.md).
EPOCH_ZERO: Final = 1_735_689_600  # 2025-01-01T00:00:00Z
RELEASE_TRIES: Final = 3
CONFLICT, NOT_FOUND = 409, 404


def clock() -> float:
    """Seconds that only grow, also while the machine sleeps: the lease runs out meanwhile."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Elector:
    """One candidate.

    Args:
        client: used for the Lease alone, so that no other traffic delays a renewal.
        election: the rules.
        namespace, name: where the Lease is.
        address: where this replica takes callbacks; the standby passes them on to it.
        interval: seconds between renewals.
        on_lead: a term begins; on_follow: it is over.
    """

    def __init__(  # noqa: PLR0913 - what it is wired to, each by name
        self,
        *,
        client: KubeClient,
        election: lease.Election,
        namespace: str,
        name: str,
        address: str,
        interval: float,
        send_seconds: float,
        on_lead: Callable[[], None],
        on_follow: Callable[[], None],
    ) -> None:
        self._client = client
        self._election = election
        self._namespace, self._name = namespace, name
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._address = address
        self._interval = interval
        self._send_seconds = send_seconds
        self._on_lead, self._on_follow = on_lead, on_follow
        self._leading = False
        self._stopping = False
        self.leader_address = ""

    @property
    def epoch(self) -> int:
        """The number of our term; 0 when we do not lead."""
        return self._election.epoch

    def may_send(self) -> bool:
        """Whether a request that takes as long as it may to leave still leaves inside our term."""
        return self._leading and self._election.leads(clock() + self._send_seconds)

    async def run(self) -> None:
        """Stands for election until cancelled."""
        while True:
            started = clock()
            pause = await self._turn()
            self._announce()
            # From the start of the turn: an answer that was slow must not push the next renewal back.
            await asyncio.sleep(max(started + pause - clock(), 0.01))

    async def stop(self) -> None:
        """Gives leadership up so that the standby need not wait. Call when nothing is in flight any more."""
        self._stopping = True
        epoch = self._election.epoch
        self._election.lost()
        self._announce()
        if not epoch:
            return
        try:
            for _ in range(RELEASE_TRIES):
                if await self._release(epoch):
                    log.info("leadership released")
                    return
        except KubeError as error:
            log.warning("leadership not released; it runs out by itself", error=str(error))

    async def _release(self, epoch: int) -> bool:
        """Empties the holder, unless the term is not ours any more. False if a renewal of ours came between."""
        seen = self._observed(await self._client.get(f"{self._path}/{self._name}"))
        if (seen.holder, seen.epoch) != (self._election.identity, epoch):
            return True
        try:
            await self._write("", seen.version, epoch=epoch)
        except KubeError as error:
            if error.status == CONFLICT:
                return False
            raise
        return True

    async def _turn(self) -> float:
        """One step; returns after how many seconds, counted from its start, the next one is due."""
        asked_at = clock()
        step = self._election.step(asked_at, first_epoch=int(time.time()) - EPOCH_ZERO)
        try:
            match step:
                case lease.Create(epoch):
                    made = await self._create(epoch)
                    self._election.observe(made, clock())  # it is nobody's yet
                    return self._interval
                case lease.Acquire(epoch, version):
                    seen = await self._write(self._election.identity, version, epoch=epoch)
                case lease.Renew(version):
                    seen = await self._write(self._election.identity, version, epoch=self._election.epoch)
                case _:
                    return await self._look(step.seconds if isinstance(step, lease.Watch) else self._interval)
        except KubeError as error:
            return await self._failed(error)
        self._election.wrote(seen, asked_at=asked_at)
        return self._interval

    async def _failed(self, error: KubeError) -> float:
        if error.status in (CONFLICT, NOT_FOUND):
            self._election.lost()
            return await self._look(0.05)
        # Nobody knows whether the write arrived. The term runs on to the end it had; reading again tells.
        log.warning("lease not written", error=str(error))
        return await self._look(self._interval / 2)

    async def _look(self, pause: float) -> float:
        try:
            found = await self._client.get(f"{self._path}/{self._name}")
        except KubeError as error:
            if error.status == NOT_FOUND:
                self._election.observe(None, clock())
                return pause
            log.warning("lease not read", error=str(error))
            return pause
        self._election.observe(self._observed(found), clock())
        return pause

    def _announce(self) -> None:
        leads = self._election.leads(clock()) and not self._stopping
        if leads and not self._leading:
            self._leading = True
            log.info("leading", epoch=self._election.epoch)
            self._on_lead()
        elif self._leading and not leads:
            self._leading = False
            log.warning("no longer leading")
            self._on_follow()

    async def _create(self, epoch: int) -> lease.Observed:
        body = self._body("", epoch=epoch)
        body["spec"]["leaseDurationSeconds"] = max(math.ceil(self._election.duration), lease.RELEASED_SECONDS + 1)
        return self._observed(await self._client.post(self._path, body))

    async def _write(self, holder: str, version: str, *, epoch: int) -> lease.Observed:
        body = self._body(holder, epoch=epoch)
        body["metadata"]["resourceVersion"] = version
        return self._observed(await self._client.put(f"{self._path}/{self._name}", body))

    def _body(self, holder: str, *, epoch: int) -> dict[str, Any]:
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": self._name,
                "namespace": self._namespace,
                "annotations": {ADDRESS: self._address if holder else ""},
            },
            "spec": {
                "holderIdentity": holder,
                # Whole seconds, and never fewer than we ourselves go by: others would take over inside our term.
                # A released lease keeps its term's number and is free at once.
                "leaseDurationSeconds": math.ceil(self._election.duration) if holder else lease.RELEASED_SECONDS,
                "renewTime": times.text_micro(time.time()),
                "leaseTransitions": epoch,
            },
        }

    def _observed(self, found: dict[str, Any]) -> lease.Observed:
        spec, metadata = found.get("spec") or {}, found.get("metadata") or {}
        self.leader_address = (metadata.get("annotations") or {}).get(ADDRESS, "")
        return lease.Observed(
            holder=spec.get("holderIdentity") or "",
            renewed=spec.get("renewTime") or "",
            duration=float(spec.get("leaseDurationSeconds") or 1),
            epoch=int(spec.get("leaseTransitions") or 0),
            version=metadata.get("resourceVersion") or "",
        )
