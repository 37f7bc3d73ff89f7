"""Answers when a schedule is next due: a pure function of text, zone and instant, the same on every replica.

Wall clock readings are searched in stretches of constant offset, so that what happens at a clock change is
decided in one place (`Cron.next_after`) and not by a library's chance. Instants are UTC epoch seconds.
"""

import functools
from bisect import bisect_left
from calendar import monthrange
from collections.abc import Iterator
from datetime import date
from typing import Final, Protocol

from warmcron.core import dialect, zones
from warmcron.errors import SpecError
from warmcron.spec.task import DaylightSavingPolicy

DAY: Final = 86_400
EPOCH: Final = date(1970, 1, 1).toordinal()
# 29 February and a weekday that never meet it: 40 years hold every combination (1 March 2096 to 2104 included).
SEARCH_YEARS: Final = 41
# Debian's cron takes a larger change for a correction of the clock, not for a season.
LARGEST_SEASONAL_CHANGE: Final = 3 * 3600
NEVER: Final = "no date ever matches; the days and months exclude each other"


class Schedule(Protocol):
    """What the scheduler needs of a schedule."""

    def next_after(self, instant: int) -> int:
        """The first tick strictly after `instant`."""


class Interval:
    """`@every`: ticks at anchor + k × seconds, k ≥ 1."""

    __slots__ = ("anchor", "seconds")

    def __init__(self, seconds: int, anchor: int) -> None:
        self.seconds = seconds
        self.anchor = anchor

    def next_after(self, instant: int) -> int:
        """The first tick strictly after `instant`, never the anchor itself."""
        return self.anchor + max(1, (instant - self.anchor) // self.seconds + 1) * self.seconds


class Cron:
    """Cron fields in a zone, under a rule for the days the clocks change."""

    __slots__ = ("_fields", "_once", "_zone")

    def __init__(self, fields: dialect.Fields, zone: zones.Zone, policy: DaylightSavingPolicy) -> None:
        self._fields = fields
        self._zone = zone
        # Only a task at fixed times can be said to run "once a day"; one with a star in minute or hour follows
        # the clock as it reads, in both policies.
        self._once = fields.fixed and policy is DaylightSavingPolicy.RUN_ONCE

    def next_after(self, instant: int) -> int:
        """The first tick strictly after `instant`."""
        reached = instant  # all up to here is searched
        limit = instant + SEARCH_YEARS * 366 * DAY
        offset = self._zone.offset(instant + 1)
        while True:
            wall = self._next_wall(reached + offset)
            tick = wall - offset
            change = self._zone.next_change(reached + 1, min(tick, limit))
            if change is None:
                if self._once and (end := self._repeated_until(tick)):
                    reached = end - 1  # the second pass of a repeated hour: the first one had this tick
                    continue
                return tick
            seasonal = abs(change.after - change.before) <= LARGEST_SEASONAL_CHANGE
            if self._once and seasonal and wall < change.at + change.after:
                return change.at  # the wall clock jumps over the reading: due where it lands, once
            reached, offset = change.at - 1, change.after

    def _repeated_until(self, tick: int) -> int | None:
        """Where the second pass of a repeated hour ends, if `tick` lies in one."""
        change = self._zone.last_change(tick)
        if change is None:
            return None
        repeated = change.before - change.after
        if 0 < repeated <= LARGEST_SEASONAL_CHANGE and tick < change.at + repeated:
            return change.at + repeated
        return None

    def _next_wall(self, wall: int) -> int:
        """The first matching reading strictly after `wall` (seconds since 1970 as if the wall clock were UTC)."""
        day, second_of_day = divmod(wall + 1, DAY)
        today = date.fromordinal(EPOCH + day)
        if self._matches(today) and (time := self._time_from(second_of_day)) is not None:
            return day * DAY + time
        midnight = self._time_from(0)
        assert midnight is not None  # noqa: S101 - no field is empty
        for found in self._days_after(today):
            return (found.toordinal() - EPOCH) * DAY + midnight
        raise SpecError(NEVER, field=dialect.FIELD, reason="InvalidSchedule")

    def _time_from(self, second_of_day: int) -> int | None:
        """The first matching time of day at or after one, in seconds; None if the day has no more."""
        fields = self._fields
        hour, rest = divmod(second_of_day, 3600)
        minute, second = divmod(rest, 60)
        h = bisect_left(fields.hours, hour)
        if h < len(fields.hours) and fields.hours[h] == hour:
            m = bisect_left(fields.minutes, minute)
            if m < len(fields.minutes) and fields.minutes[m] == minute:
                s = bisect_left(fields.seconds, second)
                if s < len(fields.seconds):
                    return hour * 3600 + minute * 60 + fields.seconds[s]
                m += 1
            if m < len(fields.minutes):
                return hour * 3600 + fields.minutes[m] * 60 + fields.seconds[0]
            h += 1
        if h < len(fields.hours):
            return fields.hours[h] * 3600 + fields.minutes[0] * 60 + fields.seconds[0]
        return None

    def _days_after(self, today: date) -> Iterator[date]:
        for year in range(today.year, today.year + SEARCH_YEARS):
            for month in self._fields.months:
                if (year, month) < (today.year, today.month):
                    continue
                start = today.day + 1 if (year, month) == (today.year, today.month) else 1
                for day in range(start, monthrange(year, month)[1] + 1):
                    candidate = date(year, month, day)
                    if self._matches(candidate):
                        yield candidate

    def _matches(self, day: date) -> bool:
        fields = self._fields
        if day.month not in fields.months:
            return False
        if fields.any_day and fields.any_weekday:
            return True
        by_day = fields.any_day or self._matches_day(day)
        by_weekday = fields.any_weekday or self._matches_weekday(day)
        if fields.any_day or fields.any_weekday:
            return by_day and by_weekday
        return by_day or by_weekday  # both restricted: either, as cron has it since 1979

    def _matches_day(self, day: date) -> bool:
        fields = self._fields
        if day.day in fields.days:
            return True
        length = monthrange(day.year, day.month)[1]
        if fields.last_day and day.day == length:
            return True
        wanted = set(fields.nearest) | ({length} if fields.last_workday else set())
        return any(target <= length and day == _nearest_workday(day, target, length) for target in wanted)

    def _matches_weekday(self, day: date) -> bool:
        weekday = day.isoweekday() % 7
        if weekday in self._fields.weekdays:
            return True
        if not self._fields.nth:
            return False
        length = monthrange(day.year, day.month)[1]
        nth = (day.day - 1) // 7 + 1
        return (weekday, nth) in self._fields.nth or ((weekday, -1) in self._fields.nth and day.day + 7 > length)


def _nearest_workday(day: date, target: int, length: int) -> date:
    """The Monday to Friday nearest to the target day, never leaving the month."""
    wanted = day.replace(day=target)
    match wanted.isoweekday():
        case 6:
            return wanted.replace(day=target - 1 if target > 1 else target + 2)
        case 7:
            return wanted.replace(day=target + 1 if target < length else target - 2)
    return wanted


@functools.lru_cache(maxsize=65_536)
def _cron(text: str, zone: str, policy: DaylightSavingPolicy, hash_key: str) -> Cron | dialect.Every:
    fields = dialect.read(text, hash_key=hash_key)
    found = zones.zone(zone)
    if isinstance(fields, dialect.Every):
        return fields
    cron = Cron(fields, found, policy)
    cron.next_after(0)  # an impossible date is refused here, not silently never due
    return cron


def parse(text: str, *, zone: str, policy: DaylightSavingPolicy, anchor: int, hash_key: str) -> Schedule:
    """The schedule of a text; parsed once for each distinct text and zone.

    Args:
        text: `spec.schedule`.
        zone: `spec.timeZone`.
        policy: `spec.daylightSavingPolicy`.
        anchor: the task's creation, from which `@every` counts.
        hash_key: namespace/name, from which `H` is drawn.

    Raises:
        SpecError: the text or the zone is not one, or no date ever matches.
    """
    found = _cron(text, zone, policy, hash_key if "H" in text else "")
    if isinstance(found, dialect.Every):
        return Interval(found.seconds, anchor)
    return found
