"""What workers say besides how a run goes: log lines, progress, results and errors, cut to size. All hostile input.

The engine decides by none of it; it goes to the operator's log and to the history.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import structlog
from prometheus_client import Counter

from warmcron.core import runs, times
from warmcron.history.model import LogRow, line_seq

log = structlog.get_logger("warmcron.reports")

Json = dict[str, Any]

LINES: Final = 1000  # of one event: `line_seq` gives each a number
LINE_LIMIT: Final = 16 * 1024
TEXT_LIMIT: Final = 1024
TRACEBACK_LIMIT: Final = 32 * 1024
RESULT_LIMIT: Final = 64 * 1024
ERROR_PARTS: Final = (("type", TEXT_LIMIT), ("message", TEXT_LIMIT), ("traceback", TRACEBACK_LIMIT))
# Lines that all runs together get into the operator's log, where each costs as much as sending a run.
ECHOED_PER_SECOND: Final = 500
# What a time may be off: a worker's clock is not ours, and a line of the year 9999 would never be purged.
SKEW_SECONDS: Final = 3600.0


class Archive(Protocol):
    """Where reports are kept: the history's journal, or nobody."""

    def lines(self, found: list[LogRow]) -> None:
        """Lines that a handler printed or logged."""

    def progress(self, run: runs.Run, fraction: float, text: str) -> None:
        """How far a handler says it is."""

    def finished(self, run: runs.Run, *, result: Any, error: Json | None) -> None:
        """What an attempt returned, or how it failed."""


@dataclass(frozen=True, slots=True)
class Reports:
    """Reads reports and hands them on.

    Args:
        find: the run, or the shard of one, that an attempt is the present one of; None if there is none.
        shard: the number of the shard that the worker of an attempt has or had.
        echo: whether log lines go to the operator's log as well, up to `ECHOED_PER_SECOND`.
        silenced: counts the lines that did not.
    """

    archive: Archive
    find: Callable[[runs.Attempt], runs.Run | None]
    shard: Callable[[runs.Attempt], int]
    now: Callable[[], float]
    echo: bool = True
    silenced: Counter | None = None
    _second: list[int] = field(default_factory=lambda: [0, 0])  # the current one, and how many lines were in it

    def lines(self, about: runs.Attempt, event: int, found: object) -> None:
        """The lines of one event; `event` is the worker's number for it, 0 for those in an answer."""
        rows, shard = [], self.shard(about)  # also of a shard that is over: two workers' lines never get one number
        for index, line in enumerate(found[:LINES] if isinstance(found, list) else ()):
            if not isinstance(line, dict) or not isinstance(line.get("text"), str):
                continue
            row = LogRow(
                run_id=about.run_id,
                attempt=about.number,
                seq=line_seq(about.number, event, index, shard=shard),
                time=self._time(line.get("time")),
                stream=clean(line.get("stream"), 16),
                text=clean(line["text"], LINE_LIMIT),
                level=clean(line.get("level"), 16),
                pod_uid=about.pod_uid,
            )
            rows.append(row)
            if self.echo and self._may_echo():
                log.info("task output", run_id=about.run_id, stream=row.stream, text=row.text)
        if rows:
            self.archive.lines(rows)

    def progress(self, about: runs.Attempt, event: Json) -> None:
        """How far the handler says it is: `fraction` from 0 to 1, and a text."""
        run, fraction = self.find(about), event.get("fraction")
        if run and isinstance(fraction, int | float) and 0 <= fraction <= 1:
            self.archive.progress(run, float(fraction), clean(event.get("text"), TEXT_LIMIT))

    def finished(self, about: runs.Attempt, document: Json) -> None:
        """How an attempt ended: the `result` and `error` of a Finished event or of an answer."""
        if run := self.find(about):
            self.archive.finished(run, result=_result(document.get("result")), error=_error(document.get("error")))

    def _may_echo(self) -> bool:
        second = int(self.now())
        if self._second[0] != second:
            self._second[:] = [second, 0]
        self._second[1] += 1
        if self._second[1] <= ECHOED_PER_SECOND:
            return True
        if self.silenced is not None:
            self.silenced.inc()
        return False

    def _time(self, value: object) -> float:
        now = self.now()
        try:
            found = times.epoch(value) if isinstance(value, str) else now
        except ValueError:
            return now
        return found if abs(found - now) < SKEW_SECONDS else now


def clean(value: object, limit: int) -> str:
    """Text without what a terminal, a page or a database could take for more than text; tabs stay."""
    if not isinstance(value, str):
        return ""
    cut = value[:limit]
    return cut if cut.isprintable() else "".join(char if char.isprintable() or char == "\t" else " " for char in cut)


def _result(value: Any) -> Any:
    """A result as it came, or a note in its place: too large, or not what every reader of JSON can read."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False).encode(errors="replace")
    except ValueError:
        return "not kept: NaN and Infinity are no JSON"
    if len(text) > RESULT_LIMIT:
        return f"not kept: {len(text)} bytes of JSON, at most {RESULT_LIMIT}"
    return json.loads(text)


def _error(value: object) -> Json | None:
    if isinstance(value, str):
        value = {"message": value}
    if not isinstance(value, dict):
        return None
    return {part: _lines(value[part], limit) for part, limit in ERROR_PARTS if isinstance(value.get(part), str)} or None


def _lines(text: str, limit: int) -> str:
    """The end of a long traceback says more than its beginning."""
    cut = text if len(text) <= limit else "…\n" + text[-limit:]
    return "\n".join(clean(line, limit) for line in cut.split("\n"))
