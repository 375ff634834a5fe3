"""What manifests say to our own programs is understood: settings, ports, paths, commands, names."""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

import click
import yaml

from k8s.checks.reading import Template, at, each_container, job_specs, templates
from k8s.rendering import K8S, Object, of_kind
from pictor_client.cli import commands
from pictor_gateway.routes import PROBE_PATHS
from pictor_gateway.settings import ENV_PREFIX, InvalidSettings, Settings
from pictor_tfs.targets import DnsName, parse_targets
from pictor_training.errors import ConfigError, DataError, Interrupted
from pictor_training.retraining.outcome import HELD

IMAGES: Final = {
    f"{one.get('newName', one['name'])}:{one['newTag']}": one["name"]
    for one in yaml.safe_load((K8S / "images" / "kustomization.yaml").read_text(encoding="utf-8"))["images"]
}
"""Every image in its one place, and the short name that manifests call it by."""

VERSION: Final = version("pictor")

NOT_BETTER_LATER: Final = {ConfigError.exit_code, HELD, DataError.exit_code}
"""Exit codes that the same job would end with again."""


def images(objects: Sequence[Object]) -> Iterator[str]:
    """Find images that k8s/images does not name, and ours in another version than the project's."""
    for _, container, where in each_container(objects):
        image = container["image"]
        if image not in IMAGES:
            yield f"{where} runs {image}, which k8s/images does not name"
        elif IMAGES[image].startswith("pictor-") and image.rpartition(":")[2] != VERSION:
            yield f"{where} runs {image}, the project is at {VERSION}"


def commands_understood(objects: Sequence[Object]) -> Iterator[str]:
    """Find arguments that the real `pictor` does not take."""
    for _, container, where in _ours(objects):
        try:
            understood(container["args"])
        except click.ClickException as refused:
            yield f"{where} calls `pictor {' '.join(container['args'])}`: {refused.format_message()}"


def _ours(objects: Sequence[Object]) -> Iterator[tuple[Template, Object, str]]:
    for template, container, where in each_container(objects):
        if IMAGES.get(container["image"], "").startswith("pictor-") and "command" not in container:
            yield template, container, where


def understood(arguments: Sequence[str]) -> click.Context:
    """Return what `pictor` makes of arguments: the context of the innermost command. Nothing is run.

    Raises:
        click.ClickException: it does not take them.
    """
    return _understood(tuple(arguments))


@cache
def _understood(arguments: tuple[str, ...]) -> click.Context:
    context = click.Context(commands, info_name="pictor")
    left, command = [*arguments], context.command
    while isinstance(command, click.Group):
        _, found, left = command.resolve_command(context, left or ["?"])
        assert found is not None
        command = found
        if not isinstance(command, click.Group):
            context = command.make_context("pictor", left, parent=context)
    return context


def settings(objects: Sequence[Object]) -> Iterator[str]:
    """Find settings that the gateway refuses, and a gateway that listens where nobody asks."""
    for template, container, where in _gateways(objects):
        environment = _environment(objects, template, container)
        try:
            read = _settings(environment)
        except InvalidSettings as refused:
            yield f"{where}: {refused}"
            continue
        ports = {port["name"]: port["containerPort"] for port in container.get("ports") or []}
        listening = {"http": read.port, "metrics": read.metrics_port}
        if ports != listening:
            yield f"{where} declares {ports} and listens on {listening}"
        if read.host not in {"0.0.0.0", "::"}:  # noqa: S104 - in a pod that is how it is reached
            yield f"{where} listens on {read.host} alone"
        needed = read.drain_s + read.max_request_timeout_s
        if needed >= template.spec.get("terminationGracePeriodSeconds", 30):
            yield f"{where} drains and answers for {needed} s, and is killed before"


def _gateways(objects: Sequence[Object]) -> Iterator[tuple[Template, Object, str]]:
    for template, container, where in _ours(objects):
        if container["args"][0] == "serve":
            yield template, container, where


def _environment(objects: Sequence[Object], template: Template, container: Object) -> dict[str, str]:
    maps = {found["metadata"]["name"]: found.get("data") or {} for found in of_kind(objects, "ConfigMap")}
    read: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        read |= maps.get(at(source, "configMapRef", "name"), {}) if template.namespace else {}
    return read | {one["name"]: one["value"] for one in container.get("env") or [] if "value" in one}


def _settings(environment: dict[str, str]) -> Settings:
    known = {ENV_PREFIX + name.upper(): name for name in Settings.model_fields}
    flags = {known[name]: value for name, value in environment.items() if name in known}
    return Settings.load(flags, environment)


