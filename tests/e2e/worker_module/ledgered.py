"""Handlers that write into the ledger before they do anything else: what the tests believe instead of the operator."""

import json
import os
import time
import urllib.error
import urllib.request
from typing import Any

from warmworker import Run, task

URL = os.environ["LEDGER_URL"]
POD, POD_UID = os.environ["POD_NAME"], os.environ["POD_UID"]


def write(run: Run, what: str, payload: Any = None) -> None:
    """Puts one entry into the ledger. A ledger that does not answer fails the attempt: nothing runs unwritten."""
    entry = {
        "what": what,
        "runId": run.run_id,
        "attempt": run.attempt,
        "epoch": run.epoch,
        "scheduledTime": run.scheduled_time.timestamp(),
        "trigger": run.trigger,
        "handler": run.handler,
        "task": run.task.name,
        "pod": POD,
        "podUid": POD_UID,
        "sent": time.time(),
        "monotonic": time.monotonic(),
        "payload": payload,
    }
    request = urllib.request.Request(URL, json.dumps(entry).encode(), {"content-type": "application/json"})  # noqa: S310
    for pause in (0.1, 0.3, 1.0, None):
        try:
            urllib.request.urlopen(request, timeout=5).close()  # noqa: S310 - the test's own address
        except (urllib.error.URLError, OSError):
            if pause is None:
                raise
            time.sleep(pause)
        else:
            return


@task("tick")
def tick(payload: Any, run: Run) -> None:
    """Nothing but the entry."""
    write(run, "start", payload)


@task("talk")
def talk(payload: dict[str, Any], run: Run) -> None:
    """Prints `text` and goes on for `seconds` before it prints the end."""
    write(run, "start", payload)
    print(f"{payload['text']} begins")  # noqa: T201 - what it is for
    time.sleep(float(payload.get("seconds", 0)))
    run.log.info("%s ends", payload["text"])


@task("nap")
def nap(payload: dict[str, Any], run: Run) -> None:
    """Sleeps for `seconds`, in the attempts up to `until_attempt` if that is given; stops when it is told to."""
    write(run, "start", payload)
    slow = run.attempt <= int(payload.get("until_attempt", run.attempt))
    end = time.monotonic() + (float(payload["seconds"]) if slow else 0)
    while time.monotonic() < end and not run.cancelled:
        time.sleep(0.05)
    write(run, "cancelled" if run.cancelled else "end")


@task("fail")
def fail(payload: dict[str, Any] | None, run: Run) -> None:
    """Fails the first `failures` attempts, all of them by default."""
    write(run, "start", payload)
    if run.attempt <= int((payload or {}).get("failures", run.attempt)):
        raise RuntimeError(f"attempt {run.attempt} was told to fail")


@task("eat")
def eat(payload: dict[str, Any], run: Run) -> None:
    """Takes more memory than there is, in the attempts up to `until_attempt`."""
    write(run, "start", payload)
    eaten = []
    while run.attempt <= int(payload["until_attempt"]):
        eaten.append(bytearray(os.urandom(1024)) * 4096)


@task("crash", isolation="process")
def crash(payload: dict[str, Any] | None, run: Run) -> None:
    """Ends its own process, and nothing else of the worker."""
    write(run, "start", payload)
    os._exit(3)


@task("die")
def die(payload: dict[str, Any], run: Run) -> None:
    """Ends the whole worker, as a kernel that is out of memory would, in the attempts up to `until_attempt`."""
    write(run, "start", payload)
    if run.attempt <= int(payload.get("until_attempt", run.attempt)):
        os._exit(7)
