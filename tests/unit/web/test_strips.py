"""Strips of runs: what their bars say, in both languages."""

from fakes.web import NOW, run_row, task_row
from warmcron.web import strips
from warmcron.web.language import language

TASK = task_row("shop", "stock-sync")


def test_bars_are_oldest_first_behind_the_empty_ones_and_say_when() -> None:
    runs = [run_row(TASK, int(NOW) - 300 * number, state=state) for number, state in enumerate(("Failed", "Succeeded"))]
    found = strips.strip(runs, slots=4, zone="Europe/Berlin", language=language("zh"))
    assert found.bars == (
        ("good", "成功 · 2026-11-24 23:25:03 UTC+1 (Europe/Berlin) · 2026-11-24T22:25:03Z"),
        ("bad", "失败 · 2026-11-24 23:30:03 UTC+1 (Europe/Berlin) · 2026-11-24T22:30:03Z"),
    )
    assert (found.missing, found.good, found.bad) == (2, 1, 1)


def test_a_strip_of_no_runs_is_empty_and_one_of_more_runs_than_slots_has_them_all() -> None:
    assert strips.strip((), slots=3, zone="UTC", language=language("en")) == strips.Strip((), 3, 0, 0)
    runs = [run_row(TASK, int(NOW))] * 5
    found = strips.strip(runs, slots=3, zone="UTC", language=language("en"))
    assert (len(found.bars), found.missing) == (5, 0)


def test_a_state_of_a_newer_version_is_shown_by_its_own_word() -> None:
    found = strips.strip([run_row(TASK, int(NOW), state="Odd")], slots=1, zone="UTC", language=language("zh"))
    assert found.bars == (("warn", "Odd · 2026-11-24 22:30:03 UTC"),)
