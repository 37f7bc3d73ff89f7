"""On the kind cluster, up to the running code: CronJobs whose containers write into a ledger, beside ScheduledTasks.

It uses the cluster, the images and the ledger of the end-to-end tests, and deletes what it has made.
"""

import sys
import time
from collections.abc import Callable
from typing import Any, Final

from benchmarks import ledger
from benchmarks.plane import REPOSITORY
from benchmarks.processes import StartError

sys.path.append(str(REPOSITORY / "tests"))  # the tests are no package of ours

from e2e import space as spaces
from e2e.cluster import Cluster, ClusterUnavailableError, Json
from e2e.release import Release
from e2e.space import Space
from e2e.tasks import manifest

Record = dict[str, Any]
MINUTE: Final = 60
# How long a tick is waited for; a container that has not started by then is lost.
PATIENCE_SECONDS: Final = 240
# What the container of a CronJob runs: the entry that a handler writes, from the image that the workers have, too.
POST: Final = """
import json, os, time, urllib.request
name = os.environ["JOB"]
entry = {"what": "start", "runId": name, "attempt": 1, "scheduledTime": int(name.rpartition("-")[2]) * 60,
         "trigger": "Schedule", "task": name.rpartition("-")[0], "pod": name, "podUid": "", "sent": time.time(),
         "payload": None}
urllib.request.urlopen("http://ledger:8080/", json.dumps(entry).encode(), timeout=30).close()
"""


def kind(*, count: int, rounds: int, add: Callable[[Record], None]) -> None:
    """First N tasks, then N CronJobs, all due in the same minute, so many times."""
    try:
        cluster = Cluster.have()
    except ClusterUnavailableError as error:
        raise StartError(f"no kind cluster: {error}") from error
    release = Release(cluster)
    release.renew()
    release.leader()
    with spaces.opened(cluster, "beside") as space:
        space.workers(2, concurrency=count)
        names = [f"task-{number}" for number in range(count)]
        add(_measure("warmcron, 2 warm workers", space, names, rounds=rounds, made=_task))
        names = [f"cronjob-{number}" for number in range(count)]
        add(_measure("CronJob, default flags", space, names, rounds=rounds, made=_cronjob))


def _measure(peer: str, space: Space, names: list[str], *, rounds: int, made: Callable[[str, int], Json]) -> Record:
    delays: list[float] = []
    for _ in range(rounds):
        tick = int(time.time() + 30) // MINUTE * MINUTE + MINUTE
        space.apply(*(made(name, tick) for name in names))
        if time.time() > tick:
            raise TimeoutError(f"{len(names)} objects were not made in time; the machine is too busy")
        arrived = _arrived(space, names, tick)
        space.kubectl("delete", "--wait=true", *(["stask"] if made is _task else ["cronjob"]), *names)
        delays += [(at - tick) * 1000 for at in arrived.values()]
    delays.sort()
    return {
        "peer": peer,
        "count": len(names),
        "expected": len(names) * rounds,
        "lost": len(names) * rounds - len(delays),
        "arrival_p50_ms": round(ledger.percentile(delays, 0.5), 1),
        "arrival_p99_ms": round(ledger.percentile(delays, 0.99), 1),
        "last_ms": round(delays[-1], 1) if delays else None,
    }


def _arrived(space: Space, names: list[str], tick: int) -> dict[str, float]:
    """When the code of each task wrote its first entry for this tick."""
    found: dict[str, float] = {}
    while len(found) < len(names) and time.time() < tick + PATIENCE_SECONDS:
        time.sleep(2)
        for entry in space.ledger.starts():
            if entry.scheduled == tick and entry.task in names:
                found.setdefault(entry.task, entry.arrived)
    return found


def _task(name: str, tick: int) -> Json:
    return manifest(name, schedule=f"{tick // MINUTE % 60} * * * *")


def _cronjob(name: str, tick: int) -> Json:
    command = ["python", "-c", POST]
    job_name = {"fieldRef": {"fieldPath": "metadata.labels['batch.kubernetes.io/job-name']"}}
    container = {
        "name": "main",
        "image": spaces.IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "env": [{"name": "JOB", "valueFrom": job_name}],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
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
        "successfulJobsHistoryLimit": 0,
        "jobTemplate": {"spec": {"template": {"spec": pod}}},
    }
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": spec}
