"""The embedded mode's API server: gives declared tasks a uid and a generation, and keeps their statuses on disk.

It never decides anything about a run; the engine reads objects from here and writes statuses to it, as in a cluster.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

import structlog

from warmcron.core import status, times
from warmcron.core.events import Committed, Event, NotCommitted
from warmcron.core.run import Attempt, Run
from warmcron.core.tasks import TaskRef
from warmcron.local import manifests
from warmcron.local.folder import Entry, Folder
from warmcron.local.manifests import Manifest
from warmcron.spec.task import TRIGGER_ANNOTATION, TRIGGER_PAYLOAD_ANNOTATION

Json = dict[str, Any]

log = structlog.get_logger("warmcron.dev")

# Changes of one moment go into one write of the file; what a user waits for is written sooner.
SETTLE_SECONDS: Final = 0.5


class Source(Protocol):
    """Where statuses come from, and where it is said that they are written: the engine."""

    def status_of(self, uid: str) -> tuple[TaskRef, status.Json] | None:
        """What the status of a task should be now."""

    def on_event(self, about: Attempt, event: Event) -> None:
        """Something was heard of one attempt."""


class Objects:
    """All tasks by namespace/name.

    Args:
        apply: an object exists as described.
        forget: the object with this uid is gone.
    """

    def __init__(self, folder: Folder, *, apply: Callable[[Json], None], forget: Callable[[str], None]) -> None:
        self._folder = folder
        self._apply, self._forget = apply, forget
        self._declared: dict[str, Manifest] = {}
        self._keys: dict[str, str] = {}  # uid -> namespace/name
        self._changed: set[str] = set()  # uids whose status is to be written
        self._intents: list[Attempt] = []  # AtMostOnce: answered once the file holds them
        self._wake, self._soon = asyncio.Event(), asyncio.Event()
        self.source: Source | None = None

    @property
    def declared(self) -> dict[str, Manifest]:
        """What the files say, by namespace/name."""
        return self._declared

    def declare(self, found: Iterable[Manifest], *, complete: bool = True) -> None:
        """The files say this, and if it is complete, nothing else: what they no longer have is deleted then.

        It is not complete while a file cannot be read: nobody knows which tasks it has.
        """
        before, self._declared = self._declared, {manifest.key: manifest for manifest in found}
        entries = self._folder.entries
        for key in [key for key in entries if key not in self._declared and complete]:
            entry = entries.pop(key)
            self._keys.pop(entry.uid, None)
            self._forget(entry.uid)
        for key, manifest in self._declared.items():
            if key not in entries:
                entries[key] = Entry(str(uuid.uuid4()), times.text(time.time()), manifest.spec)
            entry = entries[key]
            if entry.spec != manifest.spec:
                if entry.spec.get("suspend") != manifest.spec.get("suspend"):
                    entry.suspend = None
                entry.spec = manifest.spec
                entry.generation += 1
            elif before.get(key) == manifest:
                continue
            self._keys[entry.uid] = key
            self._apply(self.raw(key))
        self._touch(urgent=True)

    def trigger(self, key: str, *, value: str, payload: Json | None) -> None:
        """Asks for a manual run, as the annotation does; raises KeyError for an unknown task."""
        entry = self._folder.entries[key]
        entry.trigger = {"value": value} | ({} if payload is None else {"payload": json.dumps(payload)})
        self._apply(self.raw(key))
        self._touch(urgent=True)

    def suspend(self, key: str, *, suspended: bool) -> None:
        """Suspends or resumes until the file says otherwise; raises KeyError for an unknown task."""
        entry = self._folder.entries[key]
        if bool(self.raw(key)["spec"].get("suspend")) is suspended:
            return
        entry.suspend = suspended
        entry.generation += 1
        self._apply(self.raw(key))
        self._touch(urgent=True)

    def raw(self, key: str) -> Json:
        """The object as a cluster's API server would hand it out; raises KeyError for an unknown task."""
        manifest, entry = self._declared[key], self._folder.entries[key]
        found = manifests.raw(manifest, uid=entry.uid, created=entry.created, generation=entry.generation)
        if entry.suspend is not None:
            found["spec"] = {**found["spec"], "suspend": entry.suspend}
        if entry.trigger:
            annotations = found["metadata"]["annotations"] = dict(manifest.annotations)
            annotations.pop(TRIGGER_PAYLOAD_ANNOTATION, None)
            annotations[TRIGGER_ANNOTATION] = entry.trigger["value"]
            if "payload" in entry.trigger:
                annotations[TRIGGER_PAYLOAD_ANNOTATION] = entry.trigger["payload"]
        found["status"] = entry.status
        return found

    # ---- statuses: the engine's recorder ---------------------------------------------------------------------

    def note(self, uid: str, *, urgent: bool) -> None:
        """The status of this task has changed."""
        self._changed.add(uid)
        self._touch(urgent=urgent)

    def commit(self, run: Run) -> None:
        """Writes down which worker is about to get an AtMostOnce run; says so when the file is known to hold it."""
        self._intents.append(Attempt(run.id, run.attempt, run.pod_uid))
        self.note(run.task.uid, urgent=True)

    async def run(self) -> None:
        """Writes what changes until cancelled.

        A crash between a run and this write leaves the status from before: the next start finds the run neither in
        the status nor on a worker, and starts it again under its old id, as AtLeastOnce says.
        """
        while True:
            await self._wake.wait()
            try:
                async with asyncio.timeout(SETTLE_SECONDS):
                    await self._soon.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            self._soon.clear()
            intents, self._intents = self._intents, []
            event = await self._write(self._collect())
            for about in intents:
                if self.source:
                    self.source.on_event(about, event)

    async def _write(self, content: bytes) -> Event:
        try:
            await asyncio.to_thread(self._folder.write, content)
        except OSError as error:  # the disk is full, or the folder is gone: the next change tries again
            log.error("state not written", error=error.strerror)  # noqa: TRY400 - no fault of ours
            return NotCommitted("StateNotWritten")
        return Committed()

    def flush(self) -> None:
        """Writes what `run` has not written, at the end."""
        self._folder.write(self._collect())

    def _collect(self) -> bytes:
        for uid in self._changed:
            found = self.source.status_of(uid) if self.source else None
            if found and (key := self._keys.get(uid)):
                self._folder.entries[key].status = found[1]
        self._changed.clear()
        return self._folder.content()

    def _touch(self, *, urgent: bool) -> None:
        self._wake.set()
        if urgent:
            self._soon.set()
