"""From what workers wrote into a ledger, and what the user asked for when, to a verdict on the operator between them.

Nothing of the operator is imported: ticks come from another cron library, run ids from the contract. What cannot be
known (a tick beside an edit, or while nobody watched the ledger) is allowed, never required.
"""

import uuid
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim

Ticks = Callable[[float, float], Iterable[int]]


class Kind(StrEnum):
    """What can be wrong."""

    LOST = "lost"  # a tick that was due has neither a start nor a recorded end
    DOUBLED = "doubled"  # what may start once has started twice
    EARLY = "early"  # a start before its tick
    PHANTOM = "phantom"  # a start that no tick of a schedule in force asks for, or under a wrong run id
    OVERLAP = "overlap"  # two starts went on at once under a policy that forbids it
    STALE = "stale epoch"  # a worker took a request of a term older than one it had seen
    MISCOUNTED = "miscounted"  # there are more first attempts than ticks, whatever their ids say


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger, in one clock for all. `what` is start, end or cancelled; an epoch of 0 is not known."""

    time: float
    what: str
    run_id: str
    attempt: int
    scheduled: int
    pod_uid: str
    epoch: int = 0
    succeeded: bool = True
    trigger: str = "Schedule"


@dataclass(frozen=True, slots=True)
class Version:
    """What the user asked for from a moment on; `ticks` is None while suspended, and after the task was deleted."""

    since: float
    ticks: Ticks | None
    overlap: bool = True  # whether runs may go on at once
    at_most_once: bool = False
    broadcast: bool = False


@dataclass(frozen=True, slots=True)
class Watched:
    """What else is known, and how exact it is.

    Attributes:
        until: ticks after this need not have started yet.
        recorded: ticks that the task's status says were skipped, or ended as Unknown.
        gone: when each pod that went away did so: what ran there ended with it.
        gaps: when the ledger was not watched.
        edge: seconds around an edit in which either side of it may hold.
        skew: seconds by which the clocks of workers and ledger can differ.
        lag: seconds that a worker may take from a request to its line in the ledger.
    """

    until: float
    recorded: frozenset[int] = frozenset()
    gone: Mapping[str, float] = field(default_factory=dict)
    gaps: Sequence[tuple[float, float]] = ()
    edge: float = 2.0
    skew: float = 0.05
    lag: float = 0.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong."""

    kind: Kind
    what: str


