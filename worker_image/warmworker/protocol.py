"""What the worker answers to an execute request, decided as a value; never how it is done or sent."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from warmworker import runs
from warmworker.records import Record
from warmworker.wire import ExecuteRequest

PROBLEM_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """An RFC 9457 problem document and the status it travels with."""

    status: int
    name: str
    title: str
    detail: str
    retry_after: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The JSON of it."""
        return {
            "type": f"urn:warmcron:problem:{self.name}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.extra,
        }


@dataclass(frozen=True, slots=True)
class Worker:
    """The worker at the moment of the request, as far as the answer depends on it."""

    pod_uid: str
    handlers: Container[str]
    busy: int
    concurrency: int
    draining: bool
    writable: bool = True


@dataclass(frozen=True, slots=True)
class Start:
    """Start the attempt."""


@dataclass(frozen=True, slots=True)
class Here:
    """The attempt is here already: show the record."""

    record: Record


@dataclass(frozen=True, slots=True)
class Promised:
    """The attempt was fenced before it came."""


@dataclass(frozen=True, slots=True)
class NotForUs:
    """The request must leave no trace here, not even its epoch."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class Refuse:
    """The attempt is not started."""

    problem: Problem


Decision = Start | Here | Promised | NotForUs | Refuse


def decide(  # noqa: PLR0911 - one return for each line of the list below
    request: ExecuteRequest, *, table: runs.RunTable, worker: Worker, now: float
) -> Decision:
    """The first of these that holds is the answer; the order is part of the protocol.

    1. Another pod's uid: the address was given to us after the pod it meant was gone. Neither that pod's run ids
       nor its leader's epoch mean anything here, so this comes before anything is looked up or remembered.
    2. An older epoch: the sender is no leader any more. It must neither start a run nor adopt one.
    3. Already here: before the deadline, because 410 tells the operator "not started here", and that would be a lie
       about an attempt that did start; and before 503, 404 and 429, because what is here is told also by a worker
       that is draining, busy, or was restarted with other code.
    4. Deadline passed: no worker may start it, so there is no point in sending the operator to another one.
    5. Draining, or unable to remember: before 404, because in a rolling update it is the old pod that does not know
       the new handler, and 404 would end the run for good where another worker would have taken it.
    6. Unknown handler: before 429, so that a wrong name is told at once also by a busy worker.
    7. Busy: the only answer that time alone heals.
    """
    if worker.pod_uid and request.pod_uid != worker.pod_uid:
        return NotForUs(wrong_pod(request.pod_uid, worker.pod_uid))
    if request.epoch < table.epoch:
        return NotForUs(stale_epoch(request.epoch, table.epoch))
    match table.admit(request.run_id, request.attempt):
        case runs.Known(record):
            return Here(record)
        case runs.Fenced():
            return Promised()
    if request.deadline <= now:
        return Refuse(DEADLINE_PASSED)
    if worker.draining:
        return Refuse(DRAINING)
    if not worker.writable:
        return Refuse(NOT_WRITABLE)
    if request.handler not in worker.handlers:
        return Refuse(unknown_handler(request.handler))
    if worker.busy >= worker.concurrency:
        return Refuse(busy(worker.concurrency))
    return Start()


DEADLINE_PASSED: Final = Problem(
    410, "deadline-passed", "Deadline passed", "The run was not started: its deadline is over by this worker's clock."
)
DRAINING: Final = Problem(
    503, "draining", "Worker is draining", "This worker is shutting down. Send the run to another one.", retry_after=1
)
NOT_WRITABLE: Final = Problem(
    503,
    "state-not-writable",
    "Run table cannot be written",
    "This worker cannot remember runs, so it starts none. Check space and permissions of its state directory.",
    retry_after=5,
)


def unsigned(cause: str) -> Problem:
    """401."""
    detail = f"Nothing was done: {cause}. Only the operator's own requests are taken here."
    return Problem(401, "bad-signature", "Not signed by the operator", detail)


def no_certificate(name: str) -> Problem:
    """401, too."""
    detail = f"Nothing was done: the client showed no certificate for {name}, and this worker is told to ask for it."
    return Problem(401, "no-certificate", "No certificate of the operator", detail)


def wrong_pod(asked: str, own: str) -> Problem:
    """421."""
    detail = f"The run is for pod uid {asked!r:.80}, this is {own}. The address belongs to another pod now."
    return Problem(421, "wrong-pod", "Another pod", detail)


def stale_epoch(asked: int, seen: int) -> Problem:
    """412."""
    detail = f"The sender's epoch is {asked}, and {seen} was seen here. Another replica leads now: send nothing."
    return Problem(412, "stale-epoch", "Older epoch", detail)


def unknown_handler(name: str) -> Problem:
    """404."""
    detail = f"No handler {name!r:.80} here. GET /api/task/handlers lists the names this worker knows."
    return Problem(404, "unknown-handler", "Unknown handler", detail)


def unknown_run(run_id: str) -> Problem:
    """404."""
    detail = f"Run {run_id} is not known here: it was never here, or it ended long ago."
    return Problem(404, "unknown-run", "Unknown run", detail)


def busy(concurrency: int) -> Problem:
    """429."""
    detail = f"All {concurrency} places are taken. Send the run to another worker, or raise WARMWORKER_CONCURRENCY."
    return Problem(429, "busy", "Worker is busy", detail, retry_after=1)


def rejected(message: str, **extra: Any) -> Problem:
    """422."""
    return Problem(422, "payload-rejected", "Payload rejected", message, extra=extra)


def bad_request(message: str) -> Problem:
    """400."""
    return Problem(400, "malformed-request", "Malformed request", message)


def too_big(message: str) -> Problem:
    """413."""
    return Problem(413, "body-too-big", "Body too big", message)
