"""Ends worker processes whose `warmcron dev` died without doing so: reads their pids, waits for its end, cleans up.

A process of its own, started as `python -m warmcron.local.keeper`: nothing that happens to its parent happens to it.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable
from typing import Final

GRACE_SECONDS: Final = 2.0


def watch(lines: Iterable[str]) -> None:
    """Follows lines `+pid` and `-pid` to their end; then ends the process groups that are left."""
    pids: set[int] = set()
    for line in lines:
        sign, pid = line[0], int(line[1:])
        (pids.add if sign == "+" else pids.discard)(pid)
    _signal(pids, signal.SIGTERM)
    until = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < until and any(_alive(pid) for pid in pids):
        time.sleep(0.05)
    _signal(pids, signal.SIGKILL)


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, number)


def _alive(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watch(sys.stdin)
