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
        await reflector.reread()
        assert told.known["uid-t"] == {"a": 2}
        collection.mute = False
        collection.put("t", a=3)
        await told.until(lambda: told.known["uid-t"] == {"a": 3})


async def test_what_has_not_changed_is_not_told_again_by_it() -> None:
    collection = Collection()
    collection.put("t", a=1)
    async with following(collection) as (told, reflector):
        await reflector.reread()
        assert (told.applied, collection.lists) == (1, 2)


async def test_one_that_is_asked_for_during_a_list_gets_a_list_of_its_own() -> None:
    collection = Collection()
    collection.put("t", a=1)
    async with following(collection) as (told, reflector):
        first = asyncio.create_task(reflector.reread())
        await told.until(lambda: collection.lists == 2)
        second = asyncio.create_task(reflector.reread())
        await asyncio.gather(first, second)
        assert collection.lists == 3


async def test_it_waits_for_an_api_server_that_is_away() -> None:
    collection = Collection()
    for number in range(3):
        collection.put(f"t{number}", a=1)
    async with following(collection) as (told, reflector):
        collection.breaks = [BrokenOffError("away")]
        await reflector.reread()
        assert collection.breaks == []
        assert len(told.known) == 3


async def test_everything_is_told_anew_also_when_that_is_asked_for_during_a_list() -> None:
    collection = Collection()
    collection.put("t", a=1)
    async with following(collection) as (told, reflector):
        reflector.refresh()
        await told.until(lambda: collection.lists == 2)
        reflector.refresh()
        await told.until(lambda: told.applied >= 3)
