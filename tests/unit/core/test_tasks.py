"""The heap of what is due, against the simplest list that does the same."""

import uuid
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fakes.core import CREATED, REF, spec, task
from warmcron.core.table import Tasks
from warmcron.core.tasks import NEVER, PoolKey, Task, TaskRef, manual_run_id, tick_run_id

uids = st.sampled_from(["a", "b", "c", "d", "e"])
moments = st.integers(0, 20).map(float)


def named(uid: str) -> Task:
    found = task()
    found.ref = TaskRef(uid, "ns", uid)
    return found


class Heap(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.tasks = Tasks()
        self.due: dict[str, float] = {}

    @rule(uid=uids)
    def put(self, uid: str) -> None:
        self.tasks.forget(uid)
        self.tasks.put(named(uid))
        self.due[uid] = NEVER

    @rule(uid=uids)
    def forget(self, uid: str) -> None:
        assert (self.tasks.forget(uid) is not None) == (self.due.pop(uid, None) is not None)

    @rule(uid=uids, when=st.one_of(moments, st.just(NEVER)))
    def schedule(self, uid: str, when: float) -> None:
        found = self.tasks.get(uid)
        if found:
            self.tasks.schedule(found, next_tick=None, due=when)
            self.due[uid] = when

    @rule(now=moments, limit=st.integers(1, 5))
    def pop(self, now: float, limit: int) -> None:
        popped = self.tasks.pop_due(now, limit)
        expected = sorted(when for when in self.due.values() if when <= now)[:limit]
        assert [self.due[each.ref.uid] for each in popped] == expected
        assert len({each.ref.uid for each in popped}) == len(popped)
        for each in popped:
            self.due[each.ref.uid] = NEVER

    @invariant()
    def the_next_is_the_earliest(self) -> None:
        assert self.tasks.next_due() == min(self.due.values(), default=NEVER)
        assert len(self.tasks) == len(self.due)


TestHeap = Heap.TestCase


def test_a_task_is_found_in_the_pool_that_its_spec_names_and_in_no_other() -> None:
    tasks, found = Tasks(), task()
    tasks.put(found)
    other = PoolKey("ns", "other")
    tasks.replace_spec(found, replace(spec(), pool=other))
    assert tasks.of_pool(PoolKey("ns", "p")) == []
    assert tasks.of_pool(other) == [found]
    tasks.replace_spec(found, None)
    assert tasks.of_pool(other) == []


def test_a_run_id_follows_from_task_and_tick_alone() -> None:
    assert tick_run_id(REF.uid, CREATED) == tick_run_id(REF.uid, CREATED)
    assert len({tick_run_id(REF.uid, CREATED), tick_run_id(REF.uid, CREATED + 1), manual_run_id(REF.uid, "1")}) == 3


@given(st.uuids(), st.integers(0, 2**40), st.text(st.characters(codec="utf-8")))
def test_run_ids_are_version_5_uuids_of_the_task_and_what_was_due(uid: uuid.UUID, tick: int, value: str) -> None:
    assert tick_run_id(str(uid), tick) == str(uuid.uuid5(uid, str(tick)))
    assert manual_run_id(str(uid), value) == str(uuid.uuid5(uid, f"manual:{value}"))
