"""What can happen to a run, and what is to be done next: plain values that `core.runs` takes in and gives back."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How a run ended."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    SKIPPED = "Skipped"
    UNKNOWN = "Unknown"


# ---- what can happen to a run --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chosen:
    """A worker was chosen, and that it was must be written down before anything is sent to it."""

    pod_name: str
    pod_uid: str


@dataclass(frozen=True, slots=True)
class Committed:
    """The choice is in the task's status for certain: whoever leads next knows whom to ask."""


@dataclass(frozen=True, slots=True)
class NotCommitted:
    """It is not certain that the choice was written down. Nothing was sent."""

    reason: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A worker was chosen and the request is about to leave."""

    pod_name: str
    pod_uid: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The worker has it and will report (202, or 409 with a run that goes on)."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The worker says how it ended. `retry` is false when the handler says that trying again is useless."""

    outcome: Outcome
    reason: str = ""
    retry: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """The worker certainly did not start it: busy, draining, or nobody listened. Costs no attempt.

    `pause` is for how many seconds that worker is better left alone; the run goes to another one at once.
    """

    reason: str
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Rejected:
    """The worker will never start it: unknown handler, payload rejected."""

    reason: str


@dataclass(frozen=True, slots=True)
class Broke:
    """The attempt failed (500 or an answer that makes no sense)."""

    reason: str


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The request went out and no answer came back: the worker may have it or not."""

    reason: str


@dataclass(frozen=True, slots=True)
class Fenced:
    """The worker never had this attempt and now never will."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The worker could not be asked."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The worker does not know the run (404), or does not keep a table of runs at all."""


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """The worker's pod is gone, or its container died while it had the run."""

    reason: str
    counted: bool = False


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """Somebody wants the run to end: a user, Replace, or the task's deletion."""

    reason: str


@dataclass(frozen=True, slots=True)
class Woke:
    """The time for which the run waited has come."""


Event = (
    Chosen
    | Committed
    | NotCommitted
    | Sent
    | Accepted
    | Finished
    | Refused
    | Rejected
    | Broke
    | NoAnswer
    | Fenced
    | Unreachable
    | Forgotten
    | WorkerLost
    | CancelAsked
    | Woke
)

# ---- what is to be done next ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """Pick a worker and send the request."""


@dataclass(frozen=True, slots=True)
class Commit:
    """Write down which worker was chosen."""


@dataclass(frozen=True, slots=True)
class Deliver:
    """Send the request to the worker that was chosen and written down."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing until `Run.wake`."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the worker what it knows of the run; with `fence`, so that it never takes it later."""

    fence: bool


@dataclass(frozen=True, slots=True)
class Cancel:
    """Tell the worker to stop the run."""


@dataclass(frozen=True, slots=True)
class End:
    """The run is over."""

    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Ignore:
    """Too late, or twice: the run has moved on."""


Step = Send | Commit | Deliver | Wait | Ask | Cancel | End | Ignore
