"""The bounded buffer between the engine, which never waits, and the store, which may be slow, full or away.

It keeps what changed and not each change: a run that begins and ends between two writes is one row. What does not fit
is dropped and counted by kind; nothing in here blocks, raises or reads a database.
"""

import json
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from prometheus_client import Counter

from warmcron.core import runs
from warmcron.core.tasks import RunRecord, TaskRef, TaskSpec
from warmcron.history import rows
from warmcron.history.model import AttemptRow, LogRow, RunRow
from warmcron.history.rows import Attempt, Said
from warmcron.history.weights import Weights

# Runs and attempts that wait to be written; about 50 MB with their tasks' specs shared.
MOST_RUNS: Final = 50_000
MOST_ATTEMPTS: Final = 100_000
# Bytes of the log lines that wait, those of one run, and what a line costs beside its text. A run that writes
# without end fills its own share and nobody else's.
MOST_TEXT: Final = 32 * 1024 * 1024
RUN_TEXT: Final = 4 * 1024 * 1024
LINE_COST: Final = 200
# Bytes of the results and errors of runs that go on or wait to be written.
MOST_SAID: Final = 64 * 1024 * 1024
NOT_KEPT: Final = "not kept: too much waited to be written"
# A new leader repeats what the one before ended this recently: that may have died before it was written.
RECALLED_SECONDS: Final = 120.0


@dataclass(slots=True)
class Batch:
    """What is to be written next, in one transaction."""

    runs: dict[str, RunRow] = field(default_factory=dict)
    attempts: dict[tuple[str, int, str], AttemptRow] = field(default_factory=dict)
    lines: list[tuple[float, LogRow]] = field(default_factory=list)
    weights: dict[str, int] = field(default_factory=dict)  # bytes that workers said of a run, by its id
    # What its runs were made of: a batch that comes back is that again, as small as it was.
    notes: dict[str, rows.Note | RunRow] = field(default_factory=dict)

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
        self._text = Weights(MOST_TEXT, each=RUN_TEXT)
        self._weights = Weights(MOST_SAID)
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
        self._lighten(run.id)

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
        said, self._said = self._said, {}
        for run_id in said:
            self._lighten(run_id)

    # ---- the workers -----------------------------------------------------------------------------------------

    def lines(self, found: list[LogRow]) -> None:
        """Lines that a handler printed or logged."""
        now = self._now()
        for line in found:
            if self._text.add(line.run_id, _cost(line)):
                self._lines.append((now, line))
            else:
                self._dropped.labels("line").inc()
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
        size = _size(result) + 2 * _size(error)  # the attempt has the error as well
        if size and not self._weights.add(run.id, size):
            self._dropped.labels("result").inc()
            result = NOT_KEPT if result is not None else None
            error = {"message": NOT_KEPT} if error is not None else None
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
        for key in list(islice(self._runs, limit)):
            batch.notes[key] = note = self._runs.pop(key)
            batch.runs[key] = rows.run_row(note)
            if key not in self._said and (weight := self._weights.drop(key)):
                batch.weights[key] = weight
        for name in list(islice(self._attempts, limit)):
            batch.attempts[name] = rows.attempt_row(self._attempts.pop(name))
        while self._lines and len(batch.lines) < limit:
            batch.lines.append(self._lines.popleft())
        for _, line in batch.lines:
            self._text.drop(line.run_id, _cost(line))
        return batch

    def give_back(self, batch: Batch) -> None:
        """A batch that could not be written waits again; what has changed since then wins."""
        for key, note in batch.notes.items():
            if key not in self._runs:
                self._weights.add(key, batch.weights.get(key, 0))
                self._put_run(key, note)
                self._lighten(key)
        for name, attempt in batch.attempts.items():
            if name not in self._attempts:
                self._put_attempt(attempt)
        for entry in reversed(batch.lines):
            if self._text.add(entry[1].run_id, _cost(entry[1])):
                self._lines.appendleft(entry)
            else:
                self._dropped.labels("line").inc()

    def _put_run(self, run_id: str, note: rows.Note | RunRow) -> None:
        if run_id not in self._runs and len(self._runs) >= MOST_RUNS:
            # A run that goes on will be put again: what is lost is only lost with its end.
            if isinstance(note, RunRow) or note.finished is not None:
                self._dropped.labels("run").inc()
            return
        self._runs[run_id] = note
        self._wake()

    def _put_attempt(self, attempt: Attempt | AttemptRow) -> None:
        key = (attempt.run_id, attempt.attempt, attempt.pod_uid)
        if key not in self._attempts and len(self._attempts) >= MOST_ATTEMPTS:
            if attempt.ended is not None:  # as a run
                self._dropped.labels("attempt").inc()
            return
        self._attempts[key] = attempt

    def _lighten(self, run_id: str) -> None:
        """What was said of a run that is neither going on nor waiting is gone."""
        if run_id not in self._runs and run_id not in self._said:
            self._weights.drop(run_id)


def _cost(line: LogRow) -> int:
    return sys.getsizeof(line.text) + LINE_COST


def _size(said: Any) -> int:
    """About the bytes that something takes: those of its JSON."""
    return 0 if said is None else len(json.dumps(said))
