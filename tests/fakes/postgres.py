"""A real PostgreSQL for the tests that must see one; where it is not installed they are skipped, in CI they fail."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.postgres import Postgres, programs, started
from benchmarks.processes import StartError

__all__ = ["Postgres", "postgres"]


@contextmanager
def postgres() -> Iterator[Postgres]:
    try:
        programs()
    except StartError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    # Files of the journal that are small: a test forbids the server files that are larger than its tables.
    with started(wal_segment_megabytes=1, shared_buffers="64MB") as server:
        yield server
