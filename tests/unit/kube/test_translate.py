"""What a raw object becomes: each field of a spec where it belongs, a pod's state in a word, annotations as orders."""

import json
from dataclasses import fields
from typing import Any

import pytest

from warmcron.core import times
from warmcron.core.pool import Address
from warmcron.core.tasks import NEVER, PoolKey, Problem, TaskRef, TaskSpec, Trigger
from warmcron.kube import translate
from warmcron.spec import task as spec

CREATED = "2026-11-24T12:00:00Z"
SMALLEST = {"schedule": "@hourly", "pool": "p", "handler": "h"}


def raw(given: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    named = {"uid": "uid-1", "namespace": "ns", "name": "nightly", "creationTimestamp": CREATED}
    return {"metadata": named | metadata, "spec": SMALLEST | (given or {})}


def good(given: dict[str, Any] | None = None) -> TaskSpec:
    found = translate.task_spec(raw(given))
    assert isinstance(found, TaskSpec), found
    return found


def test_an_object_is_named_by_its_uid_and_dated_by_the_api_server() -> None:
    assert translate.task_ref(raw()) == TaskRef("uid-1", "ns", "nightly")
    assert translate.created(raw()) == times.epoch(CREATED)


# ---- specs -----------------------------------------------------------------------------------------------------------

# Each field of the manifest, and what it is in the engine. The last test of this part holds that none is missing.
FIELDS: dict[str, tuple[Any, str, Any]] = {
    "schedule": ("*/5 * * * *", "schedule_text", "*/5 * * * * UTC"),
    "timeZone": ("Europe/Berlin", "schedule_text", "@hourly Europe/Berlin"),
    "daylightSavingPolicy": ("Literal", "schedule_text", "@hourly UTC Literal"),
    "suspend": (True, "suspend", True),
    "startingDeadlineSeconds": (30, "starting_deadline", 30),
    "missedRunPolicy": ("RunAll", "missed_runs", spec.MissedRunPolicy.RUN_ALL),
    "maxMissedRuns": (7, "max_missed", 7),
    "concurrencyPolicy": ("Queue", "concurrency", spec.ConcurrencyPolicy.QUEUE),
    "maxQueuedRuns": (4, "max_queued", 4),
    "jitterSeconds": (9, "jitter", 9),
    "pool": ("other", "pool", PoolKey("ns", "other")),
    "routingPolicy": ("Random", "routing", spec.RoutingPolicy.RANDOM),
    "routingKey": ("customer-7", "routing_key", "customer-7"),
    "handler": ("reports/daily", "handler", "reports/daily"),
    "payload": ({"a": [1, "ü"]}, "payload", b'{"a":[1,"\\u00fc"]}'),
    "deliveryPolicy": ("AtMostOnce", "delivery", spec.DeliveryPolicy.AT_MOST_ONCE),
    "activeDeadlineSeconds": (60, "active_deadline", 60),
    "attemptDeadlineSeconds": (20, "attempt_deadline", 20),
    "backoffLimit": (0, "backoff_limit", 0),
    "backoff": ({"initialSeconds": 2, "multiplier": 3, "maxSeconds": 30}, "backoff_max", 30),
    "noWorkerPolicy": ("Skip", "no_worker", spec.NoWorkerPolicy.SKIP),
    "suspendAfterFailures": (5, "suspend_after_failures", 5),
    "historyLimit": (0, "history_limit", 0),
}


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_of_a_manifest_reaches_the_engine(name: str) -> None:
    given, where, expected = FIELDS[name]
    assert getattr(good({name: given}), where) == expected
    assert getattr(good(), where) != expected, "the default must differ, or this shows nothing"


def test_no_field_is_forgotten() -> None:
    assert set(FIELDS) == {field.alias for field in spec.ScheduledTaskSpec.model_fields.values()}
    reached = {where for _, where, _ in FIELDS.values()} | {"schedule", "backoff_initial", "backoff_multiplier"}
    assert reached == {field.name for field in fields(TaskSpec)}


def test_backoff_is_three_numbers() -> None:
    found = good({"backoff": {"initialSeconds": 2, "multiplier": 3, "maxSeconds": 30}})
    assert (found.backoff_initial, found.backoff_multiplier, found.backoff_max) == (2, 3, 30)


def test_an_interval_is_counted_from_the_creation_of_the_object() -> None:
    created = int(times.epoch(CREATED))
    assert good({"schedule": "@every 7s"}).schedule.next_after(created) == created + 7


def test_a_task_without_a_payload_has_none_and_not_an_empty_one() -> None:
    assert good().payload is None
    assert good({"payload": {}}).payload == b"{}"


def test_tasks_of_one_pool_share_its_key() -> None:
    assert good().pool is good().pool


@pytest.mark.parametrize(
    ("given", "reason", "message"),
    [
        # The field is named as the manifest names it, and so is the cure.
        ({"schedule": "61 * * * *"}, "InvalidSchedule", "spec.schedule"),
        ({"timeZone": "Europe/Atlantis"}, "InvalidTimeZone", "spec.timeZone"),
        ({"pool": ""}, "InvalidSpec", "spec.pool"),
        ({"backoff": {"multiplier": 0}}, "InvalidSpec", "spec.backoff.multiplier"),
        ({"unknown": 1}, "InvalidSpec", "spec.unknown"),
        ({"payload": {"x": "y" * 70_000}}, "InvalidPayload", "spec.payload: 70008 bytes of JSON; at most 65536"),
        ({"routingPolicy": "Broadcast", "deliveryPolicy": "AtMostOnce"}, "NotSupported", "use AtLeastOnce"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_field(given: dict[str, Any], reason: str, message: str) -> None:
    found = translate.task_spec(raw(given))
    assert isinstance(found, Problem)
    assert found.reason == reason
    assert message in found.message


def test_an_object_without_a_spec_is_a_problem_and_no_error() -> None:
    assert isinstance(translate.task_spec({"metadata": raw()["metadata"]}), Problem)


# ---- orders ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotations", "trigger"),
    [
        ({}, None),
        ({spec.TRIGGER_ANNOTATION: ""}, None),
        ({spec.TRIGGER_ANNOTATION: "v"}, Trigger("v", None)),
        ({spec.TRIGGER_ANNOTATION: "v", spec.TRIGGER_PAYLOAD_ANNOTATION: '{"a": 1}'}, Trigger("v", b'{"a": 1}')),
        # A payload without a trigger asks for nothing.
        ({spec.TRIGGER_PAYLOAD_ANNOTATION: '{"a": 1}'}, None),
    ],
)
def test_a_trigger_is_its_value_and_the_payload_beside_it(annotations: dict[str, str], trigger: Trigger | None) -> None:
    assert translate.trigger(raw(annotations=annotations)) == trigger


@pytest.mark.parametrize(
    ("value", "payload", "named"),
    [
        ("v", "[1]", spec.TRIGGER_PAYLOAD_ANNOTATION),  # no object
        ("v", "{", spec.TRIGGER_PAYLOAD_ANNOTATION),  # no JSON
        ("v", json.dumps({"x": "y" * 70_000}), spec.TRIGGER_PAYLOAD_ANNOTATION),  # too large
        ("v" * 2000, "{}", spec.TRIGGER_ANNOTATION),  # too long to be told apart from others
    ],
)
def test_a_trigger_that_cannot_be_run_says_which_annotation_is_at_fault(value: str, payload: str, named: str) -> None:
    annotations = {spec.TRIGGER_ANNOTATION: value, spec.TRIGGER_PAYLOAD_ANNOTATION: payload}
    found = translate.trigger(raw(annotations=annotations))
    assert found is not None
    assert found.payload is None
    assert found.problem is not None
    assert found.problem.message.startswith(f"metadata.annotations[{named}]: ")


@pytest.mark.parametrize(
    ("annotations", "run_id"),
    [(None, ""), ({}, ""), ({spec.CANCEL_ANNOTATION: "run"}, "run"), ({spec.CANCEL_ANNOTATION: 7}, "")],
)
def test_a_run_to_cancel_is_named_by_its_id(annotations: dict[str, Any] | None, run_id: str) -> None:
    assert translate.cancel(raw(annotations=annotations)) == run_id


# ---- pods ------------------------------------------------------------------------------------------------------------


def pod(status: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    containers = [
        {"name": "proxy", "ports": [{"name": "http", "containerPort": 8081}]},
        {
            "name": "worker",
            "ports": [{"name": "metrics", "containerPort": 9}, {"name": "warmcron", "containerPort": 80}],
        },
    ]
    ready = {"phase": "Running", "podIP": "10.0.0.7", "conditions": [{"type": "Ready", "status": "True"}]}
    named = {"uid": "u", "namespace": "ns", "name": "n", "labels": {"warmcron.dev/pool": "p"}}
    return {"metadata": named | metadata, "spec": {"containers": containers}, "status": ready | (status or {})}


def container(name: str, **state: Any) -> dict[str, Any]:
    return {"name": name, **state}


def test_a_ready_pod_is_a_worker_at_the_port_that_is_named_warmcron() -> None:
    found = translate.worker(pod())
    assert found is not None
    assert (found.uid, found.name, found.pool) == ("u", "n", PoolKey("ns", "p"))
    assert (found.address, found.ready, found.reason) == (Address("10.0.0.7", 80), True, "")
    assert (found.started, found.ended, found.gone_after) == ("", "", NEVER)
    assert not found.heard, "it is asked first what it can do"


@pytest.mark.parametrize(
    "gone",
    [pod(labels={}), pod(labels=None), pod({"phase": "Succeeded"}), pod({"phase": "Failed"})],
    ids=["no pool", "no labels", "succeeded", "failed"],
)
def test_what_has_no_pool_or_has_ended_is_no_worker(gone: dict[str, Any]) -> None:
    assert translate.worker(gone) is None


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (pod(deletionTimestamp="2026-11-24T12:00:30Z"), "terminating"),  # before all else: it may stay Ready
        (pod({"phase": "Pending"}), "Pending"),
        (pod({"phase": None}), "no phase yet"),
        (pod({"podIP": None}), "no address yet"),
        (pod({"conditions": []}), "not ready"),
        (
            pod({"conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}]}),
            "ContainersNotReady",
        ),
    ],
)
def test_a_pod_that_is_not_ready_says_why(given: dict[str, Any], reason: str) -> None:
    found = translate.worker(given)
    assert found is not None
    assert (found.ready, found.reason) == (False, reason)


def test_when_a_container_started_and_why_it_ended_before_is_that_of_the_worker_and_not_of_its_neighbour() -> None:
    statuses = [
        container("proxy", state={"running": {"startedAt": "t9"}}, lastState={"terminated": {"reason": "Error"}}),
        container("worker", state={"running": {"startedAt": "t1"}}, lastState={"terminated": {"reason": "OOMKilled"}}),
    ]
    found = translate.worker(pod({"containerStatuses": statuses}))
    assert found is not None
    assert (found.started, found.ended) == ("t1", "OOMKilled")


def test_a_container_that_is_not_running_has_not_started() -> None:
    waiting = [container("worker", state={"waiting": {"reason": "CrashLoopBackOff"}})]
    found = translate.worker(pod({"containerStatuses": waiting}))
    assert found is not None
    assert (found.started, found.ended) == ("", "")


def test_a_pod_that_is_deleted_is_gone_after_its_grace_period() -> None:
    found = translate.worker(pod(deletionTimestamp="2026-11-24T12:00:30Z"))
    assert found is not None
    assert found.gone_after == times.epoch("2026-11-24T12:00:30Z")


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({"reason": "Evicted", "phase": "Failed"}, "Evicted"),  # the kubelet's word first
        ({"phase": "Failed"}, "PodFailed"),
        ({"phase": "Succeeded"}, "PodGone"),
        (None, "PodGone"),
    ],
)
def test_why_a_pod_is_gone(status: dict[str, Any] | None, why: str) -> None:
    assert translate.why_gone({"metadata": {}, "status": status}) == why
