"""Zones: every change of every zone is found, from the bundled data and from no other."""

import itertools
import re
import zoneinfo
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from zoneinfo import _zoneinfo  # type: ignore[attr-defined]  # the one written in Python tells its transitions

import pytest

from warmcron.core import zones
from warmcron.errors import SpecError
from warmcron.spec.task import ZONE_PATTERN

YEARS = range(1915, 2041)  # summer time was first tried in 1916; after 2037 only rules are left


def distinct_zones() -> list[str]:
    """Every zone once: half of the names are other names."""
    files = {resources.files("tzdata").joinpath("zoneinfo", *n.split("/")).read_bytes(): n for n in zones.known_zones()}
    return sorted(files.values())


def start_of(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())


def transitions(name: str) -> list[int]:
    """The instants of change by Python's own reader of the same files, rules after the last listed one included."""
    info = _zoneinfo.ZoneInfo.no_cache(name)
    listed = [at for at in info._trans_utc if start_of(YEARS[0]) <= at < start_of(YEARS[-1] + 1)]
    rule, ruled = info._tz_after, []
    if hasattr(rule, "transitions"):
        for year in YEARS:
            start, end = rule.transitions(year)
            ruled += [int(start - rule.std.utcoff.total_seconds()), int(end - rule.dst.utcoff.total_seconds())]
    return listed + sorted(at for at in ruled if at > info._trans_utc[-1])


def test_every_change_of_every_zone_is_found() -> None:
    for name in distinct_zones():
        zone = zones.Zone(name)
        expected = [at for at in transitions(name) if zone.offset(at - 1) != zone.offset(at)]
        found = [change for year in YEARS for change in zone._changes(year)]
        assert [change.at for change in found] == expected, name
        assert all(c.before == zone.offset(c.at - 1) and c.after == zone.offset(c.at) for c in found), name


def test_no_two_changes_are_as_close_as_the_pace_of_the_search() -> None:
    for name in distinct_zones():
        found = transitions(name)
        assert all(later - earlier > zones.LOOK for earlier, later in itertools.pairwise(found)), name


def test_the_host_s_own_zone_files_are_not_used(tmp_path: Path) -> None:
    # A host whose Berlin has Tokyo's clock.
    tokyo = resources.files("tzdata").joinpath("zoneinfo", "Asia", "Tokyo").read_bytes()
    (tmp_path / "Europe").mkdir()
    (tmp_path / "Europe" / "Berlin").write_bytes(tokyo)
    zoneinfo.reset_tzpath([str(tmp_path)])
    try:
        assert zoneinfo.ZoneInfo.no_cache("Europe/Berlin").utcoffset(datetime(2026, 1, 1)) == timedelta(hours=9)  # noqa: DTZ001
        assert zones.Zone("Europe/Berlin").offset(0) == 3600
    finally:
        zoneinfo.reset_tzpath([])


def test_the_next_and_the_last_change_are_found_over_the_turn_of_a_year() -> None:
    zone = zones.zone("Europe/Berlin")
    autumn, spring = 1_792_890_000, 1_806_195_600  # 2026-10-25T01:00Z, 2027-03-28T01:00Z
    assert zone.next_change(autumn, autumn + 400 * zones.DAY) == zones.Change(spring, 3600, 7200)
    assert zone.next_change(autumn - 1, autumn) == zones.Change(autumn, 7200, 3600)
    assert zone.next_change(autumn, spring - 1) is None
    assert zone.last_change(spring - 1) == zones.Change(autumn, 7200, 3600)
    assert zones.zone("UTC").last_change(autumn) is None


REFUSED = [
    "",
    "Local",  # what the host is set to
    "local",
    "localtime",  # an image may have it
    "posixrules",
    "right/UTC",  # counts leap seconds
    "posix/UTC",
    "Europe/Atlantis",
    "europe/berlin",  # names are case-sensitive on every file system but a Mac's
    "EST5EDT,M3.2.0,M11.1.0",  # a POSIX rule is no name
    "/Europe/Berlin",
    "../zoneinfo/Europe/Berlin",
    "Europe/../UTC",
    "Europe//Berlin",
    "UTC+2",  # means the opposite to half of its readers
    "\0",
    "A" * 300,
]


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_zone_is_refused_with_the_field_and_the_cure(name: str) -> None:
    with pytest.raises(SpecError, match=r"^spec\.timeZone: .* is not a time zone; expected an IANA name") as caught:
        zones.zone(name)
    assert caught.value.reason == "InvalidTimeZone"


def test_every_zone_of_the_bundled_data_is_taken_also_by_the_rule_in_the_crd() -> None:
    for name in zones.known_zones():
        assert zones.zone(name).name == name
        assert re.search(ZONE_PATTERN, name), name
