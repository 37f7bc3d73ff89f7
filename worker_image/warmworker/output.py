"""The bounded buffer between a handler that writes and the operator who reads; never blocks and never grows further."""

import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from warmworker import times

LINE_LIMIT: Final = 16 * 1024
BUFFER_LIMIT: Final = 1024 * 1024
# What a line costs beside its text: its time, its stream and the JSON around them.
LINE_COST: Final = 80
# The operator keeps so many lines of one event, and of one answer.
EVENT_LINES: Final = 1000
_CUT: Final = " … (line cut)"

Line = dict[str, Any]


def line(stream: str, text: str, *, now: float, level: str | None = None) -> Line:
    """One line as the protocol shows it."""
    if len(text) > LINE_LIMIT:
        text = text[: LINE_LIMIT - len(_CUT)] + _CUT
    found = {"time": times.text(now), "stream": stream, "text": text}
    if level is not None:
        found["level"] = level
    return found


class Output:
    """What one run wrote and nobody took yet; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: deque[Line] = deque()
        self._size = 0
        self._dropped = 0
        self._partial: dict[str, str] = {}
        self._progress: tuple[float, str] | None = None

    def __bool__(self) -> bool:
        return bool(self._lines) or bool(self._dropped) or self._progress is not None

    def write(self, stream: str, text: str) -> None:
        """Take text as print writes it: in pieces, with line ends anywhere."""
        now = time.time()
        with self._lock:
            whole = self._partial.pop(stream, "") + text
            *lines, rest = whole.split("\n")
            if len(rest) > LINE_LIMIT:
                lines.append(rest)
                rest = ""
            if rest:
                self._partial[stream] = rest
            for each in lines:
                self._add(line(stream, each, now=now))

    def log(self, level: str, text: str) -> None:
        """Take one record of the logging module."""
        with self._lock:
            self._add(line("log", text, now=time.time(), level=level))

    def progress(self, fraction: float, text: str) -> None:
        """Take how far the handler is; only the latest counts."""
        self._progress = (fraction, text)

    def take_progress(self) -> tuple[float, str] | None:
        """The latest progress, once."""
        latest, self._progress = self._progress, None
        return latest

    def finish(self) -> None:
        """What was printed without a line end is a line now."""
        now = time.time()
        with self._lock:
            for stream, rest in sorted(self._partial.items()):
                self._add(line(stream, rest, now=now))
            self._partial.clear()

    def put_back(self, lines: Iterable[Line]) -> None:
        """Take lines that were taken out and could not be delivered; they come before nothing that is here."""
        with self._lock:
            for ready in lines:
                self._append(ready)

    def take(self, limit: int = BUFFER_LIMIT, *, most: int = BUFFER_LIMIT) -> list[Line]:
        """The oldest lines, up to about `limit` characters and `most` lines; dropped ones are said in their place."""
        with self._lock:
            taken: list[Line] = []
            size = 0
            while self._lines and len(taken) < most and (not taken or size + _cost(self._lines[0]) <= limit):
                taken.append(self._lines.popleft())
                size += _cost(taken[-1])
            self._size -= size
            if not self._lines and self._dropped:
                taken.append(self._marker())
            return taken

    def _add(self, ready: Line) -> None:
        cost = _cost(ready)
        if self._size + cost > BUFFER_LIMIT:
            self._dropped += 1
            return
        if self._dropped:
            self._append(self._marker())
        self._append(ready)

    def _append(self, ready: Line) -> None:
        self._lines.append(ready)
        self._size += _cost(ready)

    def _marker(self) -> Line:
        dropped, self._dropped = self._dropped, 0
        return line("log", f"… {dropped} lines dropped", now=time.time(), level="WARNING")


def _cost(ready: Line) -> int:
    return len(ready["text"]) + LINE_COST
