"""A worker that does nothing, as cheaply as Python can: every request is stamped when its bytes arrive and answered.

Run as a process of its own; it stands for all pods of a namespace, told apart by the address they were called at. It
keeps the table of run ids that the protocol asks for, so that a leader that takes over can ask it.
"""

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Final

import uvloop

EXECUTE: Final = b"POST /api/task/execute"
PORT: Final = 8080
FLUSH_SECONDS: Final = 0.25
# Under a load without pauses what arrived is written after so long, in parts that keep no request waiting.
FLUSH_SECONDS_MAX: Final = 3.0
PART: Final = 50
# Of so many runs the table of run ids knows; a leader that takes over asks for those of the last seconds.
KNOWN: Final = 100_000


def _answer(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


DONE: Final = _answer("200 OK", b'{"outcome":"Succeeded"}')


class Book:
    """What arrived: written to a file when nothing has come for a moment, so that writing costs no herd anything."""

    def __init__(self, file: Path, pods: dict[str, str]) -> None:
        self._out = file.open("a", buffering=1 << 16)
        self.pods = pods
        self.seen: dict[tuple[str, bytes], bytes] = {}
        self._new: list[tuple[float, str, bytes, bool]] = []
        self._last = 0.0

    def note(self, stamp: float, pod: str, body: bytes) -> bytes:
        """Takes a request in; the answer to give."""
        start = body.find(b'"runId":"') + 9
        key = (pod, body[start : start + 36])
        repeated = key in self.seen
        self._new.append((stamp, pod, body, repeated))
        self._last = stamp
        if repeated:
            return _answer("409 Conflict", _document(self.seen[key]))
        self.seen[key] = body
        if len(self.seen) > KNOWN:
            del self.seen[next(iter(self.seen))]
        return DONE

    async def write(self) -> None:
        """Writes until cancelled, and closes the file."""
        with self._out:
            while True:
                await asyncio.sleep(FLUSH_SECONDS)
                now = time.time()
                if self._new and (now - self._last > FLUSH_SECONDS or now - self._new[0][0] > FLUSH_SECONDS_MAX):
                    await self._write_new()

    async def _write_new(self) -> None:
        new, self._new = self._new, []
        for start in range(0, len(new), PART):
            self._out.write("".join(map(_line, new[start : start + PART])))
            await asyncio.sleep(0)
        self._out.flush()


def _line(noted: tuple[float, str, bytes, bool]) -> str:
    stamp, pod, body, repeated = noted
    found = json.loads(body)
    line = {
        "at": stamp,
        "pod": pod,
        "run": found["runId"],
        "attempt": found["attempt"],
        "tick": found["scheduledTime"],
        "task": found["task"]["name"],
        "repeated": repeated,
    }
    return json.dumps(line) + "\n"


def _document(body: bytes) -> bytes:
    """The run document: a leader that takes over knows by it what the one before it had sent."""
    found = json.loads(body)
    names = ("runId", "attempt", "epoch", "trigger", "scheduledTime", "task", "handler")
    return json.dumps({"state": "Succeeded", **{name: found[name] for name in names if name in found}}).encode()


class Connection(asyncio.Protocol):
    """One connection of a client that we trust to speak HTTP/1.1 with a content-length."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self._transport = transport
        self._pod = transport.get_extra_info("sockname")[0]

    def data_received(self, data: bytes) -> None:
        """Bytes have come: none, one or several requests."""
        stamp = time.time()
        data = self._rest + data
        while (end := data.find(b"\r\n\r\n")) >= 0:
            head = data[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(data) < end + 4 + length:
                break
            body, request = data[end + 4 : end + 4 + length], data[:end]
            data = data[end + 4 + length :]
            self._transport.write(self._reply(stamp, request, body))  # type: ignore[attr-defined]
        self._rest = data

    def _reply(self, stamp: float, request: bytes, body: bytes) -> bytes:
        if request.startswith(EXECUTE):
            return self._book.note(stamp, self._pod, body)
        path = request.split(b" ", 2)[1].decode()
        uid = self._book.pods.get(self._pod, "")
        if path == "/api/task/handlers":
            about = {"handlers": ["noop"], "concurrency": 10_000, "running": 0, "podUID": uid, "version": "1"}
            return _answer("200 OK", json.dumps(about).encode())
        if path == "/api/task/runs":
            runs = b",".join(_document(found) for (pod, _), found in self._book.seen.items() if pod == self._pod)
            return _answer("200 OK", b'{"podUID":"' + uid.encode() + b'","runs":[' + runs + b"]}")
        known = self._book.seen.get((self._pod, path.split("/")[4].encode())) if path.count("/") > 3 else None  # noqa: PLR2004
        if known:
            return _answer("200 OK", _document(known))
        if path.endswith("/fence"):
            return _answer("200 OK", b'{"state":"Fenced"}')
        return _answer("404 Not Found", b"{}")


async def _serve(file: Path, pods: dict[str, str]) -> None:
    book = Book(file, pods)
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: Connection(book), list(pods), PORT, backlog=16_384):
        await book.write()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("pods", type=Path)
    given = parser.parse_args()
    uvloop.run(_serve(given.file, json.loads(given.pods.read_text())))
