"""Every filter, alone and with others, finds what looking at each run of a past finds, page after page."""

import sqlite3
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy.dialects import sqlite

from benchmarks import past
from benchmarks.past import END, EVERY, SOME, Past, Story
from unit.history.builders import NOW, attempt, batch, run
from unit.history.conftest import Kept
from warmcron.history import queries, words
from warmcron.history.history import ROWS
from warmcron.history.model import RunFilter

PAST = Past(runs=1500, tasks=120, days=3)
STORIES = list(PAST.stories())
POD = next(story.run.pod_name for story in STORIES if story.run.state == "Failed")
TEAMS = tuple(f"team-{number:02}" for number in range(20))

Wanted = Callable[[Story], bool]


async def _found(kept: Kept, wanted: RunFilter, limit: int) -> list[str]:
    found, cursor = [], ""
    for _ in range(len(STORIES)):
        page = await kept.reader.runs(wanted, limit=limit, cursor=cursor)
        found += [row.run_id for row in page.rows]
        cursor = page.cursor
        if not cursor:
            return found
    pytest.fail("it goes on for ever")


FILTERS: dict[str, tuple[RunFilter, Wanted]] = {
    "none": (RunFilter(), lambda _: True),
    "twenty namespaces": (RunFilter(namespaces=TEAMS), lambda story: story.run.namespace in TEAMS),
    "failed in twenty namespaces": (
        RunFilter(namespaces=TEAMS, states=("Failed",)),
        lambda story: story.run.namespace in TEAMS and story.run.state == "Failed",
    ),
    "two states in two namespaces": (
        RunFilter(namespaces=TEAMS[:2], states=("Failed", "Skipped")),
        lambda story: story.run.namespace in TEAMS[:2] and story.run.state in ("Failed", "Skipped"),
    ),
    "by hand in twenty namespaces": (
        RunFilter(namespaces=TEAMS, trigger="Manual"),
        lambda story: story.run.namespace in TEAMS and story.run.trigger == "Manual",
    ),
    "a range of time in twenty namespaces": (
        RunFilter(namespaces=TEAMS, since=END - 200_000, until=END - 100_000),
        lambda story: story.run.namespace in TEAMS and END - 200_000 <= story.run.scheduled < END - 100_000,
    ),
    "a pod": (
        RunFilter(pod=POD),
        lambda story: any(tried.pod_name == POD for tried in story.attempts),
    ),
    "failed on a pod": (
        RunFilter(pod=POD, states=("Failed",)),
        lambda story: story.run.state == "Failed" and any(tried.pod_name == POD for tried in story.attempts),
    ),
    "a text in every name of many, failed": (
        RunFilter(text="report", states=("Failed",)),
        lambda story: "report" in story.run.task and story.run.state == "Failed",
    ),
}


async def test_a_filter_finds_what_looking_at_each_run_finds(filled: Kept) -> None:
    for name, (wanted, fits) in FILTERS.items():
        expected = [story.run.run_id for story in reversed(STORIES) if fits(story)]

        assert expected, name
        for limit in (7, 50):
            assert await _found(filled, wanted, limit) == expected, (name, limit)


async def test_a_text_finds_what_reading_each_line_finds(filled: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """With parts so small that the newest lines, all lines, and where one ends and the other begins are met."""
    monkeypatch.setattr(words, "CANDIDATES", 100)
    monkeypatch.setattr(words, "NEWEST", 300)
    monkeypatch.setattr(words, "NEWEST_IN_POSTGRES", 300)
    for text, pod in product((EVERY, EVERY[:5], SOME, SOME[:4]), ("", POD)):
        said = {
            story.run.run_id
            for story in STORIES
            if text in f"{story.line.text} {(story.run.error or {}).get('message', '')}"
            and (not pod or any(tried.pod_name == pod for tried in story.attempts))
        }

        assert said, (text, pod)
        assert set(await _found(filled, RunFilter(text=text, pod=pod), 50)) == said, (text, pod)


async def test_attempts_on_one_pod_leave_no_run_behind_the_page(kept: Kept) -> None:
    """Where there is one worker every retry goes to it: five runs are fifteen attempts, and a page has two."""
    await kept.store.write(
        batch(
            *(run(number) for number in range(1, 6)),
            *(
                attempt(number, attempt=tried, pod_name="only", scheduled=NOW + number)
                for number in range(1, 6)
                for tried in range(1, 4)
            ),
        )
    )

    found = await _found(kept, RunFilter(pod="only"), 2)

    assert [int(run_id[-12:], 16) for run_id in found] == [5, 4, 3, 2, 1]


async def test_a_run_purged_while_a_page_is_read_ends_no_search(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [run(number) for number in range(1, 5)]
    await kept.store.write(batch(*runs))
    whole = queries.rows
    gone = runs[3].run_id
    monkeypatch.setattr(queries, "rows", lambda ids: whole(found for found in ids if found != gone))

    page = await kept.reader.runs(RunFilter(), limit=2)

    assert [row.run_id for row in page.rows] == [runs[2].run_id]
    assert await _found(kept, RunFilter(), 2) == [each.run_id for each in reversed(runs[:3])]


async def test_the_newest_lines_are_walked_and_not_sorted(tmp_path: Path) -> None:
    kept = Kept(f"sqlite:///{tmp_path}/history.db")
    await kept.database.open()
    await kept.database.close()
    (newest, _) = words.searches("begin", (0, words.NO_END), sqlite=True)
    asked = newest.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})

    with sqlite3.connect(tmp_path / "history.db") as connection:
        plan = [row[-1] for row in connection.execute(f"EXPLAIN QUERY PLAN {asked}")]
    connection.close()

    assert plan[0].endswith("(id>? AND id<?)")
    assert not any("TEMP B-TREE" in step or "CO-ROUTINE" in step for step in plan), plan


@pytest.fixture
async def filled(kept: Kept) -> Kept:
    for rows in past.batches(iter(STORIES), ROWS):
        await kept.store.write(rows)
    return kept
