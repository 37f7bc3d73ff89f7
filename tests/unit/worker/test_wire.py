"""What is malformed is named: the field, and what belongs there."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.worker.harness import order
from warmworker import times, wire
from warmworker.errors import Malformed


def read(body: dict[str, Any], **headers: str) -> wire.ExecuteRequest:
    return wire.read_execute(
        json.dumps(body).encode(), {key.replace("_", "-"): value for key, value in headers.items()}
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"runId": None}, "runId: "),
        ({"runId": "../etc"}, "runId: "),
        ({"runId": "x" * 129}, "runId: "),
        ({"attempt": True}, "attempt: "),  # true is an int to Python
        ({"attempt": 1.5}, "attempt: "),
        ({"attempt": -1}, "attempt: "),
        ({"epoch": 2**53}, "epoch: "),
        ({"trigger": "Cron"}, "trigger: "),
        ({"scheduledTime": "yesterday"}, "scheduledTime: "),
        ({"deadline": "2026-01-01T00:00:00"}, "deadline: "),  # no zone
        ({"deadline": 12}, "deadline: "),
        ({"task": {"namespace": "a", "name": "b"}}, "task.uid: "),
        ({"task": "nightly"}, "task: "),
        ({"worker": {}}, "worker.podUID: "),
        ({"handler": ""}, "handler: "),
        ({"payload": [1]}, "payload: "),
        ({"shard": {"index": 3, "total": 3}}, "shard.index: "),
        ({"callback": {"url": "file:///etc/passwd", "token": "t"}}, "callback.url: "),
        ({"callback": {"url": "http://x/", "token": "a\r\nx: y"}}, "callback.token: "),  # would be a header
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(Malformed, match=f"^{field}"):
        read(order("report") | change)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'"text"', b"[" * 100_000])
def test_a_body_that_is_no_object_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed, match=r"^body: "):
        wire.read_execute(body, {})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.data(),
)
def test_no_value_in_any_field_is_more_than_malformed(value: Any, data: st.DataObject) -> None:
    body = order("report")
    body[data.draw(st.sampled_from(sorted(body)))] = value
    with contextlib.suppress(Malformed):  # anything else fails the test
        read(body)


def test_the_idempotency_key_is_the_run_id() -> None:
    body = order("report")
    assert read(body, idempotency_key=body["runId"]).run_id == body["runId"]
    assert read(body, idempotency_key=f'"{body["runId"]}"').run_id == body["runId"]  # quoted, as the draft has it
    with pytest.raises(Malformed, match=r"^header idempotency-key: "):
        read(body, idempotency_key="another")


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, 2.0),
        ("respond-async", 2.0),
        ("respond-async, wait=0", 0.0),
        ("respond-async, wait=30", 30.0),
        ("wait=5;respond-async", 5.0),
        ('Wait="7"', 7.0),
        ("wait=soon", 2.0),  # what cannot be read is ignored
        ("wait=-1", 2.0),
        ("wait=99999999", 300.0),
    ],
)
def test_the_wait_is_what_the_prefer_header_says(prefer: str | None, seconds: float) -> None:
    assert wire.read_wait(prefer) == seconds


def test_a_fence_may_have_no_body() -> None:
    assert wire.read_term(b"") == wire.TermRequest(None, None)
    assert wire.read_term(b'{"attempt":2,"epoch":7}') == wire.TermRequest(2, 7)
    with pytest.raises(Malformed, match=r"^attempt: "):
        wire.read_term(b'{"attempt":"2"}')


def test_fields_of_a_later_protocol_are_ignored() -> None:
    assert read(order("report") | {"colour": "blue"}).handler == "report"


@given(st.floats(0, 4e9))
def test_a_time_keeps_its_milliseconds(seconds: float) -> None:
    assert abs(times.parse(times.text(seconds)) - seconds) < 0.0011
