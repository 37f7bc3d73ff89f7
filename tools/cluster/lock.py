"""Lets one call at a time change the cluster; it never breaks a lock that another call holds."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def held(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Holds the lock file while the body runs; the kernel lets go of it even when this process is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another call is at work here: waiting until it is done")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
