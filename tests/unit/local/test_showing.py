"""What people read: sentences for log events, and the live view."""

from typing import Any

import pytest
from rich.console import Console

from warmcron.local import lines, view
from warmcron.local.view import Shown, TaskLine, WorkerLine

RUN = {"namespace": "default", "task": "nightly", "run_id": "r", "pod": "demo-1"}


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        ({"event": "run started", **RUN, "attempt": 1}, "nightly: started on demo-1"),
        ({"event": "run started", **RUN, "attempt": 2}, "nightly: started on demo-1, attempt 2"),
        (
            {
                "event": "run ended",
                **RUN,
                "outcome": "Succeeded",
                "reason": "",
                "attempts": 1,
                "duration_seconds": 0.25,
            },
            "nightly: Succeeded on demo-1 in 0.25 s",
        ),
        (
            {"event": "run ended", **RUN, "outcome": "Failed", "reason": "Boom", "attempts": 4, "duration_seconds": 9},
            "nightly: Failed on demo-1 in 9.00 s at attempt 4: Boom",
        ),
        # another namespace is said
        (
            {"event": "ticks skipped", "namespace": "team", "task": "a", "reason": "Missed", "count": 3},
            "team/a: 3 ticks skipped: Missed",
        ),
        ({"event": "task output", "run_id": "r", "text": "hi"}, "nightly | hi"),
        (
            {"event": "worker ended", "worker": "demo-1", "pid": 7, "reason": "killed by SIGKILL", "runs": 2},
            "worker demo-1 (process 7) killed by SIGKILL; 2 runs go elsewhere",
        ),
        # whatever we have no sentence for keeps its fields
        ({"event": "lease not read", "level": "warning", "error": "x"}, "lease not read error=x"),
    ],
)
def test_an_event_is_a_sentence(event: dict[str, Any], sentence: str) -> None:
    assert lines.sentence(event, name_of={"r": "nightly"}.__getitem__) == sentence


def test_the_view_shows_tasks_workers_faults_and_the_last_lines_within_its_height() -> None:
    task = TaskLine(
        name="nightly",
        schedule="0 3 * * *",
        next_in=7200.0,
        active=["demo-1 (2)"],
        last="Failed",
        last_reason="Boom",
        succeeded=3,
        failed=1,
        skipped=0,
    )
    shown = Shown(
        title="warmcron dev",
        tasks=[task],
        workers=[WorkerLine(name="demo-1", state="ready", runs=1)],
        faults=["f.yaml:3: spec.pool: missing"],
        lines=[("INFO", f"line {number}") for number in range(100)],
    )
    console = Console(width=100, height=24, record=True, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(view.draw(shown, height=24))
    text = captured.get()
    for part in (
        "nightly",
        "0 3 * * *",
        "in 2 h",
        "demo-1 (2)",
        "Failed Boom",
        "ready",
        "spec.pool: missing",
        "line 99",
    ):
        assert part in text
    assert len(text.splitlines()) <= 24
