"""Callback tokens: a worker can report the run it was given and nothing else. Nothing is stored."""

import base64
import hashlib
import hmac
from typing import Final

MAX_DIGITS: Final = 10


class Tokens:
    """Makes and checks them; every replica with the same key agrees."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, run_id: str, attempt: int, pod_uid: str) -> str:
        """The token for one attempt of a run on one pod: both in plain text, and the proof that they are ours."""
        return f"{attempt}.{pod_uid}.{self._proof(run_id, attempt, pod_uid)}"

    def read(self, token: str, run_id: str) -> tuple[int, str] | None:
        """Attempt and pod uid of a token for this run; None if it is not one of ours, whatever is wrong with it."""
        attempt, _, rest = token.partition(".")
        pod_uid, _, proof = rest.rpartition(".")
        if not (attempt.isascii() and attempt.isdecimal() and len(attempt) < MAX_DIGITS) or attempt.startswith("0"):
            return None
        expected = self._proof(run_id, int(attempt), pod_uid)
        # What a header holds need not be text that can be encoded; no such thing is ours.
        if not hmac.compare_digest(proof.encode(errors="replace"), expected.encode()):
            return None
        return int(attempt), pod_uid

    def _proof(self, run_id: str, attempt: int, pod_uid: str) -> str:
        message = f"{run_id}|{attempt}|{pod_uid}".encode(errors="replace")
        return base64.urlsafe_b64encode(hmac.digest(self._key, message, hashlib.sha256)).decode().rstrip("=")
