"""Reads public keys as people write them: `whpk_…` or PEM, one or several. It never sees a private key through."""

import base64
import binascii
import re
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from warmworker.errors import BadSetting

# Each key that is good makes a wrong signature cost more to refuse.
MAX_KEYS: Final = 4
_PEM: Final = re.compile(r"-----BEGIN PUBLIC KEY-----[^-]*-----END PUBLIC KEY-----")
_COMMENT: Final = re.compile(r"^\s*#.*$", re.MULTILINE)


def read(file: Path) -> tuple[Ed25519PublicKey, ...]:
    """The keys of a file; BadSetting says what is wrong with it."""
    try:
        text = file.read_text()
    except (OSError, ValueError) as error:
        raise BadSetting(f"WARMWORKER_PUBLIC_KEYS_FILE: {file} cannot be read ({error}).") from None
    return parse(text, name=f"WARMWORKER_PUBLIC_KEYS_FILE: {file}")


def parse(text: str, *, name: str) -> tuple[Ed25519PublicKey, ...]:
    """The keys of a text, parted by spaces, commas or lines; lines that begin with # are for people."""
    if "PRIVATE KEY" in text or "whsk_" in text:
        raise BadSetting(f"{name} holds a private key. Give workers the public one only, and replace that key.")
    text = _COMMENT.sub("", text)
    found = [_pem(block, name) for block in _PEM.findall(text)]
    found += [_short(word, name) for word in re.split(r"[\s,]+", _PEM.sub(" ", text)) if word]
    if not 1 <= len(found) <= MAX_KEYS:
        raise BadSetting(f"{name} holds {len(found)} public keys. From 1 to {MAX_KEYS} can be active at a time.")
    return tuple(found)


def _short(word: str, name: str) -> Ed25519PublicKey:
    try:
        raw = base64.b64decode(word.removeprefix("whpk_"), validate=True)
        if word.startswith("whpk_"):
            return Ed25519PublicKey.from_public_bytes(raw)
    except (binascii.Error, ValueError):
        pass
    raise BadSetting(f"{name}: {word!r:.30} is no public key. Write whpk_ and the key's 32 bytes in base64, or PEM.")


def _pem(block: str, name: str) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(block.encode())
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise BadSetting(f"{name}: the PEM block is no Ed25519 public key. See `openssl genpkey -algorithm ed25519`.")
    return key
