"""Every comment that names a crash has a test that crashes there, and here are those of the engine."""

import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from fakes.engine import START, World
from warmcron.core import runs
from warmcron.core.pool import Worker
from warmcron.core.tasks import PoolKey
from warmcron.notify.news import Desk
from warmcron.notify.webhook import Webhook
from warmcron.observe import Metrics
from warmcron.workers.protocol import Report

ROOT = Path(__file__).parents[2]
HERE = "tests/faults/test_windows.py"
KILLS = "tests/faults/test_kills.py"
WORKER = "tests/unit/worker/test_crashes.py"
AFTER_ONE = f"{WORKER}::test_after_a_crash_no_handler_is_called_a_second_time"
ENDS = f"{WORKER}::test_an_end_that_was_not_acknowledged_is_reported_by_the_next_life"
LEADER_KILLED = f"{KILLS}::test_a_run_is_begun_once_and_counted_once_whenever_its_leader_was_killed"

# Where the words are, and the test that crashes there. A word about a crash that is not in here fails a test.
WINDOWS = {
    ("observe.py", "loses up to a second of lines"): f"{HERE}::test_lines_that_were_held_back_are_all_that_is_lost",
    ("engine/broadcasts.py", "leaves some without"): f"{HERE}::test_a_crash_among_the_shards_of_a_broadcast",
    ("engine/terms.py", "leaves runs on workers that nobody here knows of"): f"{HERE}::test_a_crash_amid_a_takeover",
    ("engine/runner.py", "leaves nothing behind"): f"{HERE}::test_a_crash_before_an_intent_is_given_away",
    ("engine/runner.py", "leaves a tick after the cursor"): f"{HERE}::test_a_crash_before_the_request_leaves",
    ("engine/runner.py", "only its worker knows of"): f"{HERE}::test_a_crash_after_the_request_has_left",
    ("engine/backlog.py", "loses nothing that"): f"{HERE}::test_a_crash_while_answers_wait",
    ("kube/statuses.py", "loses nothing"): LEADER_KILLED,
    ("kube/recorder.py", "leaves an intent without a request"): LEADER_KILLED,
    ("kube/events.py", "loses one Event"): f"{HERE}::test_news_that_a_crash_took_are_in_the_status",
    ("notify/webhook.py", "loses what waits"): f"{HERE}::test_news_that_a_crash_took_are_in_the_status",
    ("local/objects.py", "leaves the status from before"): (
        "tests/local/test_dev.py::test_a_run_that_a_crash_interrupted_is_finished_by_the_next_start"
    ),
    ("local/dev.py", "are made for"): (
        "tests/local/test_dev.py::test_a_run_that_a_crash_interrupted_is_finished_by_the_next_start"
    ),
    ("local/folder.py", "leaves the state before or the state after"): (
        "tests/unit/local/test_folder.py::test_a_write_that_did_not_get_to_its_end_leaves_the_state_before"
    ),
    ("local/folder.py", "whoever comes after a crash"): (
        "tests/unit/local/test_folder.py::test_a_write_that_did_not_get_to_its_end_leaves_the_state_before"
    ),
    ("workers/signing.py", "leaves a draft that nobody reads"): (
        "tests/unit/workers/test_signing.py::test_a_draft_that_a_crash_has_left_is_read_by_nobody"
    ),
    ("worker.py", "A crash on this line repeats it"): (
        f"{WORKER}::test_a_worker_that_is_killed_while_it_settles_what_an_earlier_life_left_settles_it_again"
    ),
    ("worker.py", "outlives a crash"): f"{WORKER}::test_fences_and_the_highest_epoch_outlive_a_crash",
    ("worker.py", "repeats the last callback"): ENDS,
    ("live.py", "leaves nothing here"): AFTER_ONE,
    ("live.py", "leaves a run that is Running on disk"): AFTER_ONE,
    ("live.py", "turns an outcome that was told into Interrupted"): AFTER_ONE,
    ("runs.py", "survive a crash"): AFTER_ONE,
    ("journal.py", "leaves either all of a"): AFTER_ONE,
    ("journal.py", "survive a crash"): AFTER_ONE,
    ("journal.py", "loses the changes"): AFTER_ONE,
    ("journal.py", "leaves nothing of the batch or all of it"): AFTER_ONE,
}
# What is said of a handler's crash, which is no crash of ours.
OTHERS = (
    "it may crash",
    "what a crash took",
    "crash without taking",
    "a crash loses none",
    "is lost in a crash",
    "of a crashed process",
)
OTHER_FILES = ("demo.py", "nursery.py")
WORD = re.compile(r"\bcrash(es|ed)?\b", re.IGNORECASE)


