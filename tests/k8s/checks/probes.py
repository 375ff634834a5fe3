"""Probes are three questions to ports that exist, and pods have the time to end that they take."""

from collections.abc import Iterator, Sequence
from typing import Final

from k8s.checks.reading import Template, at, each_container, templates
from k8s.rendering import Object, of_kind

KINDS: Final = ("startupProbe", "readinessProbe", "livenessProbe")


def present(objects: Sequence[Object]) -> Iterator[str]:
    """Find containers that serve without all three probes."""
    for template in templates(objects):
        if template.runs_on:
            for container in template.spec["containers"]:
                for kind in KINDS:
                    if kind not in container:
                        yield f"{template} container {container['name']} has no {kind}"


def ports(objects: Sequence[Object]) -> Iterator[str]:
    """Find probes and hooks that ask no port of their container, or by number where a name would do."""
    for _, container, where in each_container(objects):
        named = {port.get("name"): port["containerPort"] for port in container.get("ports") or []}
        for kind, asked in _asked(container):
            port = asked.get("port")
            if isinstance(port, int) and "service" not in asked and "path" in asked:
                yield f"{where} {kind} asks port {port} by number"
            if port not in named and port not in named.values():
                yield f"{where} {kind} asks port {port!r}, which it has not"


def _asked(container: Object) -> Iterator[tuple[str, Object]]:
    for kind in KINDS:
        probe = container.get(kind) or {}
        for way in ("httpGet", "tcpSocket", "grpc"):
            if way in probe:
                yield kind, probe[way]
    for hook, done in (container.get("lifecycle") or {}).items():
        if "httpGet" in done:
            yield hook, done["httpGet"]


def safe(objects: Sequence[Object]) -> Iterator[str]:
    """Find liveness that is not another, more patient question than readiness: it restarts what heals."""
    for _, container, where in each_container(objects):
        probes = {kind: container[kind] for kind in KINDS if kind in container}
        for kind, probe in probes.items():
            if kind != "readinessProbe" and probe.get("successThreshold", 1) != 1:
                yield f"{where} {kind} has successThreshold {probe['successThreshold']}, wanted 1"
        alive, ready = probes.get("livenessProbe"), probes.get("readinessProbe")
        if alive and ready and _question(alive) == _question(ready):
            yield f"{where} is restarted for what only makes it not ready"
        if alive and ready and _seconds(alive) < _seconds(ready):
            yield f"{where} is restarted after {_seconds(alive)} s, before it is taken out of traffic"


def _question(probe: Object) -> Object:
    return {way: probe[way] for way in ("httpGet", "tcpSocket", "grpc", "exec") if way in probe}


def _seconds(probe: Object) -> int:
    return int(probe.get("periodSeconds", 10)) * int(probe.get("failureThreshold", 3))


def start_fits_deadline(objects: Sequence[Object]) -> Iterator[str]:
    """Find rollouts that are given up while a pod may still be starting."""
    for deployment in of_kind(objects, "Deployment"):
        deadline = deployment["spec"].get("progressDeadlineSeconds", 600)
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            start = _seconds(container["startupProbe"]) if "startupProbe" in container else 0
            if start >= deadline:
                yield (
                    f"Deployment/{deployment['metadata']['name']} gives a rollout up after {deadline} s, "
                    f"container {container['name']} may take {start} s to start"
                )


def grace(objects: Sequence[Object]) -> Iterator[str]:
    """Find hooks that last longer than the grace period, which counts from their start."""
    for template in templates(objects):
        for container in template.containers:
            sleep = at(container, "lifecycle", "preStop", "sleep", "seconds")
            if sleep is not None and sleep >= _grace(template):
                yield f"{template} container {container['name']} is killed in its preStop of {sleep} s"


def _grace(template: Template) -> int:
    return int(template.spec.get("terminationGracePeriodSeconds", 30))
