"""Mistakes, seeded one by one into a rendered overlay: each must be found by the check it belongs to."""

import re
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from k8s.rendering import Object, overlay

_HASH: Final = re.compile(r"-[a-z0-9]{10}$")
"""What kustomize appends to a generated name: no part of what a mistake is about."""

GONE: Final = object()
"""In the place of a value: the field, or the whole object, is taken away."""

GATEWAY: Final = "Deployment/pictor-gateway"
SERVING: Final = "Deployment/pictor-tf-serving"
RETRAIN: Final = "CronJob/pictor-retrain"
POD: Final = "spec template spec"
FIRST: Final = f"{POD} containers 0"
JOB: Final = "spec jobTemplate spec"
COMPONENT: Final = "app.kubernetes.io/component"


@dataclass(frozen=True, slots=True)
class Mistake:
    """A change that breaks something: `value` at `path` of the object.

    A path is words; places in lists go by number, or by the name of what is there.

    A path that ends with "+" appends to the list. Without a path the object itself is gone, or `value` comes.
    """

    found_by: str
    where: str
    path: str = ""
    value: Any = GONE
    on: str = "production"

    def __str__(self) -> str:
        value = "gone" if self.value is GONE else str(self.value)[:40]
        return f"{self.found_by}: {self.where} {self.path} {value}"

    def made(self) -> list[Object]:
        """Return the overlay's objects with the mistake in them."""
        objects = [deepcopy(found) for found in overlay(self.on)]
        if not self.path and self.value is not GONE:
            return [*objects, self.value]
        if not self.path:
            left = [found for found in objects if _name(found) != self.where]
            assert len(left) < len(objects), f"{self.on} has no {self.where}"
            return left
        _change(next(found for found in objects if _name(found) == self.where), self.path.split(), self.value)
        return objects


def _name(found: Object) -> str:
    return f"{found['kind']}/{_HASH.sub('', found['metadata']['name'])}"


def _change(found: Any, path: list[str], value: Any) -> None:
    *above, last = path
    for key in above:
        found = found[_place(found, key)] if isinstance(found, list) else found.setdefault(key, {})
    if last == "+":
        found.append(value)
        return
    where = _place(found, last) if isinstance(found, list) else last
    if value is GONE:
        del found[where]
    else:
        found[where] = value


def _place(items: list[Any], key: str) -> int:
    if key.isdigit():
        return int(key)
    return next(place for place, item in enumerate(items) if item["name"] == key)


def thing(kind: str, name: str, version: str = "v1", **fields: Any) -> Object:
    """Return an object that has what every object of ours has."""
    labels = {"app.kubernetes.io/name": "pictor", "app.kubernetes.io/part-of": "pictor"}
    metadata = {"name": name, "namespace": "pictor", "labels": labels}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


def second_scaler() -> Object:
    """Return another autoscaler of the gateway."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "pictor-gateway"}
    spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 3}
    return thing("HorizontalPodAutoscaler", "more", "autoscaling/v2", spec=spec)


def ingress(service: str, port: str) -> Object:
    """Return an Ingress to a Service of ours."""
    backend = {"service": {"name": service, "port": {"name": port}}}
    rules = [{"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]
    return thing("Ingress", "front", "networking.k8s.io/v1", spec={"rules": rules})
