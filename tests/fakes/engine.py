"""An engine with a clock that only moves when told, and workers that answer what the test says."""

import json
import uuid
from dataclasses import dataclass, field
from random import Random
from typing import Any

from warmcron.core import runs, status, times
from warmcron.core.pool import Address, Worker
from warmcron.core.tasks import NEVER, PoolKey, Problem, RunRecord, Task, TaskRef, Trigger
from warmcron.engine import Engine
from warmcron.engine.ports import Inbox, Journal
from warmcron.history.nothing import Nothing
from warmcron.kube import translate
from warmcron.workers.protocol import Abilities

START = times.epoch("2026-11-24T12:00:00Z")


class FakeClock:
    def __init__(self, now: float = START) -> None:
        self.time = now

    def now(self) -> float:
        return self.time


class FakeGate:
    def __init__(self) -> None:
        self.open = True
        self.epoch = 1

    def may_send(self) -> bool:
        return self.open


@dataclass
class Request:
    kind: str  # execute, ask, fence, cancel
    run_id: str
    attempt: int
    pod: str
    scheduled: int
    payload: bytes | None
    at: float
    shard: tuple[int, int] | None = None

    @property
    def about(self) -> runs.Attempt:
        return runs.Attempt(self.run_id, self.attempt, f"uid-{self.pod}")


class FakeSender:
    """Remembers requests; answers are the test's to give."""

    def __init__(self, clock: FakeClock) -> None:
        self.requests: list[Request] = []
        self._clock = clock

    def execute(self, run: runs.Run, worker: Worker) -> None:
        self._add("execute", run, worker)

    def ask(self, run: runs.Run, worker: Worker, *, fence: bool) -> None:
        self._add("fence" if fence else "ask", run, worker)

    def cancel(self, run: runs.Run, worker: Worker) -> None:
        self._add("cancel", run, worker)

    def _add(self, kind: str, run: runs.Run, worker: Worker) -> None:
        at = self._clock.now()
        shard = (run.shard.index, run.shard.total) if run.shard else None
        self.requests.append(Request(kind, run.id, run.attempt, worker.name, run.scheduled, run.payload, at, shard))


class FakeIntents:
    """Commits at once, or keeps what is asked until the test says how it went."""

    def __init__(self) -> None:
        self.inbox: Inbox | None = None
        self.at_once = True
        self.asked: list[runs.Attempt] = []

    def commit(self, run: runs.Run) -> None:
        about = runs.Attempt(run.id, run.attempt, run.pod_uid)
        self.asked.append(about)
        if self.at_once:
            self.answer(about, runs.Committed())

    def answer(self, about: runs.Attempt, event: runs.Event) -> None:
        assert self.inbox is not None
        self.inbox.on_event(about, event)


class FakeRecorder:
    def __init__(self) -> None:
        self.noted: list[tuple[str, bool]] = []

    def note(self, uid: str, *, urgent: bool) -> None:
        self.noted.append((uid, urgent))


@dataclass
class FakeObserver:
    starts: list[tuple[str, float]] = field(default_factory=list)
    records: list[RunRecord] = field(default_factory=list)
    skips: list[tuple[str, int]] = field(default_factory=list)
    ignored_events: list[runs.Event] = field(default_factory=list)
    forgiving: bool = False
    broken: list[str] = field(default_factory=list)

    def started(self, run: runs.Run, delay: float) -> None:
        self.starts.append((run.id, delay))

    def ended(self, run: runs.Run, record: RunRecord) -> None:
        self.records.append(record)

    def skipped(self, task: Task, reason: str, count: int) -> None:
        self.skips.append((reason, count))

    def ignored(self, event: runs.Event) -> None:
        self.ignored_events.append(event)

    def broke(self, task: TaskRef, error: Exception) -> None:
        """A fault of ours fails the test, unless it is about faults of ours."""
        if not self.forgiving:
            raise error
        self.broken.append(task.name)


