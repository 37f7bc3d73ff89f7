"""The command line that all peers have. It never sends anything."""

import argparse
from collections.abc import Awaitable, Callable

import uvloop

Peer = Callable[[list[str], int, list[int]], Awaitable[None]]


def run(peer: Peer) -> None:
    """Runs a peer with the workers' addresses, the number of tasks and the ticks at which all are due (epoch)."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ips", required=True, type=lambda text: text.split(","))
    parser.add_argument("--count", required=True, type=int)
    parser.add_argument("--ticks", required=True, type=lambda text: [int(tick) for tick in text.split(",")])
    given = parser.parse_args()

    async def work() -> None:
        await peer(given.ips, given.count, given.ticks)

    uvloop.run(work())
