"""Looks at the dashboard as a person does, in a process of its own: Playwright leaves its event loop behind.

usage: python dashboard.py URL TOKEN NAMESPACE TASK   (prints what it saw as JSON)
"""

import json
import re
import sys
from typing import Any

from playwright.sync_api import Page, expect, sync_playwright

from browser import chromium

PATIENCE = 60_000


def log_in(page: Page, token: str) -> None:
    """On the page that everybody is sent to who is not known."""
    page.goto("/tasks")
    expect(page).to_have_url(re.compile(r"/login"))
    for credential in ("nonsense", token):
        page.get_by_label("Bearer token").fill(credential)
        page.locator("main").get_by_role("button", name="Log in").click()
        if credential == "nonsense":
            expect(page.get_by_role("alert")).to_contain_text("The cluster does not accept this token.")
    expect(page).to_have_url(re.compile(r"/tasks$"))


def run_now(page: Page, namespace: str, task: str) -> None:
    """From the task's page, to the end of its run and of its log."""
    page.goto(f"/tasks/{namespace}/{task}")
    page.get_by_role("button", name="Run now").click()
    page.locator("dialog[open]").get_by_role("button", name="Run now").click()
    expect(page.locator("main .title")).to_contain_text("Running")
    expect(page.get_by_role("log")).to_contain_text("the dashboard begins")
    expect(page.locator("main .title")).to_contain_text("Succeeded")
    expect(page.get_by_role("log")).to_contain_text("the dashboard ends")


def visit(page: Page, token: str, namespace: str, task: str) -> dict[str, Any]:
    """Logs in, looks around, and runs the task."""
    log_in(page, token)
    tasks = page.locator("main").inner_text()
    page.goto("/workers")
    workers = page.locator("main").inner_text()
    run_now(page, namespace, task)
    return {"tasks": tasks, "workers": workers, "run": page.url.rpartition("/")[2]}


def main() -> None:
    """Visits, and says what was seen."""
    url, token, namespace, task = sys.argv[1:]
    path = chromium.ensured()
    if not path:
        sys.exit("NO CHROMIUM: THE DASHBOARD IS NOT TESTED ON THE CLUSTER (install the package chromium)")
    faults: list[str] = []
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=chromium.options())
        page = browser.new_page(base_url=url, locale="en-US")
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: faults.append(str(error)))
        found = visit(page, token, namespace, task)
        browser.close()
    sys.stdout.write(json.dumps({**found, "faults": faults}))


if __name__ == "__main__":
    main()
