"""Nothing refers to what is not there: selectors, ports, names of other objects."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from k8s.checks.reading import Template, at, name_of, selects, templates
from k8s.rendering import Object, of_kind


def services(objects: Sequence[Object]) -> Iterator[str]:
    """Find Services that do not select one workload's pods, or ports that those have not."""
    for service in of_kind(objects, "Service"):
        name, spec = name_of(service), service["spec"]
        if spec.get("type", "ClusterIP") != "ClusterIP":
            yield f"{name} is a {spec['type']}: what faces the outside is the cluster's choice"
        found = _selected(
            objects, service, {"matchLabels": spec["selector"]} if spec.get("selector") else None
        )
        if len({template.labels.get("app.kubernetes.io/component") for template in found}) != 1:
            yield f"{name} selects the pods of {[*map(str, found)]}, wanted those of one workload"
        for template in found:
            yield from _service_ports(name, spec, template)


def _service_ports(name: str, spec: Object, template: Template) -> Iterator[str]:
    for port in spec["ports"]:
        target = template.ports().get(port.get("targetPort", port["port"]))
        if target is None:
            yield f"{name} port {port['port']} goes to {port.get('targetPort')!r}, which {template} has not"
        elif spec.get("clusterIP") == "None" and target != port["port"]:
            yield f"{name} is headless, where no port is translated: {port['port']} is {target} in the pods"


def disruption_budgets(objects: Sequence[Object]) -> Iterator[str]:
    """Find budgets that protect nothing or hold nodes up, and workloads without one."""
    protected: list[str] = []
    for budget in of_kind(objects, "PodDisruptionBudget"):
        name, spec = name_of(budget), budget["spec"]
        found = _selected(objects, budget, spec.get("selector") or None)
        protected += map(str, found)
        if len(found) != 1:
            yield f"{name} selects the pods of {[*map(str, found)]}, wanted those of one workload"
        if spec.get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
            yield f"{name} keeps pods that are broken from being evicted"
        if spec.get("maxUnavailable") in {None, 0, "0%"}:
            yield f"{name} lets no pod go: a node with a single replica could not be drained"
    for template in templates(objects):
        if template.runs_on and protected.count(str(template)) != 1:
            yield f"{template} has {protected.count(str(template))} PodDisruptionBudgets, wanted 1"


def scalers(objects: Sequence[Object]) -> Iterator[str]:
    """Find autoscalers of nothing, without room, and whose work something else undoes."""
    workloads = {(found["apiVersion"], found["kind"], found["metadata"]["name"]): found for found in objects}
    targets: list[tuple[str, str]] = []
    for scaler in [*of_kind(objects, "HorizontalPodAutoscaler"), *of_kind(objects, "ScaledObject")]:
        name, reference = name_of(scaler), scaler["spec"]["scaleTargetRef"]
        version, kind = reference.get("apiVersion", "apps/v1"), reference.get("kind", "Deployment")
        target = workloads.get((version, kind, reference["name"]))
        if target is None:
            yield f"{name} scales {version} {kind}/{reference['name']}, which is not there"
            continue
        if (kind, reference["name"]) in targets:
            yield f"{name} is not alone in scaling {kind}/{reference['name']}"
        targets.append((kind, reference["name"]))
        if "replicas" in target["spec"]:
            yield f"{name_of(target)} has replicas and {name}: each apply would undo the autoscaler's work"
        yield from _bounds(name, scaler["spec"])
        yield from _scaled_containers(name, scaler["spec"], target)


def _bounds(name: str, spec: Object) -> Iterator[str]:
    least: Any = spec.get("minReplicas", spec.get("minReplicaCount", 1))
    most: Any = spec.get("maxReplicas", spec.get("maxReplicaCount", 100))
    if not 1 <= least < most:
        yield f"{name} has no room: {least} to {most} replicas"


def _scaled_containers(name: str, spec: Object, target: Object) -> Iterator[str]:
    there = {container["name"]: container for container in target["spec"]["template"]["spec"]["containers"]}
    for metric in spec.get("metrics", []):
        container = at(metric, "containerResource", "container")
        if container is None:
            continue
        if at(there, container, "resources", "requests", metric["containerResource"]["name"]) is None:
            yield f"{name} looks at a resource of container {container!r} that it does not request"


