"""Declared tasks get what an API server would add, and keep it over edits and restarts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from warmcron.core.events import Event
from warmcron.core.run import Attempt
from warmcron.core.tasks import TaskRef
from warmcron.kube import translate
from warmcron.local import folder
from warmcron.local.folder import Folder
from warmcron.local.manifests import Manifest
from warmcron.local.objects import Objects

SPEC = {"schedule": "* * * * *", "pool": "demo", "handler": "hello"}


def manifest(name: str, **spec: Any) -> Manifest:
    return Manifest("default", name, {}, SPEC | spec, "f.yaml", 1)


class Kept:
    """What the engine was told, and what it would answer."""

    def __init__(self, found: Folder) -> None:
        self.seen: list[dict[str, Any]] = []
        self.gone: list[str] = []
        self.heard: list[tuple[Attempt, Event]] = []
        self.objects = Objects(found, apply=self.seen.append, forget=self.gone.append)
        self.objects.source = self

    def status_of(self, uid: str) -> tuple[TaskRef, dict[str, Any]] | None:
        return TaskRef(uid, "default", "a"), {"succeeded": 1}

    def on_event(self, about: Attempt, event: Event) -> None:
        self.heard.append((about, event))

    @property
    def last(self) -> dict[str, Any]:
        return self.seen[-1]


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Folder]:
    found = folder.claim(tmp_path)
    yield found
    found.close()


@pytest.fixture
def kept(held: Folder) -> Kept:
    return Kept(held)


def test_a_new_task_gets_an_identity_and_keeps_it_over_a_restart(kept: Kept, held: Folder) -> None:
    kept.objects.declare([manifest("a")])
    uid = kept.last["metadata"]["uid"]
    again = Kept(held)
    again.objects.declare([manifest("a")])
    assert again.last["metadata"] | {"annotations": {}} == kept.last["metadata"] | {"annotations": {}}
    assert again.last["metadata"]["uid"] == uid


def test_only_an_edit_of_the_spec_makes_a_new_generation(kept: Kept) -> None:
    kept.objects.declare([manifest("a")])
    kept.objects.declare([manifest("a")])
    assert len(kept.seen) == 1  # nothing has changed, nothing is said
    kept.objects.declare([manifest("a", schedule="1 * * * *")])
    assert kept.last["metadata"]["generation"] == 2


def test_an_edit_made_while_nobody_watched_is_noticed_at_the_next_start(kept: Kept, held: Folder) -> None:
    kept.objects.declare([manifest("a")])
    again = Kept(held)
    again.objects.declare([manifest("a", handler="other")])
    assert again.last["metadata"]["generation"] == 2


def test_a_task_that_no_file_has_any_more_is_deleted(kept: Kept, held: Folder) -> None:
    kept.objects.declare([manifest("a"), manifest("b")])
    uid = held.entries["default/a"].uid
    kept.objects.declare([manifest("b")])
    assert kept.gone == [uid]
    assert list(held.entries) == ["default/b"]


def test_nothing_is_deleted_while_a_file_cannot_be_read(kept: Kept, held: Folder) -> None:
    kept.objects.declare([manifest("a")])
    uid = held.entries["default/a"].uid
    kept.objects.declare([], complete=False)
    assert kept.gone == []
    kept.objects.declare([manifest("a")])
    assert held.entries["default/a"].uid == uid


def test_a_manual_run_reads_like_the_annotation(kept: Kept) -> None:
    kept.objects.declare([manifest("a")])
    kept.objects.trigger("default/a", value="now", payload={"n": 1})
    found = translate.trigger(kept.last)
    assert found is not None
    assert (found.value, found.payload, found.problem) == ("now", b'{"n": 1}', None)


def test_suspending_holds_until_the_file_says_something_else(kept: Kept) -> None:
    kept.objects.declare([manifest("a")])
    kept.objects.suspend("default/a", suspended=True)
    assert (kept.last["spec"]["suspend"], kept.last["metadata"]["generation"]) == (True, 2)
    kept.objects.suspend("default/a", suspended=True)  # twice is once
    assert kept.last["metadata"]["generation"] == 2
    kept.objects.declare([manifest("a", schedule="1 * * * *")])  # another field: still suspended
    assert kept.last["spec"]["suspend"] is True
    kept.objects.declare([manifest("a", schedule="1 * * * *", suspend=False)])
    assert kept.last["spec"]["suspend"] is False


def test_what_is_noted_is_in_the_file_after_a_flush(kept: Kept, held: Folder) -> None:
    kept.objects.declare([manifest("a")])
    kept.objects.note(held.entries["default/a"].uid, urgent=False)
    kept.objects.flush()
    held.close()
    again = folder.claim(held.path)
    assert again.entries["default/a"].status == {"succeeded": 1}
    again.close()