def spoken() -> list[tuple[str, str]]:
    """Every comment and docstring line about a crash, with the two lines around it, by file."""
    found = []
    for package in (ROOT / "operator" / "warmcron", ROOT / "worker_image" / "warmworker"):
        for file in sorted(package.rglob("*.py")):
            lines = [line.strip().lstrip("# ") for line in file.read_text().splitlines()]
            for number, line in enumerate(lines):
                said = " ".join(lines[max(number - 1, 0) : number + 3])
                code = '"' in line and '"""' not in line
                if WORD.search(line) and not code and not any(other in said for other in OTHERS):
                    found.append((file.relative_to(package).as_posix(), said))
    return found


def test_every_word_about_a_crash_has_a_test_that_crashes_there() -> None:
    untested = [
        (file, said)
        for file, said in spoken()
        if file not in OTHER_FILES and not any(file == place and words in said for place, words in WINDOWS)
    ]
    assert untested == []


@pytest.mark.parametrize(("window", "test"), WINDOWS.items(), ids=[f"{file}: {words}" for file, words in WINDOWS])
def test_every_test_that_is_named_is_there_and_so_is_the_word(window: tuple[str, str], test: str) -> None:
    file, words = window
    assert any(place == file and words in said for place, said in spoken()), "the comment is gone, or says it otherwise"
    place, _, name = test.partition("::")
    assert f"def {name}(" in (ROOT / place).read_text()


# ---- the engine ------------------------------------------------------------------------------------------------------


class CrashError(BaseException):
    """The process is gone: nothing in it is heard of again."""


POOL = PoolKey("ns", "p")


class Dying(World):
    """A leader that dies at its sender or at its writer of intents, before or after what they do.

    Attributes:
        durable: the status that the API server has when it dies.
    """

    def __init__(self, moment: str, *, after: int = 0, pods: tuple[str, ...] = ("pod-a", "pod-b"), **spec: Any) -> None:
        super().__init__()
        self.moment, self.left = moment, after
        self.spec = {"created": START} | spec
        for pod in pods:
            self.worker(pod)
        self.uid = self.task(**self.spec)
        self.durable: dict[str, Any] = {}
        execute, commit = self.sender.execute, self.intents.commit

        def sends(run: runs.Run, worker: Worker) -> None:
            self._die("before the request leaves")
            execute(run, worker)
            self._die("after the request has left")

        def commits(run: runs.Run) -> None:
            self._die("before the intent is given away")
            self.durable = self.status(self.uid)  # the recorder's write arrives
            commit(run)

        self.sender.execute, self.intents.commit = sends, commits  # type: ignore[method-assign]
        with pytest.raises(CrashError):
            self.pass_time(10)

    def _die(self, moment: str) -> None:
        if moment == self.moment:
            self.left -= 1
            if self.left < 0:
                raise CrashError

    def reports(self, event: runs.Event) -> list[Report]:
        """What the workers say that got something."""
        return [
            Report(r.run_id, r.attempt, r.about.pod_uid, event, self.uid, r.scheduled, "Schedule", r.shard)
            for r in self.sent()
        ]

    def successor(self, event: runs.Event = runs.Accepted()) -> World:  # noqa: B008 - a frozen value
        after = World(leading=False, now=self.clock.now() + 1)
        for worker in self.engine.pool.all():
            after.worker(worker.name)
        after.task(written=self.durable, **self.spec)
        for key in after.engine.lead():
            after.engine.open_pool(key, self.reports(event))
        after.turn()
        return after


def test_a_crash_before_an_intent_is_given_away() -> None:
    before = Dying("before the intent is given away", deliveryPolicy="AtMostOnce")
    after = before.successor()
    assert before.sent() == []
    assert [request.scheduled - START for request in after.sent()] == [10]


