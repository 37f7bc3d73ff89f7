"""The run table: which attempts this pod has had and how each stands; never touches a disk, a clock or a handler."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Final

from warmworker.records import KEEP_FENCE, Fence, Record, RunState

RECENT_SECONDS: Final = 900.0
RECENT_RUNS: Final = 10_000
RECENT_WEIGHT: Final = 64 * 1024 * 1024
# One record weighs about 600 bytes: 200,000 of them are what a small pod can afford.
MOST_RECORDS: Final = 200_000


class Step(Enum):
    """What can happen to a run on this pod."""

    START = auto()
    SUCCEED = auto()
    FAIL = auto()
    CANCEL = auto()
    INTERRUPT = auto()


_S = RunState
# FENCED stands for "never here, and promised": a start out of it needs an attempt above the fence.
# SUCCEEDED has no way out: a run that succeeded here never starts here again, whatever its attempt number.
TRANSITIONS: Final[Mapping[tuple[RunState | None, Step], RunState]] = {
    (None, Step.START): _S.RUNNING,
    (_S.FENCED, Step.START): _S.RUNNING,
    (_S.RUNNING, Step.SUCCEED): _S.SUCCEEDED,
    (_S.RUNNING, Step.FAIL): _S.FAILED,
    (_S.RUNNING, Step.CANCEL): _S.CANCELLED,
    (_S.RUNNING, Step.INTERRUPT): _S.INTERRUPTED,
    (_S.FAILED, Step.START): _S.RUNNING,  # a later attempt
    (_S.CANCELLED, Step.START): _S.RUNNING,
    (_S.INTERRUPTED, Step.START): _S.RUNNING,
}


@dataclass(frozen=True, slots=True)
class Fresh:
    """This attempt may start as far as the table knows."""


@dataclass(frozen=True, slots=True)
class Known:
    """This attempt, or one that forbids it, is here."""

    record: Record


@dataclass(frozen=True, slots=True)
class Fenced:
    """This attempt was promised never to start here."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """The highest term of a leader heard of."""

    number: int


@dataclass(frozen=True, slots=True)
class Forget:
    """Run ids that need no remembering any more."""

    run_ids: tuple[str, ...]


Change = Record | Fence | Epoch | Forget


class IllegalStep(Exception):  # noqa: N818 - named like the table it guards
    """A run was told to do what its state does not allow: a defect of warmworker."""


class RunTable:
    """Every method that changes the table returns what must be written down for the change to survive a crash."""

    def __init__(self, *, records: Iterable[Record] = (), fences: Iterable[Fence] = (), epoch: int = 0) -> None:
        self.epoch = epoch
        self.forgotten_early = 0
        self._records: dict[str, Record] = {}
        self._fences: dict[str, Fence] = {}
        self._recent: deque[Record] = deque()
        self._recent_weight = 0
        self._expiring: dict[int, list[str]] = {}
        self._running: dict[str, Record] = {}
        for record in sorted(records, key=lambda each: each.finish_time or 0.0):
            self._keep(record)
        for fence in fences:
            self._fence(fence)

    def __len__(self) -> int:
        return len(self._records)

    def get(self, run_id: str) -> Record | None:
        """The latest attempt of the run that was here."""
        return self._records.get(run_id)

    def state(self, run_id: str) -> RunState | None:
        """Where the run stands; None when nothing at all is known of it."""
        if (record := self._records.get(run_id)) is not None:
            return record.state
        return _S.FENCED if run_id in self._fences else None

    def fence_of(self, run_id: str) -> Fence | None:
        """The promise made about the run, if any."""
        return self._fences.get(run_id)

    def running(self) -> Iterator[Record]:
        """The runs that have not ended."""
        return iter(tuple(self._running.values()))

    def recent(self, now: float) -> list[Record]:
        """Running ones, then those that ended in the last minutes, the latest first, within bounds."""
        ended = (each for each in reversed(self._recent) if (each.finish_time or 0.0) > now - RECENT_SECONDS)
        latest = (self._records[each.run_id] for each in ended if self._same(each))
        found = [*self._running.values(), *latest]
        return found[:RECENT_RUNS]

    def admit(self, run_id: str, attempt: int) -> Fresh | Known | Fenced:
        """Whether the table lets this attempt start."""
        record = self._records.get(run_id)
        if record is not None and (attempt <= record.attempt or (record.state, Step.START) not in TRANSITIONS):
            return Known(record)
        fence = self._fences.get(run_id)
        return Fenced() if fence is not None and fence.covers(attempt) else Fresh()

    def hear(self, epoch: int) -> list[Change]:
        """Remember a leader's term; requests of lower ones are refused from now on."""
        if epoch <= self.epoch:
            return []
        self.epoch = epoch
        return [Epoch(epoch)]

    def start(self, record: Record) -> list[Change]:
        """The attempt starts; its record must be durable before its handler is called."""
        if not isinstance(self.admit(record.run_id, record.attempt), Fresh):
            raise IllegalStep(f"{record.run_id} attempt {record.attempt} cannot start")
        self._step(record.run_id, Step.START)
        self._keep(record)
        return [record]

    def undo_start(self, record: Record, before: Record | None) -> None:
        """The start could not be written down, so no handler was called: it never happened."""
        self._running.pop(record.run_id, None)
        if before is None:
            self._records.pop(record.run_id, None)
        else:
            self._records[record.run_id] = before

    def finish(self, run_id: str, attempt: int, step: Step, **details: Any) -> list[Change]:
        """The running attempt ends; its state follows from the step, `details` are further fields of its record."""
        running = self._running.get(run_id)
        if running is None or running.attempt != attempt:
            raise IllegalStep(f"{run_id} attempt {attempt} is not running")
        ended = replace(running, state=self._step(run_id, step), **details)
        self._keep(ended)
        return [ended]

    def reported(self, run_id: str, attempt: int) -> list[Change]:
        """The operator knows how this attempt ended."""
        record = self._records.get(run_id)
        if record is None or record.attempt != attempt or record.state is _S.RUNNING or record.reported:
            return []
        self._records[run_id] = replace(record, reported=True)
        return [self._records[run_id]]

    def adopt(self, run_id: str, callback: Any) -> None:
        """A later leader asked for the attempt that runs: it is told by the way it named."""
        if (record := self._running.get(run_id)) is not None:
            self._records[run_id] = self._running[run_id] = replace(record, callback=callback)

    def fence(self, run_id: str, through: int | None, *, now: float) -> list[Change]:
        """Promise that no attempt up to `through` that is not here yet ever starts here; None: no attempt at all."""
        known = self._fences.get(run_id)
        if known is not None and (known.through is None or (through is not None and through <= known.through)):
            return []
        fence = Fence(run_id, through, now + KEEP_FENCE)
        self._fence(fence)
        return [fence]

    def interrupt_all(self, now: float, error: Mapping[str, str]) -> list[Change]:
        """The process died under these runs: what they had done by then, nobody knows."""
        changes: list[Change] = []
        for record in self.running():
            changes += self.finish(record.run_id, record.attempt, Step.INTERRUPT, finish_time=now, error=error)
        return changes

    def prune(self, now: float) -> list[Change]:
        """Forget what no caller can ask for any more, and what does not fit."""
        minutes = sorted(minute for minute in self._expiring if minute < now // 60)
        due = [run_id for minute in minutes for run_id in self._expiring.pop(minute)]
        gone = {run_id: None for run_id in due if self._expired(run_id, now)}
        if (surplus := len(self._records) - len(gone) - MOST_RECORDS) > 0:
            early = [each for each in self._records if each not in gone and self._may_go_early(each)][:surplus]
            self.forgotten_early += len(early)
            gone |= dict.fromkeys(early)
        for run_id in gone:
            self._records.pop(run_id, None)
            self._fences.pop(run_id, None)
        self._trim(now)
        return [Forget(tuple(gone))] if gone else []

    def _step(self, run_id: str, step: Step) -> RunState:
        state = self.state(run_id)
        if (state, step) not in TRANSITIONS:
            raise IllegalStep(f"{run_id} is {state}: {step.name} is not possible")
        return TRANSITIONS[state, step]

    def _keep(self, record: Record) -> None:
        before = self._records.get(record.run_id)
        self._records[record.run_id] = record
        if before is None or before.keep_until != record.keep_until:
            self._expiring.setdefault(int(record.keep_until // 60), []).append(record.run_id)
        if record.state is _S.RUNNING:
            self._running[record.run_id] = record
            return
        self._running.pop(record.run_id, None)
        self._recent.append(record)
        self._recent_weight += record.weight
        self._trim(record.finish_time or 0.0)

    def _fence(self, fence: Fence) -> None:
        self._fences[fence.run_id] = fence
        self._expiring.setdefault(int(fence.keep_until // 60), []).append(fence.run_id)

    def _expired(self, run_id: str, now: float) -> bool:
        record, fence = self._records.get(run_id), self._fences.get(run_id)
        running = record is not None and record.state is _S.RUNNING
        return not running and max(record.keep_until if record else 0, fence.keep_until if fence else 0) <= now

    def _may_go_early(self, run_id: str) -> bool:
        return run_id not in self._fences and self._records[run_id].state is not _S.RUNNING

    def _same(self, recent: Record) -> bool:
        current = self._records.get(recent.run_id)
        return current is not None and current.attempt == recent.attempt

    def _trim(self, now: float) -> None:
        """Old results make room: the run id stays known, only what it returned is let go."""
        while self._recent and (
            len(self._recent) > RECENT_RUNS
            or self._recent_weight > RECENT_WEIGHT
            or (self._recent[0].finish_time or 0.0) <= now - RECENT_SECONDS
        ):
            oldest = self._recent.popleft()
            self._recent_weight -= oldest.weight
            if oldest.weight and self._same(oldest):
                current = self._records[oldest.run_id]
                self._records[oldest.run_id] = replace(current, result=None, error=None, weight=0)
