import re
from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import Request

from fakes.asgi import Browser
from fakes.web import FakeCluster, FakeGuard, FakeViewer
from warmcron.web import guard, site

TASK = "shop/stock-sync"
PATHS = ("/", "/tasks", f"/tasks/{TASK}", "/runs", "/workers", f"/confirm/suspend?on={TASK}", "/nothing")


@pytest.fixture
def closed(source: FakeCluster, serve: Callable[..., Any]) -> Browser:
    viewers = {
        "good": FakeViewer("ann"),
        "narrow": FakeViewer("bob", scope=("billing",)),
        "reader": FakeViewer("eve", rights=False),
    }
    return Browser(serve(source, FakeGuard(viewers)), host="dashboard.example")


@pytest.mark.parametrize("path", [*PATHS, "/login", "/static/site.css"])
async def test_every_answer_forbids_inline_and_foreign_code(browser: Browser, path: str) -> None:
    reply = await browser.get(path)
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", PATHS)
async def test_no_page_needs_what_the_policy_forbids(browser: Browser, path: str) -> None:
    text = (await browser.get(path)).text
    assert not re.search(r"<(style|base|iframe|object)|\sstyle=|\son\w+=|javascript:|hx-on", text)
    assert not re.search(r"<script(?![^>]* src=)", text)
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)


@pytest.mark.parametrize("path", ["/", "/tasks", "/tasks/shop/stock-sync", "/runs", "/runs/x/log", "/workers"])
async def test_nobody_sees_a_page_without_a_token(closed: Browser, path: str) -> None:
    reply = await closed.get(path)
    assert (reply.status, reply.headers["location"].partition("?")[0]) == (303, "/login")
    closed.cookies["warmcron_token"] = "made-up"
    assert (await closed.get(path)).status == 303
    closed.cookies["warmcron_token"] = "good"
    assert (await closed.get(path)).status in (200, 404)


@pytest.mark.parametrize(("proto", "secure"), [("https", True), ("http", False)])
async def test_the_token_of_a_browser_that_came_by_https_goes_back_by_https_only(
    closed: Browser, proto: str, secure: bool
) -> None:
    reply = await closed.post("/login", {"token": "good"}, x_forwarded_proto=proto)
    assert ("secure" in reply.cookies[0].lower()) is secure


async def test_no_order_is_obeyed_without_a_token(closed: Browser, source: FakeCluster) -> None:
    assert (await closed.post("/orders/suspend", {"on": "shop/stock-sync"})).status == 303
    assert source.orders == []


async def test_the_token_is_kept_where_no_script_and_no_other_site_gets_it(closed: Browser) -> None:
    reply = await closed.post("/login", {"token": "good", "next": "/runs?state=Failed"})
    assert (reply.status, reply.headers["location"]) == (303, "/runs?state=Failed")
    [cookie] = [cookie for cookie in reply.cookies if "max-age=0" not in cookie.lower()]
    assert "httponly" in cookie.lower()
    assert "samesite=strict" in cookie.lower()
    assert "ann" in (await closed.get("/")).text
    await closed.post("/logout")
    assert (await closed.get("/")).status == 303


@pytest.mark.parametrize("length", [3799, 3800, 3801, 7600, 9000, 15_200])
async def test_a_token_longer_than_a_cookie_is_kept_in_parts(
    source: FakeCluster, serve: Callable[..., Any], length: int
) -> None:
    """Tokens of an OIDC provider with many groups are longer than the 4 KiB that a browser keeps of a cookie."""
    long, short = "a" * length, "short"
    closed = Browser(serve(source, FakeGuard({long: FakeViewer("ann"), short: FakeViewer("bob")})), host="d.example")
    reply = await closed.post("/login", {"token": long})
    kept = [cookie for cookie in reply.cookies if "max-age=0" not in cookie.lower()]
    assert all(len(cookie) <= 4096 for cookie in kept)
    assert all("httponly" in cookie.lower() and "samesite=strict" in cookie.lower() for cookie in reply.cookies)
    assert "ann" in (await closed.get("/")).text
    # A shorter one leaves nothing of it behind, and neither does leaving.
    await closed.post("/login", {"token": short})
    assert "bob" in (await closed.get("/")).text
    await closed.post("/logout")
    assert not [name for name in closed.cookies if name.startswith("warmcron_token")]


