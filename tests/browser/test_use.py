"""The dashboard in use: searching, running, cancelling, suspending, following a log; with hostile text in it."""

import re
from dataclasses import replace

import pytest
import yaml
from playwright.sync_api import expect

from browser.conftest import Visits
from fakes.web import NOW, FakeGuard, FakeViewer, cluster
from unit.web.poison import HOSTILE, paths, poisoned
from warmcron.web.sources import Flag

pytestmark = pytest.mark.browser


def test_a_run_is_started_followed_and_cancelled(visit: Visits) -> None:
    source = cluster(10)
    page = visit(source)
    page.goto("/tasks?q=stock")
    page.get_by_role("button", name="Run now shop/stock-sync").click()
    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text("shop/stock-sync")
    expect(dialog).to_contain_text("kubectl annotate scheduledtask -n shop stock-sync")
    dialog.get_by_role("button", name="Run now").click()
    expect(page.get_by_role("status").first).to_contain_text("Asked to run: shop/stock-sync")
    run_id = page.url.rpartition("/")[2]
    expect(page.locator("main .title")).to_contain_text("Running")
    source.history.say(run_id, "halfway there", at=NOW)
    expect(page.get_by_role("log")).to_contain_text("halfway there")
    page.get_by_role("button", name="Cancel").click()
    page.locator("dialog[open]").get_by_role("button", name="Stop the run").click()
    expect(page.locator("main .title")).to_contain_text("Cancelled")
    assert source.orders == [("trigger", "shop/stock-sync", "None"), ("cancel", run_id)]


def test_a_live_log_grows_and_ends_with_its_run(visit: Visits) -> None:
    source = cluster(10)
    run_id = source.rows["search", "reindex"].active[0]
    page = visit(source)
    page.goto(f"/runs/{run_id}")
    log = page.get_by_role("log")
    expect(log).to_contain_text("indexed 420,000 documents")
    for step in range(43, 60):
        source.history.say(run_id, f"indexed {step * 10_000:,} documents", at=NOW + step)
    expect(log).to_contain_text("indexed 590,000 documents")
    assert log.locator(".line").count() == 59  # each line once
    assert log.evaluate("log => log.scrollHeight - log.scrollTop - log.clientHeight") < 5
    source.history.say(run_id, "done", at=NOW + 60, stream="stderr")
    source.history.add(replace(source.history.rows[run_id], state="Succeeded", finished=NOW + 61, progress=1.0))
    expect(page.locator("main .title")).to_contain_text("Succeeded")
    expect(log).to_contain_text("done")
    expect(page.locator("#poll")).to_have_count(0)


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
def test_each_line_of_a_broadcast_is_beside_its_worker(visit: Visits, width: int, theme: str) -> None:
    source = cluster(10)
    run_id = source.rows["search", "reindex"].active[0]
    (first,) = source.history.attempt_rows[run_id]
    others = [replace(first, pod_name=f"{first.pod_name}-and-a-long-name-{n}", pod_uid=f"uid-{n}") for n in (2, 3)]
    source.history.attempt_rows[run_id] += others
    page = visit(source, width=width, theme=theme)
    page.goto(f"/runs/{run_id}")
    for other in others:
        source.history.say(run_id, f"here is {other.pod_name} " * 5, at=NOW, pod_uid=other.pod_uid)
    log = page.get_by_role("log")
    for other in others:
        line = log.locator(".line", has_text=f"here is {other.pod_name}")
        expect(line.locator(".pod")).to_have_attribute("title", other.pod_name)
        pod, text = line.locator(".pod").bounding_box(), line.locator(".said").bounding_box()
        assert pod
        assert text
        beside, above = pod["x"] + pod["width"] <= text["x"], pod["y"] + pod["height"] <= text["y"] + 1
        assert beside if width > 600 else above
        assert text["width"] > width / 2
    expect(log.locator(".pod").first).to_have_text(first.pod_name)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_schedule_is_suspended_by_keyboard_alone(visit: Visits) -> None:
    source = cluster(10)
    page = visit(source)
    page.goto("/tasks?q=backup")
    switch = page.get_by_role("switch", name="Schedule of backup-verify")
    expect(switch).to_be_checked()
    switch.focus()
    page.keyboard.press("Space")
    page.locator("dialog[open]").wait_for()
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(switch).to_be_focused()
    page.keyboard.press("Enter")
    page.locator("dialog[open] button.danger").wait_for()
    page.keyboard.press("Enter")
    expect(page.get_by_role("switch", name="Schedule of backup-verify")).not_to_be_checked()
    assert source.rows["ops", "backup-verify"].flags == {Flag.SUSPENDED}


