"""Who asks workers what they can do: until they say so, with a bound on how long others wait for it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from fakes.dispatch import worker
from fakes.kube import until
from warmcron.core.pool import Worker
from warmcron.workers import introductions
from warmcron.workers.introductions import PATIENCE, Introductions
from warmcron.workers.protocol import Abilities

ABLE = Abilities(frozenset({"h"}), 3)


class Pod:
    """A worker that answers when the test says so."""

    def __init__(self) -> None:
        self.there: Worker | None = worker(1)
        self.answers: list[Abilities | None] = []
        self.asked = 0
        self.told: list[Abilities | None] = []
        self.introductions = Introductions(
            ask=self._ask, find=lambda _: self.there, tell=lambda _, said: self.told.append(said)
        )

    async def _ask(self, _: Worker) -> Abilities | None:
        self.asked += 1
        await asyncio.sleep(0)
        return self.answers.pop(0) if self.answers else None


@pytest.fixture
async def pod(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pod]:
    for pause in ("PAUSE_SECONDS", "LATER_SECONDS"):
        monkeypatch.setattr(introductions, pause, 0.0)
    found = Pod()
    yield found
    await found.introductions.close()


async def test_what_a_worker_says_is_told_once_and_it_is_not_asked_again(pod: Pod) -> None:
    pod.answers = [ABLE]
    pod.introductions.begin("uid-a")
    await until(lambda: pod.told)
    await asyncio.sleep(0.01)
    assert (pod.told, pod.asked) == ([ABLE], 1)


async def test_a_worker_that_answers_late_is_asked_until_it_does(pod: Pod) -> None:
    pod.answers = [None] * (PATIENCE - 1) + [ABLE]
    pod.introductions.begin("uid-a")
    await until(lambda: pod.told)
    assert pod.told == [ABLE]


async def test_silence_holds_a_worker_back_only_so_long_and_is_asked_on(pod: Pod) -> None:
    pod.answers = [None] * (PATIENCE + 3) + [ABLE]
    pod.introductions.begin("uid-a")
    await until(lambda: len(pod.told) > 1)
    assert pod.told == [None, ABLE]


@pytest.mark.parametrize("gone", [True, False])
async def test_a_worker_that_is_gone_or_not_ready_is_left_alone(pod: Pod, gone: bool) -> None:
    def vanish(_: str) -> Worker | None:
        found = worker(1)
        found.ready = False
        return None if gone else found

    pod.introductions._find = vanish
    pod.introductions.begin("uid-a")
    await until(lambda: not pod.introductions._tasks)
    assert (pod.asked, pod.told) == (0, [])


async def test_a_worker_that_is_ready_anew_is_asked_from_the_beginning(pod: Pod) -> None:
    """One that restarts while it is asked: the first question ends with the first container."""
    stuck = asyncio.Event()
    ask = pod.introductions._ask

    async def hang(_: Worker) -> Abilities | None:
        await stuck.wait()
        return None

    pod.introductions._ask = hang
    pod.introductions.begin("uid-a")
    await asyncio.sleep(0)
    pod.introductions._ask, pod.answers = ask, [ABLE]
    pod.introductions.begin("uid-a")
    await until(lambda: pod.told)
    assert pod.told == [ABLE]
