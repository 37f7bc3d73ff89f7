"""What NetworkPolicies let through, by the rules of networking.k8s.io/v1. Pure: it enforces nothing and asks nobody."""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

Json = dict[str, Any]
EVERYWHERE: Final = "0.0.0.0/0"


@dataclass(frozen=True)
class Pod:
    """A pod as far as policies see it; its ports are the named ones."""

    namespace: str
    name: str
    ip: str
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, raw: Json) -> "Pod":
        """A pod as the API shows it, or the template of one with a namespace, a name and an address."""
        metadata = raw["metadata"]
        ports = [port for container in raw["spec"]["containers"] for port in container.get("ports") or []]
        named = {port["name"]: port["containerPort"] for port in ports if port.get("name")}
        ip = raw["status"]["podIP"]
        return cls(metadata["namespace"], metadata["name"], ip, metadata.get("labels") or {}, named)


class Grant(NamedTuple):
    """What one rule lets through: to or from these addresses, by this protocol, at these ports (0: all)."""

    cidr: str
    excepted: tuple[str, ...] = ()
    protocol: str = ""
    first: int = 0
    last: int = 0

    def holds(self, ip: str, port: int, protocol: str) -> bool:
        """Whether it is good for this."""
        address = ipaddress.ip_address(ip)
        near = address in ipaddress.ip_network(self.cidr)
        near = near and not any(address in ipaddress.ip_network(one) for one in self.excepted)
        return near and self.protocol in ("", protocol) and (not self.first or self.first <= port <= self.last)


@dataclass(frozen=True)
class World:
    """Policies, and the pods and namespaces (by name, with their labels) that they speak of."""

    policies: list[Json]
    pods: list[Pod]
    namespaces: Mapping[str, Mapping[str, str]]

    def grants(self, pod: Pod, direction: str) -> list[Grant] | None:
        """What may come in (`Ingress`) or go out (`Egress`); None for a pod that no policy isolates that way."""
        policies = [one for one in self.policies if _isolates(one, direction) and _selects(one, pod)]
        if not policies:
            return None
        rules = [(policy, rule) for policy in policies for rule in policy["spec"].get(direction.lower()) or []]
        return [grant for policy, rule in rules for grant in self._of(rule, policy, pod, direction)]

    def lets(self, source: Pod | str, target: Pod | str, port: int, protocol: str = "TCP") -> bool:
        """Whether a connection is let through by both ends. An address that is no pod's has no policies."""
        there = target.ip if isinstance(target, Pod) else target
        here = source.ip if isinstance(source, Pod) else source
        out = self.grants(source, "Egress") if isinstance(source, Pod) else None
        into = self.grants(target, "Ingress") if isinstance(target, Pod) else None
        return all(
            grants is None or any(grant.holds(peer, port, protocol) for grant in grants)
            for grants, peer in ((out, there), (into, here))
        )

    def _of(self, rule: Json, policy: Json, pod: Pod, direction: str) -> Iterator[Grant]:
        peers = rule.get("from" if direction == "Ingress" else "to")
        places: list[tuple[Grant, Pod | None]] = [(Grant(EVERYWHERE), None)] if not peers else []
        for peer in peers or []:
            if block := peer.get("ipBlock"):
                places.append((Grant(block["cidr"], tuple(block.get("except") or ())), None))
            else:
                places += [(Grant(f"{one.ip}/32"), one) for one in self._meant(peer, policy["metadata"]["namespace"])]
        for place, other in places:
            listening = pod if direction == "Ingress" else other
            for protocol, first, last in _ports(rule.get("ports"), listening):
                yield place._replace(protocol=protocol, first=first, last=last)

    def _meant(self, peer: Json, namespace: str) -> Iterable[Pod]:
        """Pods that both selectors of a peer mean; without one for namespaces, those of the policy's own."""
        spaces = peer.get("namespaceSelector")
        for pod in self.pods:
            here = pod.namespace == namespace if spaces is None else matches(spaces, self.namespaces[pod.namespace])
            if here and matches(peer.get("podSelector") or {}, pod.labels):
                yield pod


def matches(selector: Json, labels: Mapping[str, str]) -> bool:
    """A label selector: every part has to hold, and an empty one always does."""
    exact = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return exact and all(_holds(one, labels) for one in selector.get("matchExpressions") or [])


def _holds(expression: Json, labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or []
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    raise ValueError(expression["operator"])


def _isolates(policy: Json, direction: str) -> bool:
    """Without policyTypes it is about what comes in, and about what goes out if it says anything of that."""
    spec = policy["spec"]
    return direction in (spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])])


def _selects(policy: Json, pod: Pod) -> bool:
    return policy["metadata"]["namespace"] == pod.namespace and matches(
        policy["spec"].get("podSelector") or {}, pod.labels
    )


def _ports(ports: list[Json] | None, listening: Pod | None) -> Iterator[tuple[str, int, int]]:
    """Protocol, first and last port of each entry. A name is the listening pod's; who has none by it is not let in."""
    if not ports:
        yield "", 0, 0
    for port in ports or []:
        protocol, number = port.get("protocol", "TCP"), port.get("port")
        if isinstance(number, str):
            number = listening.ports.get(number) if listening else None
            if number is None:
                continue
        yield protocol, number or 0, port.get("endPort") or number or 0
