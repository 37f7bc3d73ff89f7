"""Every screen at two widths, with no task, ten and ten thousand; and for people who do not see or use a mouse."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from browser import chromium
from browser.conftest import Visits
from fakes.web import FakeCluster, cluster

pytestmark = pytest.mark.browser

ALL = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
CONTRAST = {"runOnly": ["color-contrast"]}


def screens(source: FakeCluster) -> list[str]:
    """The addresses of every screen of a cluster."""
    found = ["/", "/tasks", "/runs", "/workers", "/nothing"]
    if source.rows:
        failed = next(row.run_id for row in source.history.rows.values() if row.error)
        live = source.rows["search", "reindex"].active[0]
        skipped = next(row.run_id for row in source.history.rows.values() if row.skipped_ticks > 1)
        found += [
            "/tasks/billing/invoice-mail",
            "/tasks/billing/invoice-mail/manifest",
            "/tasks/shop/price-feed",
            "/tasks?labels=team%20in",
            "/tasks?is=Failing&q=sync",
            f"/runs/{failed}",
            f"/runs/{live}",
            f"/runs/{skipped}",
            "/runs?task=stock-sync&start=2026-11-24T20:00:00",
            "/confirm/suspend?on=shop/stock-sync&on=ops/backup-verify",
            "/confirm/resume?every=1&q=sync",
            f"/confirm/cancel?on={live}",
        ]
    return found


@pytest.mark.parametrize("tasks", [0, 10, 10_000])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_screen_fits_and_is_one_request(visit: Visits, tasks: int, width: int) -> None:
    source = cluster(tasks)
    page = visit(source, width=width)
    for path in screens(source):
        visit.views.clear()
        page.goto(path)
        assert page.locator("main h1, main h2").first.is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        views = [view for view in visit.views if "/log?" not in view]
        assert views == [f"GET {path}"]


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)])
def test_axe_finds_nothing(visit: Visits, theme: str, width: int) -> None:
    """In the dark theme only the contrast can differ; and one row of a table is as good as fifty."""
    source = cluster(10)
    page = visit(source, theme=theme, width=width)
    few = {"/runs": "/runs?state=Failed", "/tasks": "/tasks?ns=shop", "/workers": "/workers?q=search"}
    rules = CONTRAST if theme == "dark" else ALL
    paths = [few.get(path, path) for path in screens(source)]
    faults = {path: found for path in paths if (found := violations(page, path, rules=rules))}
    assert faults == {}


def test_axe_finds_nothing_in_an_open_dialog_and_in_chinese(visit: Visits) -> None:
    page = visit(cluster(10), language="zh-CN")
    page.goto("/tasks")
    assert page.locator("h1").inner_text() == "任务"
    page.locator("#bulk a[role=button]").first.click()
    page.locator("dialog[open] button.strong").wait_for()
    assert violations(page) == []


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
def test_without_a_history_every_screen_says_so_and_shows_the_rest(visit: Visits, theme: str, width: int) -> None:
    source = cluster(10)
    run_id, live = next(iter(source.history.rows)), source.rows["search", "reindex"].active[0]
    source.history.broken, visit.away = "connection refused", True
    page = visit(source, theme=theme, width=width)
    for path, shown in (
        ("/", "stock-sync"),
        ("/tasks", "stock-sync"),
        ("/tasks/shop/stock-sync", "stock.sync"),
        ("/workers", "indexers"),
        ("/runs", "Runs"),
        (f"/runs/{run_id}", "No answer"),
        (f"/runs/{live}", "what the operator remembers"),
    ):
        assert violations(page, path) == []
        assert page.get_by_role("main").get_by_text(shown).first.is_visible(), path
        if path != "/workers":
            assert "connection refused" in page.get_by_role("alert").inner_text(), path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_a_page_that_had_no_answer_comes_by_itself_when_there_is_one(visit: Visits) -> None:
    source = cluster(10)
    run_id = next(run_id for run_id, row in source.history.rows.items() if row.error)
    source.history.broken, visit.away = "connection refused", True
    page = visit(source)
    page.clock.install()
    page.goto(f"/runs/{run_id}")
    expect(page.locator("h1")).to_have_text("No answer")
    source.history.broken = ""
    page.clock.run_for(11_000)
    expect(page.locator("h1")).to_have_text(source.history.rows[run_id].task)


def violations(page: Page, path: str = "", *, rules: dict[str, list[str]] = ALL) -> list[Any]:
    """What axe says of a page, against WCAG 2.2 AA and its own best practices."""
    if path:
        page.goto(path)
    page.evaluate(chromium.axe())
    found = page.evaluate("(rules) => axe.run(document, rules)", rules)
    return [
        (fault["id"], fault["help"], [(node["html"][:200], node["any"][:1]) for node in fault["nodes"][:3]])
        for fault in found["violations"]
    ]
