"""The request that every peer sends: as large as ours, so that nobody wins by sending less."""

import json
import time
import uuid

from benchmarks.tasks import PAYLOAD

_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")


def body(task: str, tick: int) -> bytes:
    """The body for one tick of one task."""
    found = {
        "runId": str(uuid.uuid5(_NAMESPACE, f"{task}:{tick}")),
        "attempt": 1,
        "epoch": 1,
        "trigger": "Schedule",
        "scheduledTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(tick)),
        "task": {"namespace": "bench", "name": task, "uid": str(uuid.uuid5(_NAMESPACE, task))},
        "handler": "noop",
        "payload": PAYLOAD,
    }
    return json.dumps(found, separators=(",", ":")).encode()
