"""Reads the ledger, and says which ticks a task should have had: computed here, never asked of the operator."""

import json
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim

from e2e.cluster import Cluster
from faults import checker

POD: Final = "ledger"
LAG_SECONDS: Final = 2.0


class Entry(NamedTuple):
    """One line of the ledger. Times are UTC epoch seconds; `what` is start, end or cancelled."""

    number: int
    arrived: float
    what: str
    run_id: str
    attempt: int
    epoch: int
    scheduled: int
    trigger: str
    task: str
    pod: str
    pod_uid: str
    sent: float
    payload: Any


class Span(NamedTuple):
    """One attempt from its start to its end; an end of infinity is one that nobody wrote down."""

    start: float
    end: float
    entry: Entry


@dataclass(frozen=True)
class Ledger:
    """The ledger of one namespace, read through the API server."""

    cluster: Cluster
    namespace: str

    def entries(self, task: str | None = None) -> list[Entry]:
        """Everything in the order of arrival, or what is of one task."""
        answer = self.cluster.core.connect_get_namespaced_pod_proxy_with_path(
            f"{POD}:8080", self.namespace, "entries", _preload_content=False
        )
        found = [_entry(raw) for raw in json.loads(answer.data)]
        return [entry for entry in found if task is None or entry.task == task]

    def starts(self, task: str | None = None) -> list[Entry]:
        """The starts alone."""
        return [entry for entry in self.entries(task) if entry.what == "start"]

    def spans(self, task: str) -> list[Span]:
        """The attempts of a task, by their start."""
        entries = self.entries(task)
        ends = {(entry.run_id, entry.attempt): entry.sent for entry in entries if entry.what != "start"}
        starts = [entry for entry in entries if entry.what == "start"]
        return [Span(one.sent, ends.get((one.run_id, one.attempt), float("inf")), one) for one in starts]


def _entry(raw: dict[str, Any]) -> Entry:
    return Entry(
        number=raw["number"],
        arrived=raw["arrived"],
        what=raw["what"],
        run_id=raw["runId"],
        attempt=raw["attempt"],
        epoch=raw["epoch"],
        scheduled=int(raw["scheduledTime"]),
        trigger=raw["trigger"],
        task=raw["task"],
        pod=raw["pod"],
        pod_uid=raw["podUid"],
        sent=raw["sent"],
        payload=raw["payload"],
    )


def tick_run_id(uid: str, tick: int) -> str:
    """The run id that the contract gives to a tick."""
    return str(uuid.uuid5(uuid.UUID(uid), str(tick)))


def manual_run_id(uid: str, value: str) -> str:
    """The run id that the contract gives to a manual run."""
    return str(uuid.uuid5(uuid.UUID(uid), f"manual:{value}"))


def every(seconds: int, *, created: int, after: int, until: int) -> list[int]:
    """The ticks of `@every`, counted from the task's creation, in (after, until]."""
    return [tick for tick in range(created + seconds, until + 1, seconds) if tick > after]


def next_cron(expression: str, zone: str, after: float) -> int:
    """The next tick of a cron expression, by another implementation than the operator's."""
    return int(next(CronSim(expression, datetime.fromtimestamp(after, ZoneInfo(zone)))).astimezone(UTC).timestamp())


def check_ticks(uid: str, starts: Iterable[Entry], expected: Iterable[int]) -> None:
    """Every expected tick was accepted exactly once under its own run id, and no other was."""
    starts, wanted = list(starts), list(expected)
    counts = Counter(entry.scheduled for entry in starts)
    assert not (lost := [tick for tick in wanted if tick not in counts]), f"lost ticks: {lost}"
    doubled = {tick: [e for e in starts if e.scheduled == tick] for tick, count in counts.items() if count > 1}
    assert not doubled, f"doubled ticks: {doubled}"
    assert not (other := sorted(set(counts) - set(wanted))), f"ticks that nobody expected: {other}"
    wrong = [entry for entry in starts if entry.run_id != tick_run_id(uid, entry.scheduled)]
    assert not wrong, f"foreign run ids: {wrong}"


def judge(
    uid: str, entries: Iterable[Entry], version: checker.Version, *, until: int, recorded: Iterable[int] = ()
) -> None:
    """What the checker finds wrong with everything that one task did under one spec: nothing.

    Unlike `check_ticks` it allows retries, and looks at times and terms too. `until` is the last tick that was decided;
    `recorded` are ticks that ended without a start, by the word of the status.
    """
    # A handler writes its line a moment after its worker has taken the request, on a busy machine a long one.
    watched = checker.Watched(until=until, recorded=frozenset(recorded), lag=LAG_SECONDS)
    seen = [
        checker.Entry(
            time=entry.sent,
            what=entry.what,
            run_id=entry.run_id,
            attempt=entry.attempt,
            scheduled=entry.scheduled,
            pod_uid=entry.pod_uid,
            epoch=entry.epoch,
            trigger=entry.trigger,
        )
        for entry in entries
    ]
    faults = checker.check(uid, seen, [version], watched)
    assert not faults, "\n".join(f"{fault.kind}: {fault.what}" for fault in faults)


def longest_delay(starts: Iterable[Entry]) -> float:
    """The longest time from a tick to its line in the ledger."""
    return max(entry.arrived - entry.scheduled for entry in starts)


def overlap(spans: Iterable[Span]) -> int:
    """How many attempts went on at once at most."""
    moments = sorted([(span.start, 1) for span in spans] + [(span.end, -1) for span in spans])
    most = now = 0
    for _, step in moments:
        now += step
        most = max(most, now)
    return most
