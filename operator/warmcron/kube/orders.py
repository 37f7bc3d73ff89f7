"""Orders as patches of the object with the caller's own token: the cluster decides, and its audit log names them."""

import json
import secrets
import time
from typing import Any, Final, Protocol

from warmcron.core import times
from warmcron.core.tasks import TaskRef, manual_run_id
from warmcron.errors import KubeError
from warmcron.history.model import Reader
from warmcron.kube import paths
from warmcron.kube.callers import Caller
from warmcron.kube.client import KubeClient
from warmcron.spec.task import (
    CANCEL_ANNOTATION,
    MAX_PAYLOAD_BYTES,
    TRIGGER_ANNOTATION,
    TRIGGER_PAYLOAD_ANNOTATION,
)
from warmcron.web.sources import OrderError, Viewer

Json = dict[str, Any]

REFUSALS: Final = (400, 401, 403, 404, 409, 422)


class Known(Protocol):
    """What the engine knows of runs that the history may not have."""

    def task_of(self, run_id: str) -> TaskRef | None:
        """The task of a run that goes on or waits; None if there is none of that id."""

    def own_payload(self, uid: str, run_id: str) -> bytes | None:
        """The payload that a manual run was given beside its task's; None if it had none, or nobody knows any more."""


class KubeOrders:
    """Fits `web.sources.Orders`.

    Args:
        client: a client of nobody's.
        reader: says which task a run is of.
        known: the engine.
    """

    def __init__(self, *, client: KubeClient, reader: Reader, known: Known) -> None:
        self._client, self._reader, self._known = client, reader, known

    async def trigger(self, viewer: Viewer, namespace: str, name: str, *, payload: Json | None) -> str:
        """Runs a task now; returns the id that the run will have."""
        text = None if payload is None else json.dumps(payload, separators=(",", ":"))
        if text and len(text.encode()) > MAX_PAYLOAD_BYTES:
            raise OrderError(f"the payload has {len(text)} bytes, at most {MAX_PAYLOAD_BYTES}", status=422)
        value = f"{times.text(time.time())}-{secrets.token_hex(4)}"
        # Without a payload, that of an earlier trigger must go, too.
        found = await self._annotate(
            viewer, namespace, name, {TRIGGER_ANNOTATION: value, TRIGGER_PAYLOAD_ANNOTATION: text}
        )
        return manual_run_id(found["metadata"]["uid"], value)

    async def suspend(self, viewer: Viewer, namespace: str, name: str, *, suspend: bool) -> None:
        """Stops or resumes a task's schedule."""
        await self._patch(viewer, namespace, name, {"spec": {"suspend": suspend}})

    async def cancel(self, viewer: Viewer, run_id: str) -> None:
        """Tells the run to stop."""
        if task := self._known.task_of(run_id):
            await self._annotate(viewer, task.namespace, task.name, {CANCEL_ANNOTATION: run_id})
            return
        run = await self._reader.run(run_id)
        if run is None:
            raise OrderError(f"run {run_id} is not known", status=404)
        if run.finished is not None:
            raise OrderError(f"run {run_id} is over: {run.state}", status=409)
        await self._annotate(viewer, run.namespace, run.task, {CANCEL_ANNOTATION: run_id})

    async def retry(self, viewer: Viewer, run_id: str) -> str:
        """Runs the run's task once more; returns the new run's id.

        With the payload that the run was given, if it was given one and that is still known; else with the task's.
        """
        run = await self._reader.run(run_id)
        if run is None:
            raise OrderError(f"run {run_id} is not known", status=404)
        own = self._known.own_payload(run.task_uid, run_id)
        return await self.trigger(viewer, run.namespace, run.task, payload=json.loads(own) if own else None)

    async def manifest(self, viewer: Viewer, namespace: str, name: str) -> Json:
        """The object as the API server has it."""
        return await self._ask(viewer, "GET", namespace, name)

    async def _annotate(self, viewer: Viewer, namespace: str, name: str, values: dict[str, str | None]) -> Json:
        return await self._patch(viewer, namespace, name, {"metadata": {"annotations": values}})

    async def _patch(self, viewer: Viewer, namespace: str, name: str, body: Json) -> Json:
        return await self._ask(viewer, "PATCH", namespace, name, body)

    async def _ask(self, viewer: Viewer, method: str, namespace: str, name: str, body: Json | None = None) -> Json:
        assert isinstance(viewer, Caller)  # noqa: S101 - they come from `Callers`
        path = paths.task(namespace, name)
        try:
            return await self._client.as_caller(viewer.token, method, path, body)
        except KubeError as error:
            if error.status in REFUSALS:
                raise OrderError(f"the cluster refused: {error}", status=error.status) from None
            raise
