"""Every folder of examples works as it is: applied, its pods become ready, and its tasks run."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from e2e import space
from e2e.cluster import ROOT, Cluster, Json, until
from e2e.release import Release
from e2e.space import Space
from e2e.tasks import Task, epoch

FOLDERS = sorted({path.parent for path in (ROOT / "examples").rglob("*.yaml")})
MINUTE = "* * * * *"


def objects(folder: Path) -> list[Json]:
    return [one for path in sorted(folder.glob("*.yaml")) for one in yaml.safe_load_all(path.read_text()) if one]


def named(folder: Path, kind: str) -> list[Json]:
    return [one for one in objects(folder) if one["kind"] == kind]


def _succeeded(task: Task) -> Json:
    # Not every tick has to: one that comes while the triggered run waits for the first worker is skipped.
    return next((run for run in task.recent if run["trigger"] == "Schedule" and run["outcome"] == "Succeeded"), {})


@pytest.fixture(scope="module")
def applied(cluster: Cluster, operator: Release) -> Iterator[Space]:
    """All examples at once in one namespace, so that a minute passes once for all of them."""
    with space.opened(cluster, "examples", ledger=False) as found:
        for folder in FOLDERS:
            found.kubectl("apply", "-f", str(folder))
        yield found


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_its_workers_become_ready_in_a_restricted_namespace(applied: Space, folder: Path) -> None:
    for deployment in named(folder, "Deployment"):
        name = deployment["metadata"]["name"]
        applied.kubectl("rollout", "status", f"deployment/{name}", "--timeout=120s")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_its_tasks_run_when_they_are_triggered(applied: Space, folder: Path) -> None:
    manifests = named(folder, "ScheduledTask")
    tasks = [Task(applied.cluster, applied.name, one["metadata"]["name"]) for one in manifests]
    for task in tasks:
        until(f"{task.name} is accepted", task.accepted)
        task.trigger("try")
    (deployment,) = named(folder, "Deployment")
    for task, manifest in zip(tasks, manifests, strict=True):
        run = until("the run has ended", partial(task.ended, "Manual"))
        everybody = manifest["spec"].get("routingPolicy") == "Broadcast"
        attempts = deployment["spec"]["replicas"] if everybody else 1
        assert (run["outcome"], run["attempts"]) == ("Succeeded", attempts), run
        assert task.status["failed"] == 0


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_its_tasks_of_every_minute_run_by_themselves(applied: Space, folder: Path) -> None:
    names = [one["metadata"]["name"] for one in named(folder, "ScheduledTask") if one["spec"]["schedule"] == MINUTE]
    for task in (Task(applied.cluster, applied.name, name) for name in names):
        run = until("a minute's run", partial(_succeeded, task), seconds=75)
        assert epoch(run["scheduledTime"]) % 60 == 0
