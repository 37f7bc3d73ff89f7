"""Whom a pool chooses without looking at everybody is whom it would choose if it did."""

import hashlib
from random import Random

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from warmcron.core.pool import (
    PASSED_OVER_MAX,
    Address,
    NoWorker,
    Picked,
    Pool,
    Worker,
)
from warmcron.core.standing import FAILED_HERE, NOT_HEARD, UNKNOWN_HANDLER
from warmcron.core.tasks import NEVER, PoolKey
from warmcron.spec.task import RoutingPolicy

KEY = PoolKey("ns", "p")
uids = st.sampled_from([f"w{number}" for number in range(6)])
handler_sets = st.sampled_from([None, frozenset({"a"}), frozenset({"a", "b"}), frozenset[str]()])


class Plain:
    """The same choice by looking at every worker, every time."""

    def __init__(self) -> None:
        self.members: dict[str, Worker] = {}
        self.turns: dict[str, str] = {}

    def reasons(self, handler: str, now: float) -> dict[str, str]:
        return {worker.name: why for worker in self.members.values() if (why := self.why_not(worker, handler, now))}

    @staticmethod
    def why_not(worker: Worker, handler: str, now: float) -> str:
        if not worker.ready:
            return "not ready"
        if not worker.heard:
            return NOT_HEARD
        if worker.handlers is not None and handler not in worker.handlers:
            return UNKNOWN_HANDLER
        if worker.busy_until > now:
            return "busy"
        return f"full: {len(worker.runs)} runs" if len(worker.runs) >= worker.concurrency else ""

    def fresh(self, handler: str, avoid: frozenset[str], now: float) -> list[Worker]:
        free = [worker for worker in self.members.values() if not self.why_not(worker, handler, now)]
        return [worker for worker in free if worker.uid not in avoid] or free

    def first(self, workers: list[Worker], routing: RoutingPolicy, key: str) -> Worker:
        match routing:
            case RoutingPolicy.ROUND_ROBIN:
                before = self.turns.get(key, "")
                found = min(workers, key=lambda worker: (worker.uid <= before, worker.uid))
                self.turns[key] = found.uid
                return found
            case RoutingPolicy.CONSISTENT_HASH:
                return max(workers, key=lambda worker: hashlib.sha256(f"{key}\0{worker.uid}".encode()).digest())
        return min(workers, key=lambda worker: (len(worker.runs) / worker.concurrency, worker.last_picked))


