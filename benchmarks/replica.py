"""One process of the operator, started as in its container but for the address of the API server."""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from benchmarks import api, processes
from benchmarks.processes import SIGNING_KEY, Child, StartError
from warmcron.workers.signing import Signer

START_SECONDS: Final = 180.0
OK: Final = 200


@dataclass(slots=True)
class Replica:
    """A running operator.

    Attributes:
        started: when the process was started, in epoch seconds.
    """

    child: Child
    port: int
    started: float

    async def metrics(self) -> str:
        """Its /metrics page."""
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{self.port}/metrics") as answer:
            return await answer.text()

    async def ask(self, path: str, *, token: str) -> bytes:
        """What its API answers."""
        url = f"http://127.0.0.1:{self.port + 2}{path}"
        headers = {"authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as answer:
            text = await answer.read()
            if answer.status != OK:
                raise StartError(f"{self.child.name}: GET {path}: {answer.status} {text[:300]!r}")
            return text

    async def until(self, fulfilled: Callable[[str], bool], *, seconds: float = START_SECONDS) -> float:
        """Waits until its metrics say something; returns for how many seconds."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if not self.child.alive():
                break
            try:
                if fulfilled(await self.metrics()):
                    return time.monotonic() - began
            except (aiohttp.ClientError, OSError):
                pass
            await asyncio.sleep(0.1)
        raise StartError(f"{self.child.name} is not as it should be:\n{self.child.tail()}")

    async def leading(self, tasks: int) -> float:
        """Waits until it leads and knows so many tasks."""
        return await self.until(
            lambda text: api.total(text, "warmcron_leader") == 1 and api.total(text, "warmcron_tasks") >= tasks
        )


def start(*, kubeconfig: Path, logs: Path, number: int = 1, **settings: str) -> Replica:
    """Starts one; settings are environment variables without their prefix."""
    key = logs / "callback.key"
    if not key.exists():
        key.write_bytes(os.urandom(48).hex().encode())
    Signer.kept_in(logs.parent / SIGNING_KEY)
    port = 18_080 + 10 * number
    env = {
        "KUBECONFIG": str(kubeconfig),
        "WARMCRON_NAMESPACE": "warmcron",
        "WARMCRON_POD_NAME": f"operator-{number}",
        "WARMCRON_CALLBACK_KEY_FILE": str(key),
        "WARMCRON_SIGNING_KEYS_DIR": str((logs.parent / SIGNING_KEY).parent),
        "WARMCRON_CALLBACK_URL": f"http://127.0.0.1:{port + 1}",
        "WARMCRON_HTTP_PORT": str(port),
        "WARMCRON_CALLBACK_PORT": str(port + 1),
        "WARMCRON_API_PORT": str(port + 2),
        "WARMCRON_BIND_ADDRESS": "127.0.0.1",
        **{f"WARMCRON_{name.upper()}": value for name, value in settings.items()},
    }
    began = time.time()
    profile = os.environ.get("BENCH_PROFILE")
    module = (
        ["-m", "benchmarks.profiled", str(logs / f"operator-{number}.prof")]
        if profile
        else ["-m", "benchmarks.as_in_image"]
    )
    return Replica(processes.start(f"operator-{number}", [sys.executable, *module], logs=logs, env=env), port, began)
