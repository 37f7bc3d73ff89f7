"""One failed run among thousands, in a real browser over a real history: from what somebody knows of it to its log."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser.conftest import Visits
from fakes import nightly
from fakes.many import cluster_with

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    "address",
    [
        "/runs?q=scratch+disk+full",  # words of its log
        "/runs?q=nightly-rep&state=Failed",  # part of the task's name
        "/runs?state=Failed&start=2026-11-25T01:30:00&until=2026-11-25T02:30:00",  # the time
        f"/runs?pod={nightly.POD_C}",  # a pod that refused it
    ],
)
def test_a_failed_run_is_found_and_its_page_says_why(visit: Visits, tmp_path: Path, address: str) -> None:
    page = visit(cluster_with(tmp_path / "history.db"))
    page.goto(address)
    rows = page.locator("table.grid tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("acme/nightly-report")
    rows.get_by_role("link").first.click()
    main = page.get_by_role("main")
    expect(main.locator(".title")).to_contain_text("Failed")
    expect(main).to_contain_text("No space left on device")
    expect(main.locator("pre").first).to_contain_text("sheet.save(path)")
    attempts = main.locator("table.grid tbody tr")
    expect(attempts).to_have_count(3)
    for row, pod in zip(attempts.all(), (nightly.POD_A, nightly.POD_C, nightly.POD_B), strict=True):
        expect(row).to_contain_text(pod)
    expect(attempts.last).to_contain_text("an earlier attempt failed here")
    for _, _, text in nightly.SAID:
        expect(page.get_by_role("log")).to_contain_text(text)


def test_the_words_may_be_typed(visit: Visits, tmp_path: Path) -> None:
    page = visit(cluster_with(tmp_path / "history.db"))
    page.goto("/runs")
    page.get_by_role("searchbox").fill("disk scratch")
    expect(page.locator("table.grid tbody tr")).to_have_count(1)
    expect(page.locator("table.grid tbody tr")).to_contain_text("acme/nightly-report")
