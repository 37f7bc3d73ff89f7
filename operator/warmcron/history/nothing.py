"""No history: nothing is kept, and whoever asks is told so."""

from typing import Any, NoReturn

from warmcron.core import runs
from warmcron.core.tasks import RunRecord, TaskRef, TaskSpec
from warmcron.errors import HistoryError
from warmcron.history.model import AttemptRow, LogRow, Page, RunRow, Told


class Nothing:
    """A journal that keeps nothing."""

    def changed(self, run: runs.Run) -> None:
        """A run has begun or has moved on."""

    def sent(self, run: runs.Run, filtered: tuple[tuple[str, str], ...], now: float) -> None:
        """An attempt goes to a worker."""

    def answered(self, run: runs.Run, attempt: int, pod_uid: str, event: runs.Event, now: float) -> None:
        """Something was heard of an attempt."""

    def ended(self, run: runs.Run, record: RunRecord, now: float) -> None:
        """A run is over."""

    def skipped(self, task: TaskRef, spec: TaskSpec | None, record: RunRecord, count: int, now: float) -> None:
        """Ticks were not started."""

    def recalled(self, task: TaskRef, spec: TaskSpec | None, record: RunRecord) -> None:
        """The leader before ended this run."""

    def follow(self) -> None:
        """Our term is over."""

    def lines(self, found: list[LogRow]) -> None:
        """Lines that a handler printed or logged."""

    def progress(self, run: runs.Run, fraction: float, text: str) -> None:
        """How far a handler says it is."""

    def finished(self, run: runs.Run, *, result: Any, error: dict[str, Any] | None) -> None:
        """What an attempt returned, or how it failed."""


class NothingKept:
    """A reader that has nothing to read."""

    async def runs(self, *_: Any, **__: Any) -> Page[RunRow]:
        """Runs."""
        _off()

    async def run(self, *_: Any, **__: Any) -> RunRow | None:
        """One run."""
        _off()

    async def first_from(self, *_: Any, **__: Any) -> RunRow | None:
        """The earliest run at or after a tick."""
        _off()

    async def attempts(self, *_: Any, **__: Any) -> tuple[AttemptRow, ...]:
        """The attempts of a run."""
        _off()

    async def logs(self, *_: Any, **__: Any) -> tuple[LogRow, ...]:
        """Log lines of a run."""
        _off()

    async def onward(self, *_: Any, **__: Any) -> Told:
        """The next lines of a run."""
        _off()

    async def recent(self, *_: Any, **__: Any) -> dict[str, tuple[RunRow, ...]]:
        """The last runs of tasks."""
        _off()

    async def counts(self, *_: Any, **__: Any) -> dict[str, int]:
        """How many runs are in each state."""
        _off()


def _off() -> NoReturn:
    raise HistoryError("no history is kept here: WARMCRON_HISTORY_URL is empty")
