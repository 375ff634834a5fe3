"""The network policies let through what is needed, and nothing else."""

from collections.abc import Sequence
from typing import Final

import pytest

from k8s.checks.reading import templates
from k8s.reachability import Place, may_speak
from k8s.rendering import NAMESPACE, Object, combined, of_kind, overlay

DNS: Final = Place("dns", "kube-system", {"k8s-app": "kube-dns"})
NODE_DNS: Final = Place("node dns", address="169.254.20.10")
PROMETHEUS: Final = Place("prometheus", "monitoring", {"app.kubernetes.io/name": "prometheus"})
CLIENT: Final = Place("client", "shop", {"app": "shop"})
IMPOSTOR: Final = Place("impostor", "shop", {"k8s-app": "kube-dns", "app.kubernetes.io/component": "gateway"})
INTERNET: Final = Place("internet", address="203.0.113.7")
OUTSIDE: Final = (DNS, NODE_DNS, PROMETHEUS, CLIENT, IMPOSTOR, INTERNET)

PORTS: Final = (22, 53, 80, 443, 2222, 8080, 8081, 8500, 8501, 9090)
"""Every port of ours, and some that nobody asked for."""

EXPECTED: Final = {
    ("gateway", "tf-serving", 8500),
    ("retrain", "tf-serving", 8500),
    ("retrain", "gateway", 8080),
    ("client", "gateway", 8080),
    ("impostor", "gateway", 8080),
    ("dns", "gateway", 8080),  # a pod of the cluster like any other: see gateway-clients.yaml
    ("prometheus", "gateway", 8080),
    ("prometheus", "gateway", 8081),
    ("prometheus", "tf-serving", 8501),
    ("gateway", "dns", 53),
    ("gateway", "node dns", 53),
    ("tf-serving", "dns", 53),
    ("tf-serving", "node dns", 53),
    ("retrain", "dns", 53),
    ("retrain", "node dns", 53),
}
"""Source, target, TCP port."""


def _pods(objects: Sequence[Object]) -> list[Place]:
    found = {
        component: Place(component, template.namespace, template.labels, ports=template.ports())
        for template in templates(objects)
        if (component := template.labels["app.kubernetes.io/component"])
    }
    return [*found.values()]


def _matrix(objects: Sequence[Object], protocol: str = "TCP") -> set[tuple[str, str, int]]:
    policies = of_kind(objects, "NetworkPolicy")
    own = _pods(objects)
    return {
        (source.name, target.name, port)
        for source in [*own, *OUTSIDE]
        for target in [*own, *OUTSIDE]
        if NAMESPACE in {source.namespace, target.namespace}
        for port in PORTS
        if may_speak(policies, source, target, port, protocol)
    }


def test_only_what_is_needed_may_speak() -> None:
    """The whole matrix of pods, outsiders and TCP ports is the expected one."""
    assert EXPECTED == _matrix(combined(["network-policies"]))


def test_only_names_are_asked_by_udp() -> None:
    """DNS alone leaves by UDP; nothing comes in by it."""
    expected = {(source, target, port) for source, target, port in EXPECTED if port == 53}
    assert expected == _matrix(combined(["network-policies"]), "UDP")


def test_without_the_component_everybody_may_speak() -> None:
    """The evaluation is no empty one: without policies nothing is held back."""
    objects = combined([])
    assert not of_kind(objects, "NetworkPolicy")
    own = {pod.name for pod in _pods(objects)}
    everybody = own | {place.name for place in OUTSIDE}
    assert len(_matrix(objects)) == len(PORTS) * (len(everybody) ** 2 - len(OUTSIDE) ** 2)


def test_a_pod_of_tomorrow_may_nothing_but_ask_for_names() -> None:
    """Whatever else comes into the namespace is cut off until a policy names it."""
    policies = of_kind(combined(["network-policies"]), "NetworkPolicy")
    newcomer = Place("newcomer", NAMESPACE, {"app": "newcomer"})
    for port in PORTS:
        for other in [*_pods(combined([])), *OUTSIDE]:
            assert not may_speak(policies, other, newcomer, port)
            may_ask = other in (DNS, NODE_DNS) and port == 53
            assert may_ask == may_speak(policies, newcomer, other, port)


@pytest.mark.parametrize(
    "component", ["demo", "several-machines", "object-store", "canary", "capture", "api-keys"]
)
def test_a_component_beside_opens_only_what_it_says(component: str) -> None:
    """With the policies in force, what another component adds speaks to nobody that it does not name."""
    more = _matrix(combined(["network-policies", component])) - EXPECTED
    assert MORE.get(component, set()) == {one for one in more if one[2] != 53}


MORE: Final = {
    "object-store": {("tf-serving", "internet", 443), ("retrain", "internet", 443)},
    "several-machines": {("several-machines", "several-machines", 2222)},
}
"""What components open beside."""


@pytest.mark.parametrize("name", ["production", "production-keda"])
def test_production_is_fenced(name: str) -> None:
    """The overlays for production contain the policies."""
    assert EXPECTED <= _matrix(overlay(name))
    assert ("client", "tf-serving", 8500) not in _matrix(overlay(name))
