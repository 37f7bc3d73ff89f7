"""Who asks in the embedded mode, and where their orders go: one person, on their own machine, who may do everything."""

import json
import secrets
import time
from typing import Any, Final

from warmcron.core import times
from warmcron.core.tasks import manual_run_id
from warmcron.engine import Engine
from warmcron.history.model import Reader
from warmcron.local.objects import Objects
from warmcron.spec.task import MAX_PAYLOAD_BYTES
from warmcron.web.sources import Order, OrderError, Viewer

EVERYTHING: Final = None


class Owner:
    """Whoever sits at the machine."""

    name = ""

    async def namespaces(self) -> tuple[str, ...] | None:
        """All of them."""
        return EVERYTHING

    async def may(self, order: Order, namespace: str) -> bool:  # noqa: ARG002 - the answer is the same for all
        """Everything."""
        return True


class Door:
    """Fits `web.sources.Guard`: open to everybody who reaches the loopback address."""

    open = True

    async def viewer(self, token: str) -> Viewer | None:  # noqa: ARG002 - nobody has one
        """The owner, whatever they send."""
        return Owner()


class Desk:
    """Fits `web.sources.Orders`.

    Args:
        reader: says which task a run is of.
    """

    def __init__(self, *, objects: Objects, engine: Engine, reader: Reader) -> None:
        self._objects, self._engine, self._reader = objects, engine, reader

    async def trigger(self, viewer: Viewer, namespace: str, name: str, *, payload: dict[str, Any] | None) -> str:  # noqa: ARG002
        """Runs a task now; returns the id that the run will have."""
        if payload is not None and (size := len(json.dumps(payload).encode())) > MAX_PAYLOAD_BYTES:
            raise OrderError(f"the payload has {size} bytes, at most {MAX_PAYLOAD_BYTES}", status=422)
        key, value = f"{namespace}/{name}", f"{times.text(time.time())}-{secrets.token_hex(4)}"
        try:
            uid = self._objects.raw(key)["metadata"]["uid"]
            self._objects.trigger(key, value=value, payload=payload)
        except KeyError:
            raise _missing(key) from None
        return manual_run_id(uid, value)

    async def suspend(self, viewer: Viewer, namespace: str, name: str, *, suspend: bool) -> None:  # noqa: ARG002
        """Stops or resumes a task's schedule, until its file says otherwise."""
        try:
            self._objects.suspend(f"{namespace}/{name}", suspended=suspend)
        except KeyError:
            raise _missing(f"{namespace}/{name}") from None

    async def cancel(self, viewer: Viewer, run_id: str) -> None:  # noqa: ARG002
        """Tells the run to stop."""
        if not self._engine.cancel(run_id):
            raise OrderError(f"run {run_id} is over, or not known", status=409)

    async def retry(self, viewer: Viewer, run_id: str) -> str:
        """Runs the run's task once more; returns the new run's id.

        With the payload that the run was given, if it was given one and that is still known; else with the task's.
        """
        run = await self._reader.run(run_id)
        if run is None:
            raise OrderError(f"run {run_id} is not known", status=404)
        own = self._engine.own_payload(run.task_uid, run_id)
        return await self.trigger(viewer, run.namespace, run.task, payload=json.loads(own) if own else None)

    async def manifest(self, viewer: Viewer, namespace: str, name: str) -> dict[str, Any]:  # noqa: ARG002
        """The object as the embedded mode has it."""
        try:
            return self._objects.raw(f"{namespace}/{name}")
        except KeyError:
            raise _missing(f"{namespace}/{name}") from None


def _missing(key: str) -> OrderError:
    return OrderError(f"{key}: no file declares this task", status=404)
