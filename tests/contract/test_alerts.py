"""Every metric that an alert or the dashboard names exists, and every alert has a page that says what to do."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from contract.chart_helm import CHART
from warmcron.history.history import Figures as HistoryFigures
from warmcron.notify.webhook import Figures as NotifyFigures
from warmcron.observe import Metrics

RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"
NAME = re.compile(r"warmcron_[a-z_]+")
# In a selector and behind by, on and without stand labels.
LABELS = re.compile(r"(?:by|on|without)\s*\(([^)]*)\)|(\w+)\s*(?:!=|=~|=)\s*\"")


def known() -> dict[str, tuple[str, ...]]:
    """All names that /metrics can show, with their labels."""
    found: dict[str, tuple[str, ...]] = {}
    for owner in (Metrics(), HistoryFigures(CollectorRegistry()), NotifyFigures(CollectorRegistry())):
        for metric in vars(owner).values():
            if not hasattr(metric, "_labelnames"):
                continue
            suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(metric._type, ("",))
            found |= {metric._name + suffix: tuple(metric._labelnames) for suffix in suffixes}
    for family in Metrics().series.parts(1000):
        labels: Any = family
        found[family.name + ("_total" if family.type == "counter" else "")] = tuple(labels._labelnames)
    return found


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((CHART / "files" / "rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((CHART / "files" / "dashboard.json").read_text())["panels"]
    return found


EXPRESSIONS = [(rule["alert"], rule["expr"]) for rule in alerts()] + [
    (panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]
]


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS)
def test_every_metric_and_label_that_is_named_exists(where: str, expression: str) -> None:
    names = NAME.findall(expression)
    assert names
    assert [name for name in names if name not in known()] == []
    labels = {label.strip() for pair in LABELS.findall(expression) for part in pair for label in part.split(",")}
    offered = {label for name in names for label in known()[name]} | {"le", ""}
    assert labels <= offered


@pytest.mark.parametrize("alert", alerts(), ids=lambda rule: rule["alert"])
def test_every_alert_says_how_bad_it_is_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("warning", "critical")
    assert alert["annotations"]["summary"]
    page = (RUNBOOKS / f"{alert['alert']}.md").read_text()
    assert page.startswith(f"# {alert['alert']}\n")
    assert "\n## Look\n" in page
    assert "\n## Do\n" in page


def test_every_runbook_is_of_an_alert_and_in_the_list() -> None:
    pages = {page.stem for page in RUNBOOKS.glob("*.md")} - {"index"}
    assert pages == {rule["alert"] for rule in alerts()}
    assert set(re.findall(r"\((\w+)\.md\)", (RUNBOOKS / "index.md").read_text())) == pages


def test_panels_do_not_overlap() -> None:
    cells: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        new = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not new & cells, panel["title"]
        assert max(x for x, _ in new) < 24
        cells |= new
