"""Leads runs from beginning to end: picks, sends, waits, asks, repeats. What a run is for is not its concern.

`core.runs.advance` says what each event means; this carries it out and keeps the alarms and the lines before the pools.
"""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Final

from warmcron.core import causes, runs, shards, status
from warmcron.core.decide import Reason
from warmcron.core.pool import NoWorker, Picked, Pool, Worker
from warmcron.core.tasks import NEVER, PoolKey, RunRecord
from warmcron.engine.alarms import Alarms
from warmcron.engine.broadcasts import Broadcasts, Known
from warmcron.engine.choice import choose, look_again
from warmcron.engine.intents import IntentLine
from warmcron.engine.lines import Lines
from warmcron.engine.ports import Clock, Gate, IntentWriter, Journal, Observer, Recorder, Sender

# How soon a run is tried again that could not be sent because our term was in doubt.
SHUT_SECONDS: Final = 0.2


class Runner:
    """All runs that have not ended, by key.

    Args:
        catch_up: takes in what was heard of a run, by id, and waits.
        on_ended: a run is over; called after it has left the runner.
    """

    def __init__(  # noqa: PLR0913 - the ports it needs, each by name
        self,
        *,
        pool: Pool,
        clock: Clock,
        gate: Gate,
        sender: Sender,
        intents: IntentWriter,
        recorder: Recorder,
        observer: Observer,
        journal: Journal,
        random: Random,
        catch_up: Callable[[str], None],
        on_alarm: Callable[[], None],
        on_ended: Callable[[runs.Run, RunRecord], None],
    ) -> None:
        self.runs: dict[str, runs.Run] = {}
        self._pool, self._clock, self._gate = pool, clock, gate
        self._sender, self._intents = sender, intents
        self._recorder, self._observer = recorder, observer
        self._journal, self._random = journal, random
        self._catch_up, self._on_alarm, self._on_ended = catch_up, on_alarm, on_ended
        self.alarms = Alarms(self.runs)
        self.broadcasts = Broadcasts(self, pool)
        self._lines = Lines()
        self._intent_line = IntentLine()

    def begin(self, run: runs.Run) -> None:
        """A run begins: it is sent at once, or waits for a worker."""
        self.runs[run.key] = run
        self._note(run)
        self._send(run, self._clock.now())

    def adopt(self, run: runs.Run, event: runs.Event | None) -> None:
        """Takes over a run of the leader before, with what its worker says of it; None if it said nothing."""
        self.runs[run.key] = run
        self._note(run)
        if not run.pod_uid:  # it was waiting for a worker, or for its next attempt
            self._send(run, self._clock.now())
            return
        run.state = runs.State.DOUBTFUL
        worker = self._pool.get(run.pod_uid)
        if worker:
            self._pool.take(worker, run.key)
        if event:
            self.feed(run, event)
        else:
            run.wake = self._clock.now() + runs.ASK_SECONDS_MAX
            self._tell(run, worker, partial(self._sender.ask, fence=True))

    def adopt_shards(self, whole: runs.Run, known: Known, *, total: int, done: int) -> None:
        """Takes over a run that every worker got, with what each says of its shard."""
        now = self._clock.now()
        self.runs[whole.key] = whole
        self.broadcasts.adopt(whole, known, total=total, done=done, now=now)
        if self.runs.get(whole.key) is whole and (over := shards.over(whole)):
            self._end(whole, over, now)

    def drop(self, run: runs.Run) -> None:
        """Forgets a run that was never sent: somebody else has decided about its tick."""
        self.runs.pop(run.key, None)
        self._leave_lines(run)
        if worker := self._pool.get(run.pod_uid):
            self._pool.release(worker, run.key)

    def call_off(self, run: runs.Run, reason: str) -> None:
        """A run that never began is over: it waited for its turn when somebody ended it."""
        self._end(run, runs.End(runs.Outcome.CANCELLED, reason), self._clock.now())

    @property
    def held_up(self) -> bool:
        """Whether some run waits for what an answer may bring: a worker that has room, or its intent."""
        return bool(self._lines or self._intent_line)

    def waiting(self) -> dict[PoolKey, int]:
        """How many runs wait for a worker, by pool."""
        return self._lines.counts()

    def clear(self) -> None:
        """Our term is over: every run is the next leader's."""
        self.runs.clear()
        self.alarms.clear()
        self._lines.clear()
        self._intent_line.clear()
        for worker in self._pool.all():
            worker.runs.clear()
            self._pool.update(worker)

    def wake_due(self, now: float, limit: int) -> int:
        """Wakes at most `limit` runs whose time has come; returns how many."""
        woken = 0
        while woken < limit and (run := self.alarms.pop(now)):
            self._catch_up(run.id)
            if self.runs.get(run.key) is run and run.wake <= now:  # it may have ended in time
                self.feed(run, runs.Woke())
            woken += 1
        return woken

    def feed(self, run: runs.Run, event: runs.Event) -> None:
        """Takes an event into a run and does what follows from it."""
        now = self._clock.now()
        if run.parts is not None:
            self.broadcasts.feed(run, event)
            return
        pod, state, attempt = run.pod_uid, run.state, run.attempt
        worker = self._pool.get(pod) if pod else None
        if worker:
            event = causes.explain(event, worker, now)
        step = runs.advance(run, event, now=now, random=self._random)
        if worker:
            self._judge(worker, event, run, now)
        if run.state is not state:
            self._note(run)
        if pod and not isinstance(step, runs.Ignore):
            self._journal.answered(run, attempt, pod, event, now)
        self._do(run, step, worker, now)
        if isinstance(step, runs.Ignore):
            self._observer.ignored(event)
        if worker and run.pod_uid != pod:
            self.serve_line(worker.pool)
        if state is runs.State.INTENDED and run.state is not state:
            self._intent_line.leave(run)
            self._serve_intents(now)

    def _judge(self, worker: Worker, event: runs.Event, run: runs.Run, now: float) -> None:
        """What an event says of the worker that it came from."""
        if causes.blame(worker, event, now):
            self._pool.update(worker)
        if run.pod_uid != worker.uid:
            self._pool.release(worker, run.key)

    def look_at(self, key: str) -> None:
        """A worker's container has started anew: its runs are asked about at once."""
        if (run := self.runs.get(key)) and run.state in (runs.State.RUNNING, runs.State.DOUBTFUL):
            self._sleep(run, self._clock.now())

    def lost(self, worker: Worker, reason: str) -> None:
        """A worker's pod is gone, and with it what it ran."""
        for key in list(worker.runs):
            if run := self.runs.get(key):
                self.feed(run, runs.WorkerLost(reason))

    def serve_line(self, key: PoolKey) -> None:
        """Something changed for the better in a pool: the runs in its lines try again, the oldest first."""
        now = self._clock.now()
        for run in self._lines.heads(key):
            self._send(run, now)

    def _do(self, run: runs.Run, step: runs.Step, worker: Worker | None, now: float) -> None:
        match step:
            case runs.Send():
                self._send(run, now)
            case runs.Commit():
                self._sleep(run, run.wake)
                # A crash here leaves nothing behind: the tick is after the cursor and the next leader decides it.
                self._intents.commit(run)
            case runs.Deliver():
                self._deliver(run, worker, now)
            case runs.Wait():
                self._sleep(run, run.wake)
            case runs.Ask(fence):
                self._tell(run, worker, partial(self._sender.ask, fence=fence))
            case runs.Cancel():
                self._tell(run, worker, self._sender.cancel)
            case runs.End():
                self._end(run, step, now)

    def _send(self, run: runs.Run, now: float) -> None:
        """Picks a worker and sends; without one the run waits its turn in the pool's line."""
        if not self._gate.may_send():
            # Not ours to send any more, or not for the moment. The run stays as it is for whoever leads next.
            self._sleep(run, now + SHUT_SECONDS)
            return
        if run.too_late(now):
            self._end(run, runs.End(runs.Outcome.SKIPPED, Reason.STARTING_DEADLINE), now)
            return
        if run.once and self._intent_line.full():
            self._intent_line.wait(run)
            self._sleep(run, NEVER)
            return
        match choose(self._pool, run, now):  # 3. who runs it
            case NoWorker(reason):
                self._wait_for_worker(run, reason, now)
            case list(workers):
                self._lines.remove(run)
                self._observer.started(run, now - run.scheduled)
                self.broadcasts.begin(run, workers, now)
            case Picked(worker, passed_over):
                self._lines.remove(run)
                run.passed_over = passed_over
                self._pool.take(worker, run.key)
                if run.once:
                    self._intent_line.enter(run)
                    self.feed(run, runs.Chosen(worker.name, worker.uid))
                else:
                    self._deliver(run, worker, now)

    def _deliver(self, run: runs.Run, worker: Worker | None, now: float) -> None:
        if worker is None or worker.address is None:
            self.feed(run, runs.WorkerLost("PodGone"))
            return
        first = run.started is None
        self.feed(run, runs.Sent(worker.name, worker.uid))  # 4. remember before sending
        self._journal.sent(run, run.passed_over, now)
        if first and run.shard is None:
            self._observer.started(run, now - run.scheduled)
        # A crash here leaves a tick after the cursor, which the next leader sends; under AtMostOnce an intent, whose
        # worker the next leader fences first.
        self._sender.execute(run, worker)  # 5. tell the worker
        # A crash here leaves a run that only its worker knows of; the next leader asks it (`takeover`).

    def _serve_intents(self, now: float) -> None:
        while (run := self._intent_line.next()) is not None:
            if run.state is runs.State.PENDING and self.runs.get(run.key) is run:
                self._send(run, now)

    def _wait_for_worker(self, run: runs.Run, reason: str, now: float) -> None:
        if end := run.given_up(reason):
            self._end(run, end, now)
            return
        run.reason = reason
        self._note(run)
        self._lines.put(run)
        self._sleep(run, look_again(self._pool, run, now))

    def _tell(self, run: runs.Run, worker: Worker | None, tell: Callable[[runs.Run, Worker], None]) -> None:
        """Asks the run's worker, or tells it to stop; a worker that is gone has the run no more."""
        if worker is None or worker.address is None:
            self.feed(run, runs.WorkerLost("PodGone"))
            return
        self._sleep(run, run.wake)
        tell(run, worker)

    def _end(self, run: runs.Run, end: runs.End, now: float) -> None:
        """6. A run is over: whoever waited for its worker goes on, and its task hears of it."""
        run.state, run.outcome, run.reason = runs.State.ENDED, end.outcome, end.reason or run.reason
        self._leave_lines(run)
        self.runs.pop(run.key, None)
        worker = self._pool.get(run.pod_uid)
        if worker:
            self._pool.release(worker, run.key)
        whole = self.runs.get(run.id) if run.shard else None
        if run.shard is None:
            record = status.record(run, now)
            self._observer.ended(run, record)
            self._journal.ended(run, record, now)
            self._on_ended(run, record)
        elif whole is not None:
            self._recorder.note(run.task.uid, urgent=False)
            if over := shards.ended(whole, run):
                self._end(whole, over, now)
        if worker:
            self.serve_line(worker.pool)

    def _note(self, run: runs.Run) -> None:
        """Something about a run has changed that others show."""
        self._recorder.note(run.task.uid, urgent=False)
        if run.shard is None:
            self._journal.changed(run)

    def _leave_lines(self, run: runs.Run) -> None:
        self._lines.remove(run)
        self._intent_line.leave(run)

    def _sleep(self, run: runs.Run, until: float) -> None:
        self.alarms.set(run, min(until, run.deadline) if run.state is not runs.State.CANCELLING else until)
        self._on_alarm()
