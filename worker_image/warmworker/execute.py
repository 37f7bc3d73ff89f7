"""Calls a handler on the loop, in a thread or in a process of its own; never knows what the outcome is used for."""

import asyncio
import contextvars
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from warmworker import child, ending, nursery, run, trace
from warmworker.ending import Ending
from warmworker.registry import Handler, Kind


@dataclass(frozen=True, slots=True)
class Execution:
    """A call that is under way.

    Attributes:
        future: how it ends; it is never cancelled and never raises.
        stop: ask it to end. A coroutine is cancelled and a process killed; a thread can only be told.
    """

    future: "asyncio.Future[Ending]"
    stop: Callable[[], None]


class Executor:
    """Starts calls."""

    def __init__(self, *, concurrency: int, log_format: str) -> None:
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="warmworker-run")
        self._log_format = log_format

    def prepare(self, handlers: Iterable[Handler]) -> None:
        """Have a process ready from which those with isolation are forked: their modules are imported once."""
        if modules := sorted({each.module for each in handlers if each.kind is Kind.PROCESS}):
            nursery.start(modules)

    def start(self, handler: Handler, payload: Any, current: run.Run) -> Execution:
        """Call the handler."""
        match handler.kind:
            case Kind.COROUTINE:
                return self._on_the_loop(handler, payload, current)
            case Kind.THREAD:
                return Execution(self._in_a_thread(_call, handler, payload, current), current.cancel)
            case Kind.PROCESS:
                process = nursery.Child(
                    child.Order.of(handler, payload, current, log_format=self._log_format),
                    current._sink,  # noqa: SLF001
                )

                def stop() -> None:
                    current.cancel()
                    process.kill()

                return Execution(self._in_a_thread(process.run), stop)

    def close(self) -> None:
        """Start nothing more; threads that still run are left to the end of the process."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _in_a_thread(self, function: Callable[..., Ending], *args: Any) -> "asyncio.Future[Ending]":
        context = contextvars.copy_context()
        return asyncio.get_running_loop().run_in_executor(self._pool, context.run, function, *args)

    def _on_the_loop(self, handler: Handler, payload: Any, current: run.Run) -> Execution:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Ending] = loop.create_future()
        work = loop.create_task(_await(handler, payload, current), context=contextvars.copy_context())
        # A task that is cancelled before its first step never enters _await: it ends cancelled.
        work.add_done_callback(lambda done: ended.set_result(ending.STOPPED if done.cancelled() else done.result()))

        def stop() -> None:
            current.cancel()
            work.cancel()

        return Execution(ended, stop)


def _call(handler: Handler, payload: Any, current: run.Run) -> Ending:
    run.enter(current)
    try:
        with trace.handling(current):
            return ending.returned(handler.call(payload, current))
    except BaseException as error:  # noqa: BLE001 - not even SystemExit of a handler may end the worker
        return ending.raised(error)


async def _await(handler: Handler, payload: Any, current: run.Run) -> Ending:
    run.enter(current)
    try:
        with trace.handling(current):
            return ending.returned(await handler.call(payload, current))
    except asyncio.CancelledError as error:
        return ending.STOPPED if current.cancelled else ending.raised(error)
    except BaseException as error:  # noqa: BLE001 - asyncio lets SystemExit of a task end the loop: it must not get there
        return ending.raised(error)
