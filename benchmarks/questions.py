"""The questions that the API and the dashboard ask of a history, one for each kind of filter and how they combine."""

from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, Final

from benchmarks.past import DAY, DAYS, END, EVERY, NAMESPACES, NEEDLE, RARE, SOME, Past
from warmcron.history.model import RunFilter
from warmcron.history.queries import Position
from warmcron.history.reader import StoreReader
from warmcron.history.words import MICRO

PAGE: Final = 50
STRIP: Final = 20

# Asks once; returns how many rows came.
Ask = Callable[[StoreReader, Past, Random], Awaitable[int]]


def runs(**parts: Callable[[Past, Random], Any]) -> Ask:
    """Asks for a page of runs; each part of the filter is drawn anew."""

    async def ask(reader: StoreReader, past: Past, random: Random) -> int:
        drawn = {name: draw(past, random) for name, draw in parts.items()}
        drawn |= drawn.pop("together", {})  # parts that are of one task
        cursor = drawn.pop("cursor", "")
        return len((await reader.runs(RunFilter(**drawn), limit=PAGE, cursor=cursor)).rows)

    return ask


def _always(value: Any) -> Callable[[Past, Random], Any]:
    return lambda _past, _random: value


def _namespaces(count: int) -> Callable[[Past, Random], tuple[str, ...]]:
    return lambda _, random: tuple(f"team-{number:02}" for number in random.sample(range(NAMESPACES), count))


def _task(past: Past, random: Random) -> str:
    return past.name(random.randrange(past.tasks))


def _task_in_its_namespace(past: Past, random: Random) -> dict[str, Any]:
    task = random.randrange(past.tasks)
    return {"task": past.name(task), "namespaces": (past.namespace(task),)}


def _pod(past: Past, random: Random) -> str:
    return past.pod(random.randrange(past.tasks), 1, random.randrange(5))


def _long_ago(_: Past, random: Random) -> float:
    return END - random.uniform(2, DAYS) * DAY


def _deep(past: Past, random: Random) -> str:
    return Position(_long_ago(past, random), "g").cursor


def _deep_search(past: Past, random: Random) -> str:
    return Position(line=int(_long_ago(past, random) * MICRO)).cursor


async def _counts(reader: StoreReader, _: Past, __: Random) -> int:
    reader.forget_counts()
    return sum((await reader.counts(None, since=END - DAY)).values())


async def _counts_of_one(reader: StoreReader, past: Past, random: Random) -> int:
    reader.forget_counts()
    return sum((await reader.counts(_namespaces(1)(past, random), since=END - DAY)).values())


async def _strips(reader: StoreReader, past: Past, random: Random) -> int:
    first = random.randrange(past.tasks)
    uids = tuple(past.uid((first + number) % past.tasks) for number in range(min(PAGE, past.tasks)))
    return sum(map(len, (await reader.recent(uids, limit=STRIP)).values()))


async def _one_run(reader: StoreReader, past: Past, random: Random) -> int:
    number = random.randrange(past.runs)
    (story,) = past.stories(number, 1)
    found = await reader.run(story.run.run_id)
    attempts, lines = await reader.attempts(story.run.run_id), await reader.logs(story.run.run_id)
    return (found is not None) + len(attempts) + len(lines)


one = _namespaces(1)
failed, manual = _always(("Failed",)), _always("Manual")

QUESTIONS: Final[dict[str, Ask]] = {
    "the newest": runs(),
    "a task in its namespace": runs(together=_task_in_its_namespace),
    "a task": runs(task=_task),
    "a namespace": runs(namespaces=one),
    "two namespaces": runs(namespaces=_namespaces(2)),
    "twenty namespaces": runs(namespaces=_namespaces(20)),
    "two namespaces without runs": runs(namespaces=_always(("none", "nothing"))),
    "a state: Failed": runs(states=failed),
    "a state: Running": runs(states=_always(("Running",))),
    "a trigger: Manual": runs(trigger=manual),
    "a trigger: Schedule": runs(trigger=_always("Schedule")),
    "a pod": runs(pod=_pod),
    "a range of time": runs(since=_long_ago, until=_always(END - DAY)),
    "failed in a namespace": runs(states=failed, namespaces=one),
    "failed in twenty namespaces": runs(states=failed, namespaces=_namespaces(20)),
    "failed or unknown in a namespace": runs(states=_always(("Failed", "Unknown")), namespaces=one),
    "failed in a namespace without runs": runs(states=failed, namespaces=_always(("none",))),
    "succeeded in a namespace without runs": runs(states=_always(("Succeeded",)), namespaces=_always(("none",))),
    "failed, by hand": runs(states=failed, trigger=manual),
    "failed, by hand, in a namespace": runs(states=failed, trigger=manual, namespaces=one),
    "failed on a pod": runs(states=failed, pod=_pod),
    "unknown on a pod, by hand": runs(states=_always(("Unknown",)), trigger=manual, pod=_pod),
    "failed, long ago": runs(states=failed, until=_long_ago),
    "page deep: the newest": runs(cursor=_deep),
    "page deep: a namespace": runs(cursor=_deep, namespaces=one),
    "page deep: failed in a namespace": runs(cursor=_deep, states=failed, namespaces=one),
    "page deep: a pod": runs(cursor=_deep, pod=_pod),
    "page deep: text in every line": runs(cursor=_deep_search, text=_always(EVERY)),
    "text: in every line": runs(text=_always(EVERY)),
    "text: in one of a hundred lines": runs(text=_always(SOME)),
    "text: in one of ten thousand lines": runs(text=_always(RARE)),
    "text: in one line": runs(text=_always(NEEDLE)),
    "text: in no line": runs(text=_always("nowhere")),
    "text: begins a word of every line": runs(text=_always(EVERY[:5])),
    "text: begins a word of one of a hundred": runs(text=_always(SOME[:5])),
    "text: two words of every line": runs(text=_always(f"order {EVERY}")),
    "text: a rare and a common word": runs(text=_always(f"{RARE} {EVERY}")),
    "text: a number of one line": runs(text=lambda _, random: f"{random.randrange(10**8)}"),
    "text: part of a task's name": runs(text=lambda past, random: f"-{random.randrange(past.tasks):05}"),
    "text: part of every fifth name": runs(text=_always("report")),
    "text: the beginning of an id": runs(text=lambda _, random: f"{random.getrandbits(32):08x}"),
    "text in failed runs of a namespace": runs(text=_always(SOME), states=failed, namespaces=one),
    "text in runs of a pod": runs(text=_always(SOME), pod=_pod),
    "text in every line, of a task": runs(text=_always(EVERY), task=_task),
    "text in every line, long ago": runs(text=_always(EVERY), until=_long_ago),
    "runs by state, of a day": _counts,
    "runs by state, of a day in a namespace": _counts_of_one,
    "the last 20 runs of 50 tasks": _strips,
    "a run, its attempts, its lines": _one_run,
}
