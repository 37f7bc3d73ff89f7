"""What the terminal shows while the embedded mode runs: tasks, workers, and what happened last. It only draws."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

STYLES = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}
OUTCOMES = {"Succeeded": "green", "Failed": "red", "Unknown": "red", "Skipped": "yellow", "Cancelled": "yellow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLine:
    """One task as shown. `next_in` is in seconds; None when nothing is due."""

    name: str
    schedule: str
    next_in: float | None
    active: Sequence[str]
    last: str
    last_reason: str
    succeeded: int
    failed: int
    skipped: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLine:
    """One worker as shown."""

    name: str
    state: str
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Everything that is shown."""

    title: str
    tasks: Sequence[TaskLine]
    workers: Sequence[WorkerLine]
    faults: Sequence[str]
    lines: Iterable[tuple[str, str]]


def draw(shown: Shown, *, height: int) -> RenderableType:
    """The whole view, no higher than `height` lines if the tasks fit at all."""
    parts: list[RenderableType] = [_tasks(shown.tasks), _workers(shown.workers)]
    used = len(shown.tasks) + len(shown.workers) + len(shown.faults) + 10
    if shown.faults:
        parts.append(Text("\n".join(shown.faults), style="red"))
    rows = max(height - used, 4)
    texts = [(level, line) for level, text in shown.lines for line in text.splitlines()][-rows:]
    log = Text("\n").join(Text(line, style=STYLES.get(level, ""), overflow="ellipsis") for level, line in texts)
    log.no_wrap = True
    parts.append(Text())
    parts.append(log)
    return Panel(Group(*parts), title=shown.title, title_align="left", border_style="cyan", padding=(0, 1))


def _tasks(tasks: Sequence[TaskLine]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, expand=True)
    for heading in ("TASK", "SCHEDULE", "NEXT", "RUNNING"):
        table.add_column(heading, no_wrap=True)
    table.add_column("LAST", overflow="ellipsis", no_wrap=True, ratio=1)
    for heading in ("OK", "FAILED", "SKIPPED"):
        table.add_column(heading, justify="right", no_wrap=True)
    for task in tasks:
        last = Text(task.last, style=OUTCOMES.get(task.last, ""))
        if task.last_reason:
            last.append(f" {task.last_reason}", style="dim")
        table.add_row(
            task.name,
            task.schedule,
            task.note or _soon(task.next_in),
            ", ".join(task.active),
            last,
            str(task.succeeded),
            str(task.failed),
            str(task.skipped),
        )
    return table


def _workers(workers: Sequence[WorkerLine]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("WORKER", no_wrap=True)
    table.add_column("STATE", no_wrap=True)
    table.add_column("RUNS", justify="right")
    for worker in workers:
        style = "green" if worker.state == "ready" else "yellow"
        table.add_row(worker.name, Text(worker.state, style=style), str(worker.runs))
    return table


def _soon(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 100:  # noqa: PLR2004 - two digits read well
        return f"in {max(seconds, 0):.0f} s"
    if seconds < 100 * 60:
        return f"in {seconds / 60:.0f} min"
    return f"in {seconds / 3600:.0f} h"
