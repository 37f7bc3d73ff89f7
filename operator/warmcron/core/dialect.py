"""Reads a cron text into sets of numbers: the whole dialect is here, and nothing about time passing.

CronJob's five fields mean here what they mean to CronJob, the accidents of its parser included (`1,,2`, `+5`, `*-5`).
Beyond it: six fields (seconds first), `H`, `L`, `LW`, `15W`, `5L`, `MON#2`, and 7 for Sunday. Every item is checked
against our grammar first; what is left for croniter is the expansion of plain ranges, where it and Kubernetes agree
(docs/adr/0003-cron-dialect.md).
"""

import hashlib
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NamedTuple

from croniter import croniter

from warmcron.core.days import LAST, Days
from warmcron.errors import SpecError

MAX_TEXT: Final = 256
FIELD: Final = "spec.schedule"

MACROS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
MONTHS: Final = {
    name: i
    for i, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)
}
WEEKDAYS: Final = {name: i for i, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
NANOSECONDS: Final = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
# What Go's durations can hold, and with them CronJob: 292 years.
MAX_EVERY: Final = 2**63 - 1
STARS: Final = ("*", "?")


class _Kind(NamedTuple):
    """One field of the text: its name for messages, its bounds, and the names it knows."""

    name: str
    low: int
    high: int
    names: dict[str, int]
    hash_high: int


KINDS: Final = (
    _Kind("second", 0, 59, {}, 59),
    _Kind("minute", 0, 59, {}, 59),
    _Kind("hour", 0, 23, {}, 23),
    # H draws from 1 to 28, as in Jenkins: a day that every month has.
    _Kind("day-of-month", 1, 31, {}, 28),
    _Kind("month", 1, 12, MONTHS, 12),
    _Kind("day-of-week", 0, 7, WEEKDAYS, 6),
)
DAY, WEEKDAY = 3, 5

_SPACE: Final = re.compile(r"[ \t\n\v\f\r]+")
_NUMBER: Final = r"\+?0*[0-9]{1,18}|[A-Za-z]{3}"
# CronJob's parser reads nothing after the star of `*-5`: it is a star.
_ITEM: Final = re.compile(rf"(?:([*?])(?:-[^/]*)?|({_NUMBER})(?:-({_NUMBER}))?)(?:/(\+?0*[0-9]{{1,18}}))?")
_HASH: Final = re.compile(r"H(?:\(([0-9]{1,18})-([0-9]{1,18})\))?(?:/([0-9]{1,18}))?")
_USES_HASH: Final = re.compile(r"(?<![A-Za-z])H(?![A-Za-z])")
_LAST_DAY: Final = re.compile(r"L(W)?", re.IGNORECASE)
_NEAREST: Final = re.compile(r"([0-9]{1,2})W", re.IGNORECASE)
_LAST_WEEKDAY: Final = re.compile(r"([0-7]|[A-Za-z]{3})L|L([0-7])", re.IGNORECASE)
_NTH: Final = re.compile(r"([0-7]|[A-Za-z]{3})#([1-5])")
_EVERY: Final = re.compile(r"@every \+?((?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|ms|s|m|h))+)")
_DURATION: Final = re.compile(r"([0-9.]+)([a-z]+)")


@dataclass(frozen=True, slots=True)
class Every:
    """`@every`: ticks at the anchor plus whole multiples of `seconds`."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Fields:
    """A cron text as sets: what a wall clock must read for a tick.

    Attributes:
        seconds, minutes, hours, months: the numbers, ascending.
        days: what the two day fields say.
        fixed: neither minute nor hour begins with a star, so that the clock change rule applies.
    """

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: tuple[int, ...]
    days: Days
    fixed: bool


def read(text: str, *, hash_key: str) -> Fields | Every:
    """Reads a schedule. `hash_key` decides what `H` stands for; raises SpecError with the field and the cure."""
    if len(text) > MAX_TEXT:
        raise SpecError(f"longer than {MAX_TEXT} characters", field=FIELD)
    if not text.isascii():
        raise SpecError("only ASCII characters are read", field=FIELD)
    if re.match(r"(CRON_)?TZ=", text):
        raise SpecError("a TZ= prefix is not read here: put the zone into spec.timeZone", field=FIELD)
    if text.startswith("@"):
        return _read_macro(text)
    return _read_fields(text, hash_key)


def uses_hash(text: str) -> bool:
    """Whether a text may have an `H`, so that it means something else for each task: `THU` has none."""
    return _USES_HASH.search(text) is not None


def _read_macro(text: str) -> Fields | Every:
    if text in MACROS:
        return _read_fields(MACROS[text], "")
    if not text.startswith("@every"):
        raise SpecError(f"{text!r} is not a macro; known are {', '.join(MACROS)} and '@every 30s'", field=FIELD)
    if not (match := _EVERY.fullmatch(text)):
        raise SpecError(f"{text!r}: expected '@every' and a duration such as 30s, 5m or 1h30m", field=FIELD)
    # Fractions, for 0.57h is not 2052 s in floating point; each part to the nanosecond and the whole to the second
    # below, as CronJob rounds.
    duration = sum(int(Fraction(number) * NANOSECONDS[unit]) for number, unit in _DURATION.findall(match[1]))
    if duration < NANOSECONDS["s"]:
        raise SpecError(f"{text!r} is shorter than one second", field=FIELD)
    if duration > MAX_EVERY:
        raise SpecError(f"{text!r} is longer than 292 years", field=FIELD)
    return Every(duration // NANOSECONDS["s"])


def _read_fields(text: str, hash_key: str) -> Fields:
    words = [word for word in _SPACE.split(text) if word]
    if len(words) not in (len(KINDS) - 1, len(KINDS)):
        expected = "expected 5 fields (minute hour day-of-month month day-of-week), or 6 with seconds first"
        raise SpecError(f"{expected}; found {len(words)}", field=FIELD)
    if len(words) < len(KINDS):
        words = ["0", *words]
    parsed = [_read_field(word, index, hash_key) for index, word in enumerate(words)]
    sets = _expand([field.plain for field in parsed])
    day, weekday = parsed[DAY], parsed[WEEKDAY]
    return Fields(
        seconds=sets[0],
        minutes=sets[1],
        hours=sets[2],
        months=sets[4],
        days=Days(
            days=frozenset(sets[DAY]) if day.plain else frozenset(),
            weekdays=frozenset(sets[WEEKDAY]) if weekday.plain else frozenset(),
            any_day=day.star,
            any_weekday=weekday.star,
            last_day=day.last_day,
            last_workday=day.last_workday,
            nearest=frozenset(day.nearest),
            nth=frozenset(weekday.nth),
        ),
        fixed=not words[1].startswith(STARS) and not words[2].startswith(STARS),
    )


class _Field:
    """One field while it is read: plain ranges for croniter, and what croniter does not read as we do."""

    def __init__(self) -> None:
        self.plain: list[str] = []
        self.star = False
        self.last_day = False
        self.last_workday = False
        self.nearest: set[int] = set()
        self.nth: set[tuple[int, int]] = set()


def _read_field(word: str, index: int, hash_key: str) -> _Field:
    kind, field = KINDS[index], _Field()
    items = [item for item in word.split(",") if item]
    if not items:
        raise SpecError(f"{word!r} names no {kind.name}", field=FIELD)
    for item in items:
        if not (
            (index == DAY and _read_day_item(item, field))
            or (index == WEEKDAY and _read_weekday_item(item, field))
            or _read_hash(item, index, hash_key, field)
        ):
            _read_plain(item, kind, field)
    if field.star:
        field.plain = [f"{kind.low}-{min(kind.high, 6) if index == WEEKDAY else kind.high}"]
    return field


def _read_day_item(item: str, field: _Field) -> bool:
    if match := _LAST_DAY.fullmatch(item):
        if match[1]:
            field.last_workday = True
        else:
            field.last_day = True
        return True
    if match := _NEAREST.fullmatch(item):
        field.nearest.add(_number(match[1], KINDS[DAY], item))
        return True
    return False


def _read_weekday_item(item: str, field: _Field) -> bool:
    kind = KINDS[WEEKDAY]
    if match := _NTH.fullmatch(item):
        field.nth.add((_number(match[1], kind, item) % 7, int(match[2])))
        return True
    if match := _LAST_WEEKDAY.fullmatch(item):
        field.nth.add((_number(match[1] or match[2], kind, item) % 7, LAST))
        return True
    return False


def _read_hash(item: str, index: int, hash_key: str, field: _Field) -> bool:
    if not (match := _HASH.fullmatch(item)):
        return False
    kind = KINDS[index]
    low, high = (int(match[1]), int(match[2])) if match[1] else (kind.low, kind.hash_high)
    if not kind.low <= low <= high <= kind.high:
        raise SpecError(f"{item!r}: the {kind.name} field has {kind.low} to {kind.high}", field=FIELD)
    step = int(match[3]) if match[3] else 0
    if match[3] and step < 1:
        raise SpecError(f"{item!r}: a step is at least 1", field=FIELD)
    # A digest of its own for each field: croniter's H takes neighbouring bits of one crc32, and 6,000 tasks
    # with `H H * * *` then fall on 240 of the 1,440 minutes of a day.
    digest = int.from_bytes(hashlib.sha256(f"{hash_key}\0{index}".encode()).digest()[:8])
    first = low + digest % (min(step, high - low + 1) if step else high - low + 1)
    field.plain.append(f"{first}-{high}/{step}" if step and first + step <= high else str(first))
    return True


def _read_plain(item: str, kind: _Kind, field: _Field) -> None:
    match = _ITEM.fullmatch(item)
    if not match:
        raise SpecError(f"{item!r} is not read in the {kind.name} field", field=FIELD)
    star, first, last, step_text = match.groups()
    step = int(step_text) if step_text else 1
    if step < 1:
        raise SpecError(f"{item!r}: a step is at least 1", field=FIELD)
    if star and step == 1:
        field.star = True
        return
    # A star with a step above 1 restricts the field, as in Kubernetes: `*/10` in a day field is one side of an OR.
    weekday_star_high = 6 if kind is KINDS[WEEKDAY] else kind.high
    low = kind.low if star else _number(first, kind, item)
    high = low if first and not last and not step_text else weekday_star_high
    if last:
        high = _number(last, kind, item)
    if low > high:
        if not last and low == kind.high:  # `7/2`: Sunday, and the step finds nothing after it
            high = kind.high
        else:
            raise SpecError(f"{item!r} runs backwards in the {kind.name} field; write two ranges", field=FIELD)
    field.plain.append(str(low) if low + step > high else f"{low}-{high}/{step}")


def _number(text: str, kind: _Kind, item: str) -> int:
    if text[-1].isdigit():
        value = int(text)
    elif text.lower() in kind.names:
        value = kind.names[text.lower()]
    else:
        raise SpecError(f"{text!r} in {item!r} is not a {kind.name}", field=FIELD)
    if not kind.low <= value <= kind.high:
        raise SpecError(f"{item!r}: the {kind.name} field has {kind.low} to {kind.high}", field=FIELD)
    return value


def _expand(plain: list[list[str]]) -> list[tuple[int, ...]]:
    """Plain ranges to numbers, by croniter; a field that holds only specials is passed as its lowest number."""
    words = [",".join(items) or str(KINDS[i].low) for i, items in enumerate(plain)]
    try:
        expanded, _ = croniter.expand(" ".join(words[1:] + words[:1]))  # its own order has the seconds last
    except ValueError as error:  # CroniterError is one; a 5,000-digit number raises a bare one
        raise SpecError(f"not a schedule: {error}", field=FIELD) from None
    full = [(kind.low, 6 if i == WEEKDAY else kind.high) for i, kind in enumerate(KINDS)]
    return [
        tuple(range(low, high + 1)) if numbers == ["*"] else tuple(sorted({int(n) for n in numbers}))
        for numbers, (low, high) in zip(expanded[-1:] + expanded[:-1], full, strict=True)
    ]
