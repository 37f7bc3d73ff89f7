"""On the kind cluster, up to the running code: CronJobs whose containers write into a ledger, beside ScheduledTasks.

It uses the cluster, the operator and the ledger of the end-to-end tests and leaves those; its namespace it deletes.
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from benchmarks import ledger
from benchmarks.ledger import Arrival
from benchmarks.plane import REPOSITORY
from benchmarks.processes import StartError

sys.path.append(str(REPOSITORY / "tests"))  # the tests are no package of ours

from e2e import space as spaces
from e2e.cluster import Cluster, ClusterUnavailableError, Json, until
from e2e.release import Release
from e2e.space import Space
from e2e.tasks import manifest

Record = dict[str, Any]
MINUTE: Final = 60
NAMESPACE: Final = "beside"
# How long a tick is waited for; a run whose code has not begun by then is lost.
PATIENCE_SECONDS: Final = 240
# Made so long before the tick, all are known to whom they are for.
KNOWN_SECONDS: Final = 5
# The pods of Jobs, finished ones too.
OF_JOBS: Final = "batch.kubernetes.io/job-name"
# What the container of a CronJob runs: the entry that a handler writes, from the image that the workers have, too.
POST: Final = """
import json, os, time, urllib.request
name = os.environ["JOB"]
entry = {"what": "start", "runId": name, "attempt": 1, "epoch": 0,
         "scheduledTime": int(name.rpartition("-")[2]) * 60, "trigger": "Schedule", "task": name.rpartition("-")[0],
         "pod": os.environ["HOSTNAME"], "podUid": "", "sent": time.time(), "payload": None}
urllib.request.urlopen("http://ledger:8080/", json.dumps(entry).encode(), timeout=30).close()
"""


def kind(*, count: int, rounds: int, keep: Path | None, add: Callable[[Record], None]) -> None:
    """First N tasks, then N CronJobs, all due in the same minute, so many times; in `keep` go their ledgers."""
    try:
        cluster = Cluster.have()
    except ClusterUnavailableError as error:
        raise StartError(f"no kind cluster: {error}") from error
    _drop_leftovers(cluster)
    release = Release(cluster)
    release.renew()
    release.leader()
    with spaces.opened(cluster, NAMESPACE) as space:
        space.workers(2, concurrency=count)
        for peer, slug, made in (
            ("warmcron, 2 warm workers", "task", _task),
            ("CronJob, default flags", "cronjob", _cronjob),
        ):
            names = [f"{slug}-{number}" for number in range(count)]
            arrivals, row = _measure(space, names, rounds=rounds, made=made)
            if keep:
                keep.mkdir(parents=True, exist_ok=True)
                ledger.write(keep / f"kind-{slug}-{count}.jsonl", arrivals)
            add({"peer": peer, **row})


def _drop_leftovers(cluster: Cluster) -> None:
    """What a benchmark that was killed has left would go on running beside this one."""
    names = cluster.kubectl("get", "namespaces", "-l", "warmcron.dev/e2e=true", "-o", "name").split()
    if old := [name for name in names if name.startswith(f"namespace/e2e-{NAMESPACE}-")]:
        cluster.kubectl("delete", "--wait=true", *old, timeout=300)


def _measure(
    space: Space, names: list[str], *, rounds: int, made: Callable[[str, int], Json]
) -> tuple[list[Arrival], Record]:
    ticks: list[int] = []
    arrivals: list[Arrival] = []
    started: list[float] = []
    for _ in range(rounds):
        tick = int(time.time() + 30 + len(names) / 5) // MINUTE * MINUTE + MINUTE
        space.apply(*(made(name, tick) for name in names))
        if time.time() > tick - KNOWN_SECONDS:
            raise TimeoutError(f"{len(names)} objects were not made in time; the machine is too busy")
        ticks.append(tick)
        arrivals += _arrived(space, names, tick)
        if made is _cronjob:
            started += [moment - tick for moment in _containers(space, len(names))]
        _remove(space, names, "stask" if made is _task else "cronjob")
    verdict = ledger.judge(arrivals, tasks=names, ticks=ticks)
    return arrivals, {
        "count": len(names),
        "rounds": rounds,
        "expected": verdict.expected,
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "early": verdict.early,
        "arrival_p50_ms": round(ledger.percentile(verdict.delays, 0.5), 1),
        "arrival_p99_ms": round(ledger.percentile(verdict.delays, 0.99), 1),
        "last_ms": round(verdict.delays[-1], 1) if verdict.delays else None,
        # By the kubelet's clock, in whole seconds: what the ledger says must be a little later.
        "containers": len(started),
        "container_started_s": [min(started), max(started)] if started else [],
    }


def _arrived(space: Space, names: list[str], tick: int) -> list[Arrival]:
    """Every beginning of a run of this tick, a moment after the last of them has been seen or given up."""
    missing, found = set(names), list[Arrival]()
    while missing and time.time() < tick + PATIENCE_SECONDS:
        time.sleep(max(tick - time.time(), 2))
        found = _begun(space, tick)
        missing = set(names) - {arrival.task for arrival in found}
    time.sleep(2)
    return _begun(space, tick)


def _begun(space: Space, tick: int) -> list[Arrival]:
    return [
        Arrival(entry.arrived, entry.scheduled, entry.task, entry.run_id, entry.pod, repeated=False)
        for entry in space.ledger.starts()
        if entry.scheduled == tick
    ]


def _containers(space: Space, count: int) -> list[float]:
    """When the containers of Jobs were started, by the word of the kubelet, which comes a while after the start."""
    end = time.monotonic() + MINUTE
    while True:
        pods = json.loads(space.kubectl("get", "pods", "-l", OF_JOBS, "-o", "json"))["items"]
        states = [status["state"] for pod in pods for status in pod["status"].get("containerStatuses", ())]
        stamps = [found["startedAt"] for state in states for found in state.values() if found.get("startedAt")]
        if len(stamps) >= count or time.monotonic() > end:
            return [datetime.fromisoformat(stamp).timestamp() for stamp in stamps]
        time.sleep(2)


def _remove(space: Space, names: list[str], resource: str) -> None:
    """Deletes them with all that they made, so that its deletion is no part of the next round."""
    space.kubectl("delete", "--wait=true", resource, *names)
    until("the pods of the Jobs are gone", lambda: not _pods_of_jobs(space), seconds=PATIENCE_SECONDS, pause=2)


def _pods_of_jobs(space: Space) -> str:
    return space.kubectl("get", "pods", "-l", OF_JOBS, "-o", "name")


def _task(name: str, tick: int) -> Json:
    return manifest(name, schedule=f"{tick // MINUTE % 60} * * * *")


def _cronjob(name: str, tick: int) -> Json:
    command = ["python", "-c", POST]
    job_name = {"fieldRef": {"fieldPath": f"metadata.labels['{OF_JOBS}']"}}
    container = {
        "name": "main",
        "image": spaces.IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "env": [{"name": "JOB", "valueFrom": job_name}],
        "resources": {"requests": {"cpu": "1m", "memory": "32Mi"}},  # so that none waits for room on the node
        "securityContext": spaces.SECURITY,
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": spaces.POD_SECURITY,
        "containers": [container],
    }
    spec = {
        "schedule": f"{tick // MINUTE % 60} * * * *",
        "concurrencyPolicy": "Allow",
        "jobTemplate": {"spec": {"template": {"spec": pod}}},
    }
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": spec}
