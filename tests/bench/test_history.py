"""The benchmark of the history finds what it asks for, and no question looks at every row. Being slow is no failure."""

import re
from typing import Any

import pytest

from benchmarks.past import Past
from benchmarks.questions import QUESTIONS
from benchmarks.scenarios.history import history

RUNS, TASKS = 20_000, 200
# Every row of a table, by none of its indexes.
EVERY_ROW = re.compile(r"^SCAN (runs|attempts|lines)$", re.MULTILINE)
# What finds nothing: that is what is asked.
EMPTY = (
    "without runs",
    "in no line",
    "of one line",
    "of an id",
    "in one line",
    "unknown",
    "Unknown",
    "long ago",
    "deep",
    "by hand, in",
)


def _empty(question: str) -> bool:
    return any(part in question for part in EMPTY)


@pytest.mark.timeout(900)
async def test_every_question_finds_its_runs_and_none_looks_at_every_row() -> None:
    found: dict[str, list[dict[str, Any]]] = {}
    async for name, row in history(runs=RUNS, tasks=TASKS, intake=1500, repeats=2, kinds=("sqlite",)):
        found.setdefault(name, []).append(row)

    assert [row["question"] for row in found["history"]] == list(QUESTIONS)
    assert [row["question"] for row in found["history"] if not row["sqlite_rows"] and not _empty(row["question"])] == []
    (plans,) = [row["plans"] for row in found["history_plans"]]
    assert {question for question, steps in plans.items() if any(EVERY_ROW.search(step) for step in steps)} == set()
    (taken,) = found["history_intake"]
    assert taken["records_per_second"] > 0


def test_a_past_is_the_same_each_time() -> None:
    past = Past(runs=1000, tasks=50)
    assert list(past.stories()) == list(past.stories())
    assert next(iter(past.stories(990, 1))) == list(past.stories())[990]
