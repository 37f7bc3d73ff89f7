"""Checks that a request comes from the operator and is meant for this pod, before anything else looks at it.

Standard Webhooks, `v1a`: Ed25519 over `id.timestamp.body`. It holds public keys only, so it could not sign anything.
"""

import base64
import binascii
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from warmworker import keys, protocol
from warmworker.errors import BadSetting
from warmworker.protocol import Problem

logger = logging.getLogger(__name__)
# Clocks of two nodes may differ by this much, and a copy of a request is of no use for longer. Seconds.
TOLERANCE: Final = 300
# A signature costs 0.1 ms to check: without a bound, one header could ask for thousands.
MAX_SIGNATURES: Final = 4
SIGNATURE_BYTES: Final = 64
LOOK_SECONDS: Final = 5.0
COMPLAIN_SECONDS: Final = 10.0


class Keyring(Protocol):
    """Knows the public keys that are good now."""

    def current(self) -> tuple[Ed25519PublicKey, ...]:
        """All of them."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """Keys that stay as they are as long as the process lives."""

    keys: tuple[Ed25519PublicKey, ...]

    def current(self) -> tuple[Ed25519PublicKey, ...]:
        """All of them."""
        return self.keys


class Watched:
    """The keys of a file, read again when it changes: keys are rotated without a restart."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen = self._stamp()
        self._keys = keys.read(file)
        self._looked = time.monotonic()

    def current(self) -> tuple[Ed25519PublicKey, ...]:
        """All of them; what a changed file held before, should it be unusable."""
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._looked = time.monotonic()
            if (stamp := self._stamp()) != self._seen:
                self._seen = stamp
                try:
                    self._keys = keys.read(self._file)
                    logger.info("%s has changed: %d public keys are good now", self._file, len(self._keys))
                except BadSetting as error:
                    logger.error("the public keys stay as they were: %s", error)  # noqa: TRY400 - a user's mistake
        return self._keys

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


class Gate:
    """Lets requests in.

    Args:
        keyring: None lets everybody in. Only the option that is named after its danger may ask for that.
        pod_uid: what a request must be meant for.
    """

    def __init__(self, keyring: Keyring | None, *, pod_uid: str) -> None:
        self._keyring, self._pod_uid = keyring, pod_uid
        self._refused, self._complained = 0, float("-inf")

    def check(
        self, operation: str, run_id: str | None, *, headers: Mapping[str, str], body: bytes, now: float
    ) -> Problem | None:
        """None for a request that may pass; `run_id` is the one of the path, None where the path names none."""
        if self._keyring is None:
            return None
        found = self._fault(self._keyring, operation, run_id, headers, body, now)
        if found is not None:
            self._complain(operation, found)
        return found

    def _fault(
        self,
        keyring: Keyring,
        operation: str,
        run_id: str | None,
        headers: Mapping[str, str],
        body: bytes,
        now: float,
    ) -> Problem | None:
        message, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        signatures = _signatures(headers.get("webhook-signature", ""))
        if not message or not timestamp or not signatures:
            return protocol.unsigned("the request is not signed")
        if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):  # noqa: PLR2004
            return protocol.unsigned("webhook-timestamp is not a number of seconds")
        age = now - int(timestamp)
        if abs(age) > TOLERANCE:
            late = f"{age:.0f} s old" if age > 0 else f"{-age:.0f} s ahead of this pod's clock"
            return protocol.unsigned(f"the request is {late}; {TOLERANCE} s are allowed")
        signed = f"{message}.{timestamp}.".encode() + body
        if not any(_matches(key, one, signed) for key in keyring.current() for one in signatures):
            return protocol.unsigned("no public key of this worker matches the signature")
        return self._meant_for(message, operation, run_id)

    def _meant_for(self, message: str, operation: str, run_id: str | None) -> Problem | None:
        parts = message.split(":")
        if len(parts) != 4:  # noqa: PLR2004 - operation, pod uid, run id, attempt
            return protocol.unsigned("webhook-id does not say what the request is meant for")
        if parts[1] != self._pod_uid:
            return protocol.wrong_pod(parts[1], self._pod_uid)
        if parts[0] != operation or (run_id is not None and parts[2] != run_id):
            return protocol.unsigned("the signature is for another request")
        return None

    def _complain(self, operation: str, problem: Problem) -> None:
        # Anybody who reaches the port can be refused: that must not fill a disk.
        self._refused += 1
        if time.monotonic() - self._complained > COMPLAIN_SECONDS:
            self._complained = time.monotonic()
            logger.warning("refused %s (%d in all): %s", operation, self._refused, problem.detail)


def _signatures(header: str) -> list[bytes]:
    """The Ed25519 signatures of a header; what is of another kind or malformed is left out."""
    found = []
    for part in header[:1024].split(" ")[:MAX_SIGNATURES]:
        version, _, text = part.partition(",")
        try:
            signature = base64.b64decode(text, validate=True) if version == "v1a" else b""
        except (binascii.Error, ValueError):
            continue
        if len(signature) == SIGNATURE_BYTES:
            found.append(signature)
    return found


def _matches(key: Ed25519PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True
