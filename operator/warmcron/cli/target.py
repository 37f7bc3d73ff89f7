"""Which warmcron a verb speaks to: a server that is named, the embedded mode of this folder, or a cluster.

Every verb takes the same options for it; `targeted` adds them.
"""

import asyncio
import contextlib
import functools
import inspect
import json
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from warmcron.cli import output
from warmcron.cli.backend import Backend
from warmcron.cli.server import Server

if TYPE_CHECKING:  # what a cluster needs is loaded when a verb turns to one: half of the time that `next` takes
    from warmcron.cli.cluster import Cluster
    from warmcron.cli.kubeconfig import Access

INTERRUPTED: Final = 130
SERVER_FILE: Final = Path(".warmcron/server.json")

Namespace = Annotated[str | None, typer.Option("--namespace", "-n", help="Namespace; that of the context.")]
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="All namespaces.")]
Selector = Annotated[str, typer.Option("--selector", "-l", help="Label selector, such as team=billing.")]
Form = Annotated[output.Format, typer.Option("--output", "-o", help="How it is written.")]

OPTIONS: Final = {
    "context": (Annotated[str | None, typer.Option(help="Context of the kubeconfig.")], None),
    "kubeconfig": (Annotated[Path | None, typer.Option(help="Kubeconfig; $KUBECONFIG or ~/.kube/config.")], None),
    "server": (
        Annotated[str | None, typer.Option(envvar="WARMCRON_SERVER", metavar="URL", help="warmcron's own API.")],
        None,
    ),
    "token": (
        Annotated[
            str | None,
            typer.Option(
                envvar="WARMCRON_TOKEN", help="Bearer token for that API; the kubeconfig's.", show_envvar=True
            ),
        ],
        None,
    ),
}


@dataclass(frozen=True, slots=True)
class Target:
    """Where to, as the options say.

    Attributes:
        plugin: called by kubectl, and so about a cluster whatever the folder holds.
    """

    context: str | None
    kubeconfig: Path | None
    server: str | None
    token: str | None
    plugin: bool

    @contextlib.asynccontextmanager
    async def backend(self) -> AsyncIterator[Backend]:
        """Tasks and workers."""
        url = self._url()
        found: Backend = Server(url, self.token or "") if url else self._cluster()
        try:
            yield found
        finally:
            await found.close()

    @contextlib.asynccontextmanager
    async def history(self) -> AsyncIterator[Server]:
        """Runs and logs; in a cluster through a port-forward where no server is named."""
        async with contextlib.AsyncExitStack() as stack:
            url, token, namespace = self._url(), self.token or "", "default"
            if not url:
                from warmcron.cli import tunnel  # noqa: PLC0415

                access = self._access()
                token, namespace = token or access.connection.token or "", access.namespace
                url = await stack.enter_async_context(
                    tunnel.opened(access, context=self.context, kubeconfig=self.kubeconfig, token=token)
                )
            found = Server(url, token, namespace=namespace)
            stack.push_async_callback(found.close)
            yield found

    @property
    def embedded(self) -> bool:
        """Whether it is the embedded mode of this folder."""
        return self._embedded() is not None

    def _cluster(self) -> "Cluster":
        from warmcron.cli.cluster import Cluster  # noqa: PLC0415

        return Cluster(self._access())

    def _access(self) -> "Access":
        from warmcron.cli.kubeconfig import load  # noqa: PLC0415

        return load(self.kubeconfig, self.context)

    def _url(self) -> str | None:
        return self.server or self._embedded()

    def _embedded(self) -> str | None:
        """The running `warmcron dev` of this folder."""
        if self.server or self.plugin or self.context or self.kubeconfig:
            return None
        try:
            found = json.loads(SERVER_FILE.read_bytes())
            os.kill(int(found["pid"]), 0)
        except PermissionError:
            return None  # somebody else's process
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return str(found["url"])


def targeted(command: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Makes a command of a coroutine that takes `target`, with the options that say which."""

    @functools.wraps(command)
    def run(ctx: typer.Context, **arguments: Any) -> None:
        chosen = {name: arguments.pop(name) for name in OPTIONS}
        plugin = str(ctx.find_root().info_name).startswith("kubectl")
        try:
            asyncio.run(command(target=Target(**chosen, plugin=plugin), **arguments))
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None

    given = inspect.signature(command).parameters
    kept = [parameter for name, parameter in given.items() if name != "target"]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in OPTIONS.items()
    ]
    first = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    signature = inspect.Signature([first, *kept, *added])
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in signature.parameters.values()}
    run.__signature__ = signature  # type: ignore[attr-defined]  # what typer reads
    return run
