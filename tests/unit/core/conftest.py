"""Here every ZoneInfo reads the bundled tzdata, as the code under test does: a host's files may be of another year."""

import zoneinfo
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def _bundled_zones_only() -> Iterator[None]:
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([])
    zoneinfo.ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath(before)
    zoneinfo.ZoneInfo.clear_cache()
