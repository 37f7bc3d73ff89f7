"""A small client of the Kubernetes API: JSON in, JSON out, errors with their status. It retries nothing by itself.

The `kubernetes` package costs two to three times the CPU for each call (docs/adr/0002-kopf-as-event-source.md); a
status write per run makes that the operator's largest expense.
"""

import asyncio
import dataclasses
import json
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import aiohttp
import kopf

from warmcron.errors import ConfigError, KubeError

Json = dict[str, Any]

TOKEN_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
TOKEN_SECONDS: Final = 60.0
MERGE_PATCH: Final = "application/merge-patch+json"
# Objects without spec and status: of them only who they are and their labels are wanted.
METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
# A page is parsed in one go, and nothing else happens meanwhile: 200 objects take 10 ms.
PAGE: Final = 200
CONNECT_SECONDS: Final = 5.0
# Bookmarks come every minute.
SILENCE_SECONDS: Final = 75.0


def connect() -> kopf.ConnectionInfo:
    """How to reach the API server: the pod's service account, else the kubeconfig."""
    arguments: Any = {"settings": kopf.OperatorSettings(), "logger": logging.getLogger("warmcron")}
    try:
        found = kopf.login_with_service_account(**arguments) or kopf.login_with_kubeconfig(**arguments)
    except Exception as error:  # whatever a kubeconfig can have wrong with it
        raise ConfigError(f"KUBECONFIG: cannot be used: {error}") from error
    if found is None:
        raise ConfigError("no cluster: neither a service account is mounted nor does KUBECONFIG name a file")
    return found


def nobody(connection: kopf.ConnectionInfo) -> kopf.ConnectionInfo:
    """The same API server with nothing that says who we are.

    For requests of others: the server believes a client certificate before it looks at a bearer token.
    """
    return dataclasses.replace(
        connection,
        scheme=None,
        token=None,
        username=None,
        password=None,
        certificate_path=None,
        certificate_data=None,
        private_key_path=None,
        private_key_data=None,
    )


class KubeClient:
    """One keep-alive session with the API server.

    Args:
        connection: where and as whom.
        timeout: seconds for a whole request.
        limit: connections at once.
    """

    def __init__(self, connection: kopf.ConnectionInfo, *, timeout: float, limit: int) -> None:
        self._server = connection.server.rstrip("/")
        self._headers = connection.as_http_headers()
        self._token_read = time.monotonic()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limit, ssl=connection.as_ssl_context()),
            timeout=aiohttp.ClientTimeout(total=timeout),
            raise_for_status=False,
        )

    async def close(self) -> None:
        """Ends the session."""
        await self._session.close()

    async def get(self, path: str, **params: str) -> Json:
        """Reads one object or one page of a list."""
        return await self._call("GET", path, params=params)

    async def post(self, path: str, body: Json) -> Json:
        """Creates an object."""
        return await self._call("POST", path, body=json.dumps(body).encode())

    async def put(self, path: str, body: Json) -> Json:
        """Replaces an object; refused with 409 unless it is still at the body's resourceVersion."""
        return await self._call("PUT", path, body=json.dumps(body).encode())

    async def merge(self, path: str, body: bytes) -> bytes:
        """Merges a patch, given as JSON text, into an object; returns the object as text, which is rarely all wanted.

        With a resourceVersion in the patch it is refused with 409 unless the object is still at it.
        """
        return await self._send("PATCH", path, body=body, content_type=MERGE_PATCH)

    async def as_caller(self, token: str, method: str, path: str, body: Json | None = None) -> Json:
        """A request of somebody else's, with their own bearer token: reads, creates (POST) or merges (PATCH)."""
        if not token:  # never ours in its place
            raise KubeError(f"{method} {path}: no token", status=401)
        content_type = MERGE_PATCH if method == "PATCH" else "application/json"
        text = None if body is None else json.dumps(body).encode()
        return dict(json.loads(await self._send(method, path, body=text, content_type=content_type, token=token)))

    async def names_as_caller(self, token: str, path: str, *, selector: str) -> AsyncIterator[Json]:
        """The metadata of the objects that a label selector chooses, in pages; somebody else's request."""
        if not token:
            raise KubeError(f"GET {path}: no token", status=401)
        params = {"labelSelector": selector, "limit": str(PAGE)}
        while True:
            page = json.loads(await self._send("GET", path, params=params, token=token, accept=METADATA_ONLY))
            yield page
            if not (more := (page.get("metadata") or {}).get("continue")):
                return
            params["continue"] = more

    async def pages(self, path: str, **params: str) -> AsyncIterator[Json]:
        """A list in pages. A `continue` token that has expired ends it with KubeError 410: begin again.

        The server makes the next page while the caller is at work on this one: a restart with 100,000 tasks takes an
        eighth less (docs/adr/0076-memory-and-stalls-of-100000-tasks.md).
        """
        asked = asyncio.create_task(self.get(path, limit=str(PAGE), **params))
        try:
            while True:
                page = await asked
                token = (page.get("metadata") or {}).get("continue")
                if token:
                    asked = asyncio.create_task(self.get(path, limit=str(PAGE), **params, **{"continue": token}))
                yield page
                if not token:
                    return
        finally:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)

    async def stream(self, path: str, **params: str) -> AsyncIterator[list[bytes]]:
        """The lines of a watch, as many at a time as have come. Silence for longer than bookmarks leave ends it."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS)
        headers = {**self._authorization(), "accept": "application/json"}
        try:
            async with self._session.get(
                self._server + path, params=params, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                if response.status >= 300:  # noqa: PLR2004
                    content = await response.read()
                    raise KubeError(f"GET {path}: {response.status} {_message(content)}", status=response.status)
                rest = b""
                async for part in response.content.iter_any():
                    *lines, rest = (rest + part).split(b"\n")
                    if lines:
                        yield lines
        except TimeoutError:
            return  # the caller goes on from where it is
        except (aiohttp.ClientError, OSError) as error:
            raise KubeError(f"GET {path}: no answer: {error or type(error).__name__}") from error

    async def _call(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Json:
        return dict(json.loads(await self._send(method, path, params=params, body=body)))

    async def _send(  # noqa: PLR0913 - the parts of a request, each by name
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        token: str = "",
        accept: str = "application/json",
    ) -> bytes:
        who = {"authorization": f"Bearer {token}"} if token else self._authorization()
        headers = {**who, "accept": accept}
        if body is not None:
            headers["content-type"] = content_type
        try:
            async with self._session.request(
                method, self._server + path, params=params, data=body, headers=headers, allow_redirects=False
            ) as response:
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubeError(f"{method} {path}: no answer: {error or type(error).__name__}") from error
        if response.status >= 300:  # noqa: PLR2004
            raise KubeError(f"{method} {path}: {response.status} {_message(content)}", status=response.status)
        return content

    def _authorization(self) -> dict[str, str]:
        """The token of a service account is replaced on disk before it expires."""
        now = time.monotonic()
        if now - self._token_read > TOKEN_SECONDS and TOKEN_FILE.exists():
            self._token_read = now
            self._headers = {"Authorization": f"Bearer {TOKEN_FILE.read_text().strip()}"}
        return self._headers


def _message(content: bytes) -> str:
    try:
        return str(json.loads(content).get("message", ""))[:500]
    except (ValueError, AttributeError):
        return content[:200].decode(errors="replace")
