import html
import re
from collections.abc import Callable
from typing import Any

import pytest

from fakes.asgi import Browser
from fakes.web import FakeCluster, FakeGuard, FakeViewer, cluster, task_row
from warmcron.web.orders import kubectl
from warmcron.web.sources import Flag, Order
from warmcron.web.targets import Target


def form_of(page: str) -> dict[str, str]:
    """The hidden fields of the question."""
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.partition('id="confirm"')[2])
    return {name: html.unescape(value) for name, value in fields}


@pytest.mark.parametrize("order", ["trigger", "suspend", "resume"])
async def test_a_question_names_the_object_and_the_line_that_does_the_same(browser: Browser, order: str) -> None:
    text = (await browser.get(f"/confirm/{order}?on=shop/stock-sync&back=/tasks?q=sync")).text
    assert "<b>shop/stock-sync</b>" in text
    assert "kubectl" in text
    assert "-n shop stock-sync" in text
    assert f'action="/orders/{order}"' in text


async def test_asking_changes_nothing(browser: Browser, source: FakeCluster) -> None:
    for order in Order:
        await browser.get(f"/confirm/{order}?on=shop/stock-sync")
        assert (await browser.get(f"/orders/{order}?on=shop/stock-sync")).status == 405
    assert source.orders == []


async def test_a_run_now_leads_to_its_run(browser: Browser, source: FakeCluster) -> None:
    reply = await browser.post("/orders/trigger", {"on": "shop/stock-sync", "back": "/tasks"})
    assert reply.status == 303
    assert source.orders == [("trigger", "shop/stock-sync", "None")]
    page = await browser.get(reply.headers["location"])
    assert page.status == 200
    assert "Asked to run: shop/stock-sync" in page.text
    # said once
    assert "Asked to run" not in (await browser.get("/tasks")).text


async def test_a_payload_goes_along_when_it_is_an_object(browser: Browser, source: FakeCluster) -> None:
    await browser.post("/orders/trigger", {"on": "shop/stock-sync", "payload": '{"day": 1}'})
    assert source.orders[0][2] == "{'day': 1}"
    for bad in ("[1]", "{", '"text"', "[" * 5000):
        reply = await browser.post("/orders/trigger", {"on": "shop/stock-sync", "payload": bad, "back": "/tasks"})
        assert reply.headers["location"] == "/tasks"
        assert "not a JSON object" in (await browser.get("/tasks")).text
    assert len(source.orders) == 1


async def test_several_tasks_are_suspended_at_once_and_named_first(browser: Browser, source: FakeCluster) -> None:
    names = ["shop/stock-sync", "ops/backup-verify"]
    text = (await browser.get("/confirm/suspend?on=" + "&on=".join(names))).text
    assert all(f"<b>{name}</b>" in text for name in names)
    await browser.post("/orders/suspend", {"on": names, "back": "/tasks"})
    assert [order[1] for order in source.orders] == names
    assert source.rows["shop", "stock-sync"].flags == {Flag.SUSPENDED}
    assert "Suspended: 2 tasks" in (await browser.get("/tasks")).text


async def test_every_task_that_a_search_finds_is_ordered_after_a_question_with_their_number(
    serve: Callable[..., Any],
) -> None:
    source = cluster(130)
    browser = Browser(serve(source))
    text = (await browser.get("/confirm/suspend?every=1&q=sync&on=ops/backup-verify")).text
    assert "13 tasks" in text
    assert "and 3 more" in text
    assert "<b>ops/backup-verify</b>" not in text
    await browser.post("/orders/suspend", form_of(text) | {"back": "/tasks"})
    assert len(source.orders) == 13
    assert all("sync" in order[1] for order in source.orders)
    assert "Suspended: 13 tasks" in (await browser.get("/tasks")).text


async def test_who_said_yes_to_13_has_not_said_yes_to_14(serve: Callable[..., Any]) -> None:
    source = cluster(130)
    browser = Browser(serve(source))
    answers = form_of((await browser.get("/confirm/trigger?every=1&q=sync")).text)
    source.add(task_row("shop", "sync-late"))
    reply = await browser.post("/orders/trigger", answers)
    assert source.orders == []
    assert "Nothing was done" in reply.text
    assert "14 tasks" in reply.text
    await browser.post("/orders/trigger", form_of(reply.text))
    assert len(source.orders) == 14


async def test_how_many_were_done_and_how_many_refused_is_said(browser: Browser, source: FakeCluster) -> None:
    source.refuse, source.refused = "you may not", "ops/backup-verify"
    names = ["shop/stock-sync", "ops/backup-verify", "shop/price-feed"]
    await browser.post("/orders/suspend", {"on": names, "back": "/tasks"})
    text = (await browser.get("/tasks")).text
    assert "Suspended: 2 tasks · Refused for 1 of 3: ops/backup-verify: you may not" in text


async def test_a_search_that_makes_no_sense_finds_nothing_to_order(browser: Browser, source: FakeCluster) -> None:
    """A selector that cannot be read must not mean every task."""
    assert (await browser.get("/confirm/suspend?every=1&labels=team%20in")).status == 404
    reply = await browser.post("/orders/suspend", {"every": "1", "labels": "team in (", "digest": ""})
    assert (reply.status, source.orders) == (404, [])


async def test_all_that_match_are_all_that_may_be_seen(source: FakeCluster, serve: Callable[..., Any]) -> None:
    guard = FakeGuard({"narrow": FakeViewer("bob", scope=("billing",))})
    browser = Browser(serve(source, guard), cookies={"warmcron_token": "narrow"})
    text = (await browser.get("/confirm/suspend?every=1")).text
    assert "2 tasks" in text
    await browser.post("/orders/suspend", form_of(text))
    assert {order[1].partition("/")[0] for order in source.orders} == {"billing"}


async def test_a_run_is_stopped_and_run_again(browser: Browser, source: FakeCluster) -> None:
    run_id = source.rows["search", "reindex"].active[0]
    await browser.post("/orders/cancel", {"on": run_id, "back": f"/runs/{run_id}"})
    assert source.history.rows[run_id].state == "Cancelled"
    reply = await browser.post("/orders/retry", {"on": run_id})
    assert reply.headers["location"].startswith("/runs/")
    assert reply.headers["location"] != f"/runs/{run_id}"


async def test_a_refusal_is_said_in_the_words_of_who_refused(browser: Browser, source: FakeCluster) -> None:
    source.refuse = 'scheduledtasks "stock-sync" is forbidden: <b>no</b>'
    await browser.post("/orders/suspend", {"on": "shop/stock-sync", "back": "/tasks"})
    text = (await browser.get("/tasks")).text
    assert "Refused for 1 of 1" in text
    assert "&lt;b&gt;no&lt;/b&gt;" in text


@pytest.mark.parametrize(
    "path",
    [
        "/orders/destroy",
        "/orders/suspend",
        "/orders/cancel",
    ],
)
async def test_an_order_about_nothing_is_not_found(browser: Browser, path: str) -> None:
    assert (await browser.post(path, {"on": "no/where"})).status == 404


def test_a_name_cannot_leave_the_shell_line() -> None:
    line = kubectl(Order.SUSPEND, Target("ns", "x; rm -rf /"))
    assert "'x; rm -rf /'" in line
