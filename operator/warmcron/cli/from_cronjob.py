"""A CronJob as a ScheduledTask: fields that both have keep their names, CronJob's defaults are written out. Pure."""

from collections.abc import Iterator
from typing import Any, Final

from warmcron.cli.converted import Converted, Json, checked, slug

CARRIED: Final = ("schedule", "timeZone", "suspend", "startingDeadlineSeconds", "concurrencyPolicy")
# What CronJob and Job do when a field is not written; ScheduledTask's own defaults differ.
JOB_BACKOFF_LIMIT: Final = 6
HISTORY: Final = ("successfulJobsHistoryLimit", "failedJobsHistoryLimit")
JOB_FIELDS: Final = {
    "parallelism": "one run goes to one worker; routingPolicy: Broadcast gives it to all",
    "completions": "one run is one call of a handler",
    "completionMode": "one run is one call of a handler",
    "podFailurePolicy": "infrastructure failures are retried at once and cost no retry; others by backoffLimit",
    "ttlSecondsAfterFinished": "no Job is left behind; historyLimit bounds status.recentRuns",
}
POD_FIELDS: Final = (
    "volumes", "serviceAccountName", "nodeSelector", "affinity", "tolerations", "initContainers", "imagePullSecrets",
    "securityContext", "priorityClassName", "hostNetwork", "runtimeClassName",
)  # fmt: skip
CONTAINER_FIELDS: Final = ("resources", "volumeMounts", "envFrom", "securityContext")


def jobs(value: Any) -> Iterator[Json]:
    """The CronJobs of a document, which may be a list of them."""
    if not isinstance(value, dict):
        return
    if str(value.get("kind", "")).endswith("List"):
        for item in value.get("items") or []:
            yield from jobs(item)
    elif value.get("kind") == "CronJob":
        yield value


def convert(job: Json, *, pool: str | None, handler: str | None) -> Converted:
    """The task of a CronJob, and notes on all that it does not say."""
    metadata, spec = job.get("metadata") or {}, job.get("spec") or {}
    inner = (spec.get("jobTemplate") or {}).get("spec") or {}
    pod = (inner.get("template") or {}).get("spec") or {}
    name = str(metadata.get("name") or "cronjob")
    notes: list[str] = []
    found: Json = {field: spec[field] for field in CARRIED if spec.get(field) is not None}
    found.setdefault("concurrencyPolicy", "Allow")
    if "timeZone" not in found:
        notes.append("timeZone: a CronJob without one takes the controller's, which is nearly always UTC; so does this")
    found["daylightSavingPolicy"] = "Literal"
    notes.append("daylightSavingPolicy: Literal is what a CronJob does; without it a daily task runs once on every day")
    found["pool"] = pool or slug(name, "pool")
    found["handler"] = handler or name
    found["backoffLimit"] = min(inner.get("backoffLimit", JOB_BACKOFF_LIMIT), 100)
    if inner.get("activeDeadlineSeconds") is not None:
        found["activeDeadlineSeconds"] = inner["activeDeadlineSeconds"]
    else:
        notes.append("activeDeadlineSeconds: a Job without one may run for ever; a task has 3600 s")
    if not pool:
        notes.append(f"pool: {found['pool']} is made up; label the Deployment that has the code with it")
    if payload := _payload(pod, notes):
        found["payload"] = payload
    kept = [spec[field] for field in HISTORY if spec.get(field) is not None]
    if kept:
        found["historyLimit"] = min(sum(kept), 20)
    notes += [f"{field}: {why}" for field, why in JOB_FIELDS.items() if inner.get(field) is not None]
    notes += _left(pod)
    namespace, labels = metadata.get("namespace"), metadata.get("labels") or {}
    return checked(f"CronJob {name}", name=name, namespace=namespace, labels=labels, spec=found, notes=notes)


def _payload(pod: Json, notes: list[str]) -> Json:
    """Arguments and plain variables; where a value comes from a Secret or the pod, the pool's pods must have it."""
    containers = pod.get("containers") or []
    if not containers:
        return {}
    first = containers[0]
    if len(containers) > 1:
        others = ", ".join(str(container.get("name")) for container in containers[1:])
        notes.append(f"containers: {others}: a task calls one handler")
    payload: Json = {}
    words = [*(first.get("command") or []), *(first.get("args") or [])]
    if words:
        payload["args"] = words
    plain = {str(pair.get("name")): pair["value"] for pair in first.get("env") or [] if "value" in pair}
    if plain:
        payload["env"] = plain
        notes.append("env: handed over as payload.env, which whoever can read the task can read: no secrets in it")
    referred = [str(pair.get("name")) for pair in first.get("env") or [] if "valueFrom" in pair]
    if referred:
        notes.append(f"env {', '.join(referred)}: valueFrom belongs into the pool's Deployment")
    return payload


def _left(pod: Json) -> Iterator[str]:
    first = (pod.get("containers") or [{}])[0]
    left = [field for field in POD_FIELDS if pod.get(field)] + [field for field in CONTAINER_FIELDS if first.get(field)]
    if first.get("image"):
        yield f"image {first['image']}: the pool's Deployment has the code"
    if left:
        yield f"{', '.join(left)}: belong into the pool's Deployment"
