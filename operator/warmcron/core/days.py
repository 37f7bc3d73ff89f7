"""Which days of a month a cron text names: a function of the month's length and of its first weekday, nothing else.

There are only 28 kinds of month, so that the answers are few, and a search over forty years looks most of them up.
"""

import functools
from collections.abc import Iterator
from typing import Final, NamedTuple

LAST: Final = -1


class Days(NamedTuple):
    """The two day fields of a cron text.

    Attributes:
        days: days of the month.
        weekdays: 0 to 6, Sunday is 0.
        any_day, any_weekday: whether the field counts as unrestricted (then both must match, else either).
        last_day, last_workday: `L` and `LW` in the day-of-month field.
        nearest: days for which `15W` asks the nearest workday of.
        nth: (weekday, n) of `MON#2`; n is LAST for `5L`.
    """

    days: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool
    last_day: bool
    last_workday: bool
    nearest: frozenset[int]
    nth: frozenset[tuple[int, int]]


@functools.lru_cache(maxsize=4096)
def matching(days: Days, length: int, first: int) -> tuple[int, ...]:
    """The days, ascending, of a month with `length` days whose first is the weekday `first` (Sunday is 0)."""
    every = set(range(1, length + 1))
    by_day = every if days.any_day else set(_by_day(days, length, first))
    by_weekday = every if days.any_weekday else set(_by_weekday(days, length, first))
    if days.any_day or days.any_weekday:
        return tuple(sorted(by_day & by_weekday))
    return tuple(sorted(by_day | by_weekday))  # both restricted: either, as cron has it since 1979


def _by_day(days: Days, length: int, first: int) -> Iterator[int]:
    yield from (day for day in days.days if day <= length)
    if days.last_day:
        yield length
    if days.last_workday:
        yield _nearest_workday(length, length, first)
    # `31W` means nothing in a month of 30 days: no run, as in Quartz.
    yield from (_nearest_workday(day, length, first) for day in days.nearest if day <= length)


def _by_weekday(days: Days, length: int, first: int) -> Iterator[int]:
    for day in range(1, length + 1):
        weekday = (first + day - 1) % 7
        nth = (day - 1) // 7 + 1
        last = day + 7 > length
        if weekday in days.weekdays or (weekday, nth) in days.nth or (last and (weekday, LAST) in days.nth):
            yield day


def _nearest_workday(day: int, length: int, first: int) -> int:
    """The Monday to Friday nearest to a day, never leaving the month."""
    match (first + day - 1) % 7:
        case 6:  # Saturday
            return day - 1 if day > 1 else day + 2
        case 0:  # Sunday
            return day + 1 if day < length else day - 2
    return day
