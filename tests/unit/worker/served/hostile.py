"""Handlers that do what handlers should not."""

# ruff: noqa: T201 - what they print is what is tested

import asyncio
import logging
import multiprocessing
import sys
import threading
import time
from typing import Any

from warmworker import Run, current_run, task


@task("exit")
def leave() -> None:
    sys.exit(3)


@task("interrupt")
def interrupt() -> None:
    raise KeyboardInterrupt


@task("async-exit")
async def async_leave() -> None:
    raise SystemExit(3)


@task("async-cancelled")
async def async_cancelled() -> None:
    raise asyncio.CancelledError


@task("async-stray-exit")
async def stray_exit() -> str:
    async def leave_later() -> None:
        sys.exit(4)

    stray = asyncio.get_running_loop().create_task(leave_later())
    await asyncio.wait({stray})
    return "still here"


@task("isolated-exit", isolation="process")
def isolated_exit() -> None:
    sys.exit(5)


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


@task("unspeakable")
def unspeakable() -> None:
    raise UnspeakableError


@task("not-json")
def not_json() -> object:
    return {"a set": {1, 2}}


@task("chatty")
def chatty(payload: dict[str, Any]) -> None:
    for number in range(int(payload["lines"])):
        print(f"{number:06d} " + "x" * int(payload.get("width", 1)))


@task("speak")
def speak(payload: dict[str, Any], run: Run) -> None:
    print("printed,", end="")
    print(" in two pieces")
    print("to stderr", file=sys.stderr)
    run.log.warning("by the run's logger")
    logging.getLogger("a.library").error("by a %s", "library")
    current_run().progress(0.5, "half")
    print("without an end", end="")


@task("async-speak")
async def async_speak(payload: dict[str, Any], run: Run) -> None:
    speak(payload, run)


@task("isolated-speak", isolation="process")
def isolated_speak(payload: dict[str, Any], run: Run) -> None:
    speak(payload, run)


@task("isolated-parent", isolation="process")
def isolated_parent(payload: dict[str, Any], run: Run) -> None:
    """Has children of its own, by multiprocessing, too."""
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(300,))
    child.start()
    run.log.info("child %d", child.pid)
    if payload.get("wait"):
        child.join()
    child.kill()
    child.join()


@task("isolated-async", isolation="process")
async def isolated_async(payload: dict[str, Any], run: Run) -> dict[str, Any]:
    await asyncio.sleep(0)
    return {"payload": payload, "run": run.run_id, "epoch": run.epoch, "threads": threading.active_count() > 0}


@task("mutating")
def mutating() -> dict[str, Any]:
    result: dict[str, Any] = {"rows": 1}
    threading.Timer(0.05, result.clear).start()
    return result


@task("inspect")
def inspect_run(payload: dict[str, Any], run: Run) -> dict[str, Any]:
    shard = [run.shard.index, run.shard.total] if run.shard else None
    return {
        "runId": run.run_id,
        "attempt": run.attempt,
        "epoch": run.epoch,
        "trigger": run.trigger,
        "task": run.task.name,
        "shard": shard,
        "traceparent": run.traceparent,
        "payload": payload,
        "same": current_run() is run,
    }
