"""Who asks, and what they may: the cluster's own answer to their own token. No rights of the operator's are used.

The token is sent to the API server, which says whose it is (SelfSubjectReview) and what its owner may do
(SelfSubjectAccessReview). So Kubernetes RBAC is the only permission model, and nothing here can be set too wide.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from warmcron.errors import KubeError
from warmcron.kube.client import KubeClient
from warmcron.spec.task import GROUP, PLURAL
from warmcron.web.sources import Order

Value = TypeVar("Value")

SELF: Final = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
ACCESS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
# How long an answer of the cluster's is believed: as long as a right that was taken away still works here.
BELIEVED_SECONDS: Final = 20.0
MOST_REMEMBERED: Final = 10_000
AT_ONCE: Final = 10
TOKEN_LIMIT: Final = 16 * 1024


class Callers:
    """Fits `web.sources.Guard`.

    Args:
        client: a client of nobody's: it has no credentials of its own.
        namespaces: those that have anything to see, for callers who may not see all.
    """

    open = False

    def __init__(self, *, client: KubeClient, namespaces: Callable[[], Iterable[str]]) -> None:
        self._client = client
        self._namespaces = namespaces
        self._names: _Remembered[str] = _Remembered()
        self._rights: _Remembered[bool] = _Remembered()
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def viewer(self, token: str) -> "Caller | None":
        """The owner of a bearer token; None for one that the cluster does not accept. Raises KubeError."""
        if not token or len(token) > TOKEN_LIMIT or not token.isascii() or not token.isprintable() or " " in token:
            return None
        mark = hashlib.sha256(token.encode()).hexdigest()  # tokens themselves are kept nowhere
        name = await self._names.get(mark, lambda: self._name(token))
        return Caller(name=name, token=token, mark=mark, callers=self) if name else None

    async def may(self, caller: "Caller", verb: str, namespace: str) -> bool:
        """Whether the caller has that right on scheduledtasks there; an empty namespace stands for all."""
        key = f"{caller.mark}|{verb}|{namespace}"
        return await self._rights.get(key, lambda: self._allowed(caller.token, verb, namespace))

    async def visible(self, caller: "Caller") -> tuple[str, ...] | None:
        """The namespaces whose tasks the caller may list; None for all."""
        if await self.may(caller, "list", ""):
            return None
        namespaces = sorted(set(self._namespaces()))
        answers = await asyncio.gather(*(self.may(caller, "list", namespace) for namespace in namespaces))
        return tuple(namespace for namespace, allowed in zip(namespaces, answers, strict=True) if allowed)

    async def _name(self, token: str) -> str:
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            async with self._turn:
                answer = await self._client.as_caller(token, "POST", SELF, body)
        except KubeError as error:
            if error.status in (401, 403):
                return ""
            raise
        name = ((answer.get("status") or {}).get("userInfo") or {}).get("username")
        # Where anonymous requests are let in, a token that means nothing is still refused with 401.
        return name if isinstance(name, str) and name != "system:anonymous" else ""

    async def _allowed(self, token: str, verb: str, namespace: str) -> bool:
        asked = {"group": GROUP, "resource": PLURAL, "verb": verb, "namespace": namespace}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked},
        }
        async with self._turn:
            answer = await self._client.as_caller(token, "POST", ACCESS, body)
        return (answer.get("status") or {}).get("allowed") is True


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Fits `web.sources.Viewer`."""

    name: str
    token: str = field(repr=False)  # whoever prints a caller prints no secret
    mark: str = field(repr=False)
    callers: Callers

    async def namespaces(self) -> tuple[str, ...] | None:
        """The namespaces whose tasks they may see; None for all."""
        return await self.callers.visible(self)

    async def may(self, order: Order, namespace: str) -> bool:  # noqa: ARG002 - every order is a patch
        """Whether they may ask for that there."""
        return await self.callers.may(self, "patch", namespace)


class _Remembered(Generic[Value]):
    """Answers, for a short while; not more of them than memory should hold."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Value]] = {}

    async def get(self, key: str, ask: Callable[[], Awaitable[Value]]) -> Value:
        now = time.monotonic()
        known = self._known.get(key)
        if known and known[0] > now:
            return known[1]
        value = await ask()
        if len(self._known) >= MOST_REMEMBERED:
            self._known = {old: entry for old, entry in self._known.items() if entry[0] > now}
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
        self._known[key] = (now + BELIEVED_SECONDS, value)
        return value
