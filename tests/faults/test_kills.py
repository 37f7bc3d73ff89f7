"""A leader is killed around each write of its recorder. The next one loses no run, and begins and counts none twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from faults.servers import Servers
from warmcron.core.tasks import manual_run_id

UID = "0b1e9b7e-5f0f-4c6a-9d55-3c7a3d1b8a10"
RUN = manual_run_id(UID, "now")
TESTS = Path(__file__).parents[1]
SECONDS = 120.0

MOMENTS = [
    # AtLeastOnce: it was sent and has ended, and nothing says so but its worker.
    # AtMostOnce: nothing was written, so nothing was sent.
    "before a status leaves",
    # AtMostOnce: the intent is written, and nobody has sent the run. AtLeastOnce: the next leader reads how it ended.
    "after a status has arrived",
    # The worker has done it, and whoever was to hear of it is dead.
    "before the answer of a worker is taken in",
]
ONCE_MOMENTS = [
    # The tick is after the cursor, and no worker was chosen as far as anybody knows.
    "before an intent is given to the recorder",
    # Written, and not sent: its worker promises the next leader never to take it.
    "before it is told that an intent is written",
]


def task(delivery: str) -> dict[str, Any]:
    return {
        "metadata": {
            "uid": UID,
            "namespace": "ns",
            "name": "task",
            "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {"warmcron.dev/trigger": "now"},
        },
        "spec": {"schedule": "0 0 29 2 *", "pool": "p", "handler": "h", "deliveryPolicy": delivery},
    }


@contextmanager
def replica(servers: Servers, *, epoch: int, moment: str = "never") -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, str(TESTS / "faults" / "replica.py"), servers.address, str(epoch), moment]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent / "operator")])}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def killed(servers: Servers, moment: str) -> None:
    """The first leader lives until the moment comes."""
    with replica(servers, epoch=1, moment=moment) as process:
        _, said = process.communicate(timeout=SECONDS)
        assert process.returncode == -signal.SIGKILL, said.decode()


def finished_by_another(servers: Servers) -> dict[str, Any]:
    """The next leader leads until the run has its record."""
    with replica(servers, epoch=2) as process:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and process.poll() is None:
            if servers.status.get("recentRuns") and not servers.status.get("active"):
                return servers.status
            time.sleep(0.05)
        process.kill()
        raise AssertionError(f"no record: {servers.status}\n{process.communicate()[1].decode()}")


@pytest.fixture
def servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    delivery, plain = request.param
    found = Servers(task(delivery), plain=plain)
    yield found
    found.close()


def with_sdk(*moments: str, delivery: str) -> list[Any]:
    return [pytest.param((delivery, False), moment, id=f"{delivery}, {moment}") for moment in moments]


@pytest.mark.parametrize(
    ("servers", "moment"),
    with_sdk(*MOMENTS, delivery="AtLeastOnce") + with_sdk(*MOMENTS, *ONCE_MOMENTS, delivery="AtMostOnce"),
    indirect=["servers"],
)
def test_a_run_is_begun_once_and_counted_once_whenever_its_leader_was_killed(servers: Servers, moment: str) -> None:
    killed(servers, moment)
    status = finished_by_another(servers)
    assert [run_id for run_id, _ in servers.starts] == [RUN]
    assert (status["succeeded"], status["failed"], status["skipped"]) == (1, 0, 0)
    assert [(each["runId"], each["outcome"]) for each in status["recentRuns"]] == [(RUN, "Succeeded")]


@pytest.mark.parametrize(
    ("servers", "moment", "starts", "outcome"),
    [
        # Nothing was written, so nothing can have been sent.
        pytest.param(("AtMostOnce", True), "before a status leaves", 1, "Succeeded", id="nothing written"),
        # Nobody can tell whether it was sent: it was not, and still it is never sent again.
        pytest.param(("AtMostOnce", True), "after a status has arrived", 0, "Unknown", id="written, not sent"),
        # It was, and it had ended.
        pytest.param(("AtMostOnce", True), "before the answer of a worker is taken in", 1, "Unknown", id="sent"),
    ],
    indirect=["servers"],
)
def test_at_most_once_holds_for_a_worker_that_cannot_tell(
    servers: Servers, moment: str, starts: int, outcome: str
) -> None:
    killed(servers, moment)
    status = finished_by_another(servers)
    assert len(servers.starts) == starts
    assert [each["outcome"] for each in status["recentRuns"]] == [outcome]
