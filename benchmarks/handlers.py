"""The handler that real workers serve in the benchmark: it notes when it was called, and does nothing."""

import json
import os
import time

from warmworker import current_run, task

_out = os.open(os.environ["BENCH_LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


@task("noop")
async def noop() -> None:
    """Note the call."""
    run = current_run()
    line = {
        "at": time.time(),
        "pod": os.environ["POD_NAME"],
        "run": run.run_id,
        "attempt": run.attempt,
        "tick": run.scheduled_time.isoformat(),
        "task": run.task.name,
        "repeated": False,
    }
    os.write(_out, json.dumps(line).encode() + b"\n")
