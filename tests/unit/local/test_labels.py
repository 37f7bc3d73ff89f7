"""A label selector chooses in the embedded mode what it would choose in a cluster."""

import pytest

from warmcron.core import selector
from warmcron.local import labels
from warmcron.web.sources import OrderError

OBJECTS = {
    "a": {"team": "billing", "tier": "1"},
    "b": {"team": "shop", "app.kubernetes.io/name": "web"},
    "c": {"tier": ""},
    "d": {},
}
# What a cluster chooses; tests/integration asks a real API server the same.
SELECTORS = [
    ("", "abcd"),
    ("team=billing", "a"),
    ("team==billing", "a"),
    ("team = billing", "a"),
    ("team!=billing", "bcd"),  # also those without the label
    ("team", "ab"),
    ("!team", "cd"),
    ("team in (billing, shop)", "ab"),
    ("team notin (billing)", "bcd"),
    ("team,tier", "a"),
    ("team in (billing,shop),tier=1", "a"),
    ("tier=", "c"),
    ("app.kubernetes.io/name=web", "b"),
    ("app.kubernetes.io/name in (web),team!=billing", "b"),
]
NONSENSE = ["team=a=b", "=a", "team in billing", "team in ()x", "a b", "-a=b", "team=-", "(a)", "team,,tier", ","]


@pytest.mark.parametrize(("text", "names"), SELECTORS)
def test_a_selector_chooses(text: str, names: str) -> None:
    wanted = labels.parse(text)
    assert "".join(name for name, found in OBJECTS.items() if selector.holds(wanted, found)) == names


@pytest.mark.parametrize("text", NONSENSE)
def test_what_is_no_selector_is_refused_by_name(text: str) -> None:
    with pytest.raises(OrderError, match="selector: ") as found:
        labels.parse(text)
    assert found.value.status == 400
