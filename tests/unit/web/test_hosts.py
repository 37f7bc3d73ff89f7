"""The name by which a request addresses us, whatever somebody writes there."""

import pytest
from starlette.datastructures import Headers

from warmcron.web.guard import host_of


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("localhost:8321", "localhost"),
        ("LOCALHOST", "localhost"),
        ("127.0.0.1:8321", "127.0.0.1"),
        ("[::1]:8321", "::1"),
        # A bracket that is never closed is no name, and no fault of ours.
        ("[::1", ""),
        ("", ""),
    ],
)
def test_a_host_is_read_without_its_port_and_nonsense_is_nobody(written: str, read: str) -> None:
    assert host_of(Headers({"host": written})) == read
