"""What the reflector tells of what exists, whatever happens to its lists and watches."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest

from fakes.collection import BrokenOffError, Collection
from warmcron.kube import reflector as module
from warmcron.kube.reflector import Reflector


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS_MAX", 0.0)


class Told:
    """What an operator would know by now."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}
        self.applied = 0

    def apply(self, raw: dict[str, Any]) -> None:
        self.applied += 1
        self.known[raw["metadata"]["uid"]] = raw["spec"]

    def forget(self, raw: dict[str, Any]) -> None:
        del self.known[raw["metadata"]["uid"]]

    async def until(self, fulfilled: Callable[[], bool]) -> None:
        while not fulfilled():  # noqa: ASYNC110 - another task's progress
            await asyncio.sleep(0.001)


@asynccontextmanager
async def following(collection: Collection) -> AsyncIterator[tuple[Told, Reflector]]:
    told = Told()
    reflector = Reflector(
        client=collection.client, path="/things", apply=told.apply, forget=told.forget, random=Random(1)
    )
    work = asyncio.create_task(reflector.run())
    try:
        await reflector.synced.wait()
        yield told, reflector
    finally:
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work


async def test_it_tells_what_is_there_then_what_changes() -> None:
    collection = Collection()
    for number in range(5):
        collection.put(f"t{number}", a=1)
    async with following(collection) as (told, _):
        assert len(told.known) == 5
        collection.put("t0", a=2)
        collection.put("new", a=1)
        collection.delete("t1")
        await told.until(lambda: "uid-t1" not in told.known)
        assert told.known["uid-t0"] == {"a": 2}
        assert told.known["uid-new"] == {"a": 1}
        assert collection.lists == 1


async def test_a_watch_that_ends_goes_on_from_where_it_was() -> None:
    collection = Collection()
    async with following(collection) as (told, _):
        for number in range(5):
            collection.put(f"t{number}")
            collection.end_watches()
        await told.until(lambda: len(told.known) == 5)
        assert collection.lists == 1
        assert told.applied == 5


async def test_what_was_deleted_while_a_watch_had_expired_is_forgotten() -> None:
    collection = Collection()
    for number in range(5):
        collection.put(f"t{number}")
    async with following(collection) as (told, _):
        # Nothing here gives the watch a turn: it wakes up to a server that knows nothing of the time between.
        collection.delete("t1")
        collection.put("t2", a=2)
        collection.expire()
        collection.breaks.append(BrokenOffError("reset"))
        collection.end_watches()
        await told.until(lambda: "uid-t1" not in told.known)
        assert told.known["uid-t2"] == {"a": 2}
        assert set(told.known) == {"uid-t0", "uid-t2", "uid-t3", "uid-t4"}


async def test_a_list_that_breaks_off_forgets_nobody() -> None:
    collection = Collection()
    for number in range(6):
        collection.put(f"t{number}")
    async with following(collection) as (told, reflector):
        collection.breaks.append(BrokenOffError("reset"))
        lists = collection.lists
        reflector.refresh()
        await told.until(lambda: collection.lists >= lists + 2)
        await told.until(lambda: not collection.breaks)
        assert len(told.known) == 6


async def test_a_list_tells_only_what_has_changed_unless_everything_is_wanted() -> None:
    collection = Collection()
    for number in range(4):
        collection.put(f"t{number}")
    async with following(collection) as (told, reflector):
        collection.expire()
        collection.put("t0", a=2)
        collection.oldest = collection.version
        collection.breaks.append(BrokenOffError("reset"))
        collection.end_watches()
        await told.until(lambda: told.known["uid-t0"] == {"a": 2})
        assert told.applied == 5
        reflector.refresh()
        await told.until(lambda: told.applied == 9)


async def test_an_api_server_that_is_away_is_asked_again() -> None:
    collection = Collection()
    async with following(collection) as (told, _):
        collection.breaks += [BrokenOffError("refused")] * 20
        collection.end_watches()
        await told.until(lambda: not collection.breaks)
        collection.put("t0")
        await told.until(lambda: "uid-t0" in told.known)


async def test_what_is_read_once_more_is_at_least_as_new_as_the_request() -> None:
    """The watch is silent: its server has gone, and nobody has noticed yet."""
    collection = Collection()
    collection.put("t", a=1)
    async with following(collection) as (told, reflector):
        collection.mute = True
        collection.put("t", a=2)
        collection.put("new", a=1)
        await reflector.reread("/things")
        assert told.known == {"uid-t": {"a": 2}, "uid-new": {"a": 1}}
        collection.mute = False
        collection.put("t", a=3)
        await told.until(lambda: told.known["uid-t"] == {"a": 3})


async def test_what_has_not_changed_is_not_told_again_by_it() -> None:
    collection = Collection()
    collection.put("t", a=1)
    async with following(collection) as (told, reflector):
        await reflector.reread("/things")
        assert (told.applied, collection.lists) == (1, 2)


async def test_what_the_watch_tells_late_is_not_taken_for_news() -> None:
    collection = Collection()
    collection.put("t", a=1)
    async with following(collection) as (told, reflector):
        collection.mute = True
        for value in (2, 3, 4):
            collection.put("t", a=value)
        await reflector.reread("/things")
        applied = told.applied
        collection.mute = False
        collection.put("other", a=1)  # the last event: the late ones come before it
        await told.until(lambda: "uid-other" in told.known)
        assert told.known["uid-t"] == {"a": 4}
        assert told.applied == applied + 1


async def test_what_is_deleted_while_it_is_read_stays_deleted() -> None:
    collection = Collection()
    for number in range(4):
        collection.put(f"t{number}", a=1)
    async with following(collection) as (told, reflector):
        collection.between_pages = asyncio.Event()
        reading = asyncio.create_task(reflector.reread("/things"))
        await told.until(lambda: collection.lists == 2)
        collection.delete("t3")  # on the second page, which was read from before
        await told.until(lambda: "uid-t3" not in told.known)
        collection.between_pages.set()
        await reading
        assert "uid-t3" not in told.known
        collection.put("t3", a=2)
        await told.until(lambda: told.known.get("uid-t3") == {"a": 2})


async def test_an_api_server_that_is_away_is_told_to_who_asked() -> None:
    collection = Collection()
    for number in range(3):
        collection.put(f"t{number}", a=1)
    async with following(collection) as (_, reflector):
        collection.page_breaks = [BrokenOffError("away")]
        with pytest.raises(BrokenOffError):
            await reflector.reread("/things")


@pytest.mark.parametrize(
    ("version", "known", "news"),
    [
        ("7", None, True),
        ("7", "7", False),
        ("10", "9", True),  # as numbers, not as words
        ("9", "10", False),
        ("b", "a", True),  # who else makes versions may make them of anything: a change is news
        ("a", "a", False),
    ],
)
def test_versions_are_compared_as_numbers_where_they_are(version: str, known: str | None, news: bool) -> None:
    assert module._is_news(version, known) is news


async def test_everything_is_told_anew_also_when_that_is_asked_for_during_a_list() -> None:
    collection = Collection()
    collection.put("t", a=1)
    async with following(collection) as (told, reflector):
        reflector.refresh()
        await told.until(lambda: collection.lists == 2)
        reflector.refresh()
        await told.until(lambda: told.applied >= 3)
