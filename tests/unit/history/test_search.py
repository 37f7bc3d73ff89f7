"""A search looks at a part of the lines at a time: it says where it stopped, and going on finds all that is left."""

import pytest

from unit.history.builders import NOW, attempt, batch, line, run, run_id
from unit.history.conftest import Kept
from warmcron.history import words
from warmcron.history.model import Page, RunFilter, RunRow

HOUR = 3600.0
PART = 4


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "CANDIDATES", PART)


async def _write(kept: Kept, *numbers: int, said: str = "a word", apart: float = 60.0, **fields: str) -> None:
    """Runs a while apart, each with a line five seconds after its time."""
    rows = batch(*(run(number, scheduled=NOW + number * apart, **fields) for number in numbers))
    rows.lines = [(NOW + number * apart + 5, line(said, number)) for number in numbers]
    await kept.store.write(rows)


async def _pages(kept: Kept, wanted: RunFilter, *, limit: int = 50) -> list[Page[RunRow]]:
    pages = [await kept.reader.runs(wanted, limit=limit)]
    while pages[-1].cursor:
        assert len(pages) < 100, "it goes on for ever"
        pages.append(await kept.reader.runs(wanted, limit=limit, cursor=pages[-1].cursor))
    return pages


def _ids(pages: list[Page[RunRow]]) -> list[int]:
    return [int(row.run_id[-12:], 16) for page in pages for row in page.rows]


# Minutes, with many lines in the hour behind the place where a part ends; and hours.
@pytest.mark.parametrize("apart", [60.0, HOUR])
@pytest.mark.parametrize("limit", [1, 2, 3, PART, 50])
@pytest.mark.parametrize(
    "text",
    [
        "word",  # of every line, and the beginning of one
        "wor",  # only the beginning
        "a word",  # two words, neither of which is a beginning
    ],
)
async def test_every_run_comes_once_and_in_its_order(kept: Kept, text: str, limit: int, apart: float) -> None:
    await _write(kept, *range(1, 15), apart=apart)

    pages = await _pages(kept, RunFilter(text=text), limit=limit)

    assert _ids(pages) == list(range(14, 0, -1))
    assert all(len(page.rows) <= limit for page in pages)


async def test_a_search_that_stops_before_the_end_never_looks_as_if_nothing_were_there(kept: Kept) -> None:
    await _write(kept, 1, namespace="mine")
    await _write(kept, *range(2, 11))

    first, *others = await _pages(kept, RunFilter(text="word", namespaces=("mine",)))

    assert first.rows == ()
    assert first.searched == NOW + 7 * 60 + 5  # the fourth line from the newest
    assert first.cursor
    assert _ids(others) == [1]
    assert others[-1].searched is None
    assert others[-1].cursor == ""


async def test_a_search_that_has_seen_every_line_says_nothing_of_it(kept: Kept) -> None:
    await _write(kept, *range(1, PART))

    found = await kept.reader.runs(RunFilter(text="word"), limit=50)

    assert _ids([found]) == [3, 2, 1]
    assert (found.searched, found.cursor) == (None, "")


async def test_a_word_that_begins_others_is_found_among_many_that_are_it(kept: Kept) -> None:
    """The lines with the whole word must not hide one, in between, with a longer word."""
    await _write(kept, *range(1, 7), said="time")
    await _write(kept, 7, said="timeout", namespace="mine")
    await _write(kept, *range(8, 15), said="time")

    assert _ids(await _pages(kept, RunFilter(text="time", namespaces=("mine",)))) == [7]


async def test_one_run_that_says_it_over_and_over_hides_no_other(kept: Kept) -> None:
    await _write(kept, 1, 2)
    rows = batch(run(3, scheduled=NOW + 180))
    rows.lines = [(NOW + 200 + number, line("word", 3, index=number)) for number in range(10)]
    await kept.store.write(rows)

    pages = await _pages(kept, RunFilter(text="word"))

    assert set(_ids(pages)) == {1, 2, 3}


async def test_a_run_that_took_hours_is_found_by_its_late_line(kept: Kept) -> None:
    await _write(kept, *range(2, 8), apart=HOUR)
    rows = batch(run(1, scheduled=NOW))
    rows.lines = [(NOW + 8 * HOUR - 1, line("word", 1))]
    await kept.store.write(rows)
    await _write(kept, *range(8, 12), apart=HOUR)

    assert sorted(_ids(await _pages(kept, RunFilter(text="word"), limit=2))) == list(range(1, 12))


@pytest.mark.parametrize("limit", [1, 3, 50])
@pytest.mark.parametrize("word", [True, False])
async def test_runs_found_by_their_task_or_their_id_come_once_whatever_the_lines_say(
    kept: Kept, limit: int, word: bool
) -> None:
    text = "00000000" if word else "report"
    await _write(kept, *range(1, 13), said=f"{text} is written")
    await kept.store.write(
        batch(*(run(number, scheduled=NOW + number * 60 + 30, task="report") for number in range(21, 25)))
    )
    await kept.store.write(batch(*(run(number, scheduled=NOW + number, task="report") for number in range(31, 35))))

    pages = await _pages(kept, RunFilter(text=text), limit=limit)

    expected = [*range(24, 20, -1), *range(12, 0, -1), *range(34, 30, -1)]
    assert sorted(_ids(pages)) == sorted(expected)


async def test_the_task_is_looked_for_among_all_names_that_have_the_text(kept: Kept) -> None:
    await kept.store.write(batch(*(run(number, task=f"report-{number:02}") for number in range(1, 60))))

    found = await kept.reader.runs(RunFilter(text="report", task="report-57"), limit=5)

    assert _ids([found]) == [57]


async def test_filters_hold_in_every_part(kept: Kept) -> None:
    for number in range(1, 15):
        state = "Failed" if number % 5 == 0 else "Succeeded"
        await _write(kept, number, state=state)
        await kept.store.write(batch(attempt(number, pod_name=f"pod-{number % 2}", scheduled=NOW + number * 60)))

    for wanted, expected in (
        (RunFilter(text="word", states=("Failed",)), [10, 5]),
        (RunFilter(text="word", pod="pod-1", states=("Failed",)), [5]),
        (RunFilter(text="word", since=NOW + 180, until=NOW + 600), [9, 8, 7, 6, 5, 4, 3]),
        (RunFilter(text="word", uids=("none",)), []),
    ):
        assert _ids(await _pages(kept, wanted, limit=2)) == expected, wanted


@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense",
        "~~",
        "inf~~x",
        "nan~~",
        "1~2~3~4",
        f"inf~~{10**40}",
        "inf~~-5",
        f"{NOW + 99999!r}~{run_id(9)}",  # as an older version gave them
    ],
)
async def test_a_cursor_that_makes_no_sense_harms_nothing(kept: Kept, cursor: str) -> None:
    await _write(kept, 1)

    found = await kept.reader.runs(RunFilter(text="word"), limit=5, cursor=cursor)

    assert _ids([found]) in ([1], [])
