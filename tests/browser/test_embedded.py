"""The dashboard of a real `warmcron dev`: real workers, a real history, real orders."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from local.session import Session, task
from warmworker import version as warmworker

pytestmark = pytest.mark.browser

PATIENCE = 60_000


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    (tmp_path / "tasks.yaml").write_text(
        task("hello", schedule="* * * * * *") + "---" + task("long", schedule="0 0 1 1 *", handler="busy-sleep")
    )
    found = Session(tmp_path, "tasks.yaml")
    yield found
    assert found.end() == []


def test_a_task_is_seen_run_stopped_and_suspended_in_the_embedded_mode(browser: Browser, session: Session) -> None:
    session.says("hello: Succeeded")
    url = json.loads((session.folder / ".warmcron" / "server.json").read_text())["url"]
    page = browser.new_page(base_url=url)
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    page.goto("/tasks?q=hello")
    expect(page.locator(".strip .good:visible").first).to_be_visible()
    page.get_by_role("link", name="default/hello").click()
    expect(page.locator(".durations a").first).to_be_visible()
    page.locator("tbody a.name").first.click()
    expect(page.get_by_role("log")).to_contain_text("hello world")

    page.goto("/tasks/default/long")
    page.get_by_role("button", name="Run now").click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_text("With another payload").click()
    dialog.get_by_role("textbox").fill('{"seconds": 600}')
    dialog.get_by_role("button", name="Run now").click()
    expect(page.locator("main .title")).to_contain_text("Running")
    page.get_by_role("button", name="Cancel").click()
    page.locator("dialog[open]").get_by_role("button", name="Stop the run").click()
    expect(page.locator("main .title")).to_contain_text("Cancelled")

    page.goto("/workers")
    row = page.locator("tbody tr").first
    expect(row.locator("td").nth(5)).to_have_text(warmworker.VERSION)
    expect(row.locator("td").nth(6).locator("time")).to_contain_text("ago")

    page.goto("/tasks/default/hello/manifest")
    expect(page.locator("#manifest")).to_contain_text("handler: hello")

    page.goto("/tasks?q=hello")
    page.get_by_role("switch").click()
    page.locator("dialog[open]").get_by_role("button", name="Suspend").click()
    expect(page.get_by_role("switch")).not_to_be_checked()
    assert session.stop() == 0