def every(seconds: int, *, created: int) -> Ticks:
    """The ticks of `@every`, counted from the task's creation, in (after, until]."""

    def found(after: float, until: float) -> Iterable[int]:
        first = created + (int(after - created) // seconds + 1) * seconds if after >= created else created + seconds
        return range(first, int(until) + 1, seconds)

    return found


def cron(expression: str, zone: str = "UTC") -> Ticks:
    """The ticks of a cron expression, in (after, until]."""

    def found(after: float, until: float) -> Iterable[int]:
        for moment in CronSim(expression, datetime.fromtimestamp(after, ZoneInfo(zone))):
            tick = int(moment.astimezone(UTC).timestamp())
            if tick > until:
                return
            yield tick

    return found


def check(uid: str, entries: Iterable[Entry], versions: Sequence[Version], watched: Watched) -> list[Fault]:
    """Everything that is wrong with what one task did; empty if nothing is. `uid` is the task's."""
    ordered = sorted(entries, key=lambda entry: entry.time)
    starts = [entry for entry in ordered if entry.what == "start"]
    ticking = [entry for entry in starts if entry.trigger == "Schedule"]
    must, may = _oracle(versions, watched)
    return [
        *_lost(must, ticking, watched),
        *_doubled(starts, ordered, versions),
        *_early(ticking, watched),
        *_phantom(uid, must | may, ticking),
        *_overlapping(starts, ordered, versions, watched),
        *_stale(starts, watched),
        *_miscounted(must | may, ticking, versions),
    ]


def _oracle(versions: Sequence[Version], watched: Watched) -> tuple[set[int], set[int]]:
    """The ticks that must have started or been recorded, and those that may have."""
    must: set[int] = set()
    may: set[int] = set()
    ends = [version.since for version in versions[1:]] + [float("inf")]
    for version, end in zip(versions, ends, strict=True):
        if version.ticks is None:
            continue
        last = min(end + watched.edge, watched.until + 3600)
        for tick in version.ticks(version.since - watched.edge, last):
            inside = version.since + watched.edge < tick < end - watched.edge
            first_kept = version is versions[0] and version.since < tick < end - watched.edge
            seen = not any(start <= tick <= stop for start, stop in watched.gaps)
            (must if (inside or first_kept) and seen and tick <= watched.until else may).add(tick)
    return must, may - must


def _lost(must: set[int], starts: Sequence[Entry], watched: Watched) -> Iterable[Fault]:
    started = {entry.scheduled for entry in starts}
    for tick in sorted(must - started - watched.recorded):
        yield Fault(Kind.LOST, f"tick {tick} has neither a start nor a record")


def _early(starts: Sequence[Entry], watched: Watched) -> Iterable[Fault]:
    for entry in starts:
        if entry.time < entry.scheduled - watched.skew:
            yield Fault(Kind.EARLY, f"{entry.run_id} started {entry.scheduled - entry.time:.3f} s before its tick")


def _phantom(uid: str, ticks: set[int], starts: Sequence[Entry]) -> Iterable[Fault]:
    for entry in starts:
        if entry.scheduled not in ticks:
            yield Fault(Kind.PHANTOM, f"{entry.run_id} names {entry.scheduled}, which is no tick")
        elif entry.run_id != str(uuid.uuid5(uuid.UUID(uid), str(entry.scheduled))):
            yield Fault(Kind.PHANTOM, f"tick {entry.scheduled} ran under the id {entry.run_id}")


def _doubled(starts: Sequence[Entry], entries: Sequence[Entry], versions: Sequence[Version]) -> Iterable[Fault]:
    done: dict[tuple[str, str], float] = {}
    for entry in entries:
        if entry.what == "end" and entry.succeeded:
            done.setdefault(_done_key(entry, versions), entry.time)
    seen: dict[tuple[str, int], set[str]] = defaultdict(set)
    for entry in starts:
        version = _at(versions, entry.time)
        pods = seen[entry.run_id, entry.attempt]
        if entry.pod_uid in pods:
            yield Fault(Kind.DOUBLED, f"{entry.run_id} attempt {entry.attempt} started twice on {entry.pod_uid}")
        elif pods and not version.broadcast:
            yield Fault(Kind.DOUBLED, f"{entry.run_id} attempt {entry.attempt} started on two pods")
        elif version.at_most_once and any(run == entry.run_id for (run, _), found in seen.items() if found):
            yield Fault(Kind.DOUBLED, f"{entry.run_id}, at most once, started again as attempt {entry.attempt}")
        elif done.get(_done_key(entry, versions), float("inf")) < entry.time:
            yield Fault(Kind.DOUBLED, f"{entry.run_id} started again after it had succeeded")
        pods.add(entry.pod_uid)


def _done_key(entry: Entry, versions: Sequence[Version]) -> tuple[str, str]:
    return entry.run_id, entry.pod_uid if _at(versions, entry.time).broadcast else ""


def _overlapping(
    starts: Sequence[Entry], entries: Sequence[Entry], versions: Sequence[Version], watched: Watched
) -> Iterable[Fault]:
    ends = {(e.run_id, e.attempt, e.pod_uid): e.time for e in entries if e.what != "start"}
    last: tuple[float, Entry] | None = None  # when what began last ends, and what that is
    for entry in starts:
        version = _at(versions, entry.time)
        if last and not version.overlap and not version.broadcast and entry.time < last[0] - watched.skew:
            yield Fault(Kind.OVERLAP, f"{entry.run_id} started while {last[1].run_id} went on")
        end = min(
            ends.get((entry.run_id, entry.attempt, entry.pod_uid), float("inf")),
            watched.gone.get(entry.pod_uid, float("inf")),
        )
        last = (end, entry) if last is None or end >= last[0] else last


def _stale(starts: Sequence[Entry], watched: Watched) -> Iterable[Fault]:
    first: dict[tuple[str, int], float] = {}  # when each pod first took a request of each term
    for entry in starts:
        if not entry.epoch:
            continue
        later = [time for (pod, epoch), time in first.items() if pod == entry.pod_uid and epoch > entry.epoch]
        if later and entry.time >= min(later) + watched.lag:
            yield Fault(Kind.STALE, f"{entry.pod_uid} took {entry.run_id} of epoch {entry.epoch}")
        first.setdefault((entry.pod_uid, entry.epoch), entry.time)


def _miscounted(ticks: set[int], starts: Sequence[Entry], versions: Sequence[Version]) -> Iterable[Fault]:
    """Looks at no id: between two ticks no more runs can begin than ticks have passed, so wrong ids hide nothing."""
    if any(version.broadcast for version in versions):
        return
    due = sorted(ticks)
    firsts = [entry.time for entry in starts if entry.attempt == 1]
    for number, time in enumerate(firsts, start=1):
        if number > bisect_right(due, time + 1):
            yield Fault(Kind.MISCOUNTED, f"{number} runs had begun by {time:.3f}, for {bisect_right(due, time)} ticks")
            return


def _at(versions: Sequence[Version], time: float) -> Version:
    assert all(one.since <= other.since for one, other in pairwise(versions)), "versions are in the order of time"
    return versions[max(bisect_right([version.since for version in versions], time) - 1, 0)]
