"""What the operator signs with: keys are read, made and refused, and a request says what it is good for."""

import base64
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from warmcron import config
from warmcron.errors import ConfigError
from warmcron.workers.signing import Signer, message_id


def pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public(text: str) -> Ed25519PublicKey:
    assert text.startswith("whpk_")
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(text.removeprefix("whpk_")))


def test_the_headers_are_those_of_standard_webhooks() -> None:
    signer = Signer.made()
    headers = signer.headers("execute:uid:run:1", b'{"a":1}', now=1_700_000_000.9)
    assert headers["webhook-id"] == "execute:uid:run:1"
    assert headers["webhook-timestamp"] == "1700000000"
    version, _, signature = headers["webhook-signature"].partition(",")
    assert version == "v1a"
    public(signer.public_keys[0]).verify(base64.b64decode(signature), b'execute:uid:run:1.1700000000.{"a":1}')


def test_while_keys_are_rotated_every_request_is_signed_with_both() -> None:
    keys = [Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()]
    signer = Signer(keys)
    parts = signer.headers("m", b"", now=1)["webhook-signature"].split(" ")
    for known, part in zip(signer.public_keys, parts, strict=True):
        public(known).verify(base64.b64decode(part.removeprefix("v1a,")), b"m.1.")


def test_an_id_names_the_call_the_pod_the_run_and_the_attempt() -> None:
    assert message_id("cancel", "uid", "run", 2) == "cancel:uid:run:2"
    assert message_id("runs", "uid") == "runs:uid::0"


def test_the_keys_of_a_mounted_secret_are_read_and_what_kubernetes_keeps_beside_them_is_not(tmp_path: Path) -> None:
    hidden = tmp_path / "..2026_01_01"
    hidden.mkdir()
    keys = {name: Ed25519PrivateKey.generate() for name in ("1.pem", "2.pem")}
    for name, key in keys.items():
        (hidden / name).write_bytes(pem(key))
        (tmp_path / name).symlink_to(hidden / name)
    (tmp_path / "..data").symlink_to(hidden)
    assert Signer.read(tmp_path).public_keys == Signer(list(keys.values())).public_keys


def test_a_key_is_made_once_for_a_folder_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    file = tmp_path / "state" / "signing.pem"
    first = Signer.kept_in(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Signer.kept_in(file).public_keys == first.public_keys
    assert [path.name for path in file.parent.iterdir()] == ["signing.pem"]
    assert Signer.made().public_keys != first.public_keys


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "0 signing keys; from 1 to 3"),
        ({"a": b"secret-canary"}, "a is no Ed25519 key: make one with openssl"),
        ({"a": b""}, "a is no Ed25519 key"),
        # A key of another kind signs well, but not what workers check.
        (
            {"a": generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())},
            "a is no Ed25519 key",
        ),
        ({str(number): pem(Ed25519PrivateKey.generate()) for number in range(4)}, "4 signing keys; from 1 to 3"),
    ],
)
def test_keys_that_cannot_be_used_are_named_and_never_shown(
    tmp_path: Path, files: dict[str, bytes], message: str
) -> None:
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(ConfigError, match=message) as caught:
        Signer.read(tmp_path)
    assert "canary" not in str(caught.value)


def test_the_setting_at_fault_is_named(tmp_path: Path) -> None:
    settings = config.Settings(signing_keys_dir=tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"^WARMCRON_SIGNING_KEYS_DIR: signing keys: .*nowhere cannot be listed"):
        settings.signer()
    assert config.Settings().signer().public_keys != config.Settings().signer().public_keys


def test_a_draft_that_a_crash_has_left_is_read_by_nobody(tmp_path: Path) -> None:
    (tmp_path / ".signing.pem.0123456789abcdef").write_bytes(b"half a k")
    first = Signer.kept_in(tmp_path / "signing.pem")
    assert Signer.kept_in(tmp_path / "signing.pem").public_keys == first.public_keys
