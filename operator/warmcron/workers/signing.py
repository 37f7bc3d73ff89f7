"""Signs what goes to workers, by Standard Webhooks (`v1a`, Ed25519): who can check a signature cannot make one.

The signature covers `id.timestamp.body`. The id names what is asked, of which pod, for which attempt of which run, so
that a request is good for no other path, pod or run. Private keys never leave this module.
"""

import base64
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from warmcron.errors import ConfigError

# Each costs every request one more signature. Two are active while keys are rotated; a third is a mistake forgiven.
MAX_KEYS: Final = 3


def message_id(operation: str, pod_uid: str, run_id: str = "", attempt: int = 0) -> str:
    """What a signature is good for: the value of the header `webhook-id`."""
    return f"{operation}:{pod_uid}:{run_id}:{attempt}"


class Signer:
    """Signs with every key it holds: while keys are rotated, a worker need not know more than one of them."""

    def __init__(self, keys: Sequence[Ed25519PrivateKey]) -> None:
        if not 1 <= len(keys) <= MAX_KEYS:
            raise ConfigError(f"{len(keys)} signing keys; from 1 to {MAX_KEYS} can be active at a time")
        self._keys = tuple(keys)

    @classmethod
    def made(cls) -> "Signer":
        """A signer with a new key that nobody else has and that ends with the process."""
        return cls([Ed25519PrivateKey.generate()])

    @classmethod
    def read(cls, directory: Path) -> "Signer":
        """The keys of a directory, one PEM file each, as a Secret is mounted; raises ConfigError."""
        try:
            # Kubernetes keeps what it swaps at an update in entries that begin with a dot.
            files = sorted(path for path in directory.iterdir() if path.is_file() and not path.name.startswith("."))
        except OSError as error:
            raise ConfigError(f"signing keys: {directory} cannot be listed: {error.strerror}") from None
        return cls([_read(path) for path in files])

    @classmethod
    def kept_in(cls, file: Path) -> "Signer":
        """The key of a file of ours, which is made if it is not there; raises ConfigError."""
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                _make(file)
        except OSError as error:
            raise ConfigError(f"signing key: {file} cannot be made: {error.strerror}") from None
        return cls([_read(file)])

    @property
    def public_keys(self) -> tuple[str, ...]:
        """What workers check with, in the form of Standard Webhooks: `whpk_` and base64. They are no secrets."""
        raw = (key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) for key in self._keys)
        return tuple(f"whpk_{base64.b64encode(key).decode()}" for key in raw)

    def headers(self, message: str, body: bytes, *, now: float) -> dict[str, str]:
        """The three headers of Standard Webhooks for a request that leaves at `now` (epoch seconds)."""
        timestamp = str(int(now))
        signed = f"{message}.{timestamp}.".encode() + body
        signatures = (f"v1a,{base64.b64encode(key.sign(signed)).decode()}" for key in self._keys)
        return {"webhook-id": message, "webhook-timestamp": timestamp, "webhook-signature": " ".join(signatures)}


def _read(file: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except OSError as error:
        raise ConfigError(f"signing key: {file} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError):  # nothing of what is in the file goes into a message
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"signing key: {file} is no Ed25519 key: make one with openssl genpkey -algorithm ed25519")
    return key


def _make(file: Path) -> None:
    text = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(text)
    try:
        # A link cannot replace a file: of two that start at once, both read the key of the first.
        # A crash before this leaves a draft that nobody reads.
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
