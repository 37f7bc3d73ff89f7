"""ScheduledTasks for a measurement: many of them, due in the same chosen seconds and never again."""

import contextlib
import time
from datetime import UTC, datetime
from typing import Any, Final

from benchmarks.api import TASKS, Api

MINUTE: Final = 60
DAY: Final = 86_400
PAYLOAD: Final = {"report": "daily", "customer": "c-0123456789", "parameters": {"from": "2026-01-01", "full": True}}


def fixed(first: int, *, period: int, count: int) -> tuple[str, list[int]]:
    """A schedule that is due at `first` (epoch, a multiple of the period) and `count` times in all.

    A period below a minute must divide it, and whole minutes are filled.
    """
    ticks = [first + period * number for number in range(count)]
    moments = [datetime.fromtimestamp(tick, UTC) for tick in ticks]
    lists = {
        name: ",".join(str(value) for value in sorted({getattr(moment, name) for moment in moments}))
        for name in ("second", "minute", "hour", "day", "month")
    }
    text = "{second} {minute} {hour} {day} {month} *".format(**lists)
    product = 1
    for values in lists.values():
        product *= values.count(",") + 1
    if product != count:
        raise ValueError(f"{text} is due {product} times, not {count}: start at another second")
    return text, ticks


def whole(rounds: int, period: int) -> int:
    """So many rounds, or a few more, as one schedule can have: beyond a minute it fills whole minutes."""
    in_a_minute = max(MINUTE // period, 1)
    return rounds if rounds <= in_a_minute else -(-rounds // in_a_minute) * in_a_minute


def soon(seconds: float, *, period: int, count: int) -> int:
    """The first second, at least so far from now, from which `fixed` can be asked for that much."""
    step = min(period, MINUTE)
    first = int(time.time() + seconds)
    first += -first % step
    for at in range(first, first + DAY, step):
        with contextlib.suppress(ValueError):
            fixed(at, period=period, count=count)
            return at
    raise ValueError(f"no schedule is due {count} times, {period} seconds apart, and never else")


async def create(api: Api, namespace: str, names: list[str], *, schedule: str, **spec: Any) -> None:
    """Creates the tasks."""
    body = {"schedule": schedule, "pool": "bench", "handler": "noop", "payload": PAYLOAD, **spec}
    path = f"{TASKS}/namespaces/{namespace}/scheduledtasks"
    about = {"apiVersion": "warmcron.dev/v1alpha1", "kind": "ScheduledTask"}
    await api.in_bulk("POST", [(path, {**about, "metadata": {"name": name}, "spec": body}) for name in names])


async def remove(api: Api, namespace: str) -> None:
    """Deletes all tasks of a namespace."""
    await api.call("DELETE", f"{TASKS}/namespaces/{namespace}/scheduledtasks")
