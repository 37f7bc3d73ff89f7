"""What the environment and the command line say; checked once at the start, with the name of what is wrong."""

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from warmworker import keys
from warmworker.errors import BadSetting
from warmworker.logs import FORMATS
from warmworker.records import Pod
from warmworker.signatures import Fixed, Keyring, Watched

DEFAULT_STATE_DIR: Final = "/var/lib/warmworker"


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where a Secret of type kubernetes.io/tls is mounted: what the worker shows, and whom it believes."""

    directory: Path

    @property
    def certificate(self) -> Path:
        """What the operator is shown; it has to hold the name warmcron-workers.<namespace>.svc."""
        return self.directory / "tls.crt"

    @property
    def key(self) -> Path:
        """Its private key."""
        return self.directory / "tls.key"

    @property
    def authority(self) -> Path:
        """Who signed the operator's certificate."""
        return self.directory / "ca.crt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set.

    Attributes:
        grace_seconds: how long running work may go on after SIGTERM.
        keyring: the public keys of who may send requests; None lets everybody send them.
        tls_client_name: what the certificate of a client has to hold; empty for clients without one.
        tls: None: plain HTTP, and reports to an https address are checked with the system's authorities.
        state_dir: None: /var/lib/warmworker if it can be written to, else a new temporary directory.
    """

    host: str = "0.0.0.0"  # noqa: S104 - a pod is reached by its own address, which it does not know beforehand
    port: int = 8080
    concurrency: int = 10
    state_dir: Path | None = None
    grace_seconds: float = 25.0
    log_format: str = "text"
    tls: Certificates | None = None
    tls_client_name: str = ""
    keyring: Keyring | None
    pod: Pod = field(default_factory=Pod)


def read(environment: Mapping[str, str] = os.environ, **given: str | None) -> Settings:
    """Settings from the environment; what is given (the command line's options) wins."""

    def text(name: str, default: str) -> tuple[str, str]:
        if (option := given.get(name)) is not None:
            return "--" + name.replace("_", "-"), option
        variable = f"WARMWORKER_{name.upper()}"
        return variable, environment.get(variable) or default

    log_format = text("log_format", "text")
    if log_format[1] not in FORMATS:
        raise BadSetting(f"{log_format[0]} is {log_format[1]!r}. Set it to {' or '.join(FORMATS)}.")
    state_dir = text("state_dir", "")[1]
    tls, tls_client_name = _certificates(text("tls_dir", "")[1]), text("tls_client_name", "")[1]
    if tls_client_name and tls is None:
        raise BadSetting("WARMWORKER_TLS_CLIENT_NAME is set without WARMWORKER_TLS_DIR: there is no TLS to show it in.")
    pod = Pod(name=environment.get("POD_NAME", ""), uid=environment.get("POD_UID", ""))
    return Settings(
        host=text("host", "0.0.0.0")[1],  # noqa: S104 - as above
        port=_whole(*text("port", "8080"), lowest=0, highest=65535),
        concurrency=_whole(*text("concurrency", "10"), lowest=1, highest=1000),
        state_dir=Path(state_dir) if state_dir else None,
        grace_seconds=_number(*text("grace_seconds", "25"), lowest=0, highest=86400),
        log_format=log_format[1],
        tls=tls,
        tls_client_name=tls_client_name,
        keyring=_keyring(text, pod),
        pod=pod,
    )


def _keyring(text: Callable[[str, str], tuple[str, str]], pod: Pod) -> Keyring | None:
    """Whose requests are taken. Nothing said is an error: a worker that takes anybody's would run anybody's work."""
    given, file = text("public_keys", "")[1], text("public_keys_file", "")[1]
    if _yes(*text("insecure_accept_unsigned", "")):
        if given or file:
            raise BadSetting(
                "WARMWORKER_INSECURE_ACCEPT_UNSIGNED is set beside public keys. Remove the one or the other."
            )
        return None
    if not given and not file:
        raise BadSetting(
            "No public key is set, so nobody could be believed. Set WARMWORKER_PUBLIC_KEYS_FILE or "
            "WARMWORKER_PUBLIC_KEYS to the operator's (`kubectl get configmap warmcron-public-keys` beside it)."
        )
    if given and file:
        raise BadSetting("WARMWORKER_PUBLIC_KEYS and WARMWORKER_PUBLIC_KEYS_FILE are both set. Keep one of them.")
    if not pod.uid:
        raise BadSetting(
            "POD_UID is not set: requests for other pods could not be told from this pod's. "
            "Set it by the downward API (fieldPath: metadata.uid)."
        )
    return Fixed(keys.parse(given, name="WARMWORKER_PUBLIC_KEYS")) if given else Watched(Path(file))


def _certificates(directory: str) -> Certificates | None:
    if not directory:
        return None
    found = Certificates(Path(directory))
    if missing := [path.name for path in (found.certificate, found.key, found.authority) if not path.is_file()]:
        raise BadSetting(f"WARMWORKER_TLS_DIR: {directory} lacks {', '.join(missing)}. Mount a Secret that holds them.")
    return found


def _yes(name: str, text: str) -> bool:
    if text.lower() not in {"", "true", "false"}:
        raise BadSetting(f"{name} is {text!r}. Set it to true, or leave it out.")
    return text.lower() == "true"


def state_directory(wanted: Path | None) -> tuple[Path, str]:
    """The directory for the run table, and a sentence about it for the log."""
    if wanted is None:
        default = Path(DEFAULT_STATE_DIR)
        if _usable(default):
            return default, f"the run table is kept in {default}"
        try:
            found = Path(tempfile.mkdtemp(prefix="warmworker-"))
        except OSError as error:
            raise BadSetting(f"The run table has no place ({error}). Mount an emptyDir on {default}.") from None
        return found, (
            f"the run table is kept in {found}: a restart of the container may forget it. Mount an emptyDir on "
            f"{default} or set WARMWORKER_STATE_DIR."
        )
    if not _usable(wanted):
        raise BadSetting(
            f"WARMWORKER_STATE_DIR: cannot write to {wanted}. Mount a volume there that the user may write to."
        )
    return wanted, f"the run table is kept in {wanted}"


def _usable(directory: Path) -> bool:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(directory, os.W_OK | os.X_OK)


def _whole(name: str, text: str, *, lowest: int, highest: int) -> int:
    if not (text.isascii() and text.isdecimal() and lowest <= int(text) <= highest):
        raise BadSetting(f"{name} is {text!r}. Set it to a whole number from {lowest} to {highest}.")
    return int(text)


def _number(name: str, text: str, *, lowest: float, highest: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not lowest <= number <= highest:
        raise BadSetting(f"{name} is {text!r}. Set it to a number from {lowest:g} to {highest:g}.")
    return number
