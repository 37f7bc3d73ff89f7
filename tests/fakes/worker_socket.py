"""A server of raw bytes: what it answers is what the test says, byte by byte."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Self

from warmcron.core.pool import Address
from warmcron.workers.channel import Reply, Request
from warmcron.workers.channels import Channels

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Server:
    """Plays the script for every request head that arrives; the script is told the number of the request."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.requests: list[bytes] = []
        self.connections = 0
        self.open = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self.address = Address(*self._server.sockets[0].getsockname()[:2])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.requests.append(head)
                await self._script(reader, writer, len(self.requests))
                if writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()


@contextlib.contextmanager
def black_hole() -> Iterator[Address]:
    """An address at which every packet that asks for a connection is dropped, as at a node that has lost its power.

    Nobody takes connections from the socket, and the few for which there is room are there already.
    """
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = Address(*listening.getsockname()[:2])
        for _ in range(8):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(tuple(address))
        yield address


def answering(*parts: bytes, close: bool = False) -> Script:
    """Sends the parts one after the other, in packets of their own."""

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: int) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.005)
        if close:
            writer.close()

    return script


async def ask(
    channels: Channels, address: Address, *, limit: int = 1000, seconds: float = 5, allowed: bool = True
) -> Reply:
    answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    request = Request(
        head=b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        body=b"",
        on_reply=answered.set_result,
        seconds=seconds,
        limit=limit,
        allowed=lambda: allowed,
    )
    channels.send(address, request)
    return await answered
