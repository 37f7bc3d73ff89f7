"""A worker that does the operator harm: a bare socket that answers whatever a test says, and counts what it gets."""

import asyncio
import contextlib
import gzip
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
BLOCK: Final = b"x" * 65_536


class HostileWorker:
    """One listening port.

    Attributes:
        connections: how many came.
        requests: the bytes that came first on each of them.
        sent: bytes that the other side let us send.
    """

    def __init__(self, behave: Behaviour) -> None:
        self._behave = behave
        self._server: asyncio.Server | None = None
        self.connections = 0
        self.requests: list[bytes] = []
        self.sent = 0
        self._peers: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        assert self._server is not None
        number: int = self._server.sockets[0].getsockname()[1]
        return number

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def close(self) -> None:
        for peer in list(self._peers):
            peer.cancel()
        await asyncio.gather(*self._peers, return_exceptions=True)
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._peers.add(task)
        self.connections += 1
        try:
            self.requests.append(await reader.read(65_536))
            await self._behave(reader, _Counting(writer, self))  # type: ignore[arg-type]
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._peers.discard(task)
            writer.close()


class _Counting:
    """A writer that waits for each block to leave, so that what is counted was really taken."""

    def __init__(self, writer: asyncio.StreamWriter, worker: HostileWorker) -> None:
        self._writer, self._worker = writer, worker
        writer.transport.set_write_buffer_limits(0)

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def drain(self) -> None:
        await self._writer.drain()

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()
        self._worker.sent += len(data)

    def reset(self) -> None:
        """Ends the connection with RST."""
        found = self._writer.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self._writer.transport.abort()


@contextlib.asynccontextmanager
async def hostile(behave: Behaviour) -> AsyncIterator[HostileWorker]:
    """A hostile worker for as long as the test takes."""
    found = HostileWorker(behave)
    await found.open()
    try:
        yield found
    finally:
        await found.close()


# ---- what hostile workers do ---------------------------------------------------------------------------------


def says(data: bytes) -> Behaviour:
    """Answers these bytes and ends."""

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writer.send(data)  # type: ignore[attr-defined]

    return behave


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """An answer that is well formed but for what the test puts into it."""
    lines = [f"HTTP/1.1 {status}", "content-type: application/json", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def flood(head: bytes, block: bytes = BLOCK) -> Behaviour:
    """A head, and then blocks without an end."""

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writer.send(head)  # type: ignore[attr-defined]
        while True:
            await writer.send(block)  # type: ignore[attr-defined]

    return behave


def drip(data: bytes, *, pause: float = 0.2) -> Behaviour:
    """A byte now and then."""

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(len(data)):
            await writer.send(data[number : number + 1])  # type: ignore[attr-defined]
            await asyncio.sleep(pause)
        await asyncio.sleep(3600)

    return behave


async def silent(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    """Takes the request and says nothing."""
    await asyncio.sleep(3600)


async def resets(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes the request and cuts the line."""
    writer.reset()  # type: ignore[attr-defined]


def bomb(megabytes: int) -> bytes:
    """So many megabytes of zeros, a thousandth of it on the wire."""
    return gzip.compress(bytes(megabytes << 20), compresslevel=9)
