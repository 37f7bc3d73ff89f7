"""Kubernetes CronJob on the same control plane, up to the Pod object: what a kubelet adds is to CronJob's credit."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any, Final

from benchmarks import ledger
from benchmarks.api import Json, Stamps
from benchmarks.ledger import Arrival
from benchmarks.processes import Child
from benchmarks.scenarios.herd import herd
from benchmarks.session import Session, Used
from benchmarks.tasks import PAYLOAD

MINUTE: Final = 60
TUNED: Final = (
    "--kube-api-qps=2000",
    "--kube-api-burst=4000",
    "--concurrent-cron-job-syncs=50",
    "--concurrent-job-syncs=50",
)
DEFAULT: Final = ()


async def cronjobs(
    session: Session, *, count: int, tuned: bool, minutes: int, payload: Json = PAYLOAD
) -> dict[str, Any]:
    """N CronJobs due every minute, over so many minutes; one record.

    What the watch saw goes into `NAMESPACE-jobs.jsonl` and `NAMESPACE-pods.jsonl` in the session's folder, as ledgers.
    """
    namespace = f"cronjob-{count}-{'tuned' if tuned else 'default'}"
    await session.api.namespace(namespace)
    path = f"/apis/batch/v1/namespaces/{namespace}"
    jobs, pods = Stamps(), Stamps()
    await jobs.follow(session.api, f"{path}/jobs", empty=True)
    await pods.follow(session.api, f"/api/v1/namespaces/{namespace}/pods", empty=True)
    names = [f"c{number}" for number in range(count)]
    await asyncio.sleep(MINUTE - time.time() % MINUTE + 1)  # made within one minute, so that no tick is made up for
    await session.api.in_bulk("POST", [(f"{path}/cronjobs", _cronjob(name, payload)) for name in names])
    first = int(time.time() // MINUTE + 1) * MINUTE
    ticks = [first + MINUTE * number for number in range(minutes)]
    child = session.plane.start_controllers(name=namespace, flags=TUNED if tuned else DEFAULT)
    try:
        used, own = await _used(session, child, ticks)
    finally:
        jobs.stop()
        pods.stop()
        await child.stop()
    lost, jobs_late = _judged(session.folder / f"{namespace}-jobs.jsonl", created(jobs, kind="job"), names, ticks)
    _, pods_late = _judged(session.folder / f"{namespace}-pods.jsonl", created(pods, kind="pod"), names, ticks)
    runs = max(count * minutes - lost, 1)
    return {
        "peer": f"CronJob, {'QPS 2000, 50 syncs' if tuned else 'default flags'}",
        "count": count,
        "minutes": minutes,
        "expected": count * minutes,
        "lost": lost,
        **{f"job_{key}": value for key, value in jobs_late.items()},
        **{f"pod_{key}": value for key, value in pods_late.items()},
        "cpu_controllers_ms": round(own * 1000 / runs, 2),
        "cpu_apiserver_ms": round(used.apiserver * 1000 / runs, 2),
        "cpu_etcd_ms": round(used.etcd * 1000 / runs, 2),
        "api_writes_per_run": round(used.api_writes / runs, 2),
    }  # fmt: skip


async def _used(session: Session, child: Child, ticks: list[int]) -> tuple[Used, float]:
    """What everything, and the controllers, use from before the first tick until the last one is a minute old."""
    await asyncio.sleep(ticks[0] - 1 - time.time())
    before, began = await session.used(), child.cpu()
    await asyncio.sleep(ticks[-1] + MINUTE - 1 - time.time())
    return await session.used() - before, child.cpu() - began


async def ours(session: Session, *, count: int, rounds: int, period: int, payload: Json = PAYLOAD) -> dict[str, Any]:
    """As many tasks, by warmcron, on the control plane where CronJob has just been measured; in the same columns.

    Its times end with the request at the worker, where CronJob's end with an object that no kubelet has seen yet.
    """
    replica = session.start_operator()
    await replica.leading(0)
    found = await herd(
        session, replica, count=count, rounds=rounds, period=period, pods=10, namespace="beside", payload=payload
    )
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


def _judged(file: Path, arrivals: list[Arrival], names: list[str], ticks: list[int]) -> tuple[int, dict[str, float]]:
    """How many of the ticks are lost, and how late the others were; every one of them goes into a ledger."""
    ledger.write(file, [arrival for arrival in arrivals if arrival.tick in ticks])
    verdict = ledger.judge(arrivals, tasks=names, ticks=ticks)
    return verdict.lost, {
        "p50_ms": round(ledger.percentile(verdict.delays, 0.5), 1),
        "p99_ms": round(ledger.percentile(verdict.delays, 0.99), 1),
        "last_ms": round(verdict.delays[-1], 1) if verdict.delays else float("nan"),
    }


def created(stamps: Stamps, *, kind: str) -> list[Arrival]:
    """When each Job, or the first Pod of each, was created: its name ends with the minute that it is for."""
    found: dict[str, Arrival] = {}
    for at, line in stamps.lines:
        event = json.loads(line)
        if event["type"] == "ADDED":
            metadata = event["object"]["metadata"]
            job = metadata["name"] if kind == "job" else metadata["labels"]["batch.kubernetes.io/job-name"]
            task, _, minute = job.rpartition("-")
            found.setdefault(job, Arrival(at, int(minute) * MINUTE, task, job, metadata["name"], repeated=False))
    return list(found.values())


def _cronjob(name: str, payload: Json) -> dict[str, Any]:
    said = {"name": "PAYLOAD", "value": json.dumps(payload)}
    container = {"name": "work", "image": "none", "command": ["true"], "env": [said]}
    pod = {"spec": {"containers": [container], "restartPolicy": "Never"}}
    spec = {"schedule": "* * * * *", "concurrencyPolicy": "Allow", "jobTemplate": {"spec": {"template": pod}}}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": spec}
