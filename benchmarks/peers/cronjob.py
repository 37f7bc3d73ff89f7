"""Kubernetes CronJob on the same control plane, up to the Pod object: what a kubelet adds is to CronJob's credit."""

import asyncio
import json
import time
from typing import Any, Final

from benchmarks import ledger
from benchmarks.api import Stamps
from benchmarks.scenarios.herd import herd
from benchmarks.session import Session

MINUTE: Final = 60
TUNED: Final = (
    "--kube-api-qps=2000",
    "--kube-api-burst=4000",
    "--concurrent-cron-job-syncs=50",
    "--concurrent-job-syncs=50",
)
DEFAULT: Final = ()


async def cronjobs(session: Session, *, count: int, tuned: bool, minutes: int) -> dict[str, Any]:
    """N CronJobs due every minute, over so many minutes; one record."""
    namespace = f"cronjob-{count}-{'tuned' if tuned else 'default'}"
    await session.api.namespace(namespace)
    path = f"/apis/batch/v1/namespaces/{namespace}"
    jobs, pods = Stamps(), Stamps()
    await jobs.follow(session.api, f"{path}/jobs", empty=True)
    await pods.follow(session.api, f"/api/v1/namespaces/{namespace}/pods", empty=True)
    await asyncio.sleep(MINUTE - time.time() % MINUTE + 1)  # made within one minute, so that no tick is made up for
    await session.api.in_bulk("POST", [(f"{path}/cronjobs", _cronjob(f"c{number}")) for number in range(count)])
    first = int(time.time() // MINUTE + 1) * MINUTE
    ticks = [first + MINUTE * number for number in range(minutes)]
    child = session.plane.start_controllers(name=namespace, flags=TUNED if tuned else DEFAULT)
    try:
        await asyncio.sleep(first - 1 - time.time())
        before, began = await session.used(), child.cpu()
        await asyncio.sleep(ticks[-1] + MINUTE - 1 - time.time())
        used, own = await session.used() - before, child.cpu() - began
    finally:
        jobs.stop()
        pods.stop()
        await child.stop()
    made = _delays(jobs, ticks, kind="Job")
    runs = max(len(made), 1)
    found = {
        f"{name}_{key}": value
        for name, stamps in (("job", made), ("pod", _delays(pods, ticks, kind="Pod")))
        for key, value in _figures(stamps).items()
    }
    return {
        "peer": f"CronJob, {'QPS 2000, 50 syncs' if tuned else 'default flags'}",
        "count": count,
        "minutes": minutes,
        "expected": count * minutes,
        "lost": count * minutes - len(made),
        **found,
        "cpu_controllers_ms": round(own * 1000 / runs, 2),
        "cpu_apiserver_ms": round(used.apiserver * 1000 / runs, 2),
        "cpu_etcd_ms": round(used.etcd * 1000 / runs, 2),
        "api_writes_per_run": round(used.api_writes / runs, 2),
    }  # fmt: skip


async def ours(session: Session, *, count: int, rounds: int, period: int) -> dict[str, Any]:
    """As many tasks, by warmcron, on the control plane where CronJob has just been measured; in the same columns.

    Its times end with the request at the worker, where CronJob's end with an object that no kubelet has seen yet.
    """
    replica = session.start_operator()
    await replica.leading(0)
    found = await herd(session, replica, count=count, rounds=rounds, period=period, pods=10, namespace="beside")
    return {
        "peer": "warmcron, request at the worker",
        "count": count,
        "minutes": rounds,
        "expected": found["expected"],
        "lost": found["lost"],
        "pod_p50_ms": found["arrival_p50_ms"],
        "pod_p99_ms": found["arrival_p99_ms"],
        "cpu_controllers_ms": found["cpu_operator_ms"],
        "cpu_apiserver_ms": found["cpu_apiserver_ms"],
        "cpu_etcd_ms": found["cpu_etcd_ms"],
        "api_writes_per_run": found["api_writes_per_run"],
    }


def _figures(delays: list[float]) -> dict[str, float]:
    return {
        "p50_ms": round(ledger.percentile(delays, 0.5), 1),
        "p99_ms": round(ledger.percentile(delays, 0.99), 1),
        "last_ms": round(delays[-1], 1) if delays else float("nan"),
    }


def _delays(stamps: Stamps, ticks: list[int], *, kind: str) -> list[float]:
    """Milliseconds from each tick to the creation of its Job, or of that Job's Pod, sorted."""
    found: dict[str, float] = {}
    for at, line in stamps.lines:
        event = json.loads(line)
        if event["type"] == "ADDED":
            metadata = event["object"]["metadata"]
            name = metadata["name"] if kind == "Job" else metadata["labels"]["batch.kubernetes.io/job-name"]
            found.setdefault(name, at)
    delays = ((at - int(name.rpartition("-")[2]) * MINUTE, int(name.rpartition("-")[2]) * MINUTE)
              for name, at in found.items())  # fmt: skip
    return sorted(delay * 1000 for delay, tick in delays if tick in ticks)


def _cronjob(name: str) -> dict[str, Any]:
    container = {"name": "work", "image": "none", "command": ["true"]}
    pod = {"spec": {"containers": [container], "restartPolicy": "Never"}}
    spec = {"schedule": "* * * * *", "concurrencyPolicy": "Allow", "jobTemplate": {"spec": {"template": pod}}}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": spec}
