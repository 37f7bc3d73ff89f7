"""TLS as a worker speaks it: what it shows, whom it believes, read again when the files change; it decides nothing."""

import asyncio
import ssl
from pathlib import Path
from typing import Final

from warmworker.settings import Certificates

# The key of the ASGI scope's state under which the names of the client's certificate are.
PEER: Final = "warmworker.peer"


class Identity:
    """What the worker's port shows.

    Args:
        ask: whether clients are asked for a certificate. One that is shown has to be of the directory's authority; one
            that is not shown is no fault here, for the kubelet's probes have none.
    """

    def __init__(self, files: Certificates, *, ask: bool) -> None:
        self._files, self._ask = files, ask
        self._seen = self._stamps()
        self.server = self._shown = self._read()
        # A listening socket keeps the context that it was given first: each connection is handed the one of now.
        self.server.sni_callback = self._show

    def renew(self) -> bool:
        """Whether the files have changed and were read; raises OSError, and shows what it did, if they cannot be."""
        stamps = self._stamps()
        if stamps == self._seen:
            return False
        self._shown = self._read()
        self._seen = stamps
        return True

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2  # of clients that are not the operator, such as probes
        context.load_cert_chain(self._files.certificate, self._files.key)
        if self._ask:
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(self._files.authority)
        return context

    def _show(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._shown

    def _stamps(self) -> tuple[int, ...]:
        files = (self._files.certificate, self._files.key, self._files.authority)
        return tuple(file.stat().st_mtime_ns for file in files)


class Trust:
    """Whom the worker tells of its runs: who shows a certificate of the file's authority, or of the system's."""

    def __init__(self, authority: Path | None) -> None:
        self._authority = authority
        self._seen = 0
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """For the next connection; another one once the file has changed. A file that is half there changes nothing."""
        try:
            stamp = self._authority.stat().st_mtime_ns if self._authority else 0
            if self._context is None or stamp != self._seen:
                self._context, self._seen = ssl.create_default_context(cafile=self._authority), stamp
        except OSError:
            if self._context is None:
                raise
        return self._context


def names(transport: asyncio.BaseTransport) -> frozenset[str]:
    """The names in the certificate that the client has shown; none if it has shown none."""
    shown = transport.get_extra_info("ssl_object")
    found = shown.getpeercert() if shown else None
    return frozenset(name for kind, name in (found or {}).get("subjectAltName", ()) if kind == "DNS")
