"""The worker protocol as pure functions: a run to a request's bytes, an answer to an event. No socket in here."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from warmcron.core import runs, times, trace
from warmcron.core.pool import DEFAULT_CONCURRENCY, SUSPECT_SECONDS, Worker

Json = dict[str, Any]

EXECUTE: Final = "/api/task/execute"
RUNS: Final = "/api/task/runs"
HANDLERS: Final = "/api/task/handlers"
# A worker answers within this many seconds what it can finish, and 202 for the rest.
INLINE_SECONDS: Final = 2
# No answer is read past this: a worker's answer is as little trusted as a user's input.
MAX_BODY: Final = 64 * 1024
REASON_LIMIT: Final = 200
PAUSE_MAX: Final = 60.0
MAX_CONCURRENCY: Final = 10_000
MAX_ID: Final = 128
MAX_VERSION: Final = 64
MAX_ATTEMPT: Final = 1_000_000
OK: Final = 200
# Made once: `json.dumps` with separators makes one for each call.
_TERSE: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False)
# How HTTP servers that know nothing of the protocol answer to its other paths.
NO_SUCH_PATH: Final = (400, 404, 405, 501)


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker says of one run in its list: enough for a new leader to take the run over.

    Attributes:
        task_uid: empty where the worker says no more than run ids and states.
        scheduled: the tick in UTC epoch seconds, 0 where the worker does not say.
        shard: number and count of the worker's part of a broadcast.
    """

    run_id: str
    attempt: int
    pod_uid: str
    event: runs.Event
    task_uid: str = ""
    scheduled: int = 0
    trigger: str = "Schedule"
    shard: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a worker says of itself: which handlers it has, how many runs it takes at once, and its own version.

    `handlers` is None for a plain HTTP endpoint, which keeps no such list and answers only when it is done.
    """

    handlers: frozenset[str] | None
    concurrency: int
    version: str = ""


def request_body(run: runs.Run, worker: Worker, *, epoch: int, callback: tuple[str, str] | None) -> bytes:
    """The body of POST /api/task/execute. The payload goes in as the text it came as."""
    body: Json = {
        "runId": run.id,
        "attempt": run.attempt,
        "epoch": epoch,
        "trigger": run.trigger,
        "scheduledTime": times.text(run.scheduled),
        "deadline": times.text_micro(min(run.deadline, run.attempt_deadline)),
        "task": {"namespace": run.task.namespace, "name": run.task.name, "uid": run.task.uid},
        "worker": {"podName": worker.name, "podUID": worker.uid},
        "handler": run.spec.handler,
    }
    if run.shard:
        body["shard"] = {"index": run.shard.index, "total": run.shard.total}
    if callback:
        body["callback"] = {"url": callback[0], "token": callback[1]}
    text = _TERSE.encode(body).encode()
    return text[:-1] + b',"payload":' + run.payload + b"}" if run.payload else text


def request_headers(run: runs.Run) -> dict[str, str]:
    """The headers of POST /api/task/execute."""
    return {
        "content-type": "application/json",
        "prefer": f"respond-async, wait={INLINE_SECONDS}",
        "idempotency-key": run.id,
        "traceparent": trace.parent(run.id, run.attempt, run.pod_uid),
    }


def read_answer(status: int, headers: Mapping[str, str], body: bytes) -> runs.Event:  # noqa: C901, PLR0911 - a table
    """What the answer to POST /api/task/execute means."""
    match status:
        case 200:
            return _finished_inline(parse(body))
        case 202:
            return runs.Accepted()
        case 409:
            found = read_state(parse(body))
            # It has the run, so it says, and does not say how the run is: it is asked.
            return runs.NoAnswer("AnswerUnreadable") if isinstance(found, runs.Forgotten) else found
        case 404:
            return runs.Rejected("HandlerUnknown")
        case 400 | 413 | 422:
            return runs.Rejected(_reason("PayloadRejected", parse(body)))
        case 410:
            return runs.Rejected("DeadlineExceeded")
        case 401:
            return runs.Refused("SignatureRefused", pause=PAUSE_MAX / 2)
        case 412:
            return runs.Refused("StaleEpoch", pause=1.0)
        case 421:
            return runs.Refused("WrongPod", pause=SUSPECT_SECONDS)
        case 429:
            return runs.Refused("WorkerBusy", pause=_retry_after(headers))
        case 503:
            return runs.Refused("WorkerUnavailable", pause=_retry_after(headers))
    return runs.Broke(_reason(f"Http{status}", parse(body)))


def read_state(document: Json | None) -> runs.Event:
    """What a run document says: the body of 409, of a look-up, of a fence and of each entry of the list."""
    if document is None:
        return runs.Forgotten()
    match document.get("state"):
        case "Running":
            return runs.Accepted()
        case "Fenced":
            return runs.Fenced()
        case "Succeeded" | "Failed" | "Cancelled" | "Interrupted" as state:
            return finished(state, document)
    return runs.Forgotten()


def finished(outcome: str, details: Json) -> runs.Event:
    """How a run ended, from a run document or a Finished event; details may hold `error` and `retry`."""
    match outcome:
        case "Succeeded":
            return runs.Finished(runs.Outcome.SUCCEEDED)
        case "Cancelled":
            return runs.Finished(runs.Outcome.CANCELLED, _reason("Cancelled", details))
        case "Interrupted":
            # A draining worker gives back what it could not finish. One that died with the run in it may have been
            # killed by the run: that counts, or a crashing handler would take worker after worker for an hour.
            drained = _text(details.get("error")).startswith("Drained")
            return runs.WorkerLost("WorkerDrained" if drained else "WorkerCrashed", counted=not drained)
    return runs.Finished(
        runs.Outcome.FAILED, _reason("HandlerFailed", details), retry=details.get("retry", True) is True
    )


def read_reports(body: bytes, pod_uid: str) -> list[Report]:
    """The list of GET /api/task/runs, of the pod that was asked; entries that make no sense are left out."""
    found = parse(body) or {}
    entries = found.get("runs")
    if found.get("podUID") != pod_uid or not isinstance(entries, list):
        return []
    return [
        _report(entry, pod_uid)
        for entry in entries
        if isinstance(entry, dict) and _is_id(entry.get("runId")) and _is_attempt(entry.get("attempt"))
    ]


def _report(entry: Json, pod_uid: str) -> Report:
    task, scheduled = entry.get("task"), entry.get("scheduledTime")
    uid = task.get("uid") if isinstance(task, dict) else None
    try:
        tick = int(times.epoch(scheduled)) if isinstance(scheduled, str) else 0
    except (ValueError, OverflowError):
        tick = 0
    trigger = "Manual" if entry.get("trigger") == "Manual" else "Schedule"
    uid = uid if isinstance(uid, str) else ""
    shard = _shard(entry.get("shard"))
    return Report(entry["runId"], entry["attempt"], pod_uid, read_state(entry), uid, tick, trigger, shard)


def _shard(found: object) -> tuple[int, int] | None:
    if not isinstance(found, dict):
        return None
    index, total = found.get("index"), found.get("total")
    return (index, total) if isinstance(index, int) and isinstance(total, int) else None


def read_abilities(status: int, body: bytes) -> Abilities | None:
    """The answer of GET /api/task/handlers; None for one that says to ask again.

    404 is that of a plain endpoint, and so is 200 with anything else than a list of handlers: some answer every path.
    """
    found = parse(body) or {}
    plain = status == OK and not isinstance(found.get("handlers"), list)
    if plain or status in NO_SUCH_PATH:
        return Abilities(None, DEFAULT_CONCURRENCY)
    if status != OK:
        return None
    handlers = frozenset(name for name in found["handlers"] if isinstance(name, str))
    concurrency = found.get("concurrency")
    if not isinstance(concurrency, int):
        concurrency = 1
    version = _text(found.get("version"))[:MAX_VERSION]
    return Abilities(handlers, min(max(concurrency, 1), MAX_CONCURRENCY), version)


def parse(body: bytes) -> Json | None:
    """A JSON object, or None for anything else."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _is_id(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_ID


