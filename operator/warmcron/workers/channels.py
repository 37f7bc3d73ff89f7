"""The connections to all workers: which request goes out on which, and when another connection is opened.

A herd is sent over a few connections for each worker, one request after the other, as fast as they are answered: a
connection for each request would cost several times the request itself (docs/adr/0070-own-worker-client.md). When
answers stop coming, because handlers take their time, connections are added until nothing waits.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final

from warmcron.core.pool import Address
from warmcron.workers.channel import NOT_ALLOWED, Channel, Failure, Request

CONNECT_SECONDS: Final = 1.0
# A request that found no connection for so long goes elsewhere: it certainly was not sent.
QUEUE_SECONDS: Final = 2.0
# Below the five seconds after which many servers close an idle connection: a request sent into a closing one has an
# unknown fate, and asking costs a round trip.
KEEP_ALIVE_SECONDS: Final = 4.0
# Connections that are opened to a worker without waiting to see whether fewer would do.
EAGER: Final = 4
# How long no answer may come before connections are added, and how often that is looked at.
PATIENCE_SECONDS: Final = 0.01
SWEEP_SECONDS: Final = 0.25
# After a refused connection no more are added to those that are there for so long.
SHUT_SECONDS: Final = 0.5


class _Lane:
    """One worker's connections and what waits for one.

    `moved` is when a request last left or connections were added; until `shut` no more are opened.
    """

    __slots__ = ("busy", "connecting", "idle", "moved", "name", "shut", "waiting")

    def __init__(self, name: str | None) -> None:
        self.name = name
        self.idle: list[Channel] = []
        self.busy: set[Channel] = set()
        self.connecting = 0
        self.waiting: deque[tuple[float, Request]] = deque()
        self.moved = self.shut = 0.0

    @property
    def open(self) -> int:
        return len(self.idle) + len(self.busy) + self.connecting


class Channels:
    """All lanes, by address. Bounded by what the engine sends: it keeps to each worker's own limit of runs.

    Args:
        tls: whose certificates are believed, asked for each connection; None for plain HTTP.
    """

    def __init__(self, *, tls: Callable[[], ssl.SSLContext] | None = None) -> None:
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._lanes: dict[Address, _Lane] = {}
        self._crowded: set[Address] = set()  # lanes in which something waits
        self._waiting = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._watcher: asyncio.TimerHandle | None = None
        self._sweeper = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def __len__(self) -> int:
        return self._waiting

    def send(self, address: Address, request: Request, *, name: str | None = None) -> None:
        """Sends as soon as a connection is free; `on_reply` is always called, perhaps before this returns.

        With TLS, `name` is what the certificate of who answers at the address has to hold.
        """
        lane = self._lanes.get(address)
        if lane is None:
            lane = self._lanes[address] = _Lane(name)
        lane.waiting.append((self._loop.time() + QUEUE_SECONDS, request))
        self._waiting += 1
        while lane.idle and lane.waiting:
            channel = lane.idle.pop()
            if channel.usable:
                self._next(address, lane, channel)
        if lane.waiting:
            if lane.open < EAGER:
                self._open(address, lane)
            self._crowd(address, lane)

    async def close(self) -> None:
        """Ends everything; what is under way has no answer."""
        self._closed = True
        self._sweeper.cancel()
        if self._watcher:
            self._watcher.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for lane in list(self._lanes.values()):
            self._give_up(lane, "Closed", len(lane.waiting))
            for channel in [*lane.busy, *lane.idle]:
                channel.close("Closed")

    # ---- requests onto connections ---------------------------------------------------------------------------

    def _next(self, address: Address, lane: _Lane, channel: Channel) -> None:
        """Gives a free connection the next request that may still be sent, or lays it aside."""
        while lane.waiting:
            _, request = lane.waiting.popleft()
            self._waiting -= 1
            if not request.allowed():
                request.on_reply(NOT_ALLOWED)
                continue
            lane.moved = self._loop.time()
            lane.busy.add(channel)
            channel.send(request)
            return
        lane.busy.discard(channel)
        lane.idle.append(channel)
        self._crowded.discard(address)

    def _open(self, address: Address, lane: _Lane) -> None:
        lane.connecting += 1
        self._spawn(self._connect(address, lane))

    async def _connect(self, address: Address, lane: _Lane) -> None:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, channel = await self._loop.create_connection(
                    lambda: Channel(
                        on_free=lambda free: self._free(address, lane, free),
                        on_closed=lambda gone: self._gone(address, lane, gone),
                    ),
                    address.ip,
                    address.port,
                    ssl=self._tls() if self._tls else None,
                    server_hostname=lane.name if self._tls else None,
                )
        except (OSError, TimeoutError):
            lane.connecting -= 1
            lane.shut = self._loop.time() + SHUT_SECONDS
            if not lane.open:  # nobody else will take what waits
                self._lanes.pop(address, None)
                self._give_up(lane, "ConnectionRefused", len(lane.waiting))
            return
        except asyncio.CancelledError:
            lane.connecting -= 1
            raise
        lane.connecting -= 1
        self._free(address, lane, channel)

    def _free(self, address: Address, lane: _Lane, channel: Channel) -> None:
        if channel.usable:
            self._next(address, lane, channel)
        else:
            self._gone(address, lane, channel)

    def _gone(self, address: Address, lane: _Lane, channel: Channel) -> None:
        lane.busy.discard(channel)
        if channel in lane.idle:
            lane.idle.remove(channel)
        if self._closed:
            return
        if lane.waiting and lane.open < EAGER:
            self._open(address, lane)
        elif not lane.open and self._lanes.get(address) is lane:
            del self._lanes[address]

    def _give_up(self, lane: _Lane, reason: str, count: int) -> None:
        """The first `count` that wait go elsewhere. Their callers may send anew from within."""
        requests = [lane.waiting.popleft()[1] for _ in range(count)]
        self._waiting -= count
        for request in requests:
            request.on_reply(Failure(unsent=True, reason=reason))

    # ---- time ------------------------------------------------------------------------------------------------

    def _crowd(self, address: Address, lane: _Lane) -> None:
        if address not in self._crowded:
            self._crowded.add(address)
            lane.moved = self._loop.time()
        if self._watcher is None:
            self._watcher = self._loop.call_later(PATIENCE_SECONDS, self._watch)

    def _watch(self) -> None:
        """Adds connections where requests wait and none has left for a while: twice as many each time."""
        self._watcher = None
        now = self._loop.time()
        for address in list(self._crowded):
            lane = self._lanes.get(address)
            if lane is None or not lane.waiting:
                self._crowded.discard(address)
                continue
            if now - lane.moved >= PATIENCE_SECONDS and now >= lane.shut:
                lane.moved = now
                for _ in range(min(len(lane.waiting), max(lane.open, 1)) - lane.connecting):
                    self._open(address, lane)
        if self._crowded:
            self._watcher = self._loop.call_later(PATIENCE_SECONDS, self._watch)

    def _sweep(self) -> None:
        """Ends what has taken too long: answers, idle connections, requests without a connection."""
        self._sweeper = self._loop.call_later(SWEEP_SECONDS, self._sweep)
        now = self._loop.time()
        for lane in list(self._lanes.values()):
            for channel in [channel for channel in lane.busy if channel.expires < now]:
                channel.close("AnswerTimeout")
            for channel in [channel for channel in lane.idle if channel.idle_since < now - KEEP_ALIVE_SECONDS]:
                channel.close("")
            self._give_up(lane, "NoConnection", sum(deadline < now for deadline, _ in lane.waiting))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)  # the loop holds only a weak reference
        task.add_done_callback(self._tasks.discard)
