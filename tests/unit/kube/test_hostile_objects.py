"""Objects that mean harm: whatever is stored, a spec is taken or refused in words, and no pod leads anywhere else."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fakes.hostile_specs import FIELDS, SPECS, TEXTS, VALID
from warmcron.core import status
from warmcron.core.pool import Address, Worker
from warmcron.core.tasks import Problem, TaskSpec
from warmcron.kube import translate
from warmcron.spec.task import TRIGGER_ANNOTATION, TRIGGER_PAYLOAD_ANNOTATION


def task(spec: object, **metadata: Any) -> dict[str, Any]:
    named = {"uid": "u", "namespace": "ns", "name": "n", "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"metadata": named | metadata, "spec": spec}


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(VALID)
@given(SPECS)
def test_a_spec_is_accepted_or_refused_in_words(spec: object) -> None:
    found = translate.task_spec(task(spec))
    assert isinstance(found, TaskSpec | Problem)
    if isinstance(found, Problem):
        assert found.reason.isalnum()
        assert 0 < len(found.message) <= translate.MESSAGE_LIMIT
        assert found.message.isprintable()
    else:
        assert found.pool.namespace == "ns", "no field leads out of the task's own namespace"
        assert json.loads(found.payload or b"{}") == (
            spec["payload"] if isinstance(spec, dict) and spec.get("payload") else {}
        )


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("field", ["schedule", "timeZone", "pool", "handler", "routingKey", "deliveryPolicy"])
def test_each_hostile_text_in_each_field(field: str, text: str) -> None:
    found = translate.task_spec(task(VALID | {field: text}))
    assert isinstance(found, TaskSpec | Problem)
    if isinstance(found, TaskSpec):
        assert found.pool.namespace == "ns"
        assert "/" not in found.pool.name


def test_a_thousand_faults_make_a_short_message() -> None:
    found = translate.task_spec(task(VALID | {f"field{number}" + "x" * 1000: number for number in range(1000)}))
    assert isinstance(found, Problem)
    assert len(found.message) <= translate.MESSAGE_LIMIT


def test_no_field_of_a_task_is_an_address() -> None:
    """Whoever may write tasks can point the operator nowhere. A new field that sounds like it is looked at twice."""
    suspicious = (
        "namespace",
        "host",
        "address",
        "url",
        "port",
        "path",
        "ip",
        "endpoint",
        "secret",
        "token",
        "serviceaccount",
    )
    assert not [
        field for field in FIELDS if any(word in field.lower() for word in suspicious) and field != "description"
    ]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=2000), st.none() | st.text(max_size=200) | st.sampled_from(TEXTS))
@example("x" * 5000, None)
@example("1", "[" * 30_000)
@example("1", '{"a":' * 20_000)
@example("1", '{"a": "' + "x" * 70_000 + '"}')
def test_a_trigger_of_any_text_is_taken_or_refused(value: str, payload: str | None) -> None:
    annotations = {TRIGGER_ANNOTATION: value}
    if payload is not None:
        annotations[TRIGGER_PAYLOAD_ANNOTATION] = payload
    found = translate.trigger(task(VALID, annotations=annotations))
    assert (found is None) == (value == "")
    if found and found.problem is None and found.payload is not None:
        assert isinstance(json.loads(found.payload), dict)


@pytest.mark.parametrize("run_id", ["", "x", 7, None, "a\r\nhost: evil", "../../x", "0" * 36, "0" * 64])
def test_a_run_id_in_a_status_is_one_of_ours_or_is_left_out(run_id: object) -> None:
    """Who may write a status could put bytes of his own into our requests."""
    assert status.restore({"active": [{"runId": run_id}]}, created=0).active == ()


# ---- pods ----------------------------------------------------------------------------------------------------


def pod(*, status: Any = None, spec: Any = None, **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"uid": "u", "namespace": "ns", "name": "n", "labels": {"warmcron.dev/pool": "p"}} | metadata,
        "spec": {"containers": [{"name": "c", "ports": [{"name": "warmcron", "containerPort": 8080}]}]} | (spec or {}),
        "status": {
            "phase": "Running",
            "podIP": "10.244.0.7",
            "hostIP": "172.18.0.2",
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        | (status or {}),
    }


def test_an_ordinary_pod_is_dialled() -> None:
    found = translate.worker(pod())
    assert found is not None
    assert (found.address, found.ready) == (Address("10.244.0.7", 8080), True)


# Addresses that are not the pod's own, and words for which another reader of addresses would find one.
NOT_A_PODS = [
    "127.0.0.1",
    "127.8.8.8",
    "::1",
    "::ffff:127.0.0.1",
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "fe80::1",
    "0.0.0.0",  # noqa: S104 - no address to listen on
    "::",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
    "172.18.0.2",
    "example.com",
    "10.0.0.1/24",
    "0x7f000001",
    "10.0.0.1:80",
    "2130706433",
    "127.1",
    "fe80::1%eth0",
]


@pytest.mark.parametrize(
    "given_pod",
    [
        *(pod(status={"podIP": ip}) for ip in NOT_A_PODS),
        pod(status={"podIP": "10.9.9.9", "hostIPs": [{"ip": "10.9.9.9"}]}),
        pod(status={"podIP": "::ffff:172.18.0.2"}),
        pod(spec={"hostNetwork": True}),
        pod(status={"podIP": None}),
        # No port of ours.
        pod(spec={"containers": []}),
        pod(spec={"containers": [{"name": "c", "ports": [{"name": "http", "containerPort": 8080}]}]}),
    ],
    ids=lambda found: str(found["status"].get("podIP")),
)  # fmt: skip
def test_a_pod_that_is_not_where_it_says_has_no_address(given_pod: dict[str, Any]) -> None:
    found = translate.worker(given_pod)
    assert found is not None
    assert found.address is None
    assert not found.ready
    assert found.reason.isprintable()


@pytest.mark.parametrize(
    "given_pod",
    [
        pod(deletionTimestamp="2026-01-01T00:00:00Z"),
        pod(status={"phase": "Pending"}),
        pod(status={"conditions": []}),
        pod(status={"conditions": [{"type": "Ready", "status": "False"}]}),
        pod(status={"conditions": [{"type": "Ready", "status": "Unknown"}]}),
    ],
)
def test_a_pod_that_is_not_ready_gets_nothing(given_pod: dict[str, Any]) -> None:
    found = translate.worker(given_pod)
    assert found is not None
    assert not found.ready


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.text(max_size=30), st.text(max_size=60)),
    st.dictionaries(
        st.sampled_from(["warmcron.dev/address", "warmcron.dev/port", "warmcron.dev/url", "warmcron.dev/host"])
        | st.text(max_size=30),
        st.sampled_from(["10.0.0.1", "http://169.254.169.254/", "80"]) | st.text(max_size=60),
    ),
)
def test_nothing_that_a_tenant_writes_on_a_pod_redirects_anything(
    labels: dict[str, str], annotations: dict[str, str]
) -> None:
    plain = translate.worker(pod())
    decorated = translate.worker(pod(labels=labels | {"warmcron.dev/pool": "p"}, annotations=annotations))
    assert plain is not None
    assert decorated is not None
    assert replace(decorated, labels=plain.labels) == plain  # labels are shown, and nothing follows from them


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["phase", "podIP", "conditions", "containerStatuses", "hostIP", "hostIPs"]),
        st.none() | st.text(max_size=20),
    )
)
def test_a_pods_status_of_any_text_raises_nothing(status: dict[str, Any]) -> None:
    texts = {name: value for name, value in status.items() if name in ("phase", "podIP", "hostIP")}
    found = translate.worker(pod(status=texts))
    assert found is None or isinstance(found, Worker)
