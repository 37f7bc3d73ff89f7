"""When a time zone's offset from UTC changes: the instants, found once per zone and year. No clock is read."""

import functools
import re
from bisect import bisect_right
from datetime import UTC, datetime
from importlib import resources
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from warmcron.errors import SpecError

DAY: Final = 86_400
# No two changes of a zone, in all of tzdata, are closer together; a test looks at every one of them.
LOOK: Final = 3 * DAY
_PART: Final = re.compile(r"[A-Za-z0-9_+][A-Za-z0-9._+-]{0,31}")


class Change(NamedTuple):
    """At the instant `at` (UTC epoch seconds) the offset goes from `before` to `after` seconds."""

    at: int
    before: int
    after: int


@functools.cache
def known_zones() -> frozenset[str]:
    """Names of the bundled tzdata: the same on every replica, whatever the host's image carries."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("utf-8").split())


class Zone:
    """A time zone as a list of offset changes.

    `zoneinfo` answers one instant at a time and does not tell its transitions, but a schedule needs to know
    how far the offset it uses will hold.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        # Not ZoneInfo(name): that would prefer the host's files, which may be of another year.
        with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
            self._info = ZoneInfo.from_file(file, key=name)
        self._years: dict[int, tuple[Change, ...]] = {}

    def local(self, instant: int) -> datetime:
        """What the zone's clock reads at an instant (UTC epoch seconds)."""
        return datetime.fromtimestamp(instant, self._info)

    def offset(self, instant: int) -> int:
        """Seconds that the wall clock is ahead of UTC at an instant (UTC epoch seconds)."""
        delta = self.local(instant).utcoffset()
        assert delta is not None  # noqa: S101 - an aware datetime has one
        return int(delta.total_seconds())

    def next_change(self, instant: int, limit: int) -> Change | None:
        """The first change after `instant` and not after `limit`."""
        for year in range(_year(instant), _year(limit) + 1):
            changes = self._changes(year)
            index = bisect_right(changes, instant, key=lambda change: change.at)
            if index < len(changes):
                return changes[index] if changes[index].at <= limit else None
        return None

    def last_change(self, instant: int) -> Change | None:
        """The last change at or before `instant`, looked for in its year and the year before."""
        for year in (_year(instant), _year(instant) - 1):
            changes = self._changes(year)
            index = bisect_right(changes, instant, key=lambda change: change.at)
            if index:
                return changes[index - 1]
        return None

    def _changes(self, year: int) -> tuple[Change, ...]:
        if year not in self._years:
            self._years[year] = tuple(self._search(_start_of(year), _start_of(year + 1)))
        return self._years[year]

    def _search(self, start: int, end: int) -> list[Change]:
        """Changes in [start, end): a look every three days, then a bisection of those whose ends differ."""
        looks = [*range(start - 1, end - 1, LOOK), end - 1]
        offsets = [datetime.fromtimestamp(look, self._info).utcoffset() for look in looks]
        changes = []
        for index in range(1, len(looks)):
            if offsets[index - 1] != offsets[index]:
                before, (low, high) = self.offset(looks[index - 1]), looks[index - 1 : index + 1]
                while high - low > 1:
                    middle = (low + high) // 2
                    low, high = (middle, high) if self.offset(middle) == before else (low, middle)
                changes.append(Change(high, before, self.offset(high)))
        return changes


@functools.cache
def zone(name: str) -> Zone:
    """The zone of that name; raises SpecError for one that the bundled tzdata does not know."""
    # ZoneInfo alone would take `localtime`, `posixrules` and `right/UTC`, which differ from image to image.
    if not all(_PART.fullmatch(part) for part in name.split("/")) or name not in known_zones():
        raise SpecError(
            f"{name!r} is not a time zone; expected an IANA name such as UTC or Europe/Berlin",
            field="spec.timeZone",
            reason="InvalidTimeZone",
        )
    return Zone(name)


def _year(instant: int) -> int:
    return datetime.fromtimestamp(instant, UTC).year


@functools.lru_cache(maxsize=1024)
def _start_of(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
