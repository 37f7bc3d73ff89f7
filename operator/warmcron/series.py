"""Series of single tasks, for at most so many of them: when each is due, ran and succeeded. It reads no task itself."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

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


class TaskSeries:
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

    def parts(self, most: int) -> Iterator[Metric]:
        """All series, family by family, in parts of at most so many samples."""
        for make in (_next, _last, _success, _runs):
            rows = most // SAMPLES[make]
            for start in range(0, max(len(self._rows), 1), rows):
                yield make(self._rows[start : start + rows])


def _next(rows: Sequence[Row]) -> Metric:
    text = "When a task is due next; none while it is suspended"
    return _gauge("warmcron_next_schedule_time_seconds", text, ((row, row.next) for row in rows))


def _last(rows: Sequence[Row]) -> Metric:
    text = "The last tick of a task that was decided"
    return _gauge("warmcron_last_schedule_time_seconds", text, ((row, row.last) for row in rows))


def _success(rows: Sequence[Row]) -> Metric:
    text = "When a run of a task last succeeded"
    return _gauge("warmcron_last_success_time_seconds", text, ((row, row.success) for row in rows))


def _gauge(name: str, text: str, values: Iterable[tuple[Row, float | None]]) -> Metric:
    found = GaugeMetricFamily(name, text, labels=LABELS)
    for row, value in values:
        if value is not None:
            found.add_metric((row.namespace, row.name), value)
    return found


def _runs(rows: Sequence[Row]) -> Metric:
    text = "Runs of a task that ended, and its ticks that were skipped; goes on over a change of leader"
    found = CounterMetricFamily("warmcron_task_runs", text, labels=(*LABELS, "outcome"))
    for row in rows:
        found.add_metric((row.namespace, row.name, "Succeeded"), row.succeeded)
        found.add_metric((row.namespace, row.name, "Failed"), row.failed)
        found.add_metric((row.namespace, row.name, "Skipped"), row.skipped)
    return found


# Of each family, how many samples a task has.
SAMPLES: Final = {_next: 1, _last: 1, _success: 1, _runs: 3}
