"""Fixtures of the worker's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from unit.worker import harness


@pytest.fixture
def start(tmp_path: Path) -> Iterator[harness.Start]:
    with harness.workers(tmp_path / "state") as start:
        yield start


@pytest.fixture
def worker(start: harness.Start) -> harness.Worker:
    return start()


@pytest.fixture
def operator() -> Iterator[harness.Operator]:
    operator = harness.Operator()
    try:
        yield operator
    finally:
        operator.close()
