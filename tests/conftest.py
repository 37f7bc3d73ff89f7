"""What holds for every test."""

import signal

import hypothesis
import pytest

# A shell that starts us in the background has us ignore Ctrl-C, and every program that a test starts would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("warmcron", deadline=None, print_blob=True)
hypothesis.settings.load_profile("warmcron")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser comes last: Playwright keeps an event loop running, and no test with one of its own can follow."""
    items.sort(key=lambda item: "/browser/" in item.path.as_posix())
