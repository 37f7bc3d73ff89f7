"""What is told of a task: failures after the last retry, recovery, missed ticks; and each not too often."""

from fakes.engine import World
from warmcron.core import runs
from warmcron.core.tasks import RunRecord, TaskRef, TaskSpec
from warmcron.history.nothing import Nothing
from warmcron.notify import news as news_of
from warmcron.notify.news import FAILED, MISSED, RECOVERED, Desk, Digest, News


class Told(Nothing):
    """Collects the news of a world."""

    def __init__(self) -> None:
        self.news: list[News] = []
        self.world = World(journal=self)
        self.desk = Desk(failures=self._failures, silence=60)

    def _failures(self, uid: str) -> int:
        task = self.world.engine.tasks.get(uid)
        return task.history.consecutive_failures if task else 0

    def ended(self, run: runs.Run, record: RunRecord, now: float) -> None:
        if news := self.desk.ended(run, record, now):
            self.news.append(news)

    def skipped(self, task: TaskRef, spec: TaskSpec | None, record: RunRecord, count: int, now: float) -> None:
        if news := self.desk.skipped(task, record, count, now):
            self.news.append(news)

    @property
    def kinds(self) -> list[str]:
        return [news.kind for news in self.news]


def test_a_failure_is_told_after_the_last_retry_and_not_before() -> None:
    told = Told()
    world = told.world
    world.worker()
    world.task(backoffLimit=1, backoff={"initialSeconds": 1, "multiplier": 1, "maxSeconds": 1})
    world.pass_time(10)
    world.fail(world.sent()[0])
    assert told.kinds == []
    world.pass_time(2)
    world.fail(world.sent()[1])

    (news,) = told.news
    assert (news.kind, news.subject, news.data["attempts"], news.data["consecutiveFailures"]) == (
        FAILED,
        "ns/task",
        2,
        1,
    )
    assert news.data["runId"] == world.sent()[0].run_id


def test_failures_in_a_row_are_told_once_in_the_silence_and_recovery_always() -> None:
    told = Told()
    world = told.world
    world.worker()
    world.task(backoffLimit=0)
    for ended in (world.fail, world.fail, world.succeed, world.succeed, world.fail):
        world.pass_time(10)
        ended(world.sent()[-1])
    assert told.kinds == [FAILED, RECOVERED, FAILED]
    assert told.news[1].data["failuresBefore"] == 2

    for _ in range(7):
        world.pass_time(10)
        world.fail(world.sent()[-1])
    assert told.kinds[3:] == [FAILED]  # a minute has passed


def test_missed_ticks_are_told_and_skipped_ones_are_not() -> None:
    told = Told()
    world = told.world
    world.worker()
    world.task(concurrencyPolicy="Forbid", missedRunPolicy="Skip", schedule="@every 10s")
    world.pass_time(20)  # the second tick finds the first run going on
    assert told.kinds == []
    world.succeed(world.sent()[0])
    world.gate.open = False
    world.pass_time(600, step=60)
    world.gate.open = True
    world.turn()

    assert told.kinds == [MISSED]
    assert told.news[0].data["count"] > 10


def test_a_run_that_waited_for_a_worker_until_it_was_too_late_is_missed() -> None:
    told = Told()
    told.world.task(startingDeadlineSeconds=5, schedule="@every 60s")
    told.world.pass_time(70)

    (news,) = told.news
    assert (news.kind, news.data["reason"], news.data["count"]) == (MISSED, "StartingDeadlineExceeded", 1)


def test_silence_is_kept_for_a_bounded_number_of_tasks_and_the_oldest_is_given_up_first() -> None:
    desk = Desk(failures=lambda _: 0, silence=60)
    for number in range(news_of.MOST_SILENT + 1):
        assert not desk._quiet(TaskRef(str(number), "ns", "t"), FAILED, float(number) / 1000)
    assert len(desk._until) == news_of.MOST_SILENT
    assert not desk._quiet(TaskRef("0", "ns", "t"), FAILED, 11.0)
    assert desk._quiet(TaskRef("5000", "ns", "t"), FAILED, 11.0)
    assert not desk._quiet(TaskRef("5000", "ns", "t"), FAILED, 66.0)


def news(number: int, kind: str = FAILED, time: float = 0.0) -> News:
    return News(f"run-{number}", kind, f"ns/task-{number}", time, {"task": f"task-{number}"})


def test_a_herd_of_failures_is_told_together() -> None:
    digest = Digest()
    told = [found for number in range(10_000) if (found := digest.put(news(number), 100.0 + number / 1000))]

    assert [found.id for found in told] == [f"run-{number}" for number in range(news_of.MOST_SINGLE)]
    assert digest.next() == 160.0
    assert digest.due(159.9) == []
    (summary,) = digest.due(160.0)
    assert (summary.kind, summary.subject, summary.data["count"]) == ("dev.warmcron.runs.failed", "", 9980)
    assert summary.data["tasks"][0] == "ns/task-20"
    assert len(summary.data["tasks"]) == news_of.MOST_NAMED
    assert digest.next() is None
    assert digest.put(news(1), 161.0) == news(1)  # the next one is told singly again


def test_what_a_herd_holds_back_is_told_by_kind_and_one_alone_as_it_is() -> None:
    digest = Digest()
    for number in range(news_of.MOST_SINGLE + 1):
        digest.put(news(number), 0.0)
    assert digest.put(news(77, RECOVERED), 1.0) == news(77, RECOVERED)  # of another kind
    assert digest.due(60.0) == [news(news_of.MOST_SINGLE)]


def test_few_failures_spread_over_time_are_never_held_back() -> None:
    digest = Digest()
    for number in range(100):
        assert digest.put(news(number), number * 4.0) == news(number)
