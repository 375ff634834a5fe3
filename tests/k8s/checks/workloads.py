"""What pods take from a node, which image they run, and how one generation of them follows another."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from k8s.checks.reading import Template, at, each_container, name_of, quantity, selects, templates
from k8s.rendering import Object, of_kind

GPU: Final = "nvidia.com/gpu"

_FIXED: Final = re.compile(r"\S+(:v?\d+\.\d+[\w.-]*|@sha256:[0-9a-f]{64})")


def resources(objects: Sequence[Object]) -> Iterator[str]:
    """Find containers that do not say what they need, may take more memory, or are held back in CPU."""
    for _, container, where in each_container(objects):
        requests = at(container, "resources", "requests") or {}
        limits = at(container, "resources", "limits") or {}
        missing = {"cpu", "memory", "ephemeral-storage"} - set(requests)
        endless = {"memory", "ephemeral-storage"} - set(limits)
        yield from (f"{where} requests no {name}" for name in sorted(missing))
        yield from (f"{where} has no limit of {name}" for name in sorted(endless))
        if "cpu" in limits:
            yield f"{where} has a limit of cpu: throttling hurts the slowest answers"
        if quantity(requests.get("memory", 0)) != quantity(limits.get("memory", 0)):
            yield f"{where} may take more memory than was set aside for it"
        if quantity(requests.get("ephemeral-storage", 0)) > quantity(limits.get("ephemeral-storage", 0)):
            yield f"{where} requests more ephemeral-storage than its limit"


def gpus(objects: Sequence[Object]) -> Iterator[str]:
    """Find GPUs asked for in a way that no node grants, or that take a spare one to roll out."""
    for _, container, where in each_container(objects):
        if GPU in (at(container, "resources", "requests") or {}):
            yield f"{where} requests {GPU}; it is a limit, the request follows from it"
    for template in templates(objects):
        counts = [
            str(found)
            for container in template.containers
            if (found := at(container, "resources", "limits", GPU)) is not None
        ]
        if not counts:
            continue
        if len(counts) > 1 or not counts[0].isdigit() or counts[0] == "0":
            yield f"{template} has {GPU} limits {counts}, wanted one, whole"
        if not any(_tolerates(toleration) for toleration in template.spec.get("tolerations") or []):
            yield f"{template} does not tolerate nodes with GPUs"
        yield from _spare(objects, template)


def _tolerates(toleration: Object) -> bool:
    return (
        toleration.get("key") == GPU
        and toleration.get("operator", "Equal") == "Exists"
        and toleration.get("effect") in {"NoSchedule", None}
    )


def _spare(objects: Sequence[Object], template: Template) -> Iterator[str]:
    for deployment in of_kind(objects, "Deployment"):
        if deployment["metadata"]["name"] == template.name and template.kind == "Deployment":
            surge = at(deployment, "spec", "strategy", "rollingUpdate", "maxSurge")
            if surge not in {0, "0%"}:
                yield f"{template} needs {surge} spare GPUs to roll out, and waits for ever without"


def images(objects: Sequence[Object]) -> Iterator[str]:
    """Find images without a fixed version."""
    for _, container, where in each_container(objects):
        image = container.get("image", "")
        if not _FIXED.fullmatch(image):
            yield f"{where} runs {image!r}, which is no fixed version"
        if container.get("imagePullPolicy", "IfNotPresent") == "Never":
            yield f"{where} is never pulled"


def rollouts(objects: Sequence[Object]) -> Iterator[str]:
    """Find Deployments that do not roll, or whose rollout could not begin."""
    for deployment in of_kind(objects, "Deployment"):
        name, strategy = name_of(deployment), deployment["spec"].get("strategy") or {}
        if strategy.get("type", "RollingUpdate") != "RollingUpdate":
            yield f"{name} does not roll: {strategy['type']}"
        rolling = strategy.get("rollingUpdate") or {}
        if {rolling.get("maxSurge"), rolling.get("maxUnavailable")} <= {0, "0%"}:
            yield f"{name} can neither start a new pod nor stop an old one"
        if None in {rolling.get("maxSurge"), rolling.get("maxUnavailable")}:
            yield f"{name} leaves the rollout to defaults (25 %)"


def spreading(objects: Sequence[Object]) -> Iterator[str]:
    """Find pods that may all stand on one node, or that no node may take."""
    scaled = {
        scaler["spec"]["scaleTargetRef"]["name"]
        for kind in ("HorizontalPodAutoscaler", "ScaledObject")
        for scaler in of_kind(objects, kind)
    }
    for template in templates(objects):
        rules = template.spec.get("topologySpreadConstraints") or []
        if template.kind == "Deployment" and template.name in scaled and not rules:
            yield f"{template} is scaled and may stand on one node alone"
        for rule in rules:
            if rule.get("maxSkew", 0) < 1:
                yield f"{template} has maxSkew {rule.get('maxSkew')}"
            if not selects(rule.get("labelSelector"), template.labels):
                yield f"{template} is spread by {rule.get('labelSelector')}, which is not it"
            if rule.get("whenUnsatisfiable") != "ScheduleAnyway":
                yield f"{template} waits rather than stand beside its like"
