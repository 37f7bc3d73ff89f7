"""Leads runs that every ready worker gets: begins their shards, passes orders on, and ends them with the last one."""

from typing import Protocol

from warmcron.core import shards
from warmcron.core.events import CancelAsked, Event
from warmcron.core.pool import NoWorker, Pool, Worker
from warmcron.core.run import Attempt, Run, State
from warmcron.core.tasks import NEVER

Known = dict[int, tuple[Attempt, Event]]


class Parts(Protocol):
    """What leads a single shard: the runner, for which it is a run like any other."""

    runs: dict[str, Run]

    def begin(self, run: Run) -> None:
        """A shard begins."""

    def adopt(self, run: Run, event: Event | None) -> None:
        """A shard is taken over."""

    def feed(self, run: Run, event: Event) -> None:
        """Something happened to a shard."""


class Broadcasts:
    """The runs that have shards. Each shard is a run of its own in the runner, under the key of its number."""

    def __init__(self, parts: Parts, pool: Pool) -> None:
        self._parts, self._pool = parts, pool

    def begin(self, whole: Run, workers: list[Worker], now: float) -> None:
        """Every worker gets its shard. A crash here leaves some without: the next leader asks who has one."""
        for part in shards.split(whole, workers, now):
            self._parts.begin(part)

    def adopt(self, whole: Run, known: Known, *, total: int, done: int, now: float) -> None:
        """Takes a run over, with what each worker says of its shard."""
        spec = whole.spec
        found = {i: (w, about.number) for i, (about, _) in known.items() if (w := self._pool.get(about.pod_uid))}
        everybody = self._pool.everybody(spec.pool, handler=spec.handler)
        ready = [] if isinstance(everybody, NoWorker) else everybody
        for part in shards.take_over(whole, found, ready, total=total, done=done, now=now):
            if part.shard and part.shard.index in found:
                part.pod_name, part.pod_uid, part.started = part.shard.pod_name, part.shard.pod_uid, whole.started
                part.attempt_deadline = now + spec.attempt_deadline if spec.attempt_deadline else NEVER
                self._parts.adopt(part, known[part.shard.index][1])
            else:
                self._parts.begin(part)

    def feed(self, whole: Run, event: Event) -> None:
        """A run with shards only waits for them; told to stop, it tells them."""
        if isinstance(event, CancelAsked) and whole.parts is not None:
            whole.state, whole.reason = State.CANCELLING, event.reason
            for key in list(whole.parts.open.values()):
                self._parts.feed(self._parts.runs[key], event)

    def find(self, about: Attempt) -> Run | None:
        """The run, or the shard of it, that an attempt is the present one of; None if there is none."""
        run = self._parts.runs.get(about.run_id)
        if run is not None and run.parts is not None:
            run = self._parts.runs.get(run.parts.open.get(about.pod_uid, ""))
        return run if run and (run.attempt, run.pod_uid) == (about.number, about.pod_uid) else None

    def number(self, about: Attempt) -> int:
        """The number of the shard that a worker has or had, whichever attempt it speaks of; 0 in a run without shards.

        A worker whose shard was over before we led has the last number there can be: what it says late is told apart
        from what the shards say that are known.
        """
        run = self._parts.runs.get(about.run_id)
        return run.parts.numbers.get(about.pod_uid, shards.MOST - 1) if run and run.parts else 0
