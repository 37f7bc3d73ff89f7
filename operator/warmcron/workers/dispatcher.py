"""Carries requests to worker pods and turns what comes back into events. It decides nothing about a run.

A worker's answer is hostile input; `channel` keeps it within bounds.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, NamedTuple

from warmcron.core import runs
from warmcron.core.pool import SUSPECT_SECONDS, Address, Worker
from warmcron.engine.ports import Inbox
from warmcron.observe import Metrics
from warmcron.workers import protocol
from warmcron.workers.channel import NOT_ALLOWED, Answer, Failure, Reply, Request
from warmcron.workers.channels import Channels
from warmcron.workers.reports import Reports
from warmcron.workers.signing import Signer, message_id
from warmcron.workers.tls import Tls, worker_name
from warmcron.workers.tokens import Tokens

ANSWER_SECONDS: Final = protocol.INLINE_SECONDS + 3.0
ASK_SECONDS: Final = 2.0
# What an answer has that says more than how the run went.
SAYING: Final = (b'"log"', b'"result"', b'"error"')
# A list of 10,000 runs; only a leader that takes over reads it.
MAX_LIST: Final = 8 * 1024 * 1024


class _Call(NamedTuple):
    """One request to one worker; `message` is what its signature is good for, `name` what its certificate must hold."""

    method: str
    address: Address
    path: str
    message: str
    name: str


class Dispatcher:
    """All requests to workers.

    Args:
        may_send: asked just before a request leaves; a leader of the past sends nothing.
        epoch: the number of the term, which goes into every request.
        callback_url: where workers report what they could not finish at once.
        signer: signs every request, also those that only ask.
        tls: whose certificates workers have to show; None for plain HTTP.
        reports: where log lines and results of inline answers go.
    """

    def __init__(  # noqa: PLR0913 - what it is wired to, each by name
        self,
        *,
        may_send: Callable[[], bool],
        epoch: Callable[[], int],
        callback_url: str,
        signer: Signer,
        tls: Tls | None = None,
        tokens: Tokens,
        metrics: Metrics,
        reports: Reports,
    ) -> None:
        self.inbox: Inbox | None = None
        self._may_send, self._epoch = may_send, epoch
        self._callback_url = callback_url.rstrip("/")
        self._signer, self._tokens, self._metrics, self._reports = signer, tokens, metrics, reports
        self._tasks: set[asyncio.Task[None]] = set()
        self._channels = Channels(tls=tls.client if tls else None)
        # The longest list takes 0.1 s to read: one at a time, with turns for others (the lease!) between them.
        self._reading = asyncio.Lock()

    async def close(self) -> None:
        """Ends what is under way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._channels.close()

    def herd(self) -> bool:
        """Whether requests wait to leave."""
        return len(self._channels) > 0

    def execute(self, run: runs.Run, worker: Worker) -> None:
        """Sends a run to a worker."""
        token = self._tokens.make(run.id, run.attempt, worker.uid)
        callback = (f"{self._callback_url}{protocol.RUNS}/{run.id}/events", token)
        body = protocol.request_body(run, worker, epoch=self._epoch(), callback=callback)
        call = _about("execute", run, worker)
        seconds = ANSWER_SECONDS
        if worker.plain:  # it cannot say 202: the answer comes when the work is done
            seconds = max(min(run.deadline, run.attempt_deadline) - time.time(), 0.0) + ANSWER_SECONDS
        request = Request(
            head=self._head(call, body, protocol.request_headers(run)),
            body=body,
            on_reply=partial(self._executed, _attempt(run, worker), time.monotonic()),
            seconds=seconds,
            limit=protocol.MAX_BODY,
            allowed=self._may_send,
        )
        self._channels.send(call.address, request, name=call.name)

    def ask(self, run: runs.Run, worker: Worker, *, fence: bool) -> None:
        """Asks a worker what it knows of a run; with `fence`, so that it never takes this attempt later."""
        body = self._term(run.attempt) if fence else b""
        self._start(self._settle(_attempt(run, worker), _about("fence" if fence else "run", run, worker), body))

    def cancel(self, run: runs.Run, worker: Worker) -> None:
        """Tells a worker to stop a run."""
        self._start(self._settle(_attempt(run, worker), _about("cancel", run, worker), self._term(run.attempt)))

    async def reports(self, worker: Worker) -> list[protocol.Report] | None:
        """All runs that a worker remembers, none for a plain endpoint; None if it could not be asked.

        It is told our term first: what the leader before has sent and what is still on its way is refused from then
        on, so that nothing can start there after we were told that nothing has. A fence tells it, of a run that
        nobody has.
        """
        nobody = str(uuid.uuid5(uuid.NAMESPACE_URL, f"warmcron:term:{self._epoch()}"))
        path, message = f"{protocol.RUNS}/{nobody}/fence", message_id("fence", worker.uid, nobody, 1)
        name = worker_name(worker.pool.namespace)
        told = await self._ask(_Call("PUT", _address(worker), path, message, name), body=self._term(1))
        if isinstance(told, Failure):
            return None
        call = _Call("GET", _address(worker), protocol.RUNS, message_id("runs", worker.uid), name)
        answer = await self._ask(call, limit=MAX_LIST)
        if isinstance(answer, Answer):
            if answer.status == protocol.OK:
                async with self._reading:
                    await asyncio.sleep(0)
                    return protocol.read_reports(answer.body, worker.uid)
            if answer.status in protocol.NO_SUCH_PATH:
                return []
        return None

    async def abilities(self, worker: Worker) -> protocol.Abilities | None:
        """What a worker says it can do; None if it could not be asked."""
        message = message_id("handlers", worker.uid)
        call = _Call("GET", _address(worker), protocol.HANDLERS, message, worker_name(worker.pool.namespace))
        answer = await self._ask(call)
        return None if isinstance(answer, Failure) else protocol.read_abilities(answer.status, answer.body)

    def _executed(self, about: runs.Attempt, handed: float, reply: Reply) -> None:
        """What became of a request to execute."""
        if isinstance(reply, Answer):
            event = protocol.read_answer(reply.status, reply.headers, reply.body)
            if reply.status == protocol.OK and any(word in reply.body for word in SAYING):
                # Parsed again only where it is worth it.
                found = protocol.parse(reply.body) or {}
                self._reports.lines(about, 0, found.get("log"))
                self._reports.finished(about, found)
        elif not reply.unsent:
            # Only what certainly never left may go elsewhere at once; of all else nobody knows what became.
            event = runs.NoAnswer(reply.reason)
        elif reply is NOT_ALLOWED:
            event = runs.Refused("NotLeading")  # no fault of the worker's
        else:
            event = runs.Refused(reply.reason, pause=SUSPECT_SECONDS)
        self._metrics.answered(type(event).__name__, time.monotonic() - handed)
        self._answer(about, event)

    async def _settle(self, about: runs.Attempt, call: _Call, body: bytes) -> None:
        answer = await self._ask(call, body=body)
        event = _state(answer)
        if isinstance(event, runs.Finished) and isinstance(answer, Answer):
            self._reports.finished(about, protocol.parse(answer.body) or {})
        self._answer(about, event)

    def _answer(self, about: runs.Attempt, event: runs.Event) -> None:
        if self.inbox:
            self.inbox.on_event(about, event)

    async def _ask(self, call: _Call, *, body: bytes = b"", limit: int = protocol.MAX_BODY) -> Reply:
        """A question, whose answer is waited for."""
        answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def take(reply: Reply) -> None:
            if not answered.done():
                answered.set_result(reply)

        head = self._head(call, body, {"content-type": "application/json"})
        request = Request(head, body, on_reply=take, seconds=ASK_SECONDS, limit=limit, allowed=lambda: True)
        self._channels.send(call.address, request, name=call.name)
        return await answered

    def _head(self, call: _Call, body: bytes, headers: dict[str, str]) -> bytes:
        """The request line and the signed headers. All of it is ours: nothing in it comes from a user."""
        signed = headers | self._signer.headers(call.message, body, now=time.time())
        lines = "".join([f"{name}: {value}\r\n" for name, value in signed.items()])
        length = f"content-length: {len(body)}\r\n" if body else ""
        ip, port = call.address
        host = f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
        first = f"{call.method} {call.path} HTTP/1.1\r\nhost: {host}\r\naccept-encoding: identity\r\n"
        return f"{first}{length}{lines}\r\n".encode("latin-1")

    def _term(self, attempt: int) -> bytes:
        return f'{{"attempt":{attempt},"epoch":{self._epoch()}}}'.encode()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)  # the loop holds only a weak reference
        task.add_done_callback(self._tasks.discard)


def _state(answer: Reply) -> runs.Event:
    """What the answer to a question about one run means."""
    if isinstance(answer, Failure):
        return runs.Unreachable()
    if answer.status in (200, 202):
        return protocol.read_state(protocol.parse(answer.body))
    # A plain endpoint knows no such path: it keeps no table and can never tell.
    return runs.Forgotten() if answer.status in protocol.NO_SUCH_PATH else runs.Unreachable()


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
    message = message_id(operation, worker.uid, run.id, run.attempt)
    return _Call(method, _address(worker), path, message, worker_name(worker.pool.namespace))


def _attempt(run: runs.Run, worker: Worker) -> runs.Attempt:
    return runs.Attempt(run.id, run.attempt, worker.uid)


def _address(worker: Worker) -> Address:
    """A worker's address is an IP literal: no name is ever looked up."""
    assert worker.address is not None  # noqa: S101 - only a worker with an address is chosen or asked
    return worker.address
