"""Names are unique and fit, everything is in the namespace, labels say what belongs together."""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final, TypeVar

from k8s.checks.reading import at, each_container, name_of, selects, templates
from k8s.rendering import NAMESPACE, Object

_Item = TypeVar("_Item")

CLUSTER_WIDE: Final = {
    "Namespace",
    "PriorityClass",
    "PersistentVolume",
    "StorageClass",
    "ClusterRole",
    "ClusterRoleBinding",
}
PREFIX: Final = "app.kubernetes.io/"
NAME, COMPONENT, PART_OF = f"{PREFIX}name", f"{PREFIX}component", f"{PREFIX}part-of"

_DNS_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_VALUE: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_PORT_NAME: Final = re.compile(r"(?=.*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")
_ENDS_OF_PODS: Final = {"CronJob": 52}
"""A CronJob's name gets eleven characters more for each of its Jobs."""


def unique(objects: Sequence[Object]) -> Iterator[str]:
    """Find objects, containers, ports and variables that stand twice."""
    seen = [
        (found["apiVersion"].partition("/")[0], name_of(found), at(found, "metadata", "namespace"))
        for found in objects
    ]
    yield from (f"{name} stands twice" for _, name, _ in _twice(seen))
    for template in templates(objects):
        yield from (
            f"{template} has two containers {name}"
            for name in _twice([one["name"] for one in template.containers])
        )
        ports = [
            port["name"] for one in template.containers for port in one.get("ports") or [] if "name" in port
        ]
        yield from (f"{template} has two ports {name}" for name in _twice(ports))
    for _, container, where in each_container(objects):
        yield from (
            f"{where} sets {name} twice"
            for name in _twice([one["name"] for one in container.get("env") or []])
        )


def _twice(items: list[_Item]) -> set[_Item]:
    return {item for item in items if items.count(item) > 1}


def valid(objects: Sequence[Object]) -> Iterator[str]:
    """Find names, labels and port names that the API refuses, now or once something is appended."""
    for found in objects:
        name = found["metadata"]["name"]
        if not _DNS_LABEL.fullmatch(name) or len(name) > _ENDS_OF_PODS.get(found["kind"], 63):
            yield f"{name_of(found)} is no name"
        for key, value in (at(found, "metadata", "labels") or {}).items():
            if not isinstance(value, str) or not _LABEL_VALUE.fullmatch(value):
                yield f"{name_of(found)} label {key} is {value!r}"
    for _, container, where in each_container(objects):
        for port in container.get("ports") or []:
            if not _PORT_NAME.fullmatch(port.get("name", "")):
                yield f"{where} port {port['containerPort']} is named {port.get('name')!r}"


def namespaced(objects: Sequence[Object]) -> Iterator[str]:
    """Find what is outside our namespace without belonging to the whole cluster."""
    for found in objects:
        namespace = found["metadata"].get("namespace")
        if (namespace is None) != (found["kind"] in CLUSTER_WIDE) or namespace not in {None, NAMESPACE}:
            yield f"{name_of(found)} is in namespace {namespace!r}"


def labelled(objects: Sequence[Object]) -> Iterator[str]:
    """Find what does not say that it is ours, and pods that do not say which part they are."""
    for found in objects:
        labels = at(found, "metadata", "labels") or {}
        if found["kind"] not in CLUSTER_WIDE and not labels.keys() >= {NAME, PART_OF}:
            yield f"{name_of(found)} has labels {sorted(labels)}"
    for template in templates(objects):
        if not template.labels.keys() >= {NAME, COMPONENT, PART_OF}:
            yield f"{template} has pods with labels {sorted(template.labels)}"


def selectors(objects: Sequence[Object]) -> Iterator[str]:
    """Find workloads that select other pods than their own, or by labels that may change."""
    pods = templates(objects)
    owners = [
        found
        for found in objects
        if at(found, "spec", "selector", "matchLabels") and at(found, "spec", "template")
    ]
    for owner in owners:
        selector = owner["spec"]["selector"]
        own = [template for template in pods if str(template) == name_of(owner)]
        if not all(selects(selector, template.labels) for template in own):
            yield f"{name_of(owner)} does not select its own pods"
        if set(selector["matchLabels"]) != {NAME, COMPONENT}:
            yield f"{name_of(owner)} selects by {sorted(selector['matchLabels'])}, wanted name and component"
        for template in pods:
            if template not in own and selects(selector, template.labels):
                yield f"{name_of(owner)} selects the pods of {template} too"


def components_apart(objects: Sequence[Object]) -> Iterator[str]:
    """Find two workloads that serve as one component: a Service would mix them."""
    lasting = [template for template in templates(objects) if template.runs_on]
    for one, other in combinations(lasting, 2):
        if one.labels.get(COMPONENT) == other.labels.get(COMPONENT):
            yield f"{one} and {other} are both {one.labels.get(COMPONENT)}"


def stable_versions(objects: Sequence[Object]) -> Iterator[str]:
    """Find Kubernetes' own kinds in a version that will go."""
    for found in objects:
        group = found["apiVersion"].partition("/")[0]
        own = "." not in group or group.endswith(".k8s.io")
        if own and re.search("alpha|beta", found["apiVersion"]):
            yield f"{name_of(found)} is {found['apiVersion']}"
