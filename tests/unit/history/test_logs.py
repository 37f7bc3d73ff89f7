"""Whoever follows a log is told every line once, in whatever order lines come."""

import asyncio

import pytest

from unit.history.builders import batch, line, run, run_id
from unit.history.conftest import Kept
from warmcron.history import logs
from warmcron.history.model import LogRow, Place, place
from warmcron.history.tail import Over, Silence, tail

# What two workers of a broadcast say, in the order of its arrival: the second one is always ahead.
ARRIVING = [
    line("one of 1", index=0, shard=1, pod_uid="uid-b"),
    line("one of 0", index=0, shard=0),
    line("two of 1", index=1, shard=1, pod_uid="uid-b"),
    line("two of 0", index=1, shard=0),
    line("late, of the first attempt", index=2, shard=0),
    line("again", index=0, shard=1, attempt=2, pod_uid="uid-b"),
    line("later still, of the first attempt", index=3, shard=0),
]
TEXTS = [found.text for found in ARRIVING]


async def say(kept: Kept, *lines: LogRow) -> None:
    """Other runs say something meanwhile."""
    await kept.store.write(batch(*lines, line("of another run", number=9, index=len(lines))))


async def read(kept: Kept, start: Place, *, limit: int = 1000) -> tuple[list[str], Place]:
    """To the end of what is there."""
    texts: list[str] = []
    while True:
        told = await kept.reader.onward(run_id(1), start, limit=limit)
        start = told.place
        if not told.lines:
            return texts, start
        texts += [found.text for found, _ in told.lines]


@pytest.mark.parametrize("limit", [1, 2, 1000])
@pytest.mark.parametrize("first", range(len(ARRIVING) + 1))
async def test_whoever_follows_is_told_every_line_once(kept: Kept, first: int, limit: int) -> None:
    await kept.store.write(batch(run(1, state="Running")))
    if first:
        await say(kept, *ARRIVING[:first])
    said, behind = await read(kept, Place(), limit=limit)
    by_number = sorted(ARRIVING[:first], key=lambda found: found.seq)
    assert said == [found.text for found in by_number]
    for number in range(first, len(ARRIVING)):
        await say(kept, ARRIVING[number])
        more, behind = await read(kept, behind, limit=limit)
        assert more == [TEXTS[number]]


async def test_whoever_comes_back_goes_on_behind_the_last_line_that_was_heard(kept: Kept) -> None:
    """The connection may break behind any line, before or after the log had been read up."""
    await say(kept, *ARRIVING[:3])
    heard: list[tuple[str, Place]] = []
    start = Place()
    for fresh in ((), ARRIVING[3:5], ARRIVING[5:]):
        if fresh:
            await say(kept, *fresh)
        while (told := await kept.reader.onward(run_id(1), start, limit=2)).lines:
            heard += [(found.text, behind) for found, behind in told.lines]
            start = told.place
        start = told.place
    assert sorted(text for text, _ in heard) == sorted(TEXTS)
    for number, (_, behind) in enumerate(heard, 1):
        back = place(behind.text)
        assert back == behind
        rest, _ = await read(kept, behind)
        assert sorted(rest) == sorted(text for text, _ in heard[number:])


@pytest.mark.parametrize("recent", [0, 10**15])
async def test_either_way_to_what_has_arrived_finds_the_same(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, recent: int
) -> None:
    """By all that has arrived, or by all that the run has said."""
    monkeypatch.setattr(logs, "RECENT", recent)
    await say(kept, *ARRIVING[:2])
    _, behind = await read(kept, Place())
    await say(kept, *ARRIVING[2:])
    assert await read(kept, behind) == (TEXTS[2:], (await read(kept, behind))[1])


async def test_the_outcome_is_no_line_of_the_log(kept: Kept) -> None:
    _, behind = await read(kept, Place())
    await kept.store.write(batch(run(1, state="Failed", reason="disk full"), line("a word")))
    assert (await read(kept, behind))[0] == ["a word"]
    assert (await read(kept, Place()))[0] == ["a word"]


async def test_the_last_lines_are_in_order_too(kept: Kept) -> None:
    await say(kept, *(line(str(number), index=number) for number in range(5)))
    assert [found.text for found in await kept.reader.logs(run_id(1), limit=2, last=True)] == ["3", "4"]
    assert [found.text for found in await kept.reader.logs(run_id(1), limit=9, last=True)] == list("01234")


async def test_a_broadcast_is_followed_to_its_end(kept: Kept) -> None:
    """The worker of the lower number speaks last, and the run ends at once."""
    await kept.store.write(batch(run(1, state="Running"), ARRIVING[0]))
    said: list[str] = []
    begun = asyncio.Event()

    async def follow() -> None:
        async for news in tail(kept.reader, run_id(1), place=Place(), pause=0.01):
            match news:
                case Silence():
                    pass
                case Over(row):
                    assert row is not None
                    said.append(row.state)
                case lines:
                    said.extend(found.text for found, _ in lines)
                    begun.set()

    async with asyncio.timeout(60):
        following = asyncio.create_task(follow())
        await begun.wait()
        await kept.store.write(batch(ARRIVING[1], run(1, state="Succeeded")))
        await following
    assert said == ["one of 1", "one of 0", "Succeeded"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("17", Place(17)),  # the number of a line
        ("17-40", Place(17, 40)),
        ("-40", Place(None, 40)),
        ("", None),
        ("-", None),  # a place before the first look is never given away
        ("17-", None),
        ("\u0661", None),  # a digit of another script
        ("9" * 19, None),  # more than a database holds
        ("17 or 18", None),
    ],
)
def test_a_place_is_read_back_or_is_none(text: str, expected: Place | None) -> None:
    assert place(text) == expected
