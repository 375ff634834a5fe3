"""Who may speak to whom, by the rules of networking.k8s.io/v1: what a network plugin makes of policies."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from k8s.checks.reading import selects
from k8s.rendering import Object


@dataclass(frozen=True, slots=True)
class Place:
    """One end of a connection: a pod, or an address outside of the cluster."""

    name: str
    namespace: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    address: str | None = None
    ports: dict[str | int, int] = field(default_factory=dict)


def may_speak(
    policies: Sequence[Object], source: Place, target: Place, port: int, protocol: str = "TCP"
) -> bool:
    """Tell whether a connection is let out at its source and let in at its target."""
    return _passes(policies, "Egress", source, target, (port, protocol, target)) and _passes(
        policies, "Ingress", target, source, (port, protocol, target)
    )


_Door = tuple[int, str, Place]
"""Port, protocol, and whose port it is."""


def _passes(policies: Sequence[Object], way: str, own: Place, other: Place, door: _Door) -> bool:
    in_force = [
        policy["spec"]
        for policy in policies
        if policy["metadata"]["namespace"] == own.namespace
        and selects(policy["spec"]["podSelector"], own.labels)
        and way in policy["spec"]["policyTypes"]
    ]
    side = "to" if way == "Egress" else "from"
    rules = [rule for spec in in_force for rule in spec.get(way.lower()) or []]
    return not in_force or any(
        _is_peer(rule.get(side), other, str(own.namespace)) and _is_door(rule.get("ports"), door)
        for rule in rules
    )


def _is_peer(peers: list[Object] | None, other: Place, home: str) -> bool:
    if not peers:
        return True
    return any(_matches(peer, other, home) for peer in peers)


def _matches(peer: Object, other: Place, home: str) -> bool:
    if "ipBlock" in peer:
        inside = other.address is not None and ip_address(other.address) in ip_network(
            peer["ipBlock"]["cidr"]
        )
        out = [ip_network(one) for one in peer["ipBlock"].get("except") or []]
        return inside and not any(ip_address(other.address or "") in one for one in out)
    if other.namespace is None:
        return False
    its_namespace = {"kubernetes.io/metadata.name": other.namespace}
    near = (
        selects(peer["namespaceSelector"], its_namespace)
        if "namespaceSelector" in peer
        else other.namespace == home
    )
    return near and selects(peer.get("podSelector", {}), other.labels)


def _is_door(doors: list[Object] | None, door: _Door) -> bool:
    port, protocol, whose = door
    return not doors or any(
        one.get("protocol", "TCP") == protocol
        and _number(one, whose) <= port <= one.get("endPort", _number(one, whose))
        for one in doors
    )


def _number(door: Object, whose: Place) -> int:
    return whose.ports.get(door["port"], -1) if isinstance(door["port"], str) else int(door["port"])