def paths(objects: Sequence[Object]) -> Iterator[str]:
    """Find absolute paths in settings and arguments that no volume of the container holds."""
    for template, container, where in _ours(objects):
        mounts = [mount["mountPath"] for mount in container.get("volumeMounts") or []]
        values = [argument.partition("=")[2] for argument in container["args"]]
        values += _environment(objects, template, container).values()
        for value in values:
            if value.startswith("/") and not any(Path(value).is_relative_to(mount) for mount in mounts):
                yield f"{where} is told {value}, and mounts {mounts}"


def probe_paths(objects: Sequence[Object]) -> Iterator[str]:
    """Find probes and scrapes of addresses that the gateway does not answer."""
    for template, container, where in _gateways(objects):
        asked = {str(at(container, kind, "httpGet", "path")) for kind in _HTTP_PROBES if kind in container}
        asked.add(template.annotations.get("prometheus.io/path", "/metrics"))
        yield from (f"{where} is asked for {path}" for path in sorted(asked - PROBE_PATHS))
        scraped = template.annotations.get("prometheus.io/port")
        if scraped is not None and scraped != str(template.ports().get("metrics")):
            yield f"{where} is scraped at {scraped}"


_HTTP_PROBES: Final = ("startupProbe", "readinessProbe", "livenessProbe")


def servers(objects: Sequence[Object]) -> Iterator[str]:
    """Find TensorFlow Serving's flags that do not fit its ports."""
    for template, container, where in each_container(objects):
        if not IMAGES.get(container["image"], "").startswith("tensorflow-serving"):
            continue
        flags = dict(
            argument.removeprefix("--").partition("=")[::2] for argument in container.get("args") or []
        )
        for flag, port in (("port", "grpc"), ("rest_api_port", "http-rest")):
            if flags.get(flag) != str(template.ports().get(port)):
                yield f"{where} --{flag}={flags.get(flag)}, its port {port} is {template.ports().get(port)}"


def addresses(objects: Sequence[Object]) -> Iterator[str]:
    """Find addresses of servers that no Service of ours has."""
    ports = {
        (service["metadata"]["name"], port["port"])
        for service in of_kind(objects, "Service")
        for port in service["spec"]["ports"]
    }
    if of_kind(objects, "InferenceService"):
        return  # KServe makes the Service
    for where, text in _targets(objects):
        for target in parse_targets(text):
            if isinstance(target, DnsName) and (target.host.partition(".")[0], target.port) not in ports:
                yield f"{where} looks for {text}, which no Service is"


def _targets(objects: Sequence[Object]) -> Iterator[tuple[str, str]]:
    for template, container, where in _ours(objects):
        environment = _environment(objects, template, container)
        if environment.get("PICTOR_TFS"):
            yield where, environment["PICTOR_TFS"]
        for argument in container["args"]:
            if argument.startswith("--tfs="):
                yield where, argument.partition("=")[2]
    without = any("publish.tfs=null" in container["args"] for _, container, _ in _ours(objects))
    for name, job in _job_files(objects):
        if at(job, "publish", "tfs") and not without:
            yield name, job["publish"]["tfs"]


def _job_files(objects: Sequence[Object]) -> Iterator[tuple[str, Object]]:
    for found in of_kind(objects, "ConfigMap"):
        if "retrain.yaml" in (found.get("data") or {}):
            yield f"{found['metadata']['name']} retrain.yaml", yaml.safe_load(found["data"]["retrain.yaml"])


def model_names(objects: Sequence[Object]) -> Iterator[str]:
    """Find two names of what is one model."""
    named = {(where, job["name"]) for where, job in _job_files(objects)}
    for template, container, where in _ours(objects):
        asked = _environment(objects, template, container).get("PICTOR_MODEL")
        named |= {(f"{where} PICTOR_MODEL", asked)} if asked else set()
        name = understood(container["args"]).params.get("name") if container["args"][0] == "models" else None
        named |= {(f"{where} NAME", name)} if name else set()
    for template in templates(objects):
        text = json.dumps(template.spec)
        for part in text.split("/v1/models/")[1:]:
            named.add((f"{template} probe", part.partition('"')[0].partition("/")[0]))
    if len({name for _, name in named}) > 1:
        yield f"the model has several names: {sorted(named)}"


def exit_codes(objects: Sequence[Object]) -> Iterator[str]:
    """Find jobs that repeat what ends the same way again, or give up what the next try would do."""
    for name, spec in job_specs(objects):
        for rule in at(spec, "podFailurePolicy", "rules") or []:
            if rule["action"] != "FailJob":
                continue
            values = set(at(rule, "onExitCodes", "values") or [])
            if values & {1, Interrupted.exit_code, 128 + 9, 128 + 15}:
                yield f"{name} gives up after {sorted(values)}"
            if _runs(spec, "retrain") and not values >= NOT_BETTER_LATER:
                yield f"{name} repeats what ends with one of {sorted(NOT_BETTER_LATER - values)}"


def _runs(spec: Object, command: str) -> bool:
    return any(one.get("args", [""])[0] == command for one in spec["template"]["spec"]["containers"])