def monitors(objects: Sequence[Object]) -> Iterator[str]:
    """Find monitors that scrape nothing, or a port that is not there."""
    for monitor in of_kind(objects, "ServiceMonitor"):
        found = [
            service
            for service in of_kind(objects, "Service")
            if _same_namespace(monitor, service)
            and selects(monitor["spec"]["selector"], at(service, "metadata", "labels") or {})
        ]
        ports = {port.get("name") for service in found for port in service["spec"]["ports"]}
        yield from _endpoints(name_of(monitor), monitor["spec"]["endpoints"], ports, bool(found))
    for monitor in of_kind(objects, "PodMonitor"):
        pods = _selected(objects, monitor, monitor["spec"]["selector"])
        names = {port for template in pods for port in template.ports()}
        yield from _endpoints(name_of(monitor), monitor["spec"]["podMetricsEndpoints"], names, bool(pods))


def _endpoints(name: str, endpoints: list[Object], ports: set[str | int], finds: bool) -> Iterator[str]:
    if not finds:
        yield f"{name} selects nothing"
    for endpoint in endpoints:
        if endpoint.get("port", endpoint.get("portNumber")) not in ports:
            yield f"{name} scrapes port {endpoint.get('port')!r}, wanted one of {sorted(map(str, ports))}"


def network_policies(objects: Sequence[Object]) -> Iterator[str]:
    """Find NetworkPolicies whose pods, peers of our own, or ports do not exist."""
    for policy in of_kind(objects, "NetworkPolicy"):
        name, spec = name_of(policy), policy["spec"]
        own = _selected(objects, policy, spec["podSelector"])
        if not own:
            yield f"{name} selects no pod"
        for side, rules in (("from", spec.get("ingress")), ("to", spec.get("egress"))):
            for rule in rules or []:
                selectors = [one["podSelector"] for one in rule.get(side) or [] if [*one] == ["podSelector"]]
                peers = [_selected(objects, policy, selector) for selector in selectors]
                if not all(peers):
                    yield f"{name} lets pods speak that are not there: {selectors}"
                yield from _opened(name, rule, own if side == "from" else [*chain.from_iterable(peers)])


def fenced(objects: Sequence[Object]) -> Iterator[str]:
    """Find pods that no NetworkPolicy holds back, where one is meant for all of them."""
    policies = of_kind(objects, "NetworkPolicy")
    for_all = any(policy["spec"]["podSelector"] == {} for policy in policies)
    for template in templates(objects) if for_all else []:
        ways = {
            way
            for policy in policies
            if template.namespace == policy["metadata"].get("namespace")
            and selects(policy["spec"]["podSelector"], template.labels)
            for way in policy["spec"]["policyTypes"]
        }
        yield from (
            f"{template} has no NetworkPolicy for {way}" for way in sorted({"Egress", "Ingress"} - ways)
        )


def _opened(name: str, rule: Object, targets: list[Template]) -> Iterator[str]:
    for port in rule.get("ports") or []:
        if targets and not any(port.get("port") in template.ports() for template in targets):
            yield f"{name} opens port {port.get('port')!r}, which none of {[*map(str, targets)]} has"


def routes(objects: Sequence[Object]) -> Iterator[str]:
    """Find Ingresses and HTTPRoutes that send requests to no Service, or to a port it has not."""
    there = {service["metadata"]["name"]: service["spec"]["ports"] for service in of_kind(objects, "Service")}
    for route in [*of_kind(objects, "Ingress"), *of_kind(objects, "HTTPRoute")]:
        for rule in route["spec"].get("rules") or []:
            for name, port in _backends(rule):
                if not _has_port(there.get(name), port):
                    yield f"{name_of(route)} sends to {name}:{port}, which is not there"


def _backends(rule: Object) -> Iterator[tuple[str, object]]:
    for path in at(rule, "http", "paths") or []:
        service = path["backend"]["service"]
        yield service["name"], service["port"].get("name", service["port"].get("number"))
    for backend in rule.get("backendRefs") or []:
        yield backend["name"], backend.get("port")


def _has_port(ports: list[Object] | None, wanted: object) -> bool:
    return any(wanted in {port.get("name"), port["port"]} for port in ports or [])


def _selected(objects: Sequence[Object], by: Object, selector: Object | None) -> list[Template]:
    return [
        template
        for template in templates(objects)
        if template.namespace == by["metadata"].get("namespace") and selects(selector, template.labels)
    ]


def _same_namespace(one: Object, other: Object) -> bool:
    return bool(one["metadata"].get("namespace") == other["metadata"].get("namespace"))
