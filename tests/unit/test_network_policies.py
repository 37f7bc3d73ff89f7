"""The evaluator of NetworkPolicies follows the rules of networking.k8s.io/v1: the other tests build on it."""

from typing import Any

import pytest

from fakes.policies import Pod, World, matches

WEB = Pod("shop", "web", "10.0.0.1", {"app": "web"}, {"http": 8080})
DB = Pod("shop", "db", "10.0.0.2", {"app": "db"}, {"sql": 5432})
SPY = Pod("other", "spy", "10.0.1.1", {"app": "web"})
NAMESPACES = {"shop": {"team": "a"}, "other": {"team": "b"}}
TO_DB = {"matchLabels": {"app": "db"}}
FROM_WEB = {"podSelector": {"matchLabels": {"app": "web"}}}


def policy(selector: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p", "namespace": "shop"}, "spec": {"podSelector": selector, **spec}}


def ingress(*rules: dict[str, Any]) -> dict[str, Any]:
    return policy(TO_DB, policyTypes=["Ingress"], ingress=list(rules))


def egress(*rules: dict[str, Any]) -> dict[str, Any]:
    """Without policyTypes: a policy that says what may go out is about that, too."""
    return policy({"matchLabels": {"app": "web"}}, egress=list(rules))


@pytest.mark.parametrize(
    ("policies", "source", "wanted"),
    [
        ([], SPY, True),  # without a policy everything goes
        ([ingress()], WEB, False),  # a policy without a rule lets nothing in
        ([ingress({})], SPY, True),  # a rule without peers and ports lets in everything
        ([policy({}, policyTypes=["Ingress"])], WEB, False),  # an empty selector is every pod of the namespace
        ([policy(TO_DB)], WEB, False),  # without policyTypes it is about ingress
        ([policy(TO_DB, policyTypes=["Egress"])], WEB, True),  # what is about egress says nothing of ingress
        ([ingress({"from": [FROM_WEB]})], WEB, True),
        ([ingress({"from": [FROM_WEB]})], SPY, False),  # the policy's own namespace is meant
        ([ingress({"from": [{"namespaceSelector": {}}]})], SPY, True),  # every namespace, every pod
        ([ingress({"from": [{"namespaceSelector": {"matchLabels": {"team": "a"}}}]})], SPY, False),
        # Both selectors in one peer: both have to hold; in two peers: either.
        ([ingress({"from": [{"namespaceSelector": {"matchLabels": {"team": "b"}}, **FROM_WEB}]})], WEB, False),
        ([ingress({"from": [{"namespaceSelector": {"matchLabels": {"team": "b"}}}, FROM_WEB]})], WEB, True),
        ([ingress({"from": [FROM_WEB], "ports": [{"port": 5432}]})], WEB, True),
        ([ingress({"from": [FROM_WEB], "ports": [{"port": 5433}]})], WEB, False),
        ([ingress({"ports": [{"port": 5000, "endPort": 6000}]})], WEB, True),
        ([ingress({"ports": [{"port": "sql"}]})], WEB, True),  # a name is a port of the pod that listens
        ([ingress({"ports": [{"port": "http"}]})], WEB, False),
        ([ingress({"ports": [{"protocol": "UDP", "port": 5432}]})], WEB, False),
        ([ingress({"ports": [{"protocol": "UDP"}]})], WEB, False),
        ([ingress({"from": [{"ipBlock": {"cidr": "10.0.0.0/24"}}]})], WEB, True),
        ([ingress({"from": [{"ipBlock": {"cidr": "10.0.0.0/24", "except": ["10.0.0.0/30"]}}]})], WEB, False),
        ([ingress(), ingress({"from": [FROM_WEB]})], WEB, True),  # policies add up
        # What the source may not send does not arrive, whatever the target takes.
        ([ingress({}), policy({"matchLabels": {"app": "web"}}, policyTypes=["Egress"])], WEB, False),
        ([egress({"to": [{"podSelector": TO_DB}]})], WEB, True),
        ([egress({"to": [{"podSelector": TO_DB}], "ports": [{"port": "sql"}]})], WEB, True),  # a name of the target's
        ([egress({"to": [{"podSelector": {"matchLabels": {"app": "x"}}}]})], WEB, False),
    ],
)  # fmt: skip
def test_a_connection_to_the_database_is_let_through_or_not(
    policies: list[dict[str, Any]], source: Pod, wanted: bool
) -> None:
    assert World(policies, [WEB, DB, SPY], NAMESPACES).lets(source, DB, 5432) is wanted


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ({"key": "a", "operator": "In", "values": ["1", "2"]}, True),
        ({"key": "b", "operator": "In", "values": ["1"]}, False),
        ({"key": "a", "operator": "NotIn", "values": ["1"]}, False),
        ({"key": "b", "operator": "NotIn", "values": ["1"]}, True),  # what is not there is not in
        ({"key": "a", "operator": "Exists"}, True),
        ({"key": "b", "operator": "DoesNotExist"}, True),
    ],
)
def test_an_expression_holds_or_not(expression: dict[str, Any], wanted: bool) -> None:
    assert matches({"matchExpressions": [expression]}, {"a": "1"}) is wanted


def test_an_operator_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValueError, match="Near"):
        matches({"matchExpressions": [{"key": "a", "operator": "Near"}]}, {})
