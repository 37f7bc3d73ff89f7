"""Finds out whether an image is at hand or can be pulled; it gives up early where no registry answers."""

from __future__ import annotations

import queue
import subprocess
import threading
from collections.abc import Callable

from cluster.shell import Runner

FIRST_WORD_SECONDS = 20.0
PULL_SECONDS = 1200.0


def present(run: Runner, image: str) -> bool:
    """Says whether the engine holds an image."""
    return run.run("docker", "image", "inspect", "--format", "{{.Id}}", image).ok


def pull(image: str, *, first_word: float = FIRST_WORD_SECONDS, limit: float = PULL_SECONDS) -> bool:
    """Pulls an image; a registry that has said nothing after a few seconds counts as unreachable."""
    process = subprocess.Popen(
        ["docker", "pull", image],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    said: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_collect, args=(process, said.put), daemon=True).start()
    try:
        said.get(timeout=first_word)
        return process.wait(timeout=limit) == 0
    except (queue.Empty, subprocess.TimeoutExpired):
        return False
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def _collect(process: subprocess.Popen[str], put: Callable[[str], None]) -> None:
    """Passes on every line, and one more at the end, so that a client that gives up is noticed at once."""
    assert process.stdout is not None  # noqa: S101 - it was opened as a pipe
    for line in process.stdout:
        put(line)
    put("")
