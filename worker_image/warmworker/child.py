"""The child's side of a handler with a process of its own: runs it once, tells the parent, and ends."""

import asyncio
import importlib
import inspect
import json
import os
import signal
import sys
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from warmworker import capture, ending, logs, registry, run, times, trace
from warmworker.ending import Ending
from warmworker.runs import Step
from warmworker.wire import Shard, TaskRef

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """All a child needs to know; plain values, because it crosses a process boundary."""

    module: str
    handler: str
    payload: Any
    run_id: str
    attempt: int
    epoch: int
    scheduled_time: float
    deadline: float
    trigger: str
    task: TaskRef
    shard: Shard | None
    traceparent: str | None
    log_format: str

    @classmethod
    def of(cls, handler: registry.Handler, payload: Any, current: run.Run, *, log_format: str) -> "Order":
        """The order to run this handler."""
        return cls(
            module=handler.module,
            handler=handler.name,
            payload=payload,
            run_id=current.run_id,
            attempt=current.attempt,
            epoch=current.epoch,
            scheduled_time=current.scheduled_time.timestamp(),
            deadline=current.deadline.timestamp(),
            trigger=current.trigger,
            task=current.task,
            shard=current.shard,
            traceparent=current.traceparent,
            log_format=log_format,
        )


class Pipe:
    """The sink of the run in the child: whole lines go to the parent at once, so that a crash loses none of them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._partial: dict[str, str] = {}

    def write(self, stream: str, text: str) -> None:
        """Text printed to stdout or stderr."""
        with self._lock:
            whole = self._partial.pop(stream, "") + text
            lines, end, rest = whole.rpartition("\n")
            if rest:
                self._partial[stream] = rest
            if end:
                self._send({"stream": stream, "text": lines + end})

    def log(self, level: str, text: str) -> None:
        """A record of the logging module."""
        with self._lock:
            self._send({"level": level, "text": text})

    def progress(self, fraction: float, text: str) -> None:
        """How far the handler says it is."""
        with self._lock:
            self._send({"fraction": fraction, "text": text})

    def end(self, ended: Ending) -> None:
        """The last message."""
        with self._lock:
            for stream, rest in self._partial.items():
                self._send({"stream": stream, "text": rest})
            self._partial.clear()
            self._send(
                {
                    "step": ended.step.name,
                    "result": ended.result,
                    "error": ended.error,
                    "rejected": ended.rejected,
                    "note": ended.note,
                    "weight": ended.weight,
                }
            )

    def _send(self, message: Message) -> None:
        # JSON and not pickle: the parent reads what user code made, and must not run any of it.
        self._connection.send_bytes(json.dumps(message).encode())


def read_end(message: Message) -> Ending:
    """The ending in a child's last message."""
    return Ending(
        Step[message["step"]],
        message["result"],
        message["error"],
        message["rejected"],
        message["note"],
        message["weight"],
    )


def main(connection: Connection, order: Order) -> None:
    """What the child runs."""
    os.setsid()  # a group of its own, so that what the handler starts can be ended with it
    threading.Thread(target=_die_with_the_parent, args=(connection,), daemon=True).start()
    logs.set_up(order.log_format)
    pipe = Pipe(connection)
    run.enter(_run_of(order, pipe))
    try:
        importlib.import_module(order.module)
        handler = registry.handlers()[order.handler]
        with capture.capturing(), trace.handling(run.current_run()):
            ended = ending.returned(_call(handler, order.payload))
    except BaseException as error:  # noqa: BLE001 - told to the parent instead
        ended = ending.raised(error)
    sys.stdout.flush()
    sys.stderr.flush()
    pipe.end(ended)


def _call(handler: registry.Handler, payload: Any) -> Any:
    value = handler.call(payload, run.current_run())
    if not inspect.isawaitable(value):
        return value

    async def wait() -> Any:
        return await value

    return asyncio.run(wait())


def _run_of(order: Order, pipe: Pipe) -> run.Run:
    return run.Run(
        run_id=order.run_id,
        attempt=order.attempt,
        epoch=order.epoch,
        scheduled_time=times.moment(order.scheduled_time),
        deadline=times.moment(order.deadline),
        trigger=order.trigger,
        handler=order.handler,
        task=order.task,
        shard=order.shard,
        traceparent=order.traceparent,
        _sink=pipe,
    )


def _die_with_the_parent(connection: Connection) -> None:
    # The parent never writes: this returns when the parent is gone. Its run is then reported as Interrupted after
    # the restart, so the handler must not go on here beside a second attempt elsewhere.
    try:
        connection.recv_bytes()
    except (EOFError, OSError):
        os.killpg(0, signal.SIGKILL)
