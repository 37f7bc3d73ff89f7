"""Statuses on their way to an API server in memory: when they go, and what conflicts and silence mean."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest

from fakes.engine import FakeGate
from fakes.kube import FakeKube, until
from warmcron.core import runs, status
from warmcron.core.tasks import TaskRef
from warmcron.kube.recorder import Recorder
from warmcron.kube.statuses import Result, StatusWriter
from warmcron.observe import Metrics

PATH = "/apis/warmcron.dev/v1alpha1/namespaces/ns/scheduledtasks"
REF = TaskRef("uid", "ns", "task")


class FakeSource:
    """A task whose status the test sets, and which remembers what it was told to read again."""

    def __init__(self) -> None:
        self.statuses: dict[str, status.Json] = {"uid": {"succeeded": 1}}
        self.version = ""
        self.reread_with: list[tuple[status.Json, str]] = []

    def status_of(self, uid: str) -> tuple[TaskRef, status.Json] | None:
        found = self.statuses.get(uid)
        return None if found is None else (TaskRef(uid, "ns", "task" if uid == "uid" else uid), dict(found))

    def namespace_of(self, uid: str) -> str:
        return uid.partition("-")[0]

    def version_of(self, uid: str) -> str:
        return self.version

    def reread(self, uid: str, written: status.Json, version: str) -> None:
        self.reread_with.append((written, version))


class FakeInbox:
    def __init__(self) -> None:
        self.heard: list[tuple[runs.Attempt, runs.Event]] = []

    def on_event(self, about: runs.Attempt, event: runs.Event) -> None:
        self.heard.append((about, event))


class Bench:
    def __init__(self) -> None:
        self.kube, self.source, self.gate, self.inbox = FakeKube(), FakeSource(), FakeGate(), FakeInbox()
        self.herding = False
        client: Any = self.kube
        self.writer = StatusWriter(client=client, source=self.source, metrics=Metrics())
        self.recorder = Recorder(
            writer=self.writer,
            gate=self.gate,
            inbox=self.inbox,
            herd=lambda: self.herding,
            writers=2,
            interval=0.0,
            random=Random(1),
        )
        found = self.kube.put_object(f"{PATH}/task", {"metadata": {"name": "task", "uid": "uid"}, "spec": {}})
        self.source.version = found["metadata"]["resourceVersion"]

    @property
    def written(self) -> status.Json:
        return dict(self.kube.objects[f"{PATH}/task"].get("status") or {})

    def touched_by_another(self, **changes: Any) -> str:
        found = self.kube.put_object(f"{PATH}/task", {**self.kube.objects[f"{PATH}/task"], **changes})
        return str(found["metadata"]["resourceVersion"])

    def commit(self) -> runs.Attempt:
        """An AtMostOnce run on its way, in the status as the engine renders it."""
        about = runs.Attempt("run", 1, "pod")
        active = {"runId": "run", "attempt": 1, "podUID": "pod", "epoch": self.gate.epoch}
        self.source.statuses["uid"] = {"active": [active]}
        run: Any = type("Run", (), {"task": REF, "id": "run", "attempt": 1, "pod_uid": "pod"})
        self.recorder.commit(run)
        return about

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        yield
        await self.recorder.close()


@pytest.fixture
def bench() -> Bench:
    return Bench()


# ---- one write -----------------------------------------------------------------------------------------------------


async def test_a_status_is_written_after_the_version_that_was_read_and_then_after_its_own(bench: Bench) -> None:
    assert (await bench.writer.write("uid"))[0] is Result.DONE
    bench.source.statuses["uid"] = {"succeeded": 2}
    assert (await bench.writer.write("uid"))[0] is Result.DONE
    assert bench.written == {"succeeded": 2}
    assert [method for method, _ in bench.kube.calls] == ["PATCH", "PATCH"]


async def test_what_is_there_already_is_not_written_again(bench: Bench) -> None:
    await bench.writer.write("uid")
    assert (await bench.writer.write("uid"))[0] is Result.DONE
    assert len(bench.kube.calls) == 1


async def test_an_edit_of_the_user_between_two_writes_costs_a_read_and_nothing_else(bench: Bench) -> None:
    await bench.writer.write("uid")
    bench.touched_by_another(spec={"suspend": True})
    bench.source.statuses["uid"] = {"succeeded": 2}
    assert (await bench.writer.write("uid"))[0] is Result.DONE
    assert bench.written == {"succeeded": 2}
    assert bench.kube.objects[f"{PATH}/task"]["spec"] == {"suspend": True}
    assert bench.source.reread_with == []


async def test_a_status_of_another_leader_that_we_had_not_read_is_read_before_it_is_written_over(bench: Bench) -> None:
    version = bench.touched_by_another(status={"succeeded": 41})
    bench.source.statuses["uid"] = {"succeeded": 42}
    assert (await bench.writer.write("uid"))[0] is Result.DONE
    assert bench.source.reread_with == [({"succeeded": 41}, version)]


async def test_a_leader_of_the_past_overwrites_nothing_however_late_its_request_arrives(bench: Bench) -> None:
    await bench.writer.write("uid")
    late = bench.writer._body(REF, '{"succeeded":0}')
    bench.touched_by_another(status={"succeeded": 41})
    with pytest.raises(Exception, match="conflict"):
        await bench.kube.merge(f"{PATH}/task/status", late)
    assert bench.written == {"succeeded": 41}


async def test_an_object_made_anew_under_the_same_name_is_not_ours(bench: Bench) -> None:
    bench.kube.put_object(f"{PATH}/task", {"metadata": {"name": "task", "uid": "another"}, "spec": {}})
    assert (await bench.writer.write("uid"))[0] is Result.GONE
    assert bench.written == {}


async def test_a_deleted_object_is_nobodys(bench: Bench) -> None:
    bench.kube.objects.clear()
    assert (await bench.writer.write("uid"))[0] is Result.GONE


async def test_an_object_that_changes_all_the_time_is_left_for_later(bench: Bench) -> None:
    def meddle(method: str, _: str) -> None:
        if method == "PATCH":
            bench.touched_by_another()

    bench.kube.before = meddle
    assert (await bench.writer.write("uid"))[0] is Result.LATER


@pytest.mark.parametrize("fault", ["lost request", "lost answer", "429", "500"])
async def test_what_may_go_better_later_is_tried_again(bench: Bench, fault: str) -> None:
    bench.kube.faults = [fault]
    assert (await bench.writer.write("uid"))[0] is Result.LATER
    assert (await bench.writer.write("uid"))[0] is Result.DONE
    assert bench.written == {"succeeded": 1}


# ---- when ----------------------------------------------------------------------------------------------------------


async def test_a_write_that_failed_is_repeated_until_it_is_there(bench: Bench) -> None:
    bench.kube.faults = ["500", "lost answer"]
    async with bench.running():
        bench.recorder.note("uid", urgent=True)
        await until(lambda: len(bench.kube.calls) >= 3)
    assert bench.written == {"succeeded": 1}


async def test_what_happens_during_a_write_is_written_after_it(bench: Bench) -> None:
    def meanwhile(_: str, __: str) -> None:
        if bench.source.statuses["uid"] == {"succeeded": 1}:
            bench.source.statuses["uid"] = {"succeeded": 2}
            bench.recorder.note("uid", urgent=False)

    bench.kube.before = meanwhile
    async with bench.running():
        bench.recorder.note("uid", urgent=True)
        await until(lambda: bench.written == {"succeeded": 2})


async def test_while_it_is_not_ours_to_write_nothing_is_written(bench: Bench) -> None:
    bench.gate.open = False
    async with bench.running():
        bench.recorder.note("uid", urgent=True)
        bench.commit()
        await asyncio.sleep(0.1)
        assert bench.kube.calls == []
        bench.gate.open = True
        await until(lambda: bench.written != {})


async def test_what_waits_is_written_before_leadership_is_given_up(bench: Bench) -> None:
    async with bench.running():
        bench.recorder.note("uid", urgent=False)
        await bench.recorder.flush(5)
    assert bench.written == {"succeeded": 1}


async def test_after_the_term_nothing_is_left_to_write(bench: Bench) -> None:
    bench.recorder.note("uid", urgent=True)
    bench.commit()
    bench.recorder.clear()
    async with bench.running():
        await asyncio.sleep(0.1)
    assert bench.kube.calls == []


# ---- intents -------------------------------------------------------------------------------------------------------


async def test_an_intent_is_committed_when_the_status_holds_it(bench: Bench) -> None:
    async with bench.running():
        about = bench.commit()
        await until(lambda: bench.inbox.heard)
    assert bench.inbox.heard == [(about, runs.Committed())]
    assert bench.written["active"][0]["podUID"] == "pod"


async def test_an_intent_whose_answer_was_lost_is_read_back(bench: Bench) -> None:
    bench.kube.faults = ["lost answer"]
    async with bench.running():
        about = bench.commit()
        await until(lambda: bench.inbox.heard)
    assert bench.inbox.heard == [(about, runs.Committed())]


@pytest.mark.parametrize(
    "faults",
    [
        # it did not arrive, and reading shows that
        ["lost request"],
        ["500"],
        # it may have arrived, and nobody can say: that is not committed
        ["lost answer", "lost request"],
    ],
)
async def test_an_intent_that_is_not_certain_is_not_committed(bench: Bench, faults: list[str | None]) -> None:
    bench.kube.faults = faults
    async with bench.running():
        about = bench.commit()
        await until(lambda: bench.inbox.heard)
    assert bench.inbox.heard[0] == (about, runs.NotCommitted("StatusNotWritten"))


async def test_an_intent_of_an_earlier_term_is_not_taken_for_this_ones(bench: Bench) -> None:
    bench.touched_by_another(status={"active": [{"runId": "run", "attempt": 1, "podUID": "pod", "epoch": 0}]})
    bench.kube.faults = ["lost request"]
    async with bench.running():
        about = bench.commit()
        await until(lambda: bench.inbox.heard)
    assert bench.inbox.heard[0] == (about, runs.NotCommitted("StatusNotWritten"))


async def test_an_intent_does_not_wait_for_the_herd_and_others_do(bench: Bench) -> None:
    bench.herding = True
    bench.source.statuses["other"] = {"succeeded": 1}
    bench.kube.put_object(f"{PATH}/other", {"metadata": {"name": "other", "uid": "other"}, "spec": {}})
    async with bench.running():
        bench.recorder.note("other", urgent=True)
        bench.commit()
        await until(lambda: bench.inbox.heard)
        assert [path for _, path in bench.kube.calls] == [f"{PATH}/task/status"]


async def test_an_intent_that_comes_during_a_write_of_its_task_is_written_after_it(bench: Bench) -> None:
    asked: list[runs.Attempt] = []

    def meanwhile(_: str, __: str) -> None:
        if not asked:
            asked.append(bench.commit())

    bench.kube.before = meanwhile
    async with bench.running():
        bench.recorder.note("uid", urgent=True)
        await until(lambda: bench.inbox.heard)
    assert bench.inbox.heard == [(asked[0], runs.Committed())]


async def test_a_namespace_with_many_tasks_does_not_hold_up_another(bench: Bench) -> None:
    bench.herding = True  # so that all of it is due at once
    uids = [*(f"many-{number}" for number in range(50)), "few-1"]
    for uid in uids:
        bench.source.statuses[uid] = {"succeeded": 1}
        bench.kube.put_object(f"{PATH}/{uid}", {"metadata": {"name": uid, "uid": uid}, "spec": {}})
        bench.recorder.note(uid, urgent=True)
    bench.herding = False
    async with bench.running():
        await until(lambda: all("status" in bench.kube.objects[f"{PATH}/{uid}"] for uid in uids))
    asked = [path.split("/")[-2] for method, path in bench.kube.calls if method == "PATCH"]
    assert asked.index("few-1") < 3
