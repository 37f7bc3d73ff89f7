"""Carries requests to worker pods and turns what comes back into events. It decides nothing about a run.

A worker's answer is hostile input: no redirect is followed, no proxy asked, nothing decompressed, no body read past
its limit, and nothing waited for longer than said.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple, Protocol

import aiohttp
import structlog

from warmcron.core import runs
from warmcron.core.pool import SUSPECT_SECONDS, Worker
from warmcron.observe import Metrics
from warmcron.workers import protocol
from warmcron.workers.signing import Signer, message_id
from warmcron.workers.tokens import Tokens

log = structlog.get_logger("warmcron.dispatch")

CONNECT_SECONDS: Final = 1.0
ANSWER_SECONDS: Final = protocol.INLINE_SECONDS + 3.0
ASK_SECONDS: Final = 2.0
# A list of 10,000 runs; only a leader that takes over reads it.
MAX_LIST: Final = 8 * 1024 * 1024
# Below the five seconds after which many servers close an idle connection: a request sent into a closing one has an
# unknown fate, and asking costs a round trip.
KEEP_ALIVE_SECONDS: Final = 4.0


class Inbox(Protocol):
    """Where answers go: the engine."""

    def on_event(self, run_id: str, attempt: int, event: runs.Event) -> None:
        """An answer arrived for one attempt of a run."""


class _Call(NamedTuple):
    """One request to one worker; `message` is what its signature is good for."""

    method: str
    url: str
    message: str


class Dispatcher:
    """One session for all workers.

    Args:
        may_send: asked just before a request leaves; a leader of the past sends nothing.
        epoch: the number of the term, which goes into every request.
        callback_url: where workers report what they could not finish at once.
        signer: signs every request, also those that only ask.
        on_log: what a handler printed, from an inline answer.
    """

    def __init__(  # noqa: PLR0913 - what it is wired to, each by name
        self,
        *,
        may_send: Callable[[], bool],
        epoch: Callable[[], int],
        callback_url: str,
        signer: Signer,
        tokens: Tokens,
        metrics: Metrics,
        on_log: Callable[[str, object], None],
    ) -> None:
        self.inbox: Inbox | None = None
        self._may_send, self._epoch = may_send, epoch
        self._callback_url = callback_url.rstrip("/")
        self._signer, self._tokens, self._metrics, self._on_log = signer, tokens, metrics, on_log
        self._tasks: set[asyncio.Task[None]] = set()
        self._unsent = 0
        self._session = aiohttp.ClientSession(
            # Each worker's own limit of runs bounds its connections; the engine keeps to it.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            headers={"accept-encoding": "identity"},
            skip_auto_headers=("user-agent",),
        )

    async def close(self) -> None:
        """Ends what is under way and the session."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    def herd(self) -> bool:
        """Whether requests wait to leave."""
        return self._unsent > 0

    def execute(self, run: runs.Run, worker: Worker) -> None:
        """Sends a run to a worker."""
        token = self._tokens.make(run.id, run.attempt, worker.uid)
        callback = (f"{self._callback_url}{protocol.RUNS}/{run.id}/events", token)
        body = protocol.request_body(run, worker, epoch=self._epoch(), callback=callback)
        headers = protocol.request_headers(run)
        seconds = ANSWER_SECONDS
        if worker.plain:  # it cannot say 202: the answer comes when the work is done
            seconds = max(min(run.deadline, run.attempt_deadline) - time.time(), 0.0) + ANSWER_SECONDS
        self._unsent += 1
        call = _about("execute", run, worker)
        self._start(self._execute(run.id, run.attempt, call, headers=headers, body=body, seconds=seconds))

    def ask(self, run: runs.Run, worker: Worker, *, fence: bool) -> None:
        """Asks a worker what it knows of a run; with `fence`, so that it never takes this attempt later."""
        self._start(self._ask(run.id, run.attempt, _about("fence" if fence else "run", run, worker), fence=fence))

    def cancel(self, run: runs.Run, worker: Worker) -> None:
        """Tells a worker to stop a run."""
        self._start(self._cancel(run.id, run.attempt, _about("cancel", run, worker)))

    async def reports(self, worker: Worker) -> list[protocol.Report] | None:
        """All runs that a worker remembers, none for a plain endpoint; None if it could not be asked."""
        call = _Call("GET", _url(worker, protocol.RUNS), message_id("runs", worker.uid))
        answer = await self._request(call, limit=MAX_LIST, seconds=ASK_SECONDS)
        if not isinstance(answer, _Failure):
            if answer[0] == protocol.OK:
                return protocol.read_reports(answer[2])
            if answer[0] in protocol.NO_SUCH_PATH:
                return []
        return None

    async def abilities(self, worker: Worker) -> protocol.Abilities | None:
        """What a worker says it can do; None if it could not be asked."""
        call = _Call("GET", _url(worker, protocol.HANDLERS), message_id("handlers", worker.uid))
        answer = await self._request(call, seconds=ASK_SECONDS)
        return None if isinstance(answer, _Failure) else protocol.read_abilities(answer[0], answer[2])

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)  # the loop holds only a weak reference
        task.add_done_callback(self._tasks.discard)

    async def _execute(
        self, run_id: str, attempt: int, call: _Call, *, headers: dict[str, str], body: bytes, seconds: float
    ) -> None:
        self._unsent -= 1
        if not self._may_send():
            self._answer(run_id, attempt, runs.Refused("NotLeading"))
            return
        answer = await self._request(call, headers=headers, body=body, seconds=seconds)
        if isinstance(answer, _Failure):
            # Only what certainly never left may go elsewhere at once; of all else nobody knows what became.
            event: runs.Event = (
                runs.Refused(answer.reason, pause=SUSPECT_SECONDS) if answer.unsent else runs.NoAnswer(answer.reason)
            )
        else:
            event = protocol.read_answer(*answer)
            if answer[0] == protocol.OK and (found := protocol.parse(answer[2])):
                self._on_log(run_id, found.get("log"))
        self._metrics.attempts.labels(type(event).__name__).inc()
        self._answer(run_id, attempt, event)

    async def _ask(self, run_id: str, attempt: int, call: _Call, *, fence: bool) -> None:
        body = self._term(attempt) if fence else b""
        self._answer(run_id, attempt, _state(await self._request(call, body=body, seconds=ASK_SECONDS)))

    async def _cancel(self, run_id: str, attempt: int, call: _Call) -> None:
        self._answer(run_id, attempt, _state(await self._request(call, body=self._term(attempt), seconds=ASK_SECONDS)))

    def _term(self, attempt: int) -> bytes:
        return f'{{"attempt":{attempt},"epoch":{self._epoch()}}}'.encode()

    def _answer(self, run_id: str, attempt: int, event: runs.Event) -> None:
        if self.inbox:
            self.inbox.on_event(run_id, attempt, event)

    async def _request(
        self,
        call: _Call,
        *,
        seconds: float,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        limit: int = protocol.MAX_BODY,
    ) -> "tuple[int, Any, bytes] | _Failure":
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
        sent = (headers or {"content-type": "application/json"}) | self._signer.headers(
            call.message, body, now=time.time()
        )
        try:
            async with self._session.request(
                call.method, call.url, data=body or None, headers=sent, timeout=timeout, allow_redirects=False
            ) as response:
                content = await _capped(response, limit)
                return response.status, response.headers, content
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return _Failure(unsent=True, reason="ConnectionRefused", detail=str(error))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            reason = "AnswerTimeout" if isinstance(error, TimeoutError) else "ConnectionLost"
            return _Failure(unsent=False, reason=reason, detail=str(error))


