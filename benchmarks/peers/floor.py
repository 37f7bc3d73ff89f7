"""The floor: a bare client on uvloop that stores nothing, knows no schedule and handles no failure."""

import asyncio
import time
from collections import deque

from benchmarks.peers import command, request

CONNECTIONS = 4


class _Line(asyncio.Protocol):
    """One connection that sends what is left, one request after the other."""

    def __init__(self, left: deque[bytes]) -> None:
        self._left = left

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, _: bytes) -> None:
        self.send()

    def send(self) -> None:
        if self._left:
            self._transport.write(self._left.popleft())  # type: ignore[attr-defined]


async def _run(ips: list[str], count: int, ticks: list[int]) -> None:
    loop = asyncio.get_running_loop()
    left: deque[bytes] = deque()
    for tick in ticks:
        bodies = [request.body(f"task-{number}", tick) for number in range(count)]
        head = "POST /api/task/execute HTTP/1.1\r\nhost: {}:8080\r\ncontent-type: application/json\r\n"
        left.extend((head.format(ips[0]) + f"content-length: {len(body)}\r\n\r\n").encode() + body for body in bodies)
        lines = [
            (await loop.create_connection(lambda: _Line(left), ip, 8080))[1] for ip in ips for _ in range(CONNECTIONS)
        ]
        await asyncio.sleep(max(tick - time.time(), 0))
        for line in lines:
            line.send()
        while left:  # noqa: ASYNC110 - the connections empty it
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)


if __name__ == "__main__":
    command.run(_run)
