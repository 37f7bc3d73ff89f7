"""Handlers to try things out with: `warmworker serve warmworker.demo`; never part of a real worker."""

import asyncio
import os
import time
from typing import Any

from warmworker import Reject, Run, current_run, task


@task("hello")
def hello(payload: dict[str, Any], run: Run) -> dict[str, Any]:
    """Print a greeting and return it."""
    greeting = f"hello {payload.get('name', 'world')}"
    print(f"{greeting}, from {os.environ.get('POD_NAME') or 'this worker'}")  # noqa: T201 - what it is for
    return {"greeting": greeting, "scheduledTime": run.scheduled_time.isoformat(), "attempt": run.attempt}


@task("noop")
def noop() -> None:
    """Do nothing: what is left is the cost of a run."""


@task("sleep")
async def sleep(payload: dict[str, Any]) -> dict[str, Any]:
    """Sleep for `seconds` (default 5) and tell the progress every second."""
    seconds = float(payload.get("seconds", 5))
    began = time.monotonic()
    while (left := seconds - (time.monotonic() - began)) > 0:
        current_run().progress(1 - left / seconds, f"{left:.0f} s to go")
        await asyncio.sleep(min(1.0, left))
    return {"slept": seconds}


@task("busy-sleep")
def busy_sleep(payload: dict[str, Any], run: Run) -> dict[str, Any]:
    """Sleep in a thread for `seconds`; with `stubborn` it never looks whether it was cancelled."""
    until = time.monotonic() + float(payload.get("seconds", 5))
    while time.monotonic() < until and (payload.get("stubborn") or not run.cancelled):
        time.sleep(0.05)
    return {"cancelled": run.cancelled}


@task("fail")
def fail(payload: dict[str, Any]) -> None:
    """Fail with `message`."""
    raise RuntimeError(str(payload.get("message", "this handler always fails")))


@task("flaky")
def flaky(payload: dict[str, Any], run: Run) -> dict[str, Any]:
    """Fail the first `failures` attempts (default 1), then succeed."""
    failures = int(payload.get("failures", 1))
    if run.attempt <= failures:
        msg = f"attempt {run.attempt} of {failures} that fail"
        raise RuntimeError(msg)
    return {"attempt": run.attempt}


@task("reject")
def reject(payload: dict[str, Any]) -> None:
    """Turn the payload down."""
    raise Reject(str(payload.get("message", "this handler accepts no payload")))


@task("crash", isolation="process")
def crash(payload: dict[str, Any]) -> None:
    """Leave without a word, as a fatal error in a C library would: with exit `code`, or by `signal`."""
    print("about to crash", flush=True)  # noqa: T201 - what it is for
    if number := payload.get("signal"):
        os.kill(os.getpid(), int(number))
        time.sleep(60)
    os._exit(int(payload.get("code", 1)))


@task("isolated-sleep", isolation="process")
def isolated_sleep(payload: dict[str, Any]) -> dict[str, Any]:
    """Sleep for `seconds` in a process of its own."""
    time.sleep(float(payload.get("seconds", 5)))
    return {"pid": os.getpid()}


@task("progress")
def progress(payload: dict[str, Any], run: Run) -> dict[str, Any]:
    """Work in `steps` (default 5) of `seconds` (default 1) each, with a line and a progress for each."""
    steps = int(payload.get("steps", 5))
    for step in range(1, steps + 1):
        if run.cancelled:
            break
        time.sleep(float(payload.get("seconds", 1)))
        run.log.info("step %d of %d", step, steps)
        run.progress(step / steps, f"step {step} of {steps}")
    return {"steps": steps}
