"""TLS between the operator and its workers: whose certificates are believed, and which one is shown.

Workers prove with their certificate that they belong to their namespace. The operator proves with its signature that
it sent a request, and with its certificate to workers that ask for one; kubelet probes, which have none, are not asked.
"""

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from warmcron.errors import ConfigError

log = structlog.get_logger("warmcron.tls")

# The names of a Secret of type kubernetes.io/tls, as cert-manager fills it.
CERTIFICATE, KEY, AUTHORITY = "tls.crt", "tls.key", "ca.crt"
RENEWAL_SECONDS: Final = 10.0


def worker_name(namespace: str) -> str:
    """The name that the certificate of every worker of a namespace has to hold: no other namespace's will do."""
    return f"warmcron-workers.{namespace}.svc"


@dataclass(slots=True)
class Tls:
    """Both sides of it, of one directory.

    Attributes:
        server: for the port to which workers report; shows what was read last, whenever it was given to a server.
        own_name: the operator's name in its certificate.
    """

    directory: Path
    own_name: str
    server: ssl.SSLContext
    _client: ssl.SSLContext
    _shown: ssl.SSLContext
    _seen: tuple[int, ...]

    @classmethod
    def read(cls, directory: Path, *, own_name: str) -> "Tls":
        """The certificates of a directory; raises ConfigError."""
        seen = _stamps(directory)
        client, server = _contexts(directory)
        found = cls(directory, own_name, server, client, server, seen)
        server.sni_callback = found._show
        return found

    def client(self) -> ssl.SSLContext:
        """For connections to workers and to the other replica; believes the directory's authority and no other.

        It is another one after a renewal: ask for each connection.
        """
        return self._client

    def renew(self) -> bool:
        """Reads the files again if they have changed; connections from now on use them.

        Raises ConfigError for files that cannot be used, such as a certificate whose key is not there yet: what was
        read before stays in use, whole.
        """
        stamps = _stamps(self.directory)
        if stamps == self._seen:
            return False
        self._client, self._shown = _contexts(self.directory)
        self._seen = stamps
        return True

    async def run(self) -> None:
        """Looks now and then whether they were renewed. Files that cannot be used change nothing."""
        while True:
            await asyncio.sleep(RENEWAL_SECONDS)
            try:
                if self.renew():
                    log.info("certificates renewed", directory=str(self.directory))
            except ConfigError as error:
                log.error("certificates not renewed", error=str(error))  # noqa: TRY400 - a user's mistake

    def _show(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """Called as each connection begins: a listening socket keeps the context that it was given first."""
        connection.context = self._shown


def _contexts(directory: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """New ones of what is in the files now: in one that is loaded anew, an authority that is gone would stay."""
    client, server = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        for context in (client, server):
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.load_cert_chain(directory / CERTIFICATE, directory / KEY)
        client.load_verify_locations(directory / AUTHORITY)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ConfigError(f"TLS files in {directory} cannot be used: {error}") from None
    return client, server


def _stamps(directory: Path) -> tuple[int, ...]:
    return tuple(_stamp(directory / name) for name in (CERTIFICATE, KEY, AUTHORITY))


def _stamp(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError as error:
        raise ConfigError(f"TLS file {file} cannot be read: {error.strerror}") from None
