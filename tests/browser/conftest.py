"""One Chromium for all browser tests, and pages that fail their test when anything goes wrong in them."""

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, sync_playwright

from browser import chromium
from browser.serve import Served
from fakes.web import FakeCluster, FakeGuard


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium.ensured()
    if not path:
        message = "NO CHROMIUM: THE DASHBOARD IS NOT TESTED IN A BROWSER (install the package chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=chromium.options())
        yield started
        started.close()


class Visits:
    """Opens the dashboard over made-up clusters; `faults` and `views` are of all pages that it opened."""

    def __init__(self, browser: Browser, stack: ExitStack) -> None:
        self.faults: list[str] = []
        self.views: list[str] = []
        self.away = False  # whether pages may say that a source does not answer, which the browser reports as a fault
        self._browser, self._stack = browser, stack

    def __call__(
        self,
        source: FakeCluster,
        *,
        guard: FakeGuard | None = None,
        width: int = 1280,
        theme: str = "light",
        scripts: bool = True,
        language: str = "en-US",
    ) -> Page:
        """A page of a browser that is as wide, as dark and as far east as told."""
        url = self._stack.enter_context(Served(source, guard)).url
        context = self._browser.new_context(
            base_url=url,
            viewport={"width": width, "height": 900 if width > 600 else 844},
            color_scheme="dark" if theme == "dark" else "light",
            java_script_enabled=scripts,
            locale=language,
            timezone_id="Asia/Tokyo",
            reduced_motion="reduce",
        )
        self._stack.callback(context.close)
        context.set_default_timeout(20_000)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.faults.append(f"script: {error.error}"))
        context.on("dialog", self._dialog)
        context.on("request", lambda request: self._request(request, url))
        return context.new_page()

    def _console(self, message: ConsoleMessage) -> None:
        """Errors and warnings; the browser says there what it refused by our policy."""
        meant = ("status of 40", "status of 503") if self.away else ("status of 40",)
        if message.type in ("error", "warning") and not any(status in message.text for status in meant):
            self.faults.append(f"console: {message.text}")

    def _dialog(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Request, host: str) -> None:
        if not request.url.startswith(host):
            self.faults.append(f"another host: {request.url}")
        elif "/static/" not in request.url:
            self.views.append(f"{request.method} {request.url.removeprefix(host)}")


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visits]:
    with ExitStack() as stack:
        visits = Visits(browser, stack)
        yield visits
        assert visits.faults == []
