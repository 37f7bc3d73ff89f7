"""Writes instants, durations and other people's text for readers. No clock is read; nothing here knows HTML."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from warmcron.core import times, zones
from warmcron.errors import SpecError
from warmcron.web.language import Language

MINUTE, HOUR, DAY = 60, 3600, 86_400
MILLISECOND: Final = 0.001
TEXT_LIMIT: Final = 16 * 1024
# Of any one text that somebody else wrote; what the operator keeps itself is shorter.
LONGEST: Final = 64 * 1024
# What would control a terminal, turn the reading direction of the text around it, or hide a part of it.
_HARMFUL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class When:
    """An instant for a reader. `zone` is what is printed beside the time; `full` names the zone and says UTC too."""

    relative: str
    date: str
    clock: str
    zone: str
    iso: str
    full: str


def when(instant: float, *, zone: str, now: float, language: Language) -> When:
    """An instant in a zone and as seen from `now`."""
    date, clock, label = _parts(instant, zone)
    utc = times.text(instant)
    return When(relative(instant - now, language), date, clock, label, utc, _full(date, clock, label, utc, zone))


def full(instant: float, zone: str) -> str:
    """An instant in a zone that leaves nothing open: `2026-11-24 23:30:03 UTC+1 (Europe/Berlin) · 2026-…Z`."""
    return _full(*_parts(instant, zone), times.text(instant), zone)


def offset_label(seconds: int) -> str:
    """`UTC`, `UTC+1`, `UTC−3:30`: unlike CST or IST, it means the same to everybody."""
    if not seconds:
        return "UTC"
    hours, minutes = divmod(abs(seconds) // MINUTE, 60)
    return f"UTC{'+' if seconds > 0 else '−'}{hours}" + (f":{minutes:02}" if minutes else "")


def relative(delta: float, language: Language) -> str:
    """`in 4 min`, `3 h ago`."""
    t = language.text
    amount, unit = _largest(abs(delta))
    if not amount:
        return t("now")
    match unit:
        case "s":
            return t("in {n} s", n=amount) if delta > 0 else t("{n} s ago", n=amount)
        case "min":
            return t("in {n} min", n=amount) if delta > 0 else t("{n} min ago", n=amount)
        case "h":
            return t("in {n} h", n=amount) if delta > 0 else t("{n} h ago", n=amount)
    return t("in {n} d", n=amount) if delta > 0 else t("{n} d ago", n=amount)


def duration(seconds: float | None, language: Language) -> str:
    """`340 ms`, `4.2 s`, `3 min 20 s`, `2 h 5 min`; a dash for what is not known."""
    if seconds is None or seconds < 0:
        return "–"
    if seconds < 1 - MILLISECOND / 2:
        return amount(round(seconds / MILLISECOND), "ms", language)
    if seconds < MINUTE:
        return amount(f"{seconds:.1f}".removesuffix(".0"), "s", language)
    for large, large_unit, small, small_unit in ((DAY, "d", HOUR, "h"), (HOUR, "h", MINUTE, "min")):
        if seconds >= large:
            return _two(seconds, (large, large_unit), (small, small_unit), language)
    return _two(seconds, (MINUTE, "min"), (1, "s"), language)


def amount(number: object, unit: str, language: Language) -> str:
    """`5 min`; a unit that has no word in the language is written as it is."""
    t = language.text
    match unit:
        case "ms":
            return t("{n} ms", n=number)
        case "s":
            return t("{n} s", n=number)
        case "min" | "m":
            return t("{n} min", n=number)
        case "h":
            return t("{n} h", n=number)
        case "d":
            return t("{n} d", n=number)
    return f"{number} {unit}"


def clean(text: str) -> str:
    """Text that somebody else wrote, each character that a reader should not be exposed to replaced; cut if long."""
    if len(text) > LONGEST:
        text = text[:LONGEST] + "…"
    return _HARMFUL.sub("\N{REPLACEMENT CHARACTER}", text)


def pretty(value: Any, limit: int = TEXT_LIMIT) -> str:
    """JSON for a reader."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return text if len(text) <= limit else text[:limit] + "…"


def known_zone(name: str) -> str:
    """The name, if the bundled tzdata knows it; else empty."""
    try:
        return zones.zone(name).name
    except SpecError:
        return ""


def _full(date: str, clock: str, label: str, utc: str, zone: str) -> str:
    return f"{date} {clock} {label}" + (f" ({zone}) · {utc}" if zone != "UTC" else "")


def _parts(instant: float, zone: str) -> tuple[str, str, str]:
    """Date, clock and the zone's offset."""
    offset = zones.zone(zone).offset(int(instant))
    date, _, clock = (
        datetime.fromtimestamp(int(instant) + offset, UTC).replace(tzinfo=None).isoformat(" ").partition(" ")
    )
    return date, clock, offset_label(offset)


def _largest(seconds: float) -> tuple[int, str]:
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= size * (2 if unit == "d" else 1):
            return int(seconds // size), unit
    return int(seconds), "s"


def _two(seconds: float, large: tuple[int, str], small: tuple[int, str], language: Language) -> str:
    whole, rest = divmod(int(seconds), large[0])
    rest //= small[0]
    return amount(whole, large[1], language) + (f" {amount(rest, small[1], language)}" if rest else "")
