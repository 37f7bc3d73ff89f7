"""Answers when a schedule is next due: a pure function of text, zone and instant, the same on every replica.

Wall clock readings are searched in stretches of constant offset, so that what happens at a clock change is
decided in one place (`Cron.next_after`) and not by a library's chance. Instants are UTC epoch seconds.
"""

import functools
from bisect import bisect_left, bisect_right
from calendar import monthrange
from datetime import date
from typing import Final, Protocol

from warmcron.core import days, dialect, zones
from warmcron.errors import SpecError
from warmcron.spec.task import DaylightSavingPolicy

DAY: Final = 86_400
EPOCH: Final = date(1970, 1, 1).toordinal()
# `0 0 * 2 MON#5` waits longest: a 29 February on a Monday comes every 28 years, or 40 when 2100 is between.
SEARCH_YEARS: Final = 41
# Debian's cron takes a larger change for a correction of the clock, not for a season.
LARGEST_SEASONAL_CHANGE: Final = 3 * 3600
# A change of the clocks moves readings by a day at most (Samoa), and matters to those within this distance.
NEAR: Final = 3 * DAY
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

    __slots__ = ("_fields", "_found", "_once", "_zone")

    def __init__(self, fields: dialect.Fields, zone: zones.Zone, policy: DaylightSavingPolicy) -> None:
        self._fields = fields
        self._zone = zone
        # Only a task at fixed times can be said to run "once a day"; one with a star in minute or hour follows
        # the clock as it reads, in both policies.
        self._once = fields.fixed and policy is DaylightSavingPolicy.RUN_ONCE
        self._found = ((-1, 0), (-1, 0))  # the last two answers

    def next_after(self, instant: int) -> int:
        """The first tick strictly after `instant`.

        The last two answers are kept: a tick is asked for several times on its way, and a herd shares one schedule.
        """
        for asked, tick in self._found:
            if asked == instant:
                return tick
        tick = self._search(instant)
        self._found = ((instant, tick), self._found[0])
        return tick

    def _search(self, instant: int) -> int:
        reached = passed = instant  # searched up to here; clock changes up to here are behind us
        offset = self._zone.offset(instant)
        while True:
            wall = self.next_reading(reached + offset)
            tick = wall - offset
            far = tick > passed + 2 * NEAR
            change = self._zone.next_change(passed, passed + NEAR if far else tick)
            if far and change is None:
                # Nothing matches on the way, and what the clocks do there does not matter: no year is looked through.
                reached = passed = tick - NEAR
                offset = self._zone.offset(reached)
                continue
            if change is None:
                if self._once and (end := self._repeated_until(tick)):
                    reached = end - 1  # the second pass of a repeated hour: the first one had this tick
                    continue
                return tick
            seasonal = abs(change.after - change.before) <= LARGEST_SEASONAL_CHANGE
            if self._once and seasonal and wall < change.at + change.after:
                return change.at  # the wall clock jumps over the reading: due where it lands, once
            reached, passed, offset = change.at - 1, change.at, change.after

    def next_reading(self, wall: int) -> int:
        """The first matching reading of a clock strictly after `wall` (seconds since 1970 as if in UTC).

        Raises SpecError when no date ever matches.
        """
        day, second_of_day = divmod(wall + 1, DAY)
        today = date.fromordinal(EPOCH + day)
        year, month, after = today.year, today.month, today.day - 1
        if self._matches(today):
            if (time := self._time_from(second_of_day)) is not None:
                return day * DAY + time
            after = today.day
        midnight = self._time_from(0)
        assert midnight is not None  # noqa: S101 - no field is empty
        for _ in range(SEARCH_YEARS * 12):
            found = self._days_of(year, month)
            index = bisect_right(found, after)
            if index < len(found):
                return (date(year, month, found[index]).toordinal() - EPOCH) * DAY + midnight
            year, month, after = (year, month + 1, 0) if month < 12 else (year + 1, 1, 0)  # noqa: PLR2004
        raise SpecError(NEVER, field=dialect.FIELD, reason="InvalidSchedule")

    def _matches(self, day: date) -> bool:
        return day.day in self._days_of(day.year, day.month)

    def _days_of(self, year: int, month: int) -> tuple[int, ...]:
        if month not in self._fields.months:
            return ()
        first, length = monthrange(year, month)
        return days.matching(self._fields.days, length, (first + 1) % 7)

    def _repeated_until(self, tick: int) -> int | None:
        """Where the second pass of a repeated hour ends, if `tick` lies in one."""
        change = self._zone.last_change(tick)
        if change is None:
            return None
        repeated = change.before - change.after
        if 0 < repeated <= LARGEST_SEASONAL_CHANGE and tick < change.at + repeated:
            return change.at + repeated
        return None

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


@functools.lru_cache(maxsize=65_536)
def _cron(text: str, zone: str, policy: DaylightSavingPolicy, hash_key: str) -> Cron | dialect.Every:
    fields = dialect.read(text, hash_key=hash_key)
    zones.zone(zone)  # refused if there is none, also where no zone is needed
    return fields if isinstance(fields, dialect.Every) else _meant(fields, zone, policy)


@functools.lru_cache(maxsize=65_536)
def _meant(fields: dialect.Fields, zone: str, policy: DaylightSavingPolicy) -> Cron:
    """One for all texts that mean the same: of 10,000 tasks with `H * * * *` there are 60 schedules."""
    cron = Cron(fields, zones.zone(zone), policy)
    cron.next_reading(0)  # an impossible date is refused here, not silently never due
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
    found = _cron(text, zone, policy, hash_key if dialect.uses_hash(text) else "")
    if isinstance(found, dialect.Every):
        return Interval(found.seconds, anchor)
    return found
