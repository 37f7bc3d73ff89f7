"""UTC epoch seconds and RFC 3339 text, one into the other. No clock is read."""

import functools
import math
from datetime import UTC, datetime


def text(instant: float) -> str:
    """Whole seconds, as every time in a status is written: `2026-11-24T14:00:00Z`."""
    return _seconds(int(instant))


@functools.lru_cache(maxsize=4096)
def _seconds(instant: int) -> str:
    """Kept: the statuses of a herd are full of the same few seconds."""
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def second_before(instant: float) -> int:
    """The last whole second that lies before an instant, never the instant itself."""
    return math.ceil(instant) - 1


def text_micro(instant: float) -> str:
    """With microseconds, as a Lease has it."""
    whole, micro = divmod(round(instant * 1_000_000), 1_000_000)
    return f"{_seconds(whole)[:-1]}.{micro:06d}Z"


def epoch(text: str) -> float:
    """RFC 3339 text to epoch seconds; raises ValueError for what is not."""
    return datetime.fromisoformat(text).timestamp()
