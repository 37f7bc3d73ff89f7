"""Tells several listeners what one is told: the journal, and whoever else wants to know. Each is told in turn."""

from collections.abc import Sequence
from typing import Any, Protocol

from warmcron.core import runs
from warmcron.core.tasks import RunRecord, TaskRef, TaskSpec
from warmcron.engine.ports import Journal
from warmcron.history.model import LogRow
from warmcron.workers.reports import Archive


class Listener(Journal, Archive, Protocol):
    """What keeps the past: told by the engine and by the workers."""

    def follow(self) -> None:
        """Our term is over: the next leader tells what goes on."""


class Several:
    """All of them as one."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = tuple(listeners)

    def changed(self, run: runs.Run) -> None:
        """A run has begun or has moved on."""
        for each in self._listeners:
            each.changed(run)

    def sent(self, run: runs.Run, filtered: tuple[tuple[str, str], ...], now: float) -> None:
        """An attempt goes to a worker."""
        for each in self._listeners:
            each.sent(run, filtered, now)

    def answered(self, run: runs.Run, attempt: int, pod_uid: str, event: runs.Event, now: float) -> None:
        """Something was heard of an attempt."""
        for each in self._listeners:
            each.answered(run, attempt, pod_uid, event, now)

    def ended(self, run: runs.Run, record: RunRecord, now: float) -> None:
        """A run is over."""
        for each in self._listeners:
            each.ended(run, record, now)

    def skipped(self, task: TaskRef, spec: TaskSpec | None, record: RunRecord, count: int, now: float) -> None:
        """Ticks were not started."""
        for each in self._listeners:
            each.skipped(task, spec, record, count, now)

    def recalled(self, task: TaskRef, spec: TaskSpec | None, record: RunRecord) -> None:
        """The leader before ended this run."""
        for each in self._listeners:
            each.recalled(task, spec, record)

    def follow(self) -> None:
        """Our term is over."""
        for each in self._listeners:
            each.follow()

    def lines(self, found: list[LogRow]) -> None:
        """Lines that a handler printed or logged."""
        for each in self._listeners:
            each.lines(found)

    def progress(self, run: runs.Run, fraction: float, text: str) -> None:
        """How far a handler says it is."""
        for each in self._listeners:
            each.progress(run, fraction, text)

    def finished(self, run: runs.Run, *, result: Any, error: dict[str, Any] | None) -> None:
        """What an attempt returned, or how it failed."""
        for each in self._listeners:
            each.finished(run, result=result, error=error)
