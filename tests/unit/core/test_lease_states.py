"""The election under everything that can happen to it: at no moment may two replicas act.

Time is that of the machine running the test; each replica's clock runs up to 10 % faster or slower, which the margin
of an eighth of the lease is there to bear. Requests and answers are lost and delayed, processes pause, the Lease is
deleted.
"""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from warmcron.core.lease import Acquire, Create, Election, Observed, Renew, Watch

DURATION, MARGIN = 4.0, 0.5
replicas = st.sampled_from([0, 1])


@dataclass
class Request:
    """A write on its way: applied when the server takes it, if the object is still at the version that it names."""

    replica: int
    version: str
    lease: Observed
    asked_at: float


@dataclass
class Server:
    lease: Observed | None = None
    version: int = 0
    written: list[tuple[str, int]] = field(default_factory=list)

    def take(self, request: Request) -> Observed | None:
        at = self.lease.version if self.lease else ""
        if request.version != at:
            return None
        self.version += 1
        found = request.lease
        self.lease = Observed(found.holder, f"t{self.version}", found.duration, found.epoch, f"v{self.version}")
        self.written.append((found.holder, found.epoch))
        return self.lease


class Leases(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.server = Server()
        self.elections = [Election(f"r{number}", duration=DURATION, margin=MARGIN, retry=0.5) for number in (0, 1)]
        self.rates = [1.0, 1.0]
        self.out: list[Request] = []
        self.terms: dict[int, int] = {}

    def clock(self, replica: int) -> float:
        return self.now * self.rates[replica]

    @precondition(lambda self: self.now == 0.0)
    @rule(fast=st.floats(0.95, 1.05))
    def drift(self, fast: float) -> None:
        self.rates = [fast, 2 - fast]

    @rule(seconds=st.floats(0.05, 2.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(seconds=st.floats(3.0, 8.0))
    def a_lease_of_time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(replica=replicas)
    def read(self, replica: int) -> None:
        self.elections[replica].observe(self.server.lease, self.clock(replica))

    @rule(replica=replicas, delivered=st.booleans(), answered=st.booleans())
    def turn(self, replica: int, delivered: bool, answered: bool) -> None:
        """One step, whose request may be delayed, and whose answer may be lost."""
        election, now = self.elections[replica], self.clock(replica)
        match election.step(now, first_epoch=1000 + int(self.now)):
            case Create(epoch):
                request = Request(replica, "", Observed("", "", DURATION, epoch, ""), now)
            case Acquire(epoch, version):
                request = Request(replica, version, self.wanted(replica, epoch), now)
            case Renew(version):
                request = Request(replica, version, self.wanted(replica, election.epoch), now)
            case Watch():
                self.read(replica)
                return
            case _:
                raise AssertionError("no other step")
        if not delivered:
            self.out.append(request)
            return
        taken = self.server.take(request)
        if not answered:
            return
        if taken and not taken.holder:  # made, and nobody's yet
            election.observe(taken, now)
        elif taken:
            election.wrote(taken, asked_at=request.asked_at)
        else:
            election.lost()

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def a_late_request_arrives(self, data: st.DataObject) -> None:
        request = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        self.server.take(request)  # whoever sent it has given up waiting

    @precondition(lambda self: self.server.lease is not None)
    @rule()
    def somebody_deletes_the_lease(self) -> None:
        self.server.lease = None

    @rule(replica=replicas)
    def release(self, replica: int) -> None:
        election = self.elections[replica]
        if election.epoch and self.server.lease and self.server.lease.holder == election.identity:
            epoch = election.epoch
            election.lost()
            self.server.take(Request(replica, self.server.lease.version, self.wanted(replica, epoch, ""), 0.0))

    def wanted(self, replica: int, epoch: int, holder: str | None = None) -> Observed:
        name = self.elections[replica].identity if holder is None else holder
        return Observed(name, "", DURATION if name else 1.0, epoch, "")

    @invariant()
    def never_two_lead_at_once(self) -> None:
        leading = [n for n in (0, 1) if self.elections[n].leads(self.clock(n))]
        assert len(leading) <= 1, [self.elections[n].epoch for n in leading]

    @invariant()
    def no_term_is_led_by_two(self) -> None:
        for number, election in enumerate(self.elections):
            if election.leads(self.clock(number)):
                assert self.terms.setdefault(election.epoch, number) == number


TestLeases = Leases.TestCase
TestLeases.settings = settings(max_examples=200, stateful_step_count=40)
