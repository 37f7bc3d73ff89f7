"""W3C trace ids of a run and its attempts: made of their names, so every replica and every retry agrees. Pure."""

import hashlib
from typing import Final

TRACE_DIGITS: Final = 32


def trace_id(run_id: str) -> str:
    """The trace of a run: its id, which is a hash already. Empty for an id that is no UUID."""
    digits = run_id.replace("-", "")
    return digits if len(digits) == TRACE_DIGITS else ""


def root_span(run_id: str) -> str:
    """The span that stands for the whole run."""
    return hashlib.blake2b(run_id.encode(), digest_size=8).hexdigest()


def attempt_span(run_id: str, attempt: int, pod_uid: str) -> str:
    """The span of one request to one worker."""
    return hashlib.blake2b(f"{run_id}|{attempt}|{pod_uid}".encode(), digest_size=8).hexdigest()


def parent(run_id: str, attempt: int, pod_uid: str) -> str:
    """The `traceparent` that goes to the worker: what the handler does is a child of its attempt. Always sampled."""
    return f"00-{trace_id(run_id)}-{attempt_span(run_id, attempt, pod_uid)}-01"
