"""What is told of a task: failures after the last retry, recovery, missed ticks; and each not too often."""

from fakes.engine import World
from warmcron.core import runs
from warmcron.core.tasks import RunRecord, TaskRef, TaskSpec
from warmcron.history.nothing import Nothing
from warmcron.notify.news import FAILED, MISSED, RECOVERED, Desk, News


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
