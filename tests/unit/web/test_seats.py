"""Nobody takes all the places of those who follow logs, and a place is given back however a stream ends."""

import asyncio
from contextlib import ExitStack, suppress
from dataclasses import replace

import pytest

from fakes.asgi import Browser
from fakes.web import FakeGuard, cluster
from warmcron.web import seats
from warmcron.web.app import app
from warmcron.web.seats import Seats


def test_one_has_so_many_places_and_all_together_have_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seats, "MOST_OF_ONE", 2)
    monkeypatch.setattr(seats, "MOST", 3)
    found = Seats()
    with ExitStack() as stack:
        taken = [stack.enter_context(found.taken(name)) for name in ("ann", "ann", "ann", "bob", "cid")]
    assert taken == [True, True, False, True, False]
    with found.taken("cid") as seated:
        assert seated


def test_a_place_is_given_back_when_a_stream_breaks() -> None:
    found = Seats()
    for _ in range(seats.MOST_OF_ONE + 1):
        with suppress(asyncio.CancelledError), found.taken("ann") as seated:
            assert seated
            raise asyncio.CancelledError


@pytest.mark.parametrize(("places", "status"), [(1, 200), (0, 429)])
async def test_a_run_s_page_follows_its_log_while_there_is_a_place(
    monkeypatch: pytest.MonkeyPatch, places: int, status: int
) -> None:
    monkeypatch.setattr(seats, "MOST", places)
    source = cluster(10)
    run = next(row for row in source.history.rows.values() if row.state == "Running")
    source.history.add(replace(run, state="Succeeded", finished=run.scheduled))
    pages = Browser(
        app(
            live_source=source,
            reader=source.history,
            orders_to=source,
            guarded_by=FakeGuard(),
            clock=source.clock,
        )
    )
    reply = await pages.get(f"/runs/{run.run_id}/log")
    assert reply.status == status
    assert ("event: done" in reply.text) is (status == 200)
