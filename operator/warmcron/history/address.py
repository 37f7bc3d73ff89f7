"""The URL of a history's database: what it may say, what the drivers make of it. Nothing is connected to in here."""

import sqlite3
import ssl
from typing import Final

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from warmcron.errors import ConfigError

# The full-text index that the search over log lines needs.
OLDEST_SQLITE: Final = (3, 35, 0)
# What of libpq's URLs there is; `host` may be given several times, and the first that takes writes is taken.
POSTGRES_PARTS: Final = ("sslmode", "sslrootcert", "host", "port", "target_session_attrs")
TLS_CHECKED: Final = ("verify-ca", "verify-full")
TLS_MODES: Final = ("disable", "allow", "prefer", "require", *TLS_CHECKED)


def parse(text: str) -> URL:
    """The URL, checked; raises ConfigError that says what is wrong without repeating a password."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise ConfigError("WARMCRON_HISTORY_URL: is no URL; write sqlite:///FILE or postgresql://…") from None
    match url.get_backend_name():
        case "sqlite":
            if not url.database or url.database == ":memory:":
                raise ConfigError("WARMCRON_HISTORY_URL: names no file; write sqlite:////absolute/path.db")
            if sqlite3.sqlite_version_info < OLDEST_SQLITE:
                raise ConfigError(f"WARMCRON_HISTORY_URL: SQLite {sqlite3.sqlite_version} is too old: 3.35 or later")
            return url.set(drivername="sqlite+aiosqlite")
        case "postgresql":
            _check_postgres(url)
            return url.set(drivername="postgresql+asyncpg")
    raise ConfigError(f"WARMCRON_HISTORY_URL: {url.get_backend_name()} is not supported; use sqlite or postgresql")


def _check_postgres(url: URL) -> None:
    if unknown := url.query.keys() - POSTGRES_PARTS:
        raise ConfigError(f"WARMCRON_HISTORY_URL: {min(unknown)} is not supported; {', '.join(POSTGRES_PARTS)} are")
    mode = url.query.get("sslmode", "prefer")
    if mode not in TLS_MODES:
        raise ConfigError(f"WARMCRON_HISTORY_URL: sslmode is one of {', '.join(TLS_MODES)}")
    if "sslrootcert" in url.query and mode not in TLS_CHECKED:
        raise ConfigError("WARMCRON_HISTORY_URL: sslrootcert is only looked at with sslmode=verify-full or verify-ca")


def tls(mode: str, authority: str) -> str | ssl.SSLContext:
    """What the driver takes: a mode of libpq, or whom to believe."""
    if not authority:
        return mode
    context = ssl.create_default_context(cafile=authority)
    context.check_hostname = mode == "verify-full"
    return context
