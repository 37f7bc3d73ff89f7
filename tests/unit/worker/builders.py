"""Values of the worker's core, ready made; the defaults are a run that may start."""

from dataclasses import replace
from typing import Any

from warmworker import records, wire

NOW = 1_700_000_000.0
REQUEST = wire.ExecuteRequest(
    run_id="run-a",
    attempt=1,
    epoch=1,
    trigger="Schedule",
    scheduled_time=NOW,
    deadline=NOW + 600,
    task=wire.TaskRef("default", "nightly", "task-uid"),
    pod_uid="uid-a",
    handler="report",
    payload={},
    shard=None,
    callback=None,
    wait=2.0,
    traceparent=None,
)


def request(**fields: Any) -> wire.ExecuteRequest:
    return replace(REQUEST, **fields)


def record(**fields: Any) -> records.Record:
    return records.started(request(**fields), NOW)
