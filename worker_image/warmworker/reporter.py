"""Tells the operator by callback what runs do, until it acknowledges; never decides what there is to tell."""

import asyncio
import contextlib
import json
import logging
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import aiohttp

from warmworker.outbox import FIRST_AFTER_RESTART, Outbox
from warmworker.output import Line, Output
from warmworker.records import Pod, Record
from warmworker.tls import Trust
from warmworker.wire import Callback

logger = logging.getLogger(__name__)
FLUSH_SECONDS: Final = 0.5
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
GIVE_UP_AFTER: Final = 24 * 3600.0
ANSWER_LIMIT: Final = 64 * 1024
# The operator says: there is no such run, or nothing about it is wanted any more.
NOT_WANTED: Final = frozenset({404, 410})


class Reported(Protocol):
    """A run as the reporter sees it; `record` and its callback may be replaced while the run goes on."""

    output: Output
    record: Record
    done: "asyncio.Future[Record]"


class Reporter:
    """One task for each run that is reported, one connection pool for all."""

    def __init__(self, pod: Pod, *, told: Callable[[Record], None], authority: Path | None = None) -> None:
        self._pod = pod
        self._trust = Trust(authority)
        self._told = told
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._hurry = asyncio.Event()
        self.given_up = 0

    def follow(self, run: Reported) -> None:
        """Report a run of this life of the worker: that it started, what it says, how it ends."""
        outbox = Outbox(run.output)
        outbox.add("Started", run.record.start_time)
        self._begin(self._follow(run, outbox))

    def settle(self, record: Record, lines: Sequence[Line] = ()) -> None:
        """Report the end of a run that is over: of an earlier life, or one whose caller did not stay for it."""
        said = Output()
        said.put_back(lines)
        outbox = Outbox(said, first=FIRST_AFTER_RESTART)
        _finish(outbox, record)
        self._begin(self._deliver_all(outbox, lambda: record))

    async def close(self, patience: float) -> None:
        """Try once more for everything that waits, then stop."""
        self._hurry.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience)
        for task in self._tasks:
            task.cancel()
        if self._session is not None:
            await self._session.close()

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, run: Reported, outbox: Outbox) -> None:
        failures = 0
        while not run.done.done():
            failures = 0 if await self._deliver(outbox, run.record) else failures + 1
            await asyncio.wait({run.done}, timeout=_pause_after(failures) if failures else FLUSH_SECONDS)
        _finish(outbox, run.done.result())
        await self._deliver_all(outbox, lambda: run.record)

    async def _deliver_all(self, outbox: Outbox, record: Callable[[], Record]) -> None:
        """Until the Finished is acknowledged, over any restart of the operator."""
        failures = 0
        until = time.monotonic() + GIVE_UP_AFTER
        while not outbox.complete and record().callback is not None:
            if time.monotonic() > until:
                self.given_up += 1
                logger.error("run %s: its end was not acknowledged for a day: given up", record().run_id)
                return
            failures = 0 if await self._deliver(outbox, record()) else failures + 1
            if failures:
                await self._pause(failures)
        self._told(record())

    async def _deliver(self, outbox: Outbox, record: Record) -> bool:
        """Send what there is; False when it has to be sent again."""
        callback, batch = record.callback, outbox.batch(time.time())
        if callback is None or not batch:
            return True
        body = {"podUID": self._pod.uid, "podName": self._pod.name, "attempt": record.attempt, "events": batch}
        try:
            status, last = await self._post(callback, json.dumps(body).encode())
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            logger.info("run %s: callback failed, it will be repeated: %r", record.run_id, error)
            return False
        if status in NOT_WANTED:
            logger.info("run %s: the operator wants no more of it (%d)", record.run_id, status)
            outbox.complete = True
            return True
        if not 200 <= status < 300:  # noqa: PLR2004 - the 2xx of HTTP
            logger.warning("run %s: callback answered %d, it will be repeated", record.run_id, status)
            return False
        outbox.acknowledge(batch[-1]["seq"] if last is None else last)
        return last is None or last >= batch[-1]["seq"]

    async def _post(self, callback: Callback, body: bytes) -> tuple[int, int | None]:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=32),
                timeout=aiohttp.ClientTimeout(total=10, connect=3),
            )
        headers = {"authorization": f"Bearer {callback.token}", "content-type": "application/json"}
        # A redirect would carry the token to an address the operator did not name.
        async with self._session.post(
            callback.url, data=body, headers=headers, allow_redirects=False, ssl=self._trust.context()
        ) as answer:
            return answer.status, _last_sequence(await answer.content.read(ANSWER_LIMIT))

    async def _pause(self, failures: int) -> None:
        pause = _pause_after(failures)
        if self._hurry.is_set():
            pause = min(pause, 0.2)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await (asyncio.sleep(pause) if self._hurry.is_set() else self._hurry.wait())


def _pause_after(failures: int) -> float:
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 10))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing


def _finish(outbox: Outbox, record: Record) -> None:
    fields: dict[str, Any] = {"outcome": record.state.value, "retry": record.retry}
    if record.result is not None:
        fields["result"] = record.result
    if record.error is not None:
        fields["error"] = dict(record.error)
    outbox.finish(record.finish_time or 0.0, **fields)


def _last_sequence(body: bytes) -> int | None:
    """The lastSeq of an answer; None, which stands for all of them, when it says nothing of the kind."""
    try:
        last = json.loads(body)["lastSeq"]
    except (ValueError, KeyError, TypeError):
        return None
    return last if isinstance(last, int) else None
