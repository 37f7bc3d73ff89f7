"""The manifests of docs/how-to/autoscale.md ask for what is served, with rights that the chart gives."""

import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from contract.chart_helm import CHART
from docs.blocks import ROOT
from fakes.asgi import Browser
from fakes.web import FakeGuard, FakeViewer, cluster
from warmcron.api.app import Sources, create
from warmcron.observe import Metrics

PAGE = ROOT / "docs" / "how-to" / "autoscale.md"


def manifests() -> list[dict[str, Any]]:
    found = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [document for text in found for document in yaml.safe_load_all(text)]


def of(kind: str) -> dict[str, Any]:
    return next(found for found in manifests() if found.get("kind") == kind)


async def test_keda_s_scaler_finds_its_number_where_the_page_says() -> None:
    (trigger,) = of("ScaledObject")["spec"]["triggers"]
    url = urlsplit(trigger["metadata"]["url"])
    source = cluster(10)
    guard = FakeGuard({"token": FakeViewer("scaler", scope=("shop",))})
    api = create(Sources(live=source, reader=source.history, orders=source, labels=source, guard=guard))

    reply = await Browser(api).get(f"{url.path}?{url.query}", authorization="Bearer token")
    stranger = await Browser(api).get(f"{url.path}?{url.query}")

    assert (reply.status, stranger.status) == (200, 401)
    found = json.loads(reply.text)
    assert isinstance(found[trigger["metadata"]["valueLocation"]], int)
    assert (found["namespace"], found["withinSeconds"]) == (of("ScaledObject")["metadata"]["namespace"], 120)
    assert trigger["metadata"]["authMode"] == "bearer"
    assert url.hostname == "warmcron.warmcron.svc"
    assert url.port == yaml.safe_load((CHART / "values.yaml").read_text())["service"]["apiPort"]


def test_the_token_goes_from_the_account_to_the_scaler() -> None:
    account, secret = of("ServiceAccount"), of("Secret")
    binding, authentication = of("RoleBinding"), of("TriggerAuthentication")
    assert secret["metadata"]["annotations"]["kubernetes.io/service-account.name"] == account["metadata"]["name"]
    assert [subject["name"] for subject in binding["subjects"]] == [account["metadata"]["name"]]
    assert binding["roleRef"]["name"] == "warmcron-view"
    (reference,) = authentication["spec"]["secretTargetRef"]
    assert (reference["parameter"], reference["name"], reference["key"]) == ("token", "scaler-token", "token")
    (trigger,) = of("ScaledObject")["spec"]["triggers"]
    assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]


@pytest.mark.parametrize("name", ["warmcron_pool_demand", "warmcron_pool_capacity"])
def test_the_metrics_of_the_page_are_served(name: str) -> None:
    labels = {metric._name: metric._labelnames for metric in vars(Metrics()).values() if hasattr(metric, "_labelnames")}
    assert labels[name] == ("namespace", "pool")


def test_the_answer_that_the_page_shows_has_the_fields_that_are_answered() -> None:
    shown = re.search(r"^\{.*\}$", PAGE.read_text(), re.MULTILINE)
    assert shown
    found = json.loads(shown[0])
    assert found["demand"] == found["running"] + found["waiting"] + found["due"]
    app: Any = create(
        Sources(live=(source := cluster(1)), reader=source.history, orders=source, labels=source, guard=FakeGuard())
    )
    while not hasattr(app, "openapi"):
        app = app._app
    assert set(app.openapi()["components"]["schemas"]["Demand"]["properties"]) == set(found)
