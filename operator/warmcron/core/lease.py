"""Leader election as a state machine over what was seen of one Lease object. Time is monotonic and given.

The rules are those of client-go (trust only when *we* saw the lease change, never the clock of another host), plus
two that it lacks: a leader stops by itself before its lease can have ended, and each term has a number, the epoch,
which workers use to refuse a leader of the past.
"""

from dataclasses import dataclass
from typing import Final

# What a Lease claims that was released, so that it is free at once: the API has nothing less. One that was made anew
# and that nobody has held yet claims more.
RELEASED_SECONDS: Final = 1


@dataclass(frozen=True, slots=True)
class Observed:
    """The Lease as it was read.

    Attributes:
        holder: identity of the leader; empty when released.
        renewed: `renewTime` as text; only compared for being different.
        duration: seconds that the holder claims; of a Lease that nobody holds, how long nobody may take it.
        epoch: `leaseTransitions`.
        version: `resourceVersion`, for the compare-and-set.
    """

    holder: str
    renewed: str
    duration: float
    epoch: int
    version: str


@dataclass(frozen=True, slots=True)
class Create:
    """There is no Lease: make one that nobody holds, with this epoch and our duration."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Acquire:
    """Take over: write us as holder with this epoch, if the object is still at `version`."""

    epoch: int
    version: str


@dataclass(frozen=True, slots=True)
class Renew:
    """Write a new renewTime, if the object is still at `version`."""

    version: str


@dataclass(frozen=True, slots=True)
class Release:
    """Write an empty holder, so that the standby need not wait."""

    version: str


@dataclass(frozen=True, slots=True)
class Watch:
    """Somebody else leads: read the Lease again after `seconds`."""

    seconds: float


Step = Create | Acquire | Renew | Release | Watch


class Election:
    """One candidate's view of the election.

    Args:
        identity: our name; unique for each start of a process.
        duration: seconds for which a renewal holds.
        margin: seconds before the end of the lease in which a leader no longer acts: covers how much the
            clocks of two hosts can differ in rate, and the time a request takes to leave.
    """

    def __init__(self, identity: str, *, duration: float, margin: float, retry: float) -> None:
        self.identity = identity
        self.duration = duration
        self._margin = margin
        self._retry = retry
        self._seen: Observed | None = None
        self._seen_at = 0.0
        self._gone = False
        self._valid_until = 0.0
        self._highest = 0
        self.epoch = 0

    def leads(self, now: float) -> bool:
        """Whether we may act at this moment; false while the lease may have run out, whoever holds it."""
        return self.epoch > 0 and now < self._valid_until - self._margin

    def observe(self, lease: Observed | None, now: float) -> None:
        """Takes in what was read. A lease that looks as before keeps the age that it has for us."""
        if lease is None:
            self._gone = True
            return
        self._gone = False
        changed = self._seen is None or (lease.holder, lease.renewed) != (
            self._seen.holder,
            self._seen.renewed,
        )
        if changed:
            self._seen_at = now
        self._seen = lease
        self._highest = max(self._highest, lease.epoch)
        if lease.holder != self.identity:
            self.epoch = 0

    def step(self, now: float, *, first_epoch: int) -> Step:
        """What to do next about the lease.

        Args:
            now: monotonic seconds.
            first_epoch: where a Lease that was never held begins to count. It must grow with time: workers remember
                the terms of a Lease that was deleted, and would refuse all that come after if they began at 1 again.
        """
        if self._gone:
            # Somebody deleted it. Who held it may act on until its term runs out, so the one made in its place is taken
            # only when it has been there for as long. We would not notice one that came and went between two looks:
            # having seen none for a while says nothing of who may act.
            return Create(max(first_epoch, self._highest + 1))
        seen = self._seen
        if seen is None:
            return Watch(0.0)
        following = max(seen.epoch + 1, first_epoch) if seen.epoch == 0 else seen.epoch + 1
        if seen.holder == self.identity:
            # Ours by name but not by this process's own write: a restart under the same name starts a new term.
            return Renew(seen.version) if self.epoch == seen.epoch else Acquire(following, seen.version)
        if not seen.holder and seen.duration <= RELEASED_SECONDS:
            return Acquire(following, seen.version)
        left = self._seen_at + seen.duration - now
        if left <= 0:
            return Acquire(following, seen.version)
        return Watch(min(left, self._retry))

    def wrote(self, lease: Observed, *, asked_at: float) -> None:
        """Our write was confirmed. The term counts from when the request left, not from its answer."""
        self._seen, self._seen_at, self._gone = lease, asked_at, False
        self._highest = max(self._highest, lease.epoch)
        self.epoch = lease.epoch
        self._valid_until = asked_at + self.duration

    def lost(self) -> None:
        """The compare-and-set failed or we stop: nothing is ours any more."""
        self.epoch = 0
        self._valid_until = 0.0