def test_several_tasks_are_suspended_at_once(visit: Visits) -> None:
    source = cluster(60)
    page = visit(source)
    page.goto("/tasks?ns=shop")
    page.get_by_label("Select all on this page").check()
    bulk = page.get_by_role("group", name="With the selected tasks")
    expect(bulk).to_contain_text("18 selected")
    bulk.get_by_role("button", name="Suspend").click()
    dialog = page.locator("dialog[open]")
    expect(dialog.locator("li")).to_have_count(18)
    dialog.get_by_role("button", name="Suspend").click()
    expect(page.get_by_role("status").first).to_contain_text("Suspended: 18 tasks")
    assert len(source.orders) == 18


def test_all_that_match_are_suspended_over_every_page(visit: Visits) -> None:
    source = cluster(600)
    page = visit(source)
    page.goto("/tasks?q=sync")
    page.get_by_label("Select all on this page").check()
    bulk = page.get_by_role("group", name="With the selected tasks")
    expect(bulk).to_contain_text("50 selected")
    bulk.get_by_label("all 60 that match").check()
    expect(bulk).to_contain_text("60 selected")
    bulk.get_by_role("button", name="Suspend").click()
    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text("60 tasks")
    expect(dialog.get_by_role("button", name="Suspend (60)")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("Suspended: 60 tasks")
    assert len(source.orders) == 60


def test_tasks_are_found_by_labels_and_a_label_leads_to_its_tasks(visit: Visits) -> None:
    page = visit(cluster(100))
    page.goto("/tasks/shop/stock-sync")
    page.get_by_role("link", name="team=shop").click()
    expect(page.locator("main .title")).to_contain_text("30 found")
    labels = page.get_by_placeholder("Labels: team=billing")
    labels.fill("team=shop,tier!=gold")
    labels.press("Enter")
    expect(page.locator("main .title")).to_contain_text("20 found")
    labels.fill("team in")
    labels.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("no label selector: team in")


def test_the_manifest_is_there_to_be_copied(visit: Visits) -> None:
    page = visit(cluster(10))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/tasks/shop/stock-sync")
    page.get_by_role("link", name="Manifest").click()
    page.get_by_role("button", name="Copy").click()
    copied = yaml.safe_load(page.evaluate("navigator.clipboard.readText()"))
    assert copied["metadata"]["name"] == "stock-sync"
    assert copied["spec"]["schedule"] == "*/5 * * * *"


def test_a_task_that_cannot_run_says_why_and_one_that_can_is_quiet(visit: Visits) -> None:
    page = visit(cluster(10))
    page.goto("/tasks/shop/price-feed")
    why = page.locator("details.why")
    expect(why).to_have_attribute("open", "")
    expect(why).to_contain_text("no pod in namespace shop has the label warmcron.dev/pool=feeds")
    page.goto("/tasks/billing/close-ledger")
    expect(why).not_to_have_attribute("open", "")
    expect(why).to_contain_text("nothing stops it")


def test_a_search_as_you_type_stays_in_the_address_and_keeps_the_focus(visit: Visits) -> None:
    page = visit(cluster(10_000))
    page.goto("/tasks")
    expect(page.locator("main .title")).to_contain_text("10,000 found")
    page.keyboard.press("/")
    page.keyboard.type("reindex-000")
    expect(page.locator("main .title")).to_contain_text("9 found")
    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(page).to_have_url(re.compile(r"/tasks\?q=reindex-000$"))
    page.reload()
    expect(page.locator("main .title")).to_contain_text("9 found")


def test_the_zone_of_times_is_switched_and_stays(visit: Visits) -> None:
    page = visit(cluster(10))
    page.goto("/tasks?q=invoice")
    times = page.locator("tbody td.wide time").first
    expect(times).to_contain_text("UTC+1")
    page.get_by_role("button", name="Mine").click()
    expect(times).to_contain_text("UTC+9")
    page.goto("/")
    expect(page.locator("footer")).to_contain_text("Asia/Tokyo")
    page.get_by_role("button", name="UTC", exact=True).click()
    page.get_by_role("button", name="中文").click()
    expect(page.locator("h1")).to_have_text("总览")
    expect(page.locator("footer")).to_contain_text("UTC")


def test_updates_come_by_themselves_until_they_are_paused(visit: Visits) -> None:
    source = cluster(10)
    page = visit(source)
    page.clock.install()
    page.goto("/tasks?q=stock")
    row = source.rows["shop", "stock-sync"]
    source.add(replace(row, flags=frozenset({Flag.SUSPENDED})))
    page.clock.run_for(11_000)
    expect(page.get_by_role("switch")).not_to_be_checked()
    page.get_by_role("button", name="Pause updates").click()
    source.add(row)
    asked = len(visit.views)
    page.clock.run_for(60_000)
    assert len(visit.views) == asked
    page.get_by_role("button", name="Pause updates").click()
    page.clock.run_for(11_000)
    expect(page.get_by_role("switch")).to_be_checked()


def test_what_is_unfolded_stays_so_when_the_page_updates(visit: Visits) -> None:
    source = cluster(10)
    page = visit(source)
    page.clock.install()
    page.goto("/tasks/billing/close-ledger")
    why = page.locator("details.why")
    why.locator("summary").click()
    source.add(replace(source.rows["billing", "close-ledger"], handler="ledger.close.v2"))
    page.clock.run_for(11_000)
    expect(page.locator(".facts")).to_contain_text("ledger.close.v2")
    expect(why).to_have_attribute("open", "")


def test_a_run_shown_from_memory_gets_its_log_when_the_history_is_back(visit: Visits) -> None:
    source = cluster(10)
    run_id = source.rows["search", "reindex"].active[0]
    source.history.broken = "connection refused"
    page = visit(source)
    page.clock.install()
    page.goto(f"/runs/{run_id}")
    expect(page.get_by_role("alert")).to_contain_text("The history cannot be read")
    expect(page.get_by_role("log")).to_have_count(0)
    source.history.broken = ""
    page.clock.run_for(8_000)
    log = page.get_by_role("log")
    expect(log).to_contain_text("indexed 420,000 documents")
    source.history.say(run_id, "and it goes on", at=NOW)
    expect(log).to_contain_text("and it goes on")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_nobody_gets_in_without_a_token(visit: Visits) -> None:
    page = visit(cluster(10), guard=FakeGuard({"good": FakeViewer("system:serviceaccount:ops:ann")}))
    page.goto("/runs?state=Failed")
    token = page.get_by_label("Bearer token")
    token.fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("does not accept")
    token.fill("good")
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(re.compile(r"/runs\?state=Failed$"))
    expect(page.locator("header")).to_contain_text("ops:ann")
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Log out").click()
    expect(token).to_be_visible()


def test_everything_works_without_a_script(visit: Visits) -> None:
    source = cluster(10)
    page = visit(source, scripts=False)
    page.goto("/tasks")
    page.get_by_role("searchbox").fill("stock")
    page.get_by_role("button", name="Search", exact=True).click()
    page.get_by_role("button", name="Run now shop/stock-sync").click()
    page.get_by_role("button", name="Run now").click()
    expect(page.locator("main .title")).to_contain_text("Running")
    page.goto("/tasks")
    page.get_by_label("Select stock-sync").check()
    page.get_by_role("button", name="Suspend", exact=True).click()
    page.get_by_role("button", name="Suspend", exact=True).click()
    assert [order[0] for order in source.orders] == ["trigger", "suspend"]


@pytest.mark.parametrize("text", ["".join(HOSTILE), "javascript:alert(1)"])
def test_hostile_text_stays_text(visit: Visits, text: str) -> None:
    """No dialog opens, nothing is asked of anybody, the policy has nothing to refuse: the fixture counts them."""
    source = poisoned(text)
    page = visit(source)
    for path in paths(source, text):
        page.goto(path)
    live = next(row.run_id for row in source.history.rows.values() if row.state == "Running")
    page.goto(f"/runs/{live}")
    expect(page.get_by_role("log").locator(".line")).to_have_count(1)
    source.history.say(live, text, at=NOW)
    expect(page.get_by_role("log").locator(".line")).to_have_count(2)
    assert page.get_by_role("log").locator(".said *").count() == 0
    assert source.orders == []
