"""TLS between the operator and its workers: whose certificates are believed, and which one is shown.

Workers prove with their certificate that they belong to their namespace; the operator proves with its signature that
it sent a request. So both ends are known without a certificate for each client, which probes could not present.
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
RENEWAL_SECONDS: Final = 60.0


def worker_name(namespace: str) -> str:
    """The name that the certificate of every worker of a namespace has to hold: no other namespace's will do."""
    return f"warmcron-workers.{namespace}.svc"


@dataclass(slots=True)
class Tls:
    """Both sides of it, of one directory.

    Attributes:
        client: for connections to workers and to the other replica; believes the directory's authority and no other.
        server: for the port to which workers report.
        own_name: the operator's name in its certificate.
    """

    directory: Path
    own_name: str
    client: ssl.SSLContext
    server: ssl.SSLContext
    seen: tuple[int, ...]

    @classmethod
    def read(cls, directory: Path, *, own_name: str) -> "Tls":
        """The certificates of a directory; raises ConfigError."""
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        for context in (client, server):
            context.minimum_version = ssl.TLSVersion.TLSv1_3
        found = cls(directory, own_name, client, server, ())
        found.renew()
        return found

    def renew(self) -> bool:
        """Reads the files again if they have changed; connections from now on use them."""
        stamps = tuple(self._stamp(name) for name in (CERTIFICATE, KEY, AUTHORITY))
        if stamps == self.seen:
            return False
        try:
            self.server.load_cert_chain(self.directory / CERTIFICATE, self.directory / KEY)
            self.client.load_verify_locations(self.directory / AUTHORITY)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise ConfigError(f"TLS files in {self.directory} cannot be used: {error}") from None
        self.seen = stamps
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

    def _stamp(self, name: str) -> int:
        try:
            return (self.directory / name).stat().st_mtime_ns
        except OSError as error:
            raise ConfigError(f"TLS file {self.directory / name} cannot be read: {error.strerror}") from None