def _is_attempt(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_ATTEMPT


def _finished_inline(document: Json | None) -> runs.Event:
    """A plain HTTP endpoint that answers 200 with anything at all has done the run."""
    if document is not None and document.get("outcome") in ("Failed", "Cancelled", "Interrupted"):
        return finished(document["outcome"], document)
    return runs.Finished(runs.Outcome.SUCCEEDED)


def _reason(word: str, details: Json | None) -> str:
    """A word for tools and, behind it, what the worker says, cut short and without control characters."""
    found = details or {}
    message = _text(found.get("error")) or _text(found.get("detail")) or _text(found.get("title"))
    return f"{word}: {message}" if message else word


def _text(value: object) -> str:
    if isinstance(value, dict):
        parts = (value.get("type"), value.get("message"))
        value = ": ".join(part for part in parts if isinstance(part, str) and part)
    if not isinstance(value, str):
        return ""
    return "".join(char if char.isprintable() else " " for char in value[:REASON_LIMIT]).strip()


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds of Retry-After, from 0.1 to a minute; a date or nonsense counts as one second."""
    try:
        seconds = float(headers.get("retry-after", "1"))
    except ValueError:
        return 1.0
    return 1.0 if math.isnan(seconds) else min(max(seconds, 0.1), PAUSE_MAX)
