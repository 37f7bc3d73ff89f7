"""Worker pods without a kubelet: Pod objects whose addresses lead to real worker processes."""

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks import isolation, processes
from benchmarks.api import MERGE, Api
from benchmarks.processes import SIGNING_KEY, Child, StartError
from warmcron.workers.signing import Signer

PORT: Final = 8080
START_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Pod:
    """One worker pod."""

    name: str
    uid: str
    ip: str


@dataclass(slots=True)
class Fleet:
    """The workers of one benchmark.

    Attributes:
        kind: `sink` (one process for all pods that are added together) or `sdk` (a process of warmworker each).
        folder: where ledgers and logs go.
    """

    kind: str
    folder: Path
    pods: list[Pod] = field(default_factory=list)
    children: list[Child] = field(default_factory=list)
    _numbers: int = 0

    @property
    def ledgers(self) -> list[Path]:
        """The files in which arrivals are noted."""
        return sorted(self.folder.glob("ledger-*.jsonl"))

    async def add(self, api: Api, namespace: str, count: int) -> list[Pod]:
        """Makes `count` pods in the pool `bench` of a namespace, and the processes behind them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        new = [await self._pod(api, namespace) for _ in range(count)]
        self.pods += new
        started = self._sink(namespace, new) if self.kind == "sink" else [self._sdk(pod) for pod in new]
        self.children += started
        await asyncio.gather(*(_listening(pod.ip, started[-1]) for pod in new))
        ready = [(f"/api/v1/namespaces/{namespace}/pods/{pod.name}/status", _running(pod.ip)) for pod in new]
        await api.in_bulk("PATCH", ready, kind=MERGE)
        return new

    def cpu(self) -> float:
        """CPU seconds of every worker process."""
        return sum(child.cpu() for child in self.children)

    async def stop(self) -> None:
        """Ends the processes; the Pod objects stay as they are."""
        await asyncio.gather(*(child.stop() for child in self.children))
        self.children.clear()

    async def _pod(self, api: Api, namespace: str) -> Pod:
        self._numbers += 1
        name = f"worker-{self._numbers}"
        container = {"name": "worker", "image": "none", "ports": [{"name": "warmcron", "containerPort": PORT}]}
        body = {
            "metadata": {"name": name, "labels": {"warmcron.dev/pool": "bench"}},
            "spec": {"containers": [container], "nodeName": "bench"},
        }
        made = await api.call("POST", f"/api/v1/namespaces/{namespace}/pods", body)
        return Pod(name, made["metadata"]["uid"], isolation.address(self._numbers))

    def _sink(self, namespace: str, pods: list[Pod]) -> list[Child]:
        known = self.folder / f"pods-{namespace}.json"
        known.write_text(json.dumps({pod.ip: pod.uid for pod in pods}))
        ledger = self.folder / f"ledger-{namespace}.jsonl"
        command = [sys.executable, "-m", "benchmarks.sink", str(ledger), str(known)]
        return [processes.start(f"sink-{namespace}", command, logs=self.folder)]

    def _sdk(self, pod: Pod) -> Child:
        env = {
            "POD_NAME": pod.name,
            "POD_UID": pod.uid,
            "WARMWORKER_PUBLIC_KEYS": Signer.kept_in(self.folder.parent / SIGNING_KEY).public_keys[0],
            "BENCH_LEDGER": str(self.folder / f"ledger-{pod.name}.jsonl"),
            "WARMWORKER_STATE_DIR": str(self.folder / f"state-{pod.name}"),
        }
        command = [sys.executable, "-m", "warmworker", "serve", "benchmarks.handlers"]
        command += ["--host", pod.ip, "--port", str(PORT), "--concurrency", "1000"]
        return processes.start(pod.name, command, logs=self.folder, env=env)


def _running(ip: str) -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "status": {
            "phase": "Running",
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now}],
            "containerStatuses": [
                {
                    "name": "worker",
                    "image": "none",
                    "imageID": "none",
                    "ready": True,
                    "restartCount": 0,
                    "state": {"running": {"startedAt": now}},
                }
            ],
        }
    }


async def _listening(ip: str, child: Child) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and child.alive():
        try:
            _, writer = await asyncio.open_connection(ip, PORT)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        writer.close()
        return
    raise StartError(f"{child.name} does not listen:\n{child.tail()}")