class _Failure:
    """No answer. `unsent` is true when the request certainly never left."""

    __slots__ = ("detail", "reason", "unsent")

    def __init__(self, *, unsent: bool, reason: str, detail: str) -> None:
        self.unsent, self.reason, self.detail = unsent, reason, detail


async def _capped(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body up to `limit` bytes; of a longer one nothing is believed, and the connection is closed."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > limit:
            response.close()
            return b""
        parts.append(part)
    return b"".join(parts)


def _state(answer: "tuple[int, Any, bytes] | _Failure") -> runs.Event:
    """What the answer to a question about one run means."""
    if isinstance(answer, _Failure):
        return runs.Unreachable()
    status, _, body = answer
    if status in (200, 202):
        return protocol.read_state(protocol.parse(body))
    # A plain endpoint knows no such path: it keeps no table and can never tell.
    return runs.Forgotten() if status in protocol.NO_SUCH_PATH else runs.Unreachable()


# What is asked about one run: the method, and the path below the run's own; None for the path of POST execute.
_ASKED: Final[dict[str, tuple[str, str | None]]] = {
    "execute": ("POST", None),
    "run": ("GET", ""),
    "fence": ("PUT", "/fence"),
    "cancel": ("POST", "/cancel"),
}


def _about(operation: str, run: runs.Run, worker: Worker) -> _Call:
    method, below = _ASKED[operation]
    path = protocol.EXECUTE if below is None else f"{protocol.RUNS}/{run.id}{below}"
    return _Call(method, _url(worker, path), message_id(operation, worker.uid, run.id, run.attempt))


def _url(worker: Worker, path: str) -> str:
    """A worker's address is an IP literal: no name is ever looked up."""
    address = worker.address
    assert address is not None  # noqa: S101 - only a worker with an address is chosen or asked
    host = f"[{address.ip}]" if ":" in address.ip else address.ip
    return f"http://{host}:{address.port}{path}"
