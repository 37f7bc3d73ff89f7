"""Series of single tasks, for at most so many of them: when each is due, ran and succeeded. It reads no task itself."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from warmcron.core.tasks import Task

LABELS = ("namespace", "task")


class Row(NamedTuple):
    """What is told of one task. Times are UTC epoch seconds; None for what is not known or never was."""

    namespace: str
    name: str
    next: float | None
    last: float | None
    success: float | None
    succeeded: int
    failed: int
    skipped: int


def row(task: Task) -> Row:
    """A task as it is now."""
    history = task.history
    return Row(
        task.ref.namespace,
        task.ref.name,
        None if task.next_tick is None or task.idle else float(task.next_tick),
        float(history.last_tick) or None,
        history.last_success,
        history.succeeded,
        history.failed,
        history.skipped,
    )


class TaskSeries(Collector):
    """The families; what they show is what `show` was given last.

    Args:
        most: of how many tasks at most.
    """

    def __init__(self, *, most: int) -> None:
        self.most = most
        self._rows: tuple[Row, ...] = ()

    def show(self, rows: Iterable[Row]) -> None:
        """From now on these."""
        self._rows = tuple(rows)

    def describe(self) -> Iterator[Metric]:
        """Names and meanings, without a value."""
        yield from _families().values()

    def collect(self) -> Iterator[Metric]:
        """All series. May be called in another thread: rows are values."""
        rows, found = self._rows, _families()
        for name in ("next", "last", "success"):
            for each in rows:
                if (value := getattr(each, name)) is not None:
                    found[name].add_metric((each.namespace, each.name), value)
        for each in rows:
            for outcome, count in (
                ("Succeeded", each.succeeded),
                ("Failed", each.failed),
                ("Skipped", each.skipped),
            ):
                found["runs"].add_metric((each.namespace, each.name, outcome), count)
        yield from found.values()


def _families() -> dict[str, GaugeMetricFamily | CounterMetricFamily]:
    return {
        "next": GaugeMetricFamily(
            "warmcron_next_schedule_time_seconds", "When a task is due next; none while it is suspended", labels=LABELS
        ),
        "last": GaugeMetricFamily(
            "warmcron_last_schedule_time_seconds", "The last tick of a task that was decided", labels=LABELS
        ),
        "success": GaugeMetricFamily(
            "warmcron_last_success_time_seconds", "When a run of a task last succeeded", labels=LABELS
        ),
        "runs": CounterMetricFamily(
            "warmcron_task_runs",
            "Runs of a task that ended, and its ticks that were skipped; goes on over a change of leader",
            labels=(*LABELS, "outcome"),
        ),
    }
