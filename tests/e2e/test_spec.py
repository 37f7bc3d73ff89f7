"""What is wrong with a task is said where the user looks: by the API server at apply, or in the Ready condition."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster import ROOT, CommandError, until
from e2e.space import Space
from e2e.tasks import manifest

TASKS = sorted(path for path in (ROOT / "examples").rglob("*.yaml") if "kind: ScheduledTask" in path.read_text())

# What is applied, and what the refusal must name: the field and the cure.
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"schedule": "every now and then"}, r"spec\.schedule.*not a schedule: expected five cron fields"),
    ({"schedule": "61 * * * *"}, r"spec\.schedule.*not a schedule"),
    ({"schedule": "* * * *"}, r"spec\.schedule.*not a schedule"),
    ({"schedule": ""}, r"spec\.schedule"),
    ({"schedule": "TZ=UTC * * * * *"}, r"spec\.schedule.*put the zone into spec\.timeZone"),
    ({"schedule": "@every soon"}, r"spec\.schedule.*not a schedule"),
    ({"timeZone": "Berlin in winter"}, r"spec\.timeZone.*not a time zone: expected an IANA name"),
    ({"timeZone": "Local"}, r"spec\.timeZone.*not a time zone"),
    ({"pool": "Not A Label"}, r"spec\.pool"),
    ({"handler": ""}, r"spec\.handler"),
    ({"concurrencyPolicy": "Maybe"}, r"spec\.concurrencyPolicy.*Allow"),
    ({"backoffLimit": -1}, r"spec\.backoffLimit"),
    ({"payload": "text"}, r"spec\.payload"),
    ({"historyLimit": 21}, r"spec\.historyLimit"),
    ({"routingKey": "a"}, r"spec\.routingKey is only read with routingPolicy: ConsistentHash"),
    ({"attemptDeadlineSeconds": 20, "activeDeadlineSeconds": 10}, r"attemptDeadlineSeconds must not be longer"),
    ({"url": "http://elsewhere"}, r'unknown field "spec\.url"'),
]

# What only the operator can know, and what its Ready condition must say.
NOT_READY: list[tuple[str, dict[str, Any], str, str]] = [
    ("never", {"schedule": "0 0 30 2 *"}, "", r"spec\.schedule"),
    ("reversed", {"schedule": "30-10 * * * *"}, "", r"spec\.schedule.*backwards"),
    ("atlantis", {"timeZone": "Europe/Atlantis"}, "InvalidTimeZone", r"spec\.timeZone.*Europe/Atlantis"),
    (
        "once-everywhere",
        {"deliveryPolicy": "AtMostOnce", "routingPolicy": "Broadcast"},
        "NotSupported",
        r"spec\.routingPolicy.*AtLeastOnce",
    ),
]


@pytest.mark.parametrize(("spec", "said"), REFUSED, ids=[f"{spec}"[:40] for spec, _ in REFUSED])
def test_the_api_server_refuses_and_names_the_field(shared: Space, spec: dict[str, Any], said: str) -> None:
    with pytest.raises(CommandError) as refused:
        shared.apply(manifest("refused", **spec))
    assert re.search(said, str(refused.value)), refused.value


def test_what_cannot_be_scheduled_says_why_and_the_others_go_on(shared: Space) -> None:
    good = shared.task("good", schedule="@every 1s")
    until("the good one ticks", lambda: shared.ledger.starts(good.name))
    bad = {name: shared.task(name, **{"schedule": "@every 1s", **spec}) for name, spec, _, _ in NOT_READY}
    for name, _, reason, said in NOT_READY:
        ready = until(f"{name} is judged", partial(bad[name].condition, "Ready"))
        assert ready["status"] == "False", (name, ready)
        assert reason in ready["reason"], (name, ready)
        assert re.search(said, ready["message"]), (name, ready)
        assert bad[name].status.get("nextScheduleTime") is None
        row = shared.kubectl("get", "stask", name, "--no-headers").split()
        assert row[-2] == "False"
    done = len(shared.ledger.starts(good.name))
    until("the good one goes on", lambda: len(shared.ledger.starts(good.name)) > done + 1)
    assert {entry.task for entry in shared.ledger.starts()}.isdisjoint(bad)
    # And one that is put right runs, without the ticks of the time before.
    cured = bad["atlantis"]
    cured.edit(timeZone="Atlantic/Canary")
    until("the cured one ticks", lambda: shared.ledger.starts(cured.name))
    assert cured.condition("Ready")["status"] == "True"
    cured.suspend()
    good.suspend()


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.parent.name)
def test_the_examples_pass_a_dry_run_and_get_their_defaults(shared: Space, path: Path) -> None:
    said = shared.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(path))
    assert "created (server dry run)" in said
    said = shared.kubectl("apply", "--dry-run=server", "-o", "yaml", "-f", str(path))
    for default in ("timeZone: UTC", "concurrencyPolicy: Forbid", "missedRunPolicy: RunLatest", "backoffLimit: 3"):
        assert default in said


def test_kubectl_explains_every_field(shared: Space) -> None:
    said = shared.kubectl("explain", "scheduledtask.spec.schedule")
    assert "five cron fields as CronJob reads them" in " ".join(said.split())
    fields = shared.kubectl("explain", "stask.spec")
    assert "<no description>" not in fields
    assert "<no description>" not in shared.kubectl("explain", "stask.status", "--recursive=false")
    assert all(field in fields for field in ("schedule", "timeZone", "pool", "handler", "noWorkerPolicy"))


def test_the_status_is_not_for_users_to_write(shared: Space) -> None:
    task = shared.task("honest")
    until("it is judged", lambda: task.condition("Ready"))
    raw = manifest("honest")
    raw["status"] = {"succeeded": 1000}
    shared.apply(raw)
    assert task.status["succeeded"] == 0
