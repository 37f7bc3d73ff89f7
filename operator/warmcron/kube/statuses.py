"""Writes one status by compare-and-set, and tells whether it is there. When and how often is not its concern.

Every write names the resourceVersion that it follows, so that a leader of the past, however late its request arrives,
never overwrites what a later one wrote (docs/adr/0011-statuses-by-compare-and-set.md).
"""

import json
import re
from enum import Enum, auto
from typing import Final, Protocol

import structlog

from warmcron.core import runs, status
from warmcron.core.tasks import TaskRef
from warmcron.errors import KubeError
from warmcron.kube import paths
from warmcron.kube.client import KubeClient
from warmcron.observe import Metrics

log = structlog.get_logger("warmcron.status")

# A conflict is solved by reading; an object that somebody writes to all the time is left for later.
TRIES: Final = 3
NOT_FOUND, CONFLICT, THROTTLED, SERVER_ERROR = 404, 409, 429, 500
_VERSION: Final = re.compile(rb'"resourceVersion"\s*:\s*"([^"]+)"')


class Source(Protocol):
    """Where statuses come from: the engine."""

    def status_of(self, uid: str) -> tuple[TaskRef, status.Json] | None:
        """What the status of a task should be now; None when it is gone or not ours to speak of."""

    def namespace_of(self, uid: str) -> str:
        """Where a task is; empty for one that is gone."""

    def version_of(self, uid: str) -> str:
        """The resourceVersion at which the task was last read; empty if it is not known."""

    def reread(self, uid: str, written: status.Json, version: str) -> None:
        """The status that the task was taken over from was not the last one; this is."""


class Result(Enum):
    """What became of a write."""

    DONE = auto()  # it is there
    GONE = auto()  # there is nothing to write to, or nothing of ours to say
    LATER = auto()  # nobody knows; it is to be tried again
    REFUSED = auto()  # the API server will not have it


class StatusWriter:
    """The only one who writes statuses.

    Args:
        client: its connections are shared with nothing that must be quick.
        source: where statuses come from.
    """

    def __init__(self, *, client: KubeClient, source: Source, metrics: Metrics) -> None:
        self._client, self._source, self._metrics = client, source, metrics
        self._versions: dict[str, str] = {}  # uid -> resourceVersion of our last write in this term
        self._digests: dict[str, int] = {}  # uid -> hash of what it said

    def namespace_of(self, uid: str) -> str:
        """Where a task is."""
        return self._source.namespace_of(uid)

    def forget(self, uid: str) -> None:
        """The task is gone."""
        self._versions.pop(uid, None)
        self._digests.pop(uid, None)

    def clear(self) -> None:
        """The term is over: what we wrote is not the last word any more."""
        self._versions.clear()
        self._digests.clear()

    async def write(self, uid: str) -> tuple[Result, status.Json]:
        """Brings the object's status to what it should be. Returns what it is if DONE."""
        for _ in range(TRIES):
            found = self._source.status_of(uid)
            if found is None:
                return Result.GONE, {}
            ref, wanted = found
            text = json.dumps(wanted, separators=(",", ":"))
            digest = hash(text)
            if self._digests.get(uid) == digest:
                return Result.DONE, wanted
            try:
                answer = await self._client.merge(
                    f"{paths.task(ref.namespace, ref.name)}/status", self._body(ref, text)
                )
                # A crash before this line loses nothing: the next leader reads what was written.
                self._digests[uid] = digest
                self._note_version(uid, answer)
                self._metrics.writes.labels("ok").inc()
            except KubeError as error:
                self._metrics.writes.labels(str(error.status or "no answer")).inc()
                if error.status != CONFLICT:
                    return self._failed(ref, error), {}
                if await self._look_again(ref) is None:
                    return Result.GONE, {}
            else:
                return Result.DONE, wanted
        return Result.LATER, {}

    async def read(self, ref: TaskRef) -> status.Json | None:
        """The status as it is now, by a read that no cache answers; None if the task is gone."""
        fresh = await self._fetch(ref)
        return None if fresh is None else fresh.get("status") or {}

    def _body(self, ref: TaskRef, text: str) -> bytes:
        # The uid makes the API server refuse it if the object was deleted and made anew under the same name.
        metadata = {"uid": ref.uid}
        if version := self._versions.get(ref.uid) or self._source.version_of(ref.uid):
            metadata["resourceVersion"] = version
        return f'{{"metadata":{json.dumps(metadata)},"status":{text}}}'.encode()

    async def _look_again(self, ref: TaskRef) -> str | None:
        """After a conflict, the version to follow. A user's edit changes nothing; another leader's write may."""
        fresh = await self._fetch(ref)
        if fresh is None:
            return None
        version = str(fresh["metadata"]["resourceVersion"])
        first = ref.uid not in self._versions
        self._versions[ref.uid] = version
        if first:
            # We have written nothing in this term, so it need not be a user's edit: the leader before may have
            # written after we read. Nothing of ours is lost by reading again.
            self._source.reread(ref.uid, fresh.get("status") or {}, version)
        return version

    async def _fetch(self, ref: TaskRef) -> status.Json | None:
        """The object as it is now; None if it is gone. A list of one: the operator has no right to `get`."""
        page = await self._client.get(paths.tasks(ref.namespace), fieldSelector=f"metadata.name={ref.name}")
        return next((found for found in page.get("items") or () if found["metadata"]["uid"] == ref.uid), None)

    def _note_version(self, uid: str, answer: bytes) -> None:
        if found := _VERSION.search(answer):
            self._versions[uid] = found.group(1).decode()

    def _failed(self, ref: TaskRef, error: KubeError) -> Result:
        if error.status == NOT_FOUND:
            return Result.GONE
        if error.status in (0, THROTTLED) or error.status >= SERVER_ERROR:
            return Result.LATER
        self._metrics.errors.labels("status").inc()
        log.error("status refused", namespace=ref.namespace, task=ref.name, error=str(error))
        return Result.REFUSED


def holds(written: status.Json, about: runs.Attempt, epoch: int) -> bool:
    """Whether a status has this attempt on this worker among its active runs, put there in this term."""
    wanted = (about.run_id, about.number, about.pod_uid, epoch)
    active = written.get("active") or []
    return any(wanted == tuple(run.get(key) for key in ("runId", "attempt", "podUID", "epoch")) for run in active)
