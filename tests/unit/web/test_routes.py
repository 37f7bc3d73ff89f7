"""Every address of the dashboard, walked from its own table: who is nobody gets the login page and nothing else."""

from collections.abc import Callable
from typing import Any

import pytest

from fakes.asgi import Browser
from fakes.web import FakeCluster, FakeGuard, FakeViewer
from unit.web.conftest import walk

# What has to answer to everybody: logging in and out, and how a browser likes its pages. They tell nothing.
OPEN = {("GET", "/login"), ("HEAD", "/login"), ("POST", "/login"), ("POST", "/logout"), ("POST", "/settings")}
ROUTES = [route for route in walk() if route not in OPEN]
GARBAGE = {
    "none": {},
    "a word": {"warmcron_token": "good-looking"},
    "a name with no token": {"warmcron_token": ""},
    "of another site": {"session": "good"},
    "parts that make no whole": {"warmcron_token_2": "good"},
    "one that is too long": {"warmcron_token": "x" * 3800, "warmcron_token_2": "x" * 3800},
    "with what is no text": {"warmcron_token": "go\x01od\x7f"},
    "with a scheme": {"warmcron_token": "Bearer good"},
}


def test_the_table_is_all_there_is() -> None:
    """A page that somebody adds is walked here without being named; these are only to see that walking works."""
    assert {("GET", "/"), ("GET", "/tasks/{namespace}/{name}/manifest"), ("POST", "/orders/{order}")} <= set(ROUTES)
    assert set(walk()) >= OPEN


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_nobody_gets_anything_but_the_way_to_the_login(
    source: FakeCluster, serve: Callable[..., Any], method: str, path: str
) -> None:
    pages = serve(source, FakeGuard({"good": FakeViewer("ann")}))
    run_id = next(iter(source.history.rows))
    for name, cookies in GARBAGE.items():
        for namespace, task, run in (("shop", "stock-sync", run_id), ("no", "where", "no-run")):
            browser = Browser(pages, host="dashboard.example", cookies=dict(cookies))
            asked = path.format(
                namespace=namespace, name=task, run_id=run, order="suspend", tick="2026-11-24T22:30:00Z"
            )
            body = b"on=shop/stock-sync"
            reply = await browser.ask(method, asked, headers={"sec-fetch-site": "same-origin"}, body=body)
            assert (reply.status, reply.headers["location"].partition("?")[0]) == (303, "/login"), name
            assert reply.text == ""
            reply = await browser.ask(method, asked, headers={"sec-fetch-site": "same-origin", "hx-request": "true"})
            assert (reply.status, reply.text) == (401, ""), name
    assert source.orders == []


@pytest.mark.parametrize(("method", "path"), sorted(OPEN))
async def test_what_answers_to_everybody_tells_nothing_of_the_cluster(
    source: FakeCluster, serve: Callable[..., Any], method: str, path: str
) -> None:
    browser = Browser(serve(source, FakeGuard({})), host="dashboard.example")
    reply = await browser.ask(method, path, headers={"sec-fetch-site": "same-origin"}, body=b"token=x&next=/tasks")
    assert reply.status in (200, 303, 403)
    assert "stock-sync" not in reply.text
