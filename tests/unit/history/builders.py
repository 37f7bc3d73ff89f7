"""Rows and batches with only what a test is about."""

import uuid
from typing import Any

from warmcron.history.journal import Batch
from warmcron.history.model import AttemptRow, LogRow, RunRow, line_seq

NOW = 1_800_000_000.0


def run_id(number: int) -> str:
    return str(uuid.UUID(int=number))


def run(number: int = 1, **fields: Any) -> RunRow:
    known = {
        "run_id": run_id(number),
        "task_uid": "uid-task",
        "namespace": "ns",
        "task": "task",
        "pool": "p",
        "handler": "h",
        "trigger": "Schedule",
        "scheduled": NOW + number,
        "state": "Succeeded",
    }
    return RunRow(**{**known, **fields})


def attempt(number: int = 1, **fields: Any) -> AttemptRow:
    known = {
        "run_id": run_id(number),
        "attempt": 1,
        "pod_name": "pod-a",
        "pod_uid": "uid-a",
        "epoch": 1,
        "sent": NOW,
        "scheduled": NOW + number,
    }
    return AttemptRow(**{**known, **fields})


def line(
    text: str, number: int = 1, *, index: int = 0, attempt: int = 1, shard: int = 0, pod_uid: str = "uid-a"
) -> LogRow:
    return LogRow(
        run_id=run_id(number),
        attempt=attempt,
        seq=line_seq(attempt, 1, index, shard=shard),
        time=NOW,
        stream="stdout",
        text=text,
        pod_uid=pod_uid,
    )


def batch(*rows: RunRow | AttemptRow | LogRow) -> Batch:
    found = Batch()
    for row in rows:
        match row:
            case RunRow():
                found.runs[row.run_id] = row
            case AttemptRow():
                found.attempts[row.run_id, row.attempt, row.pod_uid] = row
            case LogRow():
                found.lines.append((NOW + 1, row))
    return found
