"""A real API server takes our Events, those at the limits of what it takes too, and shows them in both of its APIs."""

import pytest

from fakes.apiserver import ApiServer
from warmcron.core import notices
from warmcron.core.noticeboard import Waiting
from warmcron.core.notices import Notice
from warmcron.core.tasks import TaskRef
from warmcron.kube import events

UID = "0b1e9b7e-5f0f-4c6a-9d55-3c7a3d1b8a10"
PATH = "/api/v1/namespaces/default/events"
LONG = "-".join(["a" * 60] * 4) + "-abcdefgh"


@pytest.mark.parametrize(
    ("task", "text", "reporter"),
    [
        ("task", "it failed: HandlerFailed: disk full", "warmcron-7d9f8b6c5-x2x4z"),
        # every text at its limit
        (LONG, notices.line("ü" * 2000), "r" * 253),
        # and none at all
        ("t", "", "r"),
    ],
)
def test_an_event_is_taken_and_shown(server: ApiServer, task: str, text: str, reporter: str) -> None:
    waiting = Waiting(TaskRef(UID, "default", task), Notice("Warning", "Failing", "Run", text), 1.8e9, 1.8e9 + 90, 3)
    name = events.name_of(waiting, bytes(8))
    status, answer = server.ask("POST", PATH, events.body(waiting, name, reporter))
    assert status == 201, answer
    status, shown = server.ask("GET", f"/apis/events.k8s.io/v1/namespaces/default/events/{name}")
    assert status == 200
    assert shown["regarding"]["name"] == task
    assert (shown["type"], shown["reason"], shown["deprecatedCount"]) == ("Warning", "Failing", 3)
    assert shown["reportingController"] == "warmcron.dev/operator"
    assert shown["note"] == text if text else "note" not in shown


def test_the_same_event_again_is_refused_as_being_there(server: ApiServer) -> None:
    waiting = Waiting(TaskRef(UID, "default", "twice"), Notice("Normal", "Recovered", "Run", "well"), 1.8e9, 1.8e9)
    event = events.body(waiting, events.name_of(waiting, bytes(8)), "warmcron-0")
    assert [server.ask("POST", PATH, event)[0] for _ in range(2)] == [201, events.EXISTS]
