"""Callback tokens: a worker can report the run it was given and nothing else. Nothing is stored."""

import base64
import hashlib
import hmac


class Tokens:
    """Makes and checks them; every replica with the same key agrees."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, run_id: str, attempt: int, pod_uid: str) -> str:
        """The token for one attempt of a run on one pod."""
        message = f"{run_id}|{attempt}|{pod_uid}".encode()
        return base64.urlsafe_b64encode(hmac.digest(self._key, message, hashlib.sha256)).decode().rstrip("=")

    def matches(self, token: str, run_id: str, attempt: int, pod_uid: str) -> bool:
        """Whether a token is the one for this attempt; takes the same time whatever is wrong."""
        return hmac.compare_digest(token.encode(), self.make(run_id, attempt, pod_uid).encode())
