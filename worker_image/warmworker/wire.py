"""What travels as JSON: turns a request body into a checked value, and never decides what to do with it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from warmworker import times
from warmworker.errors import Malformed

BODY_LIMIT: Final = 256 * 1024
# What the operator reads of an answer, less some room: a longer one would be lost.
ANSWER_LIMIT: Final = 60 * 1024
DEFAULT_WAIT: Final = 2.0
# Longer waits would outlive the idle time-outs of whatever lies between; the answer is then a 202.
LONGEST_WAIT: Final = 300.0

_RUN_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_TRIGGERS: Final = ("Schedule", "Manual")


@dataclass(frozen=True, slots=True)
class TaskRef:
    """The ScheduledTask a run belongs to."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Shard:
    """Which part of a broadcast run this worker does."""

    index: int
    total: int


@dataclass(frozen=True, slots=True)
class Callback:
    """Where a run reports to. The token is good for this run, this attempt and this pod only."""

    url: str
    token: str


@dataclass(frozen=True, slots=True)
class ExecuteRequest:
    """One attempt of one run, as the operator asks for it."""

    run_id: str
    attempt: int
    epoch: int
    trigger: str
    scheduled_time: float
    deadline: float
    task: TaskRef
    pod_uid: str
    handler: str
    payload: Any
    shard: Shard | None
    callback: Callback | None
    wait: float
    traceparent: str | None


def read_execute(body: bytes, headers: Mapping[str, str]) -> ExecuteRequest:
    """The request in `body`; Malformed names the field that is wrong."""
    data = _object(_decode(body), "body")
    run_id = read_run_id(data.get("runId"), "runId")
    key = headers.get("idempotency-key")
    if key is not None and key.strip('"') != run_id:
        raise Malformed("header idempotency-key: is not the runId of the body. Send the run id, or leave it out.")
    trigger = _text(data, "trigger")
    if trigger not in _TRIGGERS:
        raise Malformed(f"trigger: is {trigger!r:.80}. Send Schedule or Manual.")
    task = _object(data.get("task"), "task")
    worker = _object(data.get("worker"), "worker")
    return ExecuteRequest(
        run_id=run_id,
        attempt=_count(data, "attempt"),
        epoch=_count(data, "epoch"),
        trigger=trigger,
        scheduled_time=_time(data, "scheduledTime"),
        deadline=_time(data, "deadline"),
        task=TaskRef(
            _text(task, "namespace", "task."),
            _text(task, "name", "task."),
            _text(task, "uid", "task."),
        ),
        pod_uid=_text(worker, "podUID", "worker.", empty=True),
        handler=_text(data, "handler"),
        payload=_payload(data.get("payload")),
        shard=_shard(data.get("shard")),
        callback=_callback(data.get("callback")),
        wait=read_wait(headers.get("prefer")),
        traceparent=headers.get("traceparent"),
    )


@dataclass(frozen=True, slots=True)
class TermRequest:
    """Whom a fence or a cancel is about, and whose word it is; `attempt` None means all attempts."""

    attempt: int | None
    epoch: int | None


def read_term(body: bytes) -> TermRequest:
    """The body of a fence or a cancel; an empty one is about every attempt."""
    data = _object(_decode(body), "body") if body.strip() else {}
    return TermRequest(
        _count(data, "attempt") if data.get("attempt") is not None else None,
        _count(data, "epoch") if data.get("epoch") is not None else None,
    )


def read_run_id(value: object, field: str) -> str:
    """A run id: what a UUID is made of, and no more than fits a file name or a log line."""
    if not isinstance(value, str) or not _RUN_ID.fullmatch(value):
        raise Malformed(f"{field}: must be 1 to 128 letters, digits, dots, colons, dashes or underscores.")
    return value


def read_wait(prefer: str | None) -> float:
    """How long the caller holds the line, from a Prefer header; what cannot be read is ignored (RFC 7240)."""
    for part in (prefer or "").lower().replace(";", ",").split(","):
        name, _, value = part.partition("=")
        if name.strip() == "wait" and value.strip(' "').isascii() and value.strip(' "').isdecimal():
            return min(float(value.strip(' "')), LONGEST_WAIT)
    return DEFAULT_WAIT


def _decode(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"body: is not JSON ({error}). Send one JSON object in UTF-8.") from None


def _object(value: object, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"{field}: must be a JSON object.")
    return value


def _text(data: Mapping[str, Any], name: str, prefix: str = "", *, empty: bool = False) -> str:
    value = data.get(name)
    if not isinstance(value, str) or len(value) > 512 or not (value or empty):  # noqa: PLR2004
        raise Malformed(f"{prefix}{name}: must be a text of {0 if empty else 1} to 512 characters.")
    return value


def _count(data: Mapping[str, Any], name: str, prefix: str = "") -> int:
    value = data.get(name)
    # bool is an int to Python, but true is no number to JSON; the bound is what SQLite and JSON readers keep exactly.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise Malformed(f"{prefix}{name}: must be a whole number that is not negative.")
    return value


def _time(data: Mapping[str, Any], name: str) -> float:
    value = data.get(name)
    try:
        return times.parse(value if isinstance(value, str) else "")
    except (ValueError, OverflowError):
        raise Malformed(f"{name}: must be an RFC 3339 time with a zone, such as 2026-01-31T12:00:00Z.") from None


def _payload(value: object) -> dict[str, Any]:
    return {} if value is None else _object(value, "payload")


def _shard(value: object) -> Shard | None:
    if value is None:
        return None
    data = _object(value, "shard")
    shard = Shard(_count(data, "index", "shard."), _count(data, "total", "shard."))
    if shard.index >= shard.total:
        raise Malformed("shard.index: must be lower than shard.total; the first index is 0.")
    return shard


def _callback(value: object) -> Callback | None:
    if value is None:
        return None
    data = _object(value, "callback")
    url, token = data.get("url"), data.get("token")
    if not isinstance(url, str) or len(url) > 2048 or urlsplit(url).scheme not in {"http", "https"}:  # noqa: PLR2004
        raise Malformed("callback.url: must be an http or https address of at most 2048 characters.")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or len(token) > 4096:  # noqa: PLR2004
        raise Malformed("callback.token: must be printable ASCII text of at most 4096 characters.")
    return Callback(url, token)