class Choice(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.pool, self.plain = Pool(Random(1)), Plain()
        self.now, self.runs = 0.0, 0

    def worker(self, uid: str) -> Worker | None:
        return self.plain.members.get(uid)

    @rule(uid=uids, ready=st.booleans(), heard=st.booleans(), handlers=handler_sets, concurrency=st.integers(1, 3))
    def come(self, uid: str, ready: bool, heard: bool, handlers: frozenset[str] | None, concurrency: int) -> None:
        if uid not in self.plain.members:
            found = Worker(uid, uid, KEY, Address("10.0.0.1", 1), ready, handlers=handlers, concurrency=concurrency)
            found.heard = heard
            self.plain.members[uid] = found
            self.pool.put(found)

    @rule(uid=uids)
    def go(self, uid: str) -> None:
        assert self.pool.forget(uid) is self.plain.members.pop(uid, None)
        if not self.plain.members:
            self.plain.turns.clear()

    @rule(uid=uids, ready=st.booleans())
    def see(self, uid: str, ready: bool) -> None:
        if worker := self.worker(uid):
            worker.see(Worker(uid, uid, KEY, worker.address, ready))
            self.pool.update(worker)

    @rule(uid=uids, handlers=handler_sets, concurrency=st.integers(0, 3))
    def can(self, uid: str, handlers: frozenset[str] | None, concurrency: int) -> None:
        if worker := self.worker(uid):
            worker.handlers, worker.concurrency, worker.heard = handlers, concurrency, True
            self.pool.update(worker)

    @rule(uid=uids, start=st.sampled_from(["t1", "t2"]))
    def start_anew(self, uid: str, start: str) -> None:
        if worker := self.worker(uid):
            anew = worker.see(Worker(uid, uid, KEY, worker.address, worker.ready, started=start))
            assert not (anew and worker.heard)
            self.pool.update(worker)

    @rule(uid=uids, seconds=st.integers(1, 5))
    def refuse(self, uid: str, seconds: int) -> None:
        if worker := self.worker(uid):
            worker.busy_until = self.now + seconds
            self.pool.update(worker)

    @rule(uid=uids, data=st.data())
    def end(self, uid: str, data: st.DataObject) -> None:
        worker = self.worker(uid)
        if worker and worker.runs:
            self.pool.release(worker, data.draw(st.sampled_from(sorted(worker.runs))))

    @rule(seconds=st.integers(1, 3))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(
        routing=st.sampled_from([routing for routing in RoutingPolicy if routing is not RoutingPolicy.BROADCAST]),
        key=st.sampled_from(["k1", "k2"]),
        handler=st.sampled_from(["a", "b"]),
        avoid=st.frozensets(uids, max_size=3),
    )
    def pick(self, routing: RoutingPolicy, key: str, handler: str, avoid: frozenset[str]) -> None:
        reasons = self.plain.reasons(handler, self.now)
        fresh = self.plain.fresh(handler, avoid, self.now)
        expected = self.plain.first(fresh, routing, key) if fresh else None
        choice = self.pool.pick(KEY, routing=routing, routing_key=key, handler=handler, avoid=avoid, now=self.now)
        if expected is None:
            ready = {worker.name for worker in self.plain.members.values() if worker.ready}
            why = {reasons[name] for name in ready}
            reason = "NoReadyWorker" if not why else "WorkersBusy"
            if why and why <= {UNKNOWN_HANDLER, NOT_HEARD}:
                reason = "WorkersStarting" if NOT_HEARD in why else "HandlerUnknown"
            assert isinstance(choice, NoWorker)
            assert (choice.reason, dict(choice.filtered)) == (reason, reasons)
            return
        assert isinstance(choice, Picked)
        assert choice.worker is expected or (routing is RoutingPolicy.RANDOM and choice.worker in fresh)
        shunned = {uid for uid in avoid & set(self.plain.members) if uid not in reasons}
        if any(worker.uid not in avoid for worker in fresh):
            reasons |= dict.fromkeys(shunned, FAILED_HERE)
        assert dict(choice.filtered) == reasons
        self.runs += 1
        self.pool.take(choice.worker, f"run-{self.runs}")

    @rule(handler=st.sampled_from(["a", "b"]))
    def ask_everybody(self, handler: str) -> None:
        ready = {uid: worker for uid, worker in self.plain.members.items() if worker.ready}
        heard = all(worker.heard for worker in ready.values())
        able = {uid for uid, worker in ready.items() if heard and _has(worker, handler)}
        found = self.pool.everybody(KEY, handler=handler)
        assert ([] if isinstance(found, NoWorker) else [worker.uid for worker in found]) == sorted(able)

    @precondition(lambda self: self.plain.members)
    @invariant()
    def counts_and_pauses_are_true(self) -> None:
        workers = self.plain.members.values()
        assert self.pool.ready_count(KEY) == sum(worker.ready for worker in workers)
        resting = [
            worker.busy_until for worker in workers if worker.ready and worker.heard and worker.busy_until > self.now
        ]
        assert self.pool.next_rested(KEY, self.now) == min(resting, default=NEVER)


def _has(worker: Worker, handler: str) -> bool:
    return worker.handlers is None or handler in worker.handlers


TestChoice = Choice.TestCase


def test_what_is_said_of_those_passed_over_is_bounded() -> None:
    pool = Pool(Random(1))
    for number in range(200):
        full = Worker(f"u{number}", f"w{number}", KEY, Address("10.0.0.1", 1), ready=True, concurrency=0)
        full.heard = True
        pool.put(full)
    choice = pool.pick(KEY, routing=RoutingPolicy.LEAST_LOADED, routing_key="", handler="h", avoid=frozenset(), now=0.0)
    assert isinstance(choice, NoWorker)
    assert len(choice.filtered) == PASSED_OVER_MAX