class World:
    """An engine and all it is connected to.

    Tasks are given as the YAML of their spec would be, and go through the same translation as the real ones.
    """

    def __init__(self, *, leading: bool = True, now: float = START, journal: Journal | None = None) -> None:
        self.clock = FakeClock(now)
        self.gate = FakeGate()
        self.sender = FakeSender(self.clock)
        self.intents = FakeIntents()
        self.recorder = FakeRecorder()
        self.observer = FakeObserver()
        self.journal = Nothing() if journal is None else journal
        self.engine = Engine(
            clock=self.clock,
            gate=self.gate,
            sender=self.sender,
            intents=self.intents,
            recorder=self.recorder,
            observer=self.observer,
            journal=self.journal,
            random=Random(7),
        )
        self.intents.inbox = self.engine
        if leading:
            self.lead()

    def lead(self) -> None:
        for key in self.engine.lead():
            self.engine.open_pool(key, [])

    # ---- what exists -----------------------------------------------------------------------------------------

    def task(
        self,
        name: str = "task",
        *,
        generation: int = 1,
        uid: str | None = None,
        created: float | None = None,
        written: dict[str, Any] | None = None,
        annotations: dict[str, str] | None = None,
        version: str = "",
        **spec: Any,
    ) -> str:
        uid = uid or str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
        raw = {
            "metadata": {
                "uid": uid,
                "namespace": "ns",
                "name": name,
                "generation": generation,
                "creationTimestamp": times.text(self.clock.now() if created is None else created),
                "annotations": annotations or {},
            },
            "spec": {"schedule": "@every 10s", "pool": "p", "handler": "h", **spec},
        }
        found = translate.task_spec(raw)
        self.engine.apply_task(
            TaskRef(uid, "ns", name),
            generation=generation,
            created=translate.created(raw),
            spec=None if isinstance(found, Problem) else found,
            problem=found if isinstance(found, Problem) else None,
            trigger=self._trigger(raw),
            cancel=translate.cancel(raw),
            written=written or {},
            version=version,
        )
        return uid

    def _trigger(self, raw: dict[str, Any]) -> Trigger | None:
        return translate.trigger(raw)

    def worker(
        self,
        name: str = "pod-a",
        *,
        ready: bool = True,
        pool: str = "p",
        concurrency: int = 10,
        started: str = "t0",
        ended: str = "",
        gone_after: float = NEVER,
        handlers: frozenset[str] | None = frozenset({"h"}),
        heard: bool = True,
    ) -> Worker:
        address = Address("10.0.0.1", 8080)
        worker = Worker(f"uid-{name}", name, PoolKey("ns", pool), address, ready, started)
        worker.ended, worker.gone_after = ended, gone_after
        known = self.engine.pool.get(worker.uid)
        if known is None:
            worker.heard = heard
            if heard:
                worker.handlers, worker.concurrency = handlers, concurrency
        if self.engine.apply_worker(worker) and known is not None and heard:
            self.engine.set_abilities(worker.uid, Abilities(known.handlers, known.concurrency))
        found = self.engine.pool.get(worker.uid)
        assert found is not None
        return found

    # ---- what happens ----------------------------------------------------------------------------------------

    def pass_time(self, seconds: float, *, step: float = 0.5) -> None:
        """Lets time pass in small steps, with a turn of the loop after each."""
        end = self.clock.time + seconds
        while self.clock.time < end - 1e-9:
            self.clock.time = min(self.clock.time + step, end)
            self.turn()

    def turn(self) -> None:
        if self.gate.open:
            while self.engine.tick():
                pass

    def sent(self, kind: str = "execute") -> list[Request]:
        return [request for request in self.sender.requests if request.kind == kind]

    def answer(self, request: Request, event: runs.Event) -> None:
        self.engine.on_event(request.about, event)

    def succeed(self, request: Request) -> None:
        self.answer(request, runs.Finished(runs.Outcome.SUCCEEDED))

    def fail(self, request: Request, reason: str = "boom") -> None:
        self.answer(request, runs.Finished(runs.Outcome.FAILED, reason))

    # ---- what is seen ----------------------------------------------------------------------------------------

    def status(self, uid: str) -> dict[str, Any]:
        found = self.engine.status_of(uid)
        assert found is not None
        rendered: dict[str, Any] = json.loads(json.dumps(found[1]))
        return rendered

    def condition(self, uid: str, kind: str) -> tuple[str, str, str]:
        (found,) = [c for c in self.status(uid)["conditions"] if c["type"] == kind]
        return found["status"], found["reason"], found["message"]


__all__ = ["START", "World", "status"]
