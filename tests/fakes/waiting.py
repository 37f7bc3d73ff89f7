"""Waits for what other processes do, and finds ports for them: the same for every test that starts one."""

import contextlib
import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 60.0


def eventually(ask: Callable[[], T | None], what: str, *, patience: float = PATIENCE) -> T:
    """The first answer that is true; a slow machine only makes this slower."""
    until = time.monotonic() + patience
    while True:
        if found := ask():
            return found
        if time.monotonic() > until:
            raise AssertionError(f"waited {patience:g} s in vain for: {what}")
        time.sleep(0.05)


def free_ports(count: int) -> list[int]:
    """So many ports of loopback that nobody listens on now, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
