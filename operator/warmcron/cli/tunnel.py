"""A way to warmcron's API in a cluster: `kubectl port-forward`, for as long as a command runs.

The API server's own proxy would not do: it takes away the token by which warmcron knows who asks.
"""

import asyncio
import contextlib
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from warmcron.cli.kubeconfig import Access
from warmcron.errors import KubeError, ServerError, UsageError
from warmcron.kube.client import KubeClient

LABEL: Final = "app.kubernetes.io/name=warmcron"
PORT: Final = "api"
SECONDS: Final = 20.0
INSTEAD: Final = "or name the API with --server URL"


@contextlib.asynccontextmanager
async def opened(access: Access, *, context: str | None, kubeconfig: Path | None, token: str) -> AsyncIterator[str]:
    """The API's URL on loopback; raises UsageError or ServerError that says what is missing."""
    if not token:
        raise UsageError(
            "--token: the kubeconfig has none (it uses a certificate); give one, such as "
            "--token $(kubectl create token NAME)"
        )
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise UsageError(f"kubectl is not on the PATH: install it, {INSTEAD}")
    namespace, service = await _service(access)
    command = [kubectl, "port-forward", "--namespace", namespace, f"service/{service}", f":{PORT}"]
    command += ["--context", context] if context else []
    command += ["--kubeconfig", str(kubeconfig)] if kubeconfig else []
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield f"http://127.0.0.1:{await _port(process)}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _service(access: Access) -> tuple[str, str]:
    """The Service that has the API's port."""
    kube = KubeClient(access.connection, timeout=SECONDS, limit=1)
    try:
        found = (await kube.get("/api/v1/services", labelSelector=LABEL)).get("items") or []
    except KubeError as error:
        raise KubeError(f"warmcron's Service cannot be looked for ({error}); name the API with --server URL") from None
    finally:
        await kube.close()
    for item in found:
        if any(port.get("name") == PORT for port in item["spec"].get("ports") or []):
            return item["metadata"]["namespace"], item["metadata"]["name"]
    raise UsageError(
        f"no Service with the label {LABEL} has a port {PORT!r}: install the chart with the API, {INSTEAD}"
    )


async def _port(process: asyncio.subprocess.Process) -> int:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    assert process.stderr is not None  # noqa: S101
    try:
        async with asyncio.timeout(SECONDS):
            line = (await process.stdout.readline()).decode(errors="replace")
            if match := re.search(r"127\.0\.0\.1:(\d+)", line):
                return int(match[1])
            said = (await process.stderr.read()).decode(errors="replace").strip()
    except TimeoutError:
        said = "no answer in time"
    raise ServerError(f"kubectl port-forward: {said or line.strip()}; {INSTEAD}")
