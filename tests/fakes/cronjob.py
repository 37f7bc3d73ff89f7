"""What CronJob makes of a schedule: the parser of robfig/cron v3 and a walk over real time, written down as an oracle.

Slow and literal on purpose. It knows nothing of our code, and keeps the parser's accidents.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

STAR = 1 << 63
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
BOUNDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, {name: number for number, name in enumerate(MONTHS, 1)}),
    (0, 6, {name: number for number, name in enumerate(WEEKDAYS)}),
)


class RefusedError(ValueError):
    """CronJob would not take it."""


def parse(text: str) -> list[int]:
    """Five fields as bits, the star in the highest one."""
    words = [word for word in re.split(r"[ \t\n\v\f\r]+", text) if word]
    if len(words) != len(BOUNDS):
        raise RefusedError(text)
    return [_field(word, *bounds) for word, bounds in zip(words, BOUNDS, strict=True)]


def _field(word: str, low: int, high: int, names: dict[str, int]) -> int:
    bits = 0
    for item in word.split(","):
        if item:  # FieldsFunc drops what is empty
            bits |= _range(item, low, high, names)
    return bits


def _range(item: str, low: int, high: int, names: dict[str, int]) -> int:
    parts = item.split("/")
    ends = parts[0].split("-")
    if len(parts) > 2:
        raise RefusedError(item)
    star = 0
    if ends[0] in ("*", "?"):
        start, end, star = low, high, STAR
    else:
        if len(ends) > 2:
            raise RefusedError(item)
        start = _number(ends[0], names)
        end = _number(ends[1], names) if len(ends) == 2 else start
    step = 1
    if len(parts) == 2:
        step = _number(parts[1], {})
        if len(ends) == 1:
            end = high
        if step > 1:
            star = 0
    if start < low or end > high or start > end or step == 0:
        raise RefusedError(item)
    return sum(1 << number for number in range(start, end + 1, step)) | star


def _number(text: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not re.fullmatch(r"\+?[0-9]+|-0+", text):
        raise RefusedError(text)
    return int(text)


def matches(bits: list[int], reading: datetime) -> bool:
    """Whether a clock that reads so is one of the schedule's times."""
    minute, hour, day, month, weekday = bits
    by_day = bool(day >> reading.day & 1)
    by_weekday = bool(weekday >> (reading.isoweekday() % 7) & 1)
    either = not (day & STAR or weekday & STAR)
    return bool(
        minute >> reading.minute & 1
        and hour >> reading.hour & 1
        and month >> reading.month & 1
        and (by_day or by_weekday if either else by_day and by_weekday)
    )


def walk(text: str, zone: str, start: int, end: int) -> Iterator[int]:
    """Every due instant in (start, end] by looking at each minute of real time."""
    bits, info = parse(text), ZoneInfo(zone)
    for instant in range(start - start % 60 + 60, end + 1, 60):
        if matches(bits, datetime.fromtimestamp(instant, UTC).astimezone(info)):
            yield instant


def walk_once(text: str, zone: str, start: int, end: int) -> list[int]:
    """The same under Debian cron's rule for fixed times, found by looking at the readings and not at any changes."""
    bits, info = parse(text), ZoneInfo(zone)
    found = set(walk(text, zone, start, end))
    if any(word.startswith(("*", "?")) for word in text.split()[:2]):
        return sorted(found)
    previous = _reading(start - start % 60, info)
    for instant in range(start - start % 60 + 60, end + 1, 60):
        reading = _reading(instant, info)
        jumped = reading - previous - 60
        if 0 < jumped <= 3 * 3600:
            skipped = range(previous + 60, reading, 60)
            if any(matches(bits, datetime.fromtimestamp(second, UTC)) for second in skipped):
                found.add(instant)
        previous = reading
    return sorted(instant for instant in found if not _second_pass(instant, info))


def _reading(instant: int, info: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(instant, info).utcoffset()
    assert offset is not None
    return instant + int(offset.total_seconds())


def _second_pass(instant: int, info: ZoneInfo) -> bool:
    """Whether the clock read the same at some minute of the three hours before."""
    reading = _reading(instant, info)
    return any(_reading(instant - back, info) == reading for back in range(60, 3 * 3600 + 60, 60))