@pytest.mark.parametrize("token", ["", "wrong", "x" * 16_000, "good\r\nset-cookie: a=b", "tokén"])
async def test_a_token_that_the_cluster_does_not_know_is_refused(closed: Browser, token: str) -> None:
    reply = await closed.post("/login", {"token": token})
    assert reply.status == 403
    assert reply.cookies == []


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        # another service of the same domain is another site to us
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none-such"},
    ],
)
async def test_an_order_from_another_site_is_refused(
    browser: Browser, source: FakeCluster, headers: dict[str, str]
) -> None:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = await browser.ask(
        "POST", "/orders/suspend", headers={"content-type": "x", **sent}, body=b"on=shop/stock-sync"
    )
    assert reply.status == 403
    assert source.orders == []


@pytest.mark.parametrize(
    ("origin", "status"), [("http://localhost:8080", 303), ("http://evil.example", 403), ("null", 403)]
)
async def test_a_browser_that_is_too_old_is_judged_by_its_origin(browser: Browser, origin: str, status: int) -> None:
    reply = await browser.ask("POST", "/orders/suspend", headers={"origin": origin}, body=b"on=shop/stock-sync")
    assert reply.status == status


async def test_a_name_pointed_at_the_machine_is_not_answered(source: FakeCluster, serve: Callable[..., Any]) -> None:
    for host, status in (("localhost:8080", 200), ("127.0.0.1", 200), ("[::1]:80", 200), ("evil.example:8080", 421)):
        assert (await Browser(serve(source), host=host).get("/")).status == status


async def test_a_body_that_is_too_large_is_not_read(browser: Browser, source: FakeCluster) -> None:
    reply = await browser.post("/orders/trigger", {"on": "shop/stock-sync", "payload": "x" * guard.BODY_LIMIT})
    assert reply.status == 413
    assert source.orders == []


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/tasks?q=a", "/tasks?q=a"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/a\r\nset-cookie: b", "/"),
        ("", "/"),
    ],
)
def test_going_back_never_leaves_the_site(text: str, path: str) -> None:
    assert guard.local_path(text) == path


async def test_what_is_in_another_namespace_looks_as_if_it_were_not_there(closed: Browser, source: FakeCluster) -> None:
    closed.cookies["warmcron_token"] = "narrow"
    run = next(row for row in source.history.rows.values() if row.namespace == "shop")
    hidden = (f"/tasks/{TASK}", f"/runs/{run.run_id}", f"/runs/{run.run_id}/log", f"/confirm/trigger?on={TASK}")
    for path in hidden:
        assert (await closed.get(path)).status == 404
    for path in ("/", "/tasks", "/runs", "/workers", "/runs?ns=shop", "/tasks?ns=shop"):
        text = (await closed.get(path)).text
        assert "stock-sync" not in text
    await closed.post("/orders/suspend", {"on": "shop/stock-sync"})
    assert source.orders == []


async def test_who_may_only_read_is_offered_nothing_else(closed: Browser) -> None:
    closed.cookies["warmcron_token"] = "reader"
    for path in ("/tasks", "/tasks/shop/stock-sync"):
        assert "/confirm/suspend?on=" not in (await closed.get(path)).text
    assert "do not allow this" in (await closed.get("/confirm/suspend?on=shop/stock-sync")).text


async def test_a_link_on_another_site_is_asked_for_again_from_our_own(closed: Browser) -> None:
    """The browser holds a strict cookie back on the first request; the second is ours, and carries it."""
    reply = await closed.get("/tasks?q=a", sec_fetch_site="cross-site")
    assert reply.status == 200
    assert '<meta http-equiv="refresh" content="0;url=/tasks?q=a">' in reply.text


@pytest.mark.parametrize("headers", [[(b"sec-fetch-site", b"cross-site")], []])
def test_a_path_that_a_browser_takes_for_another_site_is_not_gone_to(headers: list[tuple[bytes, bytes]]) -> None:
    scope = {"type": "http", "method": "GET", "path": "//evil.example/", "query_string": b"", "headers": headers}
    reply = site._to_login(Request({**scope, "server": ("localhost", 80), "scheme": "http"}))
    assert b"evil" not in bytes(reply.body)
    assert "evil" not in reply.headers.get("location", "")


async def test_an_update_after_the_login_has_ended_leads_to_the_login_page(closed: Browser) -> None:
    reply = await closed.get("/tasks", hx_request="true")
    assert (reply.status, reply.headers["hx-redirect"]) == (401, "/login?next=%2Ftasks")