@pytest.mark.parametrize("delivery", ["AtLeastOnce", "AtMostOnce"])
def test_a_crash_before_the_request_leaves(delivery: str) -> None:
    before = Dying("before the request leaves", deliveryPolicy=delivery)
    after = before.successor()
    if delivery == "AtMostOnce":
        assert after.sent() == []
        (fence,) = after.sent("fence")
        assert f"uid-{fence.pod}" == before.durable["active"][0]["podUID"]
        after.answer(fence, runs.Fenced())
    assert [request.scheduled - START for request in after.sent()] == [10]
    after.succeed(after.sent()[0])
    assert after.status(before.uid)["succeeded"] == 1


@pytest.mark.parametrize("delivery", ["AtLeastOnce", "AtMostOnce"])
def test_a_crash_after_the_request_has_left(delivery: str) -> None:
    before = Dying("after the request has left", deliveryPolicy=delivery)
    after = before.successor()
    assert after.sent() == []
    after.succeed(before.sent()[0])
    assert after.status(before.uid)["succeeded"] == 1
    assert after.status(before.uid)["lastScheduleTime"] is not None


def test_a_crash_while_answers_wait() -> None:
    before = Dying("after the request has left")
    before.engine.busy = True  # as while a herd is being sent
    before.succeed(before.sent()[0])
    assert before.observer.records == []
    after = before.successor(runs.Finished(runs.Outcome.SUCCEEDED))
    assert after.sent() == []
    assert after.status(before.uid)["succeeded"] == 1


def test_a_crash_among_the_shards_of_a_broadcast() -> None:
    pods = ("pod-a", "pod-b", "pod-c")
    before = Dying("after the request has left", after=1, pods=pods, routingPolicy="Broadcast")
    assert [request.pod for request in before.sent()] == ["pod-a", "pod-b"]
    after = before.successor()
    assert [request.pod for request in after.sent()] == ["pod-c"]
    for request in (*before.sent(), *after.sent()):
        after.succeed(request)
    assert after.status(before.uid)["succeeded"] == 1


def test_a_crash_amid_a_takeover() -> None:
    """The leader after it asks again, and finds the runs of both."""
    before = Dying("after the request has left")
    between = World(leading=False, now=before.clock.now() + 1)
    for pod in ("pod-a", "pod-b"):
        between.worker(pod)
    between.task(written=before.durable, **before.spec)
    between.engine.lead()
    between.engine.opening(POOL, before.reports(runs.Accepted()))  # and nobody takes a step of it
    after = before.successor()
    assert between.sent() == after.sent() == []
    after.succeed(before.sent()[0])
    assert after.status(before.uid)["succeeded"] == 1


async def test_lines_that_were_held_back_are_all_that_is_lost() -> None:
    w = World()
    metrics = Metrics(eager=False)
    w.engine.runner._observer = metrics
    w.worker("pod-a")
    uid = w.task()
    w.pass_time(10)
    w.succeed(w.sent()[0])
    assert len(metrics._lines) == 1
    assert w.status(uid)["recentRuns"][0]["outcome"] == "Succeeded"
    assert metrics.registry.get_sample_value("warmcron_runs_total", {"outcome": "Succeeded"}) == 1


async def test_news_that_a_crash_took_are_in_the_status() -> None:
    """The notification waits, as an Event does, and nobody is left to send it."""
    webhook = Webhook(
        url="http://127.0.0.1:9/",
        key=b"k" * 32,
        source="https://example.com/warmcron",
        desk=Desk(failures=lambda _: 0, silence=60),
        random=Random(1),
        registry=CollectorRegistry(),
    )
    before = World(journal=webhook)
    before.worker("pod-a")
    uid = before.task(backoffLimit=0, created=START)
    before.pass_time(10)
    before.fail(before.sent()[0])
    assert len(webhook._waiting) == 1
    after = World(leading=False, now=before.clock.now() + 1)
    after.task(written=before.status(uid), created=START)
    after.lead()
    assert after.status(uid)["recentRuns"][0]["outcome"] == "Failed"
    assert after.condition(uid, "LastRunSucceeded") == ("False", "Failed", "boom")
