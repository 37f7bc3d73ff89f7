from collections.abc import Callable
from typing import Any

import yaml

from fakes.asgi import Browser
from fakes.web import FakeCluster, FakeGuard, FakeViewer
from warmcron.spec.task import ScheduledTaskSpec
from warmcron.web import manifest

RAW = {
    "apiVersion": "warmcron.dev/v1alpha1",
    "kind": "ScheduledTask",
    "metadata": {
        "name": "a",
        "namespace": "ns",
        "uid": "u",
        "resourceVersion": "7",
        "generation": 2,
        "creationTimestamp": "2026-11-24T12:00:00Z",
        "managedFields": [{}],
        "labels": {"team": "x"},
        "annotations": {"warmcron.dev/trigger": "1", "warmcron.dev/cancel": "r", "note": "kept"},
    },
    "spec": {"schedule": "*/5 * * * *", "pool": "p", "handler": "h", "payload": {"on": "yes", "n": [1, [2]]}},
    "status": {"succeeded": 1},
}


def test_what_is_applied_again_is_what_somebody_wrote() -> None:
    found = yaml.safe_load(manifest.applicable(RAW))
    assert found["metadata"] == {
        "name": "a",
        "namespace": "ns",
        "labels": {"team": "x"},
        "annotations": {"note": "kept"},
    }
    assert list(found) == ["apiVersion", "kind", "metadata", "spec"]
    assert found["spec"] == RAW["spec"]
    ScheduledTaskSpec.model_validate(found["spec"])


def test_an_order_that_was_obeyed_is_not_given_again_by_applying() -> None:
    """A trigger's value runs once for each task; in another cluster, or for a new task, it would run again."""
    assert "warmcron.dev/" not in manifest.applicable(RAW).replace("warmcron.dev/v1alpha1", "")


def test_a_text_that_yaml_takes_for_something_else_stays_text() -> None:
    raw = {**RAW, "spec": {"schedule": "0 0 1 1 *", "payload": {"a": "no", "b": "1e3", "c": "2026-01-01", "d": "任务"}}}
    assert yaml.safe_load(manifest.applicable(raw))["spec"] == raw["spec"]
    assert "任务" in manifest.applicable(raw)


async def test_the_page_shows_it_and_says_who_refused(browser: Browser, source: FakeCluster) -> None:
    text = (await browser.get("/tasks/shop/stock-sync/manifest")).text
    assert "kind: ScheduledTask" in text
    assert "warmcron.dev/trigger" not in text
    source.refuse = "scheduledtasks is forbidden: <b>get</b>"
    text = (await browser.get("/tasks/shop/stock-sync/manifest")).text
    assert "is forbidden: &lt;b&gt;get" in text


async def test_nobody_reads_the_manifest_of_another_namespace(source: FakeCluster, serve: Callable[..., Any]) -> None:
    guard = FakeGuard({"narrow": FakeViewer("bob", scope=("billing",))})
    browser = Browser(serve(source, guard), cookies={"warmcron_token": "narrow"})
    assert (await browser.get("/tasks/shop/stock-sync/manifest")).status == 404
