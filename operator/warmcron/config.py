"""The operator's settings, read once from the environment and checked before anything starts."""

import os
import socket
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from warmcron.errors import ConfigError
from warmcron.workers.signing import Signer
from warmcron.workers.tls import Tls

MIN_KEY_BYTES = 32


class Settings(BaseSettings):
    """Every setting is an environment variable with the prefix WARMCRON_; the chart sets them."""

    model_config = SettingsConfigDict(env_prefix="WARMCRON_", frozen=True, extra="ignore")

    namespace: str = Field("default", description="Namespace of the operator itself, where its Lease is.")
    pod_name: str = Field(default_factory=socket.gethostname, description="Name of this replica.")
    pod_ip: str = Field("127.0.0.1", description="Where the other replica finds this one.")
    watch_namespaces: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Namespaces to watch, separated by commas; empty for the whole cluster."
    )
    lease_name: str = Field("warmcron", description="Name of the Lease by which replicas elect a leader.")
    lease_duration_seconds: float = Field(4.0, ge=2, le=60, description="How long a leader's renewal holds.")
    callback_url: str = Field(
        "http://127.0.0.1:8081", description="Where workers report: the operator's Service, port callbacks."
    )
    callback_key_file: Path | None = Field(
        None,
        description="File with at least 32 random bytes, the same for every replica; signs callback tokens.",
    )
    signing_keys_dir: Path | None = Field(
        None,
        description="Directory of the Ed25519 keys, one PEM file each, that requests to workers are signed with.",
    )
    tls_dir: Path | None = Field(
        None,
        description="Directory with tls.crt, tls.key and ca.crt: workers are then dialled, and report, by TLS.",
    )
    http_port: int = Field(8080, ge=0, le=65535, description="Port of /livez, /readyz and /metrics.")
    callback_port: int = Field(8081, ge=0, le=65535, description="Port to which workers report.")
    api_port: int = Field(8082, ge=0, le=65535, description="Port of the API and the dashboard.")
    bind_address: str = Field("0.0.0.0", description="Address that all ports listen on.")  # noqa: S104 - in a pod
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Least important log line.")
    log_format: str = Field("json", pattern="^(json|console)$", description="json, or console for people.")
    metrics_tasks: int = Field(1000, ge=0, description="At most so many tasks have series of their own in /metrics.")
    status_writers: int = Field(8, ge=1, le=64, description="Status writes in flight at once.")
    status_interval_seconds: float = Field(5.0, ge=0, le=300, description="Least pause between writes of one task.")
    resync_seconds: float = Field(900.0, ge=10, description="How often the whole state is listed and compared.")

    history_url: str = Field(
        "", description="Where runs are remembered: sqlite:////file or postgresql://…; empty for nowhere."
    )
    history_url_file: Path | None = Field(None, description="File that holds that URL, for one with a password.")
    history_days: float = Field(30, gt=0, description="Runs older than this are forgotten.")
    history_runs: int = Field(1_000_000, ge=1000, description="At most so many runs are remembered.")
    history_log_days: float = Field(7, gt=0, description="Log lines older than this are forgotten.")
    history_log_lines: int = Field(2_000_000, ge=1000, description="At most so many log lines are remembered.")

    history_sqlite_megabytes: int = Field(0, ge=0, description="Size at which a SQLite file stops; 0 for none.")

    events: bool = Field(True, description="Post Kubernetes Events when the state of a task changes.")

    notify_url: str = Field("", description="Webhook for failures, recoveries and missed ticks; empty for none.")
    notify_secret_file: Path | None = Field(None, description="File with the secret that signs notifications.")
    notify_source: str = Field("/warmcron", description="Source of the CloudEvents: a URI that names this cluster.")
    notify_silence_seconds: float = Field(900, ge=0, description="A task's failures are told once in so long.")

    trace_url: str = Field(
        "", description="Where a trace id in the dashboard leads: an http(s) URL with {traceId} in it; empty: nowhere."
    )

    @field_validator("trace_url")
    @classmethod
    def _is_trace_url(cls, value: str) -> str:
        found = urlsplit(value)
        if value and (found.scheme not in ("http", "https") or not found.hostname or "{traceId}" not in value):
            raise ValueError("expected an http or https URL with {traceId} in it")
        return value

    @field_validator("watch_namespaces", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    def history(self) -> str:
        """The URL of the history's database; empty where none is kept."""
        if self.history_url_file is None:
            return self.history_url
        try:
            return self.history_url_file.read_text().strip()
        except OSError as error:
            raise ConfigError(f"WARMCRON_HISTORY_URL_FILE: cannot be read: {error.strerror}") from None

    def notify_secret(self) -> str:
        """The secret that signs notifications; there is no default."""
        if self.notify_secret_file is None:
            raise ConfigError("WARMCRON_NOTIFY_SECRET_FILE: is needed with WARMCRON_NOTIFY_URL")
        try:
            return self.notify_secret_file.read_text()
        except OSError as error:
            raise ConfigError(f"WARMCRON_NOTIFY_SECRET_FILE: cannot be read: {error.strerror}") from None

    def callback_key(self) -> bytes:
        """The key for callback tokens; one made up for this process where no file is given and nobody shares it."""
        if self.callback_key_file is None:
            return os.urandom(MIN_KEY_BYTES)
        try:
            key = self.callback_key_file.read_bytes().strip()
        except OSError as error:
            raise ConfigError(f"WARMCRON_CALLBACK_KEY_FILE: cannot be read: {error.strerror}") from None
        if len(key) < MIN_KEY_BYTES:
            raise ConfigError(f"WARMCRON_CALLBACK_KEY_FILE: {len(key)} bytes; at least {MIN_KEY_BYTES} are needed")
        return key

    def signer(self) -> Signer:
        """Signs requests to workers; with a key made up for this process where no directory is given."""
        if self.signing_keys_dir is None:
            return Signer.made()
        try:
            return Signer.read(self.signing_keys_dir)
        except ConfigError as error:
            raise ConfigError(f"WARMCRON_SIGNING_KEYS_DIR: {error}") from None

    def tls(self) -> Tls | None:
        """The certificates, if there are any; the operator's name in them is the host of the callback address."""
        if self.tls_dir is None:
            return None
        found = urlsplit(self.callback_url)
        if found.scheme != "https":
            raise ConfigError(f"WARMCRON_CALLBACK_URL: with WARMCRON_TLS_DIR it has to be https, not {found.scheme}")
        try:
            return Tls.read(self.tls_dir, own_name=found.hostname or "")
        except ConfigError as error:
            raise ConfigError(f"WARMCRON_TLS_DIR: {error}") from None


def load() -> Settings:
    """Reads the environment; raises ConfigError that names every variable at fault."""
    try:
        return Settings()
    except ValidationError as error:
        faults = "; ".join(f"WARMCRON_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise ConfigError(faults) from None
