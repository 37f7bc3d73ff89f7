import pytest

from warmcron.core.selector import SelectorError
from warmcron.web import selector

LABELS = (("canary", ""), ("team", "billing"), ("tier", "gold"))


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("", True),
        ("team=billing", True),
        ("team==billing", True),
        ("team = billing , tier=gold", True),
        ("team=shop", False),
        ("tier!=gold", False),
        # as in Kubernetes: who lacks the label is not equal
        ("region!=eu", True),
        ("canary", True),
        ("!canary", False),
        ("!region", True),
        ("canary=", True),
        ("team in (shop, billing)", True),
        ("team in (shop)", False),
        ("tier notin (test,dev),team", True),
        ("region notin (eu)", True),
        # every part has to hold
        ("team=billing,region", False),
        (",,team=billing,", True),
    ],
)
def test_a_selector_means_what_it_means_to_kubectl(text: str, holds: bool) -> None:
    assert selector.holds(selector.parse(text), LABELS) is holds


@pytest.mark.parametrize(
    "text",
    ["=billing", "team=a b", "team in shop", "team in (a", "team>3", "(a,b)", "-team", "team in (a b)", "a" * 2000],
)
def test_what_is_no_selector_is_refused_and_named(text: str) -> None:
    with pytest.raises(SelectorError) as error:
        selector.parse(text)
    assert str(error.value)
    assert len(str(error.value)) <= 80
