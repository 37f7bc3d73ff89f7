"""A warmcron in a cluster, through the Kubernetes API and with the user's own rights; the operator is not asked."""

import json
import uuid
from typing import Any, Final

from warmcron.cli.backend import Json, TaskView, WorkerView
from warmcron.cli.kubeconfig import Access
from warmcron.core.tasks import manual_run_id
from warmcron.errors import KubeError, NotThereError
from warmcron.kube import translate
from warmcron.kube.client import KubeClient
from warmcron.spec.task import GROUP, PLURAL, POOL_LABEL, TRIGGER_ANNOTATION, TRIGGER_PAYLOAD_ANNOTATION, VERSION

API: Final = f"/apis/{GROUP}/{VERSION}"
TIMEOUT: Final = 30.0
NOT_FOUND: Final = 404


class Cluster:
    """Fits `Backend`."""

    def __init__(self, access: Access) -> None:
        self.namespace = access.namespace
        self._kube = KubeClient(access.connection, timeout=TIMEOUT, limit=4)

    async def close(self) -> None:
        """Ends the connection."""
        await self._kube.close()

    async def tasks(self, namespace: str | None, selector: str) -> list[TaskView]:
        """Tasks by namespace and name."""
        found = await self._list(f"{API}{_place(namespace)}/{PLURAL}", selector)
        return sorted(map(view, found), key=lambda task: (task.namespace, task.name))

    async def task(self, namespace: str, name: str) -> TaskView:
        """One task."""
        try:
            return view(await self._kube.get(_path(namespace, name)))
        except KubeError as error:
            if error.status != NOT_FOUND:
                raise
            hint = "" if await self._has_crd() else "; the cluster has no ScheduledTasks at all: install the CRD"
            raise NotThereError(f"no task {name!r} in namespace {namespace!r}{hint}") from None

    async def trigger(self, task: TaskView, payload: Json | None) -> str:
        """Sets the annotation that asks for a manual run."""
        value = str(uuid.uuid4())
        annotations = {
            TRIGGER_ANNOTATION: value,
            TRIGGER_PAYLOAD_ANNOTATION: None if payload is None else json.dumps(payload, separators=(",", ":")),
        }
        await self._merge(task, {"metadata": {"annotations": annotations}})
        return manual_run_id(task.uid, value)

    async def outcome(self, task: TaskView, run_id: str) -> Json | None:
        """What the task's status says of a run."""
        status = (await self.task(task.namespace, task.name)).raw.get("status") or {}
        if any(run.get("runId") == run_id for run in status.get("active") or []):
            return None
        for run in status.get("recentRuns") or []:
            if run.get("runId") == run_id:
                return dict(run)
        decided = manual_run_id(task.uid, str(status.get("lastTrigger"))) == run_id
        if decided and task.raw["spec"].get("historyLimit") == 0 and task.concurrency in ("Allow", "Forbid"):
            return {"outcome": "Unknown", "reason": "spec.historyLimit is 0: the status keeps no run that has ended"}
        return None

    async def suspend(self, task: TaskView, *, suspended: bool) -> None:
        """Sets spec.suspend."""
        await self._merge(task, {"spec": {"suspend": suspended}})

    async def workers(self, namespace: str | None, selector: str = "") -> list[WorkerView]:
        """The pods that have the label of a pool; what runs on them is known to the operator alone."""
        views = []
        wanted = f"{POOL_LABEL},{selector}" if selector.strip() else POOL_LABEL
        for pod in await self._list(f"/api/v1{_place(namespace)}/pods", wanted):
            worker = translate.worker(pod)
            if worker is None:
                continue
            state = "Ready" if worker.ready else "Draining" if worker.reason == "terminating" else "NotReady"
            views.append(
                WorkerView(
                    namespace=worker.pool.namespace,
                    pool=worker.pool.name,
                    name=worker.name,
                    uid=worker.uid,
                    state=state,
                    reason=worker.reason,
                    runs=None,
                    capacity=None,
                    handlers=None,
                    version=None,
                    raw=pod,
                )
            )
        return sorted(views, key=lambda worker: (worker.namespace, worker.pool, worker.name))

    async def _merge(self, task: TaskView, patch: Json) -> None:
        await self._kube.merge(_path(task.namespace, task.name), json.dumps(patch).encode())

    async def _list(self, path: str, selector: str) -> list[Json]:
        params = {"labelSelector": selector} if selector else {}
        try:
            return [item async for page in self._kube.pages(path, **params) for item in page.get("items") or ()]
        except KubeError as error:
            if error.status == NOT_FOUND and path.startswith(API):
                raise KubeError("the cluster has no ScheduledTasks: install the CRD first", status=NOT_FOUND) from None
            raise

    async def _has_crd(self) -> bool:
        try:
            await self._kube.get(API)
        except KubeError as error:
            return error.status != NOT_FOUND
        return True


def view(raw: Json) -> TaskView:
    """An object as the API server has it."""
    metadata, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
    conditions = {str(found.get("type")): found for found in status.get("conditions") or []}
    ready = conditions.get("Ready", {})
    return TaskView(
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        schedule=str(spec.get("schedule", "")),
        time_zone=str(spec.get("timeZone", "UTC")),
        suspended=bool(spec.get("suspend")),
        active=tuple(str(run.get("runId")) for run in status.get("active") or []),
        last=str(status.get("lastScheduleTime") or ""),
        next=str(status.get("nextScheduleTime") or ""),
        ready=str(ready.get("status", "Unknown")),
        reason=str(ready.get("reason", "")),
        message=str(ready.get("message", "")),
        created=str(metadata.get("creationTimestamp", "")),
        pool=str(spec.get("pool", "")),
        handler=str(spec.get("handler", "")),
        failures=int(status.get("consecutiveFailures") or 0),
        concurrency=str(spec.get("concurrencyPolicy", "Forbid")),
        routing=str(spec.get("routingPolicy", "LeastLoaded")),
        seen=bool(status) and status.get("observedGeneration", 0) >= metadata.get("generation", 0),
        workers_available=str(conditions.get("WorkersAvailable", {}).get("status", "Unknown")),
        counters={name: int(status.get(name) or 0) for name in ("succeeded", "failed", "skipped", "missed")},
        recent=tuple(status.get("recentRuns") or []),
        conditions=tuple(status.get("conditions") or []),
        raw=_clean(raw),
    )


def _clean(raw: Json) -> Json:
    metadata = {key: value for key, value in raw["metadata"].items() if key != "managedFields"}
    api: dict[str, Any] = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "ScheduledTask"}
    return {**api, **raw, "metadata": metadata}


def _place(namespace: str | None) -> str:
    return f"/namespaces/{namespace}" if namespace else ""


def _path(namespace: str, name: str) -> str:
    return f"{API}{_place(namespace)}/{PLURAL}/{name}"
