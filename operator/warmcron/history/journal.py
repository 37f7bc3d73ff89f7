"""The bounded buffer between the engine, which never waits, and the store, which may be slow, full or away.

It keeps what changed and not each change: a run that begins and ends between two writes is one row. What does not fit
is dropped and counted by kind; nothing in here blocks, raises or reads a database.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from prometheus_client import Counter

from warmcron.core import runs
from warmcron.core.tasks import RunRecord, TaskRef, TaskSpec
from warmcron.history import rows
from warmcron.history.model import AttemptRow, LogRow, RunRow
from warmcron.history.rows import Attempt, Said

# Runs and attempts that wait to be written; about 50 MB with their tasks' specs shared.
MOST_RUNS: Final = 50_000
MOST_ATTEMPTS: Final = 100_000
# Text of the log lines that wait, in characters; and what a line costs beside its text.
MOST_TEXT: Final = 32 * 1024 * 1024
LINE_COST: Final = 200
# A new leader repeats what the one before ended this recently: that may have died before it was written.
RECALLED_SECONDS: Final = 120.0


@dataclass(slots=True)
class Batch:
    """What is to be written next, in one transaction."""

    runs: dict[str, RunRow] = field(default_factory=dict)
    attempts: dict[tuple[str, int, str], AttemptRow] = field(default_factory=dict)
    lines: list[tuple[float, LogRow]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.runs) + len(self.attempts) + len(self.lines)


class Journal:
    """The engine's journal and the place where workers' reports go.

    Args:
        epoch: the number of our term, for the attempts.
        now: wall time.
        dropped: counts by kind what did not fit.
        wake: something is there to be written.
    """

    def __init__(
        self, *, epoch: Callable[[], int], now: Callable[[], float], dropped: Counter, wake: Callable[[], None]
    ) -> None:
        self._epoch, self._now = epoch, now
        self._dropped, self._wake = dropped, wake
        self._runs: dict[str, rows.Note | RunRow] = {}
        self._attempts: dict[tuple[str, int, str], Attempt | AttemptRow] = {}
        self._lines: deque[tuple[float, LogRow]] = deque()
        self._text = 0
        self._open: dict[str, Attempt] = {}  # the attempt that is out, by run
        self._said: dict[str, Said] = {}  # what workers said of runs that go on

    def __len__(self) -> int:
        return len(self._runs) + len(self._attempts) + len(self._lines)

    # ---- the engine ------------------------------------------------------------------------------------------

    def changed(self, run: runs.Run) -> None:
        """A run has begun, was taken over or has moved on."""
        if run.shard is None:
            self._put_run(run.id, rows.Note(run, None, self._said.get(run.id)))

    def sent(self, run: runs.Run, filtered: tuple[tuple[str, str], ...], now: float) -> None:
        """An attempt goes to the worker that the run names."""
        attempt = Attempt(
            run.id,
            run.attempt,
            run.pod_uid,
            run.pod_name,
            self._epoch(),
            now,
            chosen_by=run.spec.routing.value,
            filtered=filtered,
            scheduled=run.scheduled,
        )
        self._open[run.key] = attempt
        self._put_attempt(attempt)

    def answered(self, run: runs.Run, attempt: int, pod_uid: str, event: runs.Event, now: float) -> None:
        """Something was heard of that attempt on that pod."""
        if not isinstance(event, rows.ANSWERS):
            return
        found = self._open.get(run.key)
        if found is None or (found.attempt, found.pod_uid) != (attempt, pod_uid):
            # Sent by the leader before: what it knew of the choice is in the store or lost with it.
            found = Attempt(
                run.id, attempt, pod_uid, run.pod_name, self._epoch(), run.started or now, scheduled=run.scheduled
            )
        found.hear(event, now)
        self._open[run.key] = found
        self._put_attempt(found)

    def ended(self, run: runs.Run, record: RunRecord, now: float) -> None:  # noqa: ARG002 - the port's signature
        """A run is over."""
        parts = run.parts.total if run.parts else 0  # each is an attempt of its run, under a key of its own
        for key in [f"{run.id}#{index}" for index in range(parts)] or [run.key]:
            attempt = self._open.pop(key, None)
            if attempt is not None and attempt.ended is None:
                attempt.ended, attempt.reason = now, attempt.reason or run.reason
                self._put_attempt(attempt)
        self._put_run(run.id, rows.Note(run, now, self._said.pop(run.id, None)))

    def skipped(self, task: TaskRef, spec: TaskSpec | None, record: RunRecord, count: int, now: float) -> None:
        """`count` ticks up to the record's were not started."""
        self._put_run(record.run_id, rows.of_record(task, spec, record, count=count, finished=now))

    def recalled(self, task: TaskRef, spec: TaskSpec | None, record: RunRecord) -> None:
        """The leader before ended this run; whether it lived to say so here is not known."""
        ended = (record.started or record.scheduled) + record.duration
        if ended > self._now() - RECALLED_SECONDS:
            self._put_run(record.run_id, rows.of_record(task, spec, record, count=1, finished=ended))

    def put(self, row: RunRow) -> None:
        """A run as somebody else has found it to be; what waits here already knows better."""
        if row.run_id not in self._runs:
            self._put_run(row.run_id, row)

    def follow(self) -> None:
        """Our term is over: what goes on is told by the next leader."""
        self._open.clear()
        self._said.clear()

    # ---- the workers -----------------------------------------------------------------------------------------

    def lines(self, found: list[LogRow]) -> None:
        """Lines that a handler printed or logged."""
        now = self._now()
        for line in found:
            cost = len(line.text) + LINE_COST
            if self._text + cost > MOST_TEXT:
                self._dropped.labels("line").inc()
                continue
            self._text += cost
            self._lines.append((now, line))
        self._wake()

    def progress(self, run: runs.Run, fraction: float, text: str) -> None:
        """How far a handler says it is."""
        if run.shard:  # many workers say it of themselves, and none of the whole
            return
        said = self._said.setdefault(run.id, Said())
        said.progress, said.progress_text = fraction, text
        self.changed(run)

    def finished(self, run: runs.Run, *, result: Any, error: dict[str, Any] | None) -> None:
        """What an attempt returned or how it failed; said before the engine hears that it has ended."""
        said = self._said.setdefault(run.id, Said())
        if run.shard:
            said.add(run.shard.pod_name, result)
            said.error = error or said.error
        else:
            said.result, said.error = result, error
        if attempt := self._open.get(run.key):
            attempt.error = error

    # ---- the writer ------------------------------------------------------------------------------------------

    def take(self, limit: int) -> Batch:
        """At most `limit` rows of each kind, the oldest first; they are the caller's until given back."""
        batch = Batch()
        for key in list(self._runs)[:limit] if len(self._runs) > limit else list(self._runs):
            batch.runs[key] = rows.run_row(self._runs.pop(key))
        for name in list(self._attempts)[:limit]:
            batch.attempts[name] = rows.attempt_row(self._attempts.pop(name))
        while self._lines and len(batch.lines) < limit:
            batch.lines.append(self._lines.popleft())
        self._text -= sum(len(line.text) + LINE_COST for _, line in batch.lines)
        return batch

    def give_back(self, batch: Batch) -> None:
        """A batch that could not be written waits again; what has changed since then wins."""
        for key, run in batch.runs.items():
            if key not in self._runs:
                self._put_run(key, run)
        for name, attempt in batch.attempts.items():
            if name not in self._attempts and not self._full(self._attempts, MOST_ATTEMPTS, "attempt"):
                self._attempts[name] = attempt
        for entry in reversed(batch.lines):
            cost = len(entry[1].text) + LINE_COST
            if self._text + cost > MOST_TEXT:
                self._dropped.labels("line").inc()
                continue
            self._text += cost
            self._lines.appendleft(entry)

    def _put_run(self, run_id: str, note: rows.Note | RunRow) -> None:
        if run_id not in self._runs and self._full(self._runs, MOST_RUNS, "run"):
            return
        self._runs[run_id] = note
        self._wake()

    def _put_attempt(self, attempt: Attempt) -> None:
        key = attempt.key
        if key not in self._attempts and self._full(self._attempts, MOST_ATTEMPTS, "attempt"):
            return
        self._attempts[key] = attempt

    def _full(self, waiting: dict[Any, Any], most: int, kind: str) -> bool:
        if len(waiting) < most:
            return False
        self._dropped.labels(kind).inc()
        return True
