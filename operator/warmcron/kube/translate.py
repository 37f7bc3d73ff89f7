"""Raw Kubernetes objects into what the engine knows: a spec that is checked, a worker that may be dialled. Pure."""

import functools
import ipaddress
import json
import sys
from typing import Any, Final

from pydantic import ValidationError

from warmcron.core import schedule, standing, times
from warmcron.core.pool import Address, Worker
from warmcron.core.tasks import NEVER, PoolKey, Problem, TaskRef, TaskSpec, Trigger
from warmcron.errors import SpecError
from warmcron.spec.task import (
    CANCEL_ANNOTATION,
    MAX_PAYLOAD_BYTES,
    POOL_LABEL,
    TRIGGER_ANNOTATION,
    TRIGGER_PAYLOAD_ANNOTATION,
    DaylightSavingPolicy,
    DeliveryPolicy,
    RoutingPolicy,
    ScheduledTaskSpec,
)

Json = dict[str, Any]

BROADCAST: Final = ipaddress.IPv4Address("255.255.255.255")
PORT_NAME: Final = "warmcron"
TRIGGER_LIMIT: Final = 1024
# What a condition can hold is 32 KiB; what somebody reads is less. Characters.
MESSAGE_LIMIT: Final = 1024
MAX_FAULTS: Final = 10


def task_ref(raw: Json) -> TaskRef:
    """Which object this is."""
    metadata = raw["metadata"]
    return TaskRef(metadata["uid"], sys.intern(metadata["namespace"]), metadata["name"])


def created(raw: Json) -> int:
    """When the object was created, in UTC epoch seconds."""
    return int(times.epoch(raw["metadata"]["creationTimestamp"]))


def task_spec(raw: Json) -> TaskSpec | Problem:
    """The spec of a ScheduledTask, checked again: objects can be older than the rules of the CRD."""
    try:
        model = ScheduledTaskSpec.model_validate(raw.get("spec") or {})
        _refuse_unsupported(model)
        return _settled(model, task_ref(raw), created(raw))
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        return Problem("InvalidSpec", _line("; ".join(_fault(dict(fault)) for fault in faults[:MAX_FAULTS])))
    except SpecError as error:
        return Problem(error.reason, _line(str(error)))


def _fault(fault: Json) -> str:
    path = ".".join(str(part) for part in ("spec", *fault["loc"]))
    return f"{path}: {fault['msg']}"


def _line(message: str) -> str:
    """One line for a condition: a field's name may be what somebody wrote to do harm."""
    cut = message if len(message) <= MESSAGE_LIMIT else f"{message[: MESSAGE_LIMIT - 1]}…"
    return cut if cut.isprintable() else "".join(char if char.isprintable() else "?" for char in cut)


def _refuse_unsupported(model: ScheduledTaskSpec) -> None:
    broadcast = model.routing_policy is RoutingPolicy.BROADCAST
    if broadcast and model.delivery_policy is DeliveryPolicy.AT_MOST_ONCE:
        raise SpecError(
            "Broadcast cannot be AtMostOnce: the status would have to name every worker before any of them is sent "
            "its part; use AtLeastOnce",
            field="spec.routingPolicy",
            reason="NotSupported",
        )


@functools.lru_cache(maxsize=4096)
def _pool(namespace: str, name: str) -> PoolKey:
    """One key for all tasks of a pool: what 100,000 tasks share they do not each hold."""
    return PoolKey(namespace, name)


@functools.lru_cache(maxsize=4096)
def _float(value: float) -> float:
    """The same object for the same number, for the same reason."""
    return value


def _settled(model: ScheduledTaskSpec, ref: TaskRef, anchor: int) -> TaskSpec:
    key = f"{ref.namespace}/{ref.name}"
    parsed = schedule.parse(
        model.schedule, zone=model.time_zone, policy=model.daylight_saving_policy, anchor=anchor, hash_key=key
    )
    payload = None if model.payload is None else json.dumps(model.payload, separators=(",", ":")).encode()
    if payload is not None and len(payload) > MAX_PAYLOAD_BYTES:
        raise SpecError(f"{len(payload)} bytes of JSON; at most {MAX_PAYLOAD_BYTES}", field="spec.payload")
    return TaskSpec(
        schedule=parsed,
        schedule_text=sys.intern(_schedule_text(model)),
        suspend=model.suspend,
        starting_deadline=model.starting_deadline_seconds,
        missed_runs=model.missed_run_policy,
        max_missed=model.max_missed_runs,
        concurrency=model.concurrency_policy,
        max_queued=model.max_queued_runs,
        jitter=model.jitter_seconds,
        pool=_pool(ref.namespace, model.pool),
        routing=model.routing_policy,
        routing_key=model.routing_key or "",
        handler=sys.intern(model.handler),
        payload=payload,
        delivery=model.delivery_policy,
        active_deadline=model.active_deadline_seconds,
        attempt_deadline=model.attempt_deadline_seconds,
        backoff_limit=model.backoff_limit,
        backoff_initial=_float(model.backoff.initial_seconds),
        backoff_multiplier=_float(model.backoff.multiplier),
        backoff_max=_float(model.backoff.max_seconds),
        no_worker=model.no_worker_policy,
        suspend_after_failures=model.suspend_after_failures,
        history_limit=model.history_limit,
    )


def _schedule_text(model: ScheduledTaskSpec) -> str:
    """All that decides which ticks there are: a change of it is an edit of the schedule."""
    literal = model.daylight_saving_policy is DaylightSavingPolicy.LITERAL
    return f"{model.schedule} {model.time_zone}{' Literal' if literal else ''}"


