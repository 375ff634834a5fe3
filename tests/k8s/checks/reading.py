"""What the checks ask of rendered objects: which pods there are, who selects them, what is called what."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from k8s.rendering import Object, of_kind

WORKLOADS: Final = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod")

_UNITS: Final = {
    "m": Decimal("0.001"),
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGT", 1)},
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGT", 1)},
}


@dataclass(frozen=True, slots=True)
class Template:
    """The pods that an object makes, or is."""

    kind: str
    name: str
    namespace: str
    labels: dict[str, str]
    annotations: dict[str, str]
    spec: Object

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def containers(self) -> list[Object]:
        """Every container, those that only prepare first."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def runs_on(self) -> bool:
        """Whether the pods are meant to run for ever."""
        return self.kind in {"Deployment", "StatefulSet", "DaemonSet", "InferenceService"}

    def ports(self) -> dict[str | int, int]:
        """Return the number of each declared port, by its name and by its number."""
        found = [port for container in self.containers for port in container.get("ports", [])]
        named: dict[str | int, int] = {
            port["name"]: port["containerPort"] for port in found if "name" in port
        }
        return named | {port["containerPort"]: port["containerPort"] for port in found}


def name_of(found: Object) -> str:
    """Return how faults call an object."""
    return f"{found['kind']}/{found['metadata']['name']}"


def templates(objects: Sequence[Object]) -> list[Template]:
    """Return the pods of every workload."""
    found = [_template(found) for kind in WORKLOADS for found in of_kind(objects, kind)]
    return found + [_of_kserve(objects, service) for service in of_kind(objects, "InferenceService")]


def _template(found: Object) -> Template:
    pods = found
    if found["kind"] == "CronJob":
        pods = found["spec"]["jobTemplate"]["spec"]["template"]
    elif found["kind"] != "Pod":
        pods = found["spec"]["template"]
    metadata = pods.get("metadata") or {}
    return Template(
        kind=found["kind"],
        name=found["metadata"]["name"],
        namespace=found["metadata"].get("namespace", ""),
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
        spec=pods["spec"],
    )


def _of_kserve(objects: Sequence[Object], service: Object) -> Template:
    """Lay a service's predictor over its runtime, as KServe's controller does; lists are added up."""
    predictor = service["spec"]["predictor"]
    runtime = next(
        found["spec"]
        for found in of_kind(objects, "ServingRuntime")
        if found["metadata"]["name"] == predictor["model"]["runtime"]
    )
    lists = {
        key: [*(runtime.get(key) or []), *(predictor.get(key) or [])]
        for key in ("containers", "initContainers", "volumes", "tolerations")
    }
    return Template(
        kind="InferenceService",
        name=service["metadata"]["name"],
        namespace=service["metadata"].get("namespace", ""),
        labels=(runtime.get("labels") or {}) | (predictor.get("labels") or {}),
        annotations=predictor.get("annotations") or {},
        spec={**predictor, **lists},
    )


def job_specs(objects: Sequence[Object]) -> Iterator[tuple[str, Object]]:
    """Yield name and spec of every Job, those that a CronJob makes among them."""
    for found in of_kind(objects, "Job"):
        yield name_of(found), found["spec"]
    for found in of_kind(objects, "CronJob"):
        yield name_of(found), found["spec"]["jobTemplate"]["spec"]


def each_container(objects: Sequence[Object]) -> Iterator[tuple[Template, Object, str]]:
    """Yield every container with its pod and how faults call it."""
    for template in templates(objects):
        for container in template.containers:
            yield template, container, f"{template} container {container['name']}"


def selects(selector: Object | None, labels: dict[str, str]) -> bool:
    """Tell whether a label selector matches; an empty one matches everything, none matches nothing."""
    if selector is None:
        return False
    wanted: dict[str, str] = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(expression, labels) for expression in selector.get("matchExpressions") or []
    )


def _holds(expression: Object, labels: dict[str, str]) -> bool:
    found = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return found in expression["values"]
        case "NotIn":
            return found not in expression["values"]
        case "Exists":
            return found is not None
        case "DoesNotExist":
            return found is None
        case other:
            raise AssertionError(f"no such operator: {other}")


def quantity(text: object) -> Decimal:
    """Return a resource quantity as a number: "64Mi", "100m", 2."""
    words = str(text)
    for unit in sorted(_UNITS, key=len, reverse=True):
        if words.endswith(unit):
            return Decimal(words.removesuffix(unit)) * _UNITS[unit]
    return Decimal(words)


def at(found: Any, *path: str) -> Any:
    """Return what stands at a path of keys, or None where it ends early."""
    for key in path:
        if not isinstance(found, dict):
            return None
        found = found.get(key)
    return found
