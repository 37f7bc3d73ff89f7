"""Strips of runs: what their bars say, in both languages, and that no text gets out of them."""

import re

from fakes.web import NOW, run_row, task_row
from unit.web.poison import HOSTILE
from warmcron.web import strips
from warmcron.web.language import language

TASK = task_row("shop", "stock-sync")


def test_bars_are_oldest_first_behind_the_empty_ones_and_say_when() -> None:
    runs = [run_row(TASK, int(NOW) - 300 * number, state=state) for number, state in enumerate(("Failed", "Succeeded"))]
    found = strips.strip(runs, slots=4, zone="Europe/Berlin", language=language("zh"))
    assert found.plain == '<i></i><i></i><i class="good"></i><i class="bad"></i>'
    assert re.findall('title="([^"]*)"', found.bars) == [
        "成功 · 2026-11-24 23:25:03 UTC+1 (Europe/Berlin) · 2026-11-24T22:25:03Z",
        "失败 · 2026-11-24 23:30:03 UTC+1 (Europe/Berlin) · 2026-11-24T22:30:03Z",
    ]
    assert re.sub(' title="[^"]*"', "", found.bars) == found.plain
    assert (found.count, found.good, found.bad) == (2, 1, 1)


def test_a_strip_of_no_runs_is_empty_and_no_strip_is_longer_than_its_runs() -> None:
    assert strips.strip((), slots=3, zone="UTC", language=language("en")).bars == "<i></i>" * 3
    runs = [run_row(TASK, int(NOW))] * 5
    assert strips.strip(runs, slots=3, zone="UTC", language=language("en")).plain.count("<i") == 5


def test_a_state_that_is_not_known_cannot_end_its_title() -> None:
    for text in HOSTILE:
        found = strips.strip([run_row(TASK, int(NOW), state=text)], slots=1, zone="UTC", language=language("en"))
        assert re.fullmatch('<i class="warn" title="[^"<>\u202e\x00\x1b]*"></i>', found.bars), found.bars
