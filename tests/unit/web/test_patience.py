"""A slow database makes no page slow, and is not asked more and more."""

import asyncio

from fakes.kube import until
from warmcron.errors import HistoryError
from warmcron.web.patience import MOST_LATE, Patience


class Slow:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.asked = self.answered = 0

    async def ask(self) -> str:
        self.asked += 1
        await self.go.wait()
        self.answered += 1
        return "rows"


async def test_an_answer_in_time_is_told_without_a_fault() -> None:
    slow = Slow()
    slow.go.set()
    assert await Patience(60).told(slow.ask(), "nothing") == ("rows", "")


async def test_a_fault_is_told_in_its_words() -> None:
    async def refuse() -> str:
        raise HistoryError("disk full")

    assert await Patience(60).told(refuse(), "nothing") == ("nothing", "disk full")


async def test_who_does_not_answer_is_not_waited_for_and_not_interrupted() -> None:
    slow, patience = Slow(), Patience(0)
    found, fault = await patience.told(slow.ask(), "nothing")
    assert (found, "did not answer" in fault) == ("nothing", True)
    slow.go.set()
    await until(lambda: slow.answered)
    assert slow.answered == 1


async def test_with_many_questions_open_no_further_one_is_asked() -> None:
    slow, patience = Slow(), Patience(0)
    for _ in range(MOST_LATE + 5):
        assert (await patience.told(slow.ask(), "nothing"))[0] == "nothing"
    assert slow.asked == MOST_LATE
    slow.go.set()
    await until(lambda: slow.answered == MOST_LATE)
    assert await Patience(60).told(slow.ask(), "nothing") == ("rows", "")


async def test_a_late_fault_is_nobodys_any_more() -> None:
    """It is logged; asyncio would complain of an error that nobody took, and the test would fail."""
    go = asyncio.Event()

    async def refuse() -> str:
        await go.wait()
        raise HistoryError("too late")

    patience = Patience(0)
    await patience.told(refuse(), "nothing")
    go.set()
    for _ in range(5):
        await asyncio.sleep(0)
