"""Says on stderr what is being done and how far it is; it decides nothing and keeps only the timings."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

HEARTBEAT_SECONDS = 30.0


def duration(seconds: float) -> str:
    """Writes a duration for people: 0.4 s, 12 s, 3 min 05 s."""
    if seconds < 10:  # noqa: PLR2004 - below ten seconds a decimal says something
        return f"{seconds:.1f} s"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.0f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"


def table(timings: list[tuple[str, float]], total: float) -> str:
    """Writes the timings as lines of two columns, the total last."""
    rows = [*timings, ("total (steps may overlap)", total)]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name.ljust(width)}  {duration(seconds).rjust(12)}" for name, seconds in rows)


@dataclass(slots=True)
class Progress:
    """Numbers the steps of one run and remembers how long each took."""

    total: int
    out: TextIO = sys.stderr
    clock: Callable[[], float] = time.monotonic
    heartbeat: float = HEARTBEAT_SECONDS
    timings: list[tuple[str, float]] = field(default_factory=list)
    _started: float = 0.0
    number: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._started = self.clock()

    def say(self, text: str) -> None:
        """Prints one line with the time since the start in front."""
        elapsed = int(self.clock() - self._started)
        with self._lock:
            print(f"{elapsed // 60:3d}:{elapsed % 60:02d}  {text}", file=self.out, flush=True)

    @contextmanager
    def step(self, name: str, *, expect: str = "", far: Callable[[], str] | None = None) -> Iterator[None]:
        """Announces a step, says every half minute that it is still going on, and notes its time."""
        with self._lock:
            self.number += 1
            label = f"[{self.number}/{self.total}]"
        self.say(f"{label} {name}{f' (about {expect})' if expect else ''}")
        began, done = self.clock(), threading.Event()
        beat = threading.Thread(target=self._beat, args=(f"{label} {name}", began, done, far), daemon=True)
        beat.start()
        try:
            yield
        except BaseException:
            self.say(f"{label} {name}: failed after {duration(self.clock() - began)}")
            raise
        finally:
            done.set()
            beat.join()
        took = self.clock() - began
        self.timings.append((name, took))
        self.say(f"{label} {name}: done in {duration(took)}")

    def skip(self, name: str, why: str) -> None:
        """Counts a step that turned out not to be needed."""
        with self._lock:
            self.number += 1
            number = self.number
        self.say(f"[{number}/{self.total}] {name}: not needed, {why}")

    def finish(self, text: str) -> None:
        """Prints the timing table and a closing line."""
        total = self.clock() - self._started
        if self.timings:
            print(table(self.timings, total), file=self.out)
        print(text, file=self.out, flush=True)

    def _beat(self, label: str, began: float, done: threading.Event, far: Callable[[], str] | None) -> None:
        while not done.wait(self.heartbeat):
            more = f", {far()}" if far else ""
            self.say(f"{label}: still going after {duration(self.clock() - began)}{more}")