def cancel(raw: Json) -> str:
    """The id of the run that the annotations ask to end; empty for none."""
    value = (raw["metadata"].get("annotations") or {}).get(CANCEL_ANNOTATION)
    return value if isinstance(value, str) else ""


def trigger(raw: Json) -> Trigger | None:
    """The manual run that the annotations ask for, if any."""
    annotations = raw["metadata"].get("annotations") or {}
    value = annotations.get(TRIGGER_ANNOTATION)
    if not value:
        return None
    text = annotations.get(TRIGGER_PAYLOAD_ANNOTATION)
    problem = None
    if len(value) > TRIGGER_LIMIT:
        value, problem = (
            value[:TRIGGER_LIMIT],
            _bad_trigger(TRIGGER_ANNOTATION, f"over {TRIGGER_LIMIT} characters"),
        )
    elif text is not None and not _is_object(text):
        problem = _bad_trigger(TRIGGER_PAYLOAD_ANNOTATION, "expected a JSON object of at most 64 KiB")
    return Trigger(value, text.encode() if text is not None and problem is None else None, problem)


def _bad_trigger(annotation: str, message: str) -> Problem:
    return Problem("InvalidTrigger", f"metadata.annotations[{annotation}]: {message}")


def _is_object(text: str) -> bool:
    try:
        return len(text.encode()) <= MAX_PAYLOAD_BYTES and isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def worker(raw: Json) -> Worker | None:
    """A pod as a worker; None for a pod that is not one (no pool label, or it has ended)."""
    metadata, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
    labels = metadata.get("labels") or {}
    pool = labels.get(POOL_LABEL)
    if not pool or status.get("phase") in ("Succeeded", "Failed"):
        return None
    container, port = _port(spec)
    address, reason = _address(spec, status, port)
    reason = reason or _not_ready(metadata, status)
    return Worker(
        uid=metadata["uid"],
        name=metadata["name"],
        pool=PoolKey(metadata["namespace"], pool),
        address=address,
        ready=not reason,
        started=_started(status, container),
        reason=reason,
        ended=_ended(status, container),
        gone_after=_gone_after(metadata),
        labels=tuple(sorted((sys.intern(name), sys.intern(value)) for name, value in labels.items())),
    )


def why_gone(raw: Json) -> str:
    """Why a pod is no worker any more, in one word: the reason that the kubelet gave, or that it was deleted."""
    status = raw.get("status") or {}
    return str(status.get("reason") or ("PodFailed" if status.get("phase") == "Failed" else "PodGone"))


def _port(spec: Json) -> tuple[str, int | None]:
    for container in spec.get("containers") or []:
        for port in container.get("ports") or []:
            if port.get("name") == PORT_NAME:
                return container.get("name", ""), port.get("containerPort")
    return "", None


def _address(spec: Json, status: Json, port: int | None) -> tuple[Address | None, str]:
    """Where the pod listens. Only what the cluster's own network gave it: nothing here is the user's word."""
    ip = status.get("podIP")
    if port is None:
        return None, standing.filled(standing.NO_PORT, port=PORT_NAME)
    if not ip:
        return None, standing.NO_ADDRESS
    if spec.get("hostNetwork"):
        return None, standing.HOST_NETWORK
    if not _is_pods_own(ip, status):
        return None, standing.filled(standing.FOREIGN_ADDRESS, address=f"{ip!r:.60}")
    return Address(ip, port), ""


def _is_pods_own(ip: str, status: Json) -> bool:
    """Whether a pod's network can have given it: not loopback, not a cloud's metadata, not the node's own address."""
    try:
        found = _address_of(ip)
    except ValueError:
        return False
    if found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast or found == BROADCAST:
        return False
    nodes = [status.get("hostIP"), *(one.get("ip") for one in status.get("hostIPs") or [])]
    return ip not in nodes and str(found) not in nodes


def _address_of(ip: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address, the one inside if it is an IPv4 address written as IPv6."""
    found = ipaddress.ip_address(ip)
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found


def _not_ready(metadata: Json, status: Json) -> str:
    # A pod that is being deleted may stay Ready to the end of its grace period: it must get nothing new.
    if metadata.get("deletionTimestamp"):
        return standing.TERMINATING
    if status.get("phase") != "Running":
        return str(status.get("phase") or standing.NO_PHASE)
    for condition in status.get("conditions") or []:
        if condition.get("type") == "Ready":
            return "" if condition.get("status") == "True" else str(condition.get("reason") or standing.NOT_READY)
    return standing.NOT_READY


def _gone_after(metadata: Json) -> float:
    """When a pod that is being deleted is to be gone: `deletionTimestamp` has the grace period in it."""
    try:
        return times.epoch(metadata["deletionTimestamp"])
    except (KeyError, TypeError, ValueError):
        return NEVER


def _ended(status: Json, container: str) -> str:
    """Why the container with the port last ended, in the kubelet's word; empty if it never did."""
    for found in status.get("containerStatuses") or []:
        if found.get("name") == container:
            ended = (found.get("lastState") or {}).get("terminated") or {}
            return str(ended.get("reason") or "")
    return ""


def _started(status: Json, container: str) -> str:
    """When the container with the port last started; empty while it is not running."""
    for found in status.get("containerStatuses") or []:
        if found.get("name") == container:
            running = (found.get("state") or {}).get("running") or {}
            return str(running.get("startedAt") or "")
    return ""
