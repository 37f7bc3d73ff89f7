"""What the API server takes at apply is what the operator takes, spelling by spelling and zone by zone."""

from typing import Any

import pytest

from fakes.apiserver import ApiServer
from warmcron.core import schedule, zones
from warmcron.core.tasks import Problem
from warmcron.errors import SpecError
from warmcron.kube import translate
from warmcron.local import documents, manifests
from warmcron.spec.task import DaylightSavingPolicy

PATH = "/apis/warmcron.dev/v1alpha1/namespaces/default/scheduledtasks?dryRun=All"


def apply(server: ApiServer, **spec: Any) -> tuple[int, str]:
    """A dry run: the status, and what is said."""
    status, answer = server.ask(
        "POST",
        PATH,
        {
            "apiVersion": "warmcron.dev/v1alpha1",
            "kind": "ScheduledTask",
            "metadata": {"name": "tried"},
            "spec": {"schedule": "@daily", "pool": "p", "handler": "h", **spec},
        },
    )
    return status, str(answer.get("message", ""))


SCHEDULES = """\
* * * * *|*/5 9-17 * * 1-5|0 0 1,15 * 5|0 0 * JAN-MAR,dec MON|? ? ? ? ?|5-5 * * * *|59/15 * * * *|1,,2, +5 *-5/2 * 7/2
0 0 L * *|0 0 LW * *|0 0 15W * *|0 0 * * 5L|0 0 * * L5|0 0 * * MON#2|0 0 l,lw,3 * fril|H H * * *|H(0-29)/10 H(1-5) H H H
*/10 * * * * *|@hourly|@annually|@every 30s|@every 1h30m|@every .5h|@every +1500ms|005 07 1 * *
60 * * * *|* 24 * * *|30-10 * * * *|0 0 * dec-jan *
* * 0 * *|* * 00 * *|* * 0-5 * *|* * 1,0 * *|* * 0031 * *|* * 32 * *|* * 05W * *|* * 0W * *|* * 32W * *|* * H(0-5) * *
* * * 0 *|* * * 0-3 *|* * * 012 *|* * * H(0-3) *|* * * foo *|* * * jan-fob *|* * H(1-5) * *|* * * * Mon,TUE
* * * * foo|* * * * foo#2|* * * * fooL|*/0 * * * *|*/00 * * * *|*/010 * * * *|H/0 * * * *|* * * * * 0-5/0
* * * 13 *|* * * * 8|-5 * * * *|R * * * *|MON * * * *|* * * *|* * * * * * *|@reboot
@every 5|@every -5m|TZ=UTC 0 0 * * *|CRON_TZ=Europe/Berlin 0 0 * * *|L * * * *|* * * * L|* * * * MON#6|h * * * *|,
0 0 L-3 * *|0 0 L/2 * *|5--7 * * * *|*//2 * * * *|1-2-3 * * * *|**/2 * * * *|@Hourly|@daily x""".replace(
    "\n", "|"
).split("|")

# Ranges and dates that a pattern cannot compare: the API server takes them, the operator says InvalidSchedule.
BEYOND_A_PATTERN = {"30-10 * * * *", "0 0 * dec-jan *"}


@pytest.mark.parametrize("text", SCHEDULES)
def test_a_schedule_is_taken_by_both_or_by_none(server: ApiServer, text: str) -> None:
    try:
        schedule.parse(text, zone="UTC", policy=DaylightSavingPolicy.RUN_ONCE, anchor=0, hash_key="a/b")
        taken = True
    except SpecError:
        taken = False
    status, message = apply(server, schedule=text)
    if text in BEYOND_A_PATTERN:
        assert (status, taken) == (201, False)
        return
    assert (status == 201) is taken, message
    if not taken:
        assert "spec.schedule" in message


def test_every_zone_is_taken_by_both(server: ApiServer) -> None:
    refused = [name for name in sorted(zones.known_zones()) if apply(server, timeZone=name)[0] != 201]
    assert refused == []


@pytest.mark.parametrize("name", ["", "Local", "Europe/Berlin ", "../etc/passwd", "UTC+2:00", "-5", "A" * 65])
def test_what_cannot_be_a_zone_is_refused_at_apply(server: ApiServer, name: str) -> None:
    status, message = apply(server, timeZone=name)
    assert status == 422
    assert "spec.timeZone" in message


# Where JSON, the CRD and Python could think differently of a value: all three must say the same.
FIELDS: list[tuple[dict[str, Any], bool]] = [
    ({"backoffLimit": 3.0}, True),  # JSON has one kind of number
    ({"backoffLimit": 3.5}, False),
    ({"backoffLimit": "3"}, False),
    ({"backoffLimit": True}, False),
    ({"backoffLimit": None}, True),  # null is not there
    ({"backoffLimit": -1}, False),
    ({"historyLimit": 2**63}, False),
    ({"startingDeadlineSeconds": 0}, False),
    ({"startingDeadlineSeconds": 31_536_000}, True),
    ({"startingDeadlineSeconds": 31_536_001}, False),
    ({"suspend": 0}, False),
    ({"suspend": "true"}, False),
    ({"concurrencyPolicy": "forbid"}, False),
    ({"concurrencyPolicy": ""}, False),
    ({"pool": "a\n"}, False),
    ({"pool": "a" * 63}, True),
    ({"pool": "a" * 64}, False),
    ({"handler": "a/b.c_d"}, True),
    ({"handler": "a/"}, False),
    ({"schedule": "@daily\n"}, False),
    ({"schedule": "0 0 * * *\n"}, True),
    ({"timeZone": "Europe/Berlin\n"}, False),
    ({"payload": {}}, True),
    ({"payload": []}, False),
    ({"payload": {"a": None, "": 2**70}}, True),
    ({"payload": {"apiVersion": 1, "metadata": []}}, True),
    ({"backoff": {}}, True),
    ({"backoff": {"initialSeconds": 0.5, "maxSeconds": 0.5}}, True),
    ({"backoff": {"initialSeconds": 5, "maxSeconds": 3}}, False),
    ({"backoff": {"multiplier": True}}, False),
    ({"routingKey": ""}, False),
    ({"routingKey": "k", "routingPolicy": "ConsistentHash"}, True),
    ({"attemptDeadlineSeconds": 3600}, True),
    ({"attemptDeadlineSeconds": 3601}, False),
]


@pytest.mark.parametrize(("spec", "taken"), FIELDS, ids=range(len(FIELDS)))
def test_a_value_is_taken_by_the_api_server_the_files_and_the_operator_or_by_none(
    server: ApiServer, spec: dict[str, Any], taken: bool
) -> None:
    status, message = apply(server, **spec)
    task = {
        "apiVersion": "warmcron.dev/v1alpha1",
        "kind": "ScheduledTask",
        "metadata": {"name": "tried"},
        "spec": {"schedule": "@daily", "pool": "p", "handler": "h", **spec},
    }
    manifest, faults = manifests.check(documents.Document("f", task, {(): 1}))
    assert (status == 201, not faults) == (taken, taken), (message, faults)
    if manifest:
        raw = manifests.raw(manifest, uid="", created="2026-01-01T00:00:00Z", generation=1)
        assert not isinstance(translate.task_spec(raw), Problem)
