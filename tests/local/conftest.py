"""Starts `warmcron dev` as a user does: the real command, in a folder of its own, with real worker processes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.session import Session


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Session]]:
    """Starts sessions in one folder; whatever is left of them at the end is a failure of the test."""
    sessions: list[Session] = []

    def begin(*arguments: str) -> Session:
        sessions.append(Session(tmp_path, *arguments))
        return sessions[-1]

    yield begin
    left = [pid for session in sessions for pid in session.end()]
    assert not left, f"processes left behind: {left}"
