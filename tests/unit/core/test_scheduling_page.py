"""The tables of docs/scheduling.md are what the code does."""

import re
from datetime import datetime
from pathlib import Path

import pytest

from warmcron.core import schedule, times
from warmcron.spec.task import DaylightSavingPolicy

PAGE = Path(__file__).parents[3] / "docs" / "scheduling.md"


def rows(title: str) -> list[list[str]]:
    """The cells of the table that follows a marker, without its head."""
    after = PAGE.read_text("utf-8").split(f"<!-- executed: {title} -->\n", 1)[1]
    lines = after.split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in lines]


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def parse(text: str, zone: str, policy: DaylightSavingPolicy) -> schedule.Schedule:
    return schedule.parse(text, zone=zone, policy=policy, anchor=0, hash_key="ns/name")


@pytest.mark.parametrize("row", rows("after (UTC), zone UTC"), ids=lambda row: row[0])
def test_the_next_tick_is_as_the_page_says(row: list[str]) -> None:
    text, after, expected = row
    assert times.text(parse(text, "UTC", DaylightSavingPolicy.RUN_ONCE).next_after(instant(after))) == expected


@pytest.mark.parametrize("row", rows("clock changes"), ids=lambda row: row[0])
def test_clock_changes_are_as_the_page_says(row: list[str]) -> None:
    _, zone, text, start, end, *expected = row
    for policy, due in zip(DaylightSavingPolicy, expected, strict=True):
        found, tick = [], instant(start)
        while (tick := parse(text, zone, policy).next_after(tick)) <= instant(end):
            found.append(times.text(tick))
        assert found == re.findall(r"\S+Z", due), policy


def test_the_page_has_its_tables() -> None:
    assert len(rows("clock changes")) >= 14
    assert len(rows("after (UTC), zone UTC")) >= 8
