"""TensorFlow Serving as it would run, on CPU, on a GPU and by KServe: flags, probes, ports, the way down."""

from typing import Final

import pytest

from k8s.rendering import of_kind
from k8s.tf_servers import CPU, GPU, KSERVE, MODEL, config, objects_of, pod, server, settings
from k8s.tfs_flags import KNOWN, channel_arguments, flags_of
from pictor_store.cli.models import models
from pictor_tfs.targets import DEFAULT_PORT, DnsName, parse_targets

ENDPOINTS_S: Final = 2
"""Until a deleted pod is out of its Service."""
DNS_S: Final = 30
"""For which CoreDNS gives an address that is gone: `ttl 30` and `cache 30` of kubeadm's Corefile."""
CHANCE: Final = 1.1
"""gRPC varies a connection's age by 10 % (grpc/proposal A9)."""


everywhere = pytest.mark.parametrize("way", [CPU, GPU, KSERVE])


@everywhere
def test_every_flag_is_one_of_tensorflow_serving(way: str) -> None:
    """It ends at its start for one that it does not know; each stands once and has a value."""
    assert set() == set(flags_of(server(way))) - KNOWN


@everywhere
def test_the_server_is_called_directly(way: str) -> None:
    """No shell is the first process: it would pass no signal on, and the drain would be another."""
    assert ["/usr/bin/tensorflow_model_server"] == server(way)["command"]


@everywhere
def test_flags_do_not_contradict_each_other(way: str) -> None:
    """One way of saying how many threads, one of saying what to serve, a batching file with its flag."""
    flags = flags_of(server(way))
    assert "tensorflow_session_parallelism" not in flags
    assert not {"model_name", "model_base_path", "platform_config_file"} & set(flags)
    assert ("true", "true") == (
        flags["enable_batching"],
        flags["allow_version_labels_for_unavailable_models"],
    )
    assert flags["port"] != flags["rest_api_port"]


@everywhere
def test_what_is_on_by_default_and_hurts_is_off(way: str) -> None:
    """The profiler answers on the serving port; a damaged version is tried for five minutes before others."""
    flags = flags_of(server(way))
    assert ("false", "0", "true") == (
        flags["enable_profiler"],
        flags["max_num_load_retries"],
        flags["enable_model_warmup"],
    )
    assert int(flags["num_load_threads"]) >= 2


@everywhere
def test_files_that_flags_name_are_mounted_as_folders(way: str) -> None:
    """From the ConfigMap, or from the volume of models; by subPath a change would never arrive."""
    flags, mounts = flags_of(server(way)), {one["mountPath"]: one for one in server(way)["volumeMounts"]}
    for name in ("batching_parameters_file", "monitoring_config_file"):
        folder, _, file = flags[name].rpartition("/")
        assert file in config(way)
        assert "config" == mounts[folder]["name"]
    assert "models" == mounts[flags["model_config_file"].rpartition("/")[0]]["name"]
    assert not any("subPath" in mount for mount in mounts.values())
    assert {"/tmp"} == {path for path, mount in mounts.items() if not mount.get("readOnly")}  # noqa: S108 - a volume of its own


@everywhere
def test_retraining_writes_the_file_that_servers_start_with(way: str) -> None:
    """And tells them the same paths as they have."""
    (made,) = (
        one
        for one in of_kind(objects_of(way), "ConfigMap")
        if one["metadata"]["name"].startswith("pictor-retrain")
    )
    text = made["data"]["retrain.yaml"]
    assert f"models_config: {flags_of(server(way))['model_config_file']}" in text
    assert "base_path: /models" in text
    assert f"name: {MODEL}" in text


@everywhere
def test_probes_ask_for_the_model_that_everybody_names(way: str) -> None:
    """For an unknown name TensorFlow Serving answers 404; in any other state of a version 200."""
    container = server(way)
    for probe in ("startupProbe", "readinessProbe"):
        assert {"path": f"/v1/models/{MODEL}", "port": "http-rest"} == container[probe]["httpGet"]
    assert MODEL == settings().model


@everywhere
def test_a_busy_server_is_not_restarted(way: str) -> None:
    """Liveness asks gRPC's health service, which says nothing of models; with a name it is a restart loop."""
    container = server(way)
    assert {"port": int(flags_of(container)["port"])} == container["livenessProbe"]["grpc"]
    assert "true" == flags_of(container)["enable_grpc_healthcheck_service"]


@everywhere
def test_a_start_may_take_ten_minutes(way: str) -> None:
    """Ports open only when the models are loaded and warmed up."""
    probe = server(way)["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 600


@everywhere
def test_ports_are_those_that_everybody_knows(way: str) -> None:
    """The flags, the declared ports, the headless Service without any translation, the gateways' setting."""
    container = server(way)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    flags = flags_of(container)
    assert {"grpc": int(flags["port"]), "http-rest": int(flags["rest_api_port"])} == ports
    (service,) = (
        one for one in of_kind(objects_of(way), "Service") if one["metadata"]["name"] == "pictor-tf-serving"
    )
    assert "None" == service["spec"]["clusterIP"]
    assert not service["spec"].get("publishNotReadyAddresses")
    assert ports == {port["name"]: port["port"] for port in service["spec"]["ports"]}
    assert {port["name"] for port in service["spec"]["ports"]} == {
        port["targetPort"] for port in service["spec"]["ports"]
    }
    (target,) = parse_targets(settings().tfs or "")
    assert DnsName("pictor-tf-serving", ports["grpc"]) == target
    assert DEFAULT_PORT == ports["grpc"]


@everywhere
def test_a_server_answers_until_nobody_asks_it_any_more(way: str) -> None:
    """It ignores SIGTERM, so the grace period is its drain: for our gateways and for gRPC's own balancing."""
    longest_s = settings().max_request_timeout_s
    arguments = channel_arguments(flags_of(server(way)))
    age_s = arguments["grpc.max_connection_age_ms"] / 1000
    by_gateways_s = ENDPOINTS_S + DNS_S + settings().tfs_resolve_interval_s + longest_s
    by_others_s = age_s * CHANCE + DNS_S + longest_s
    sleep_s = server(way)["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert sleep_s >= max(by_gateways_s, by_others_s)
    assert pod(way)["terminationGracePeriodSeconds"] > sleep_s
    assert arguments["grpc.max_connection_age_grace_ms"] / 1000 >= longest_s


@everywhere
def test_a_pod_waits_for_its_first_model_with_our_own_command(way: str) -> None:
    """Its arguments are options that the command has; it sees the store as the server does."""
    (first,) = pod(way)["initContainers"]
    words = first["args"]
    command = models.commands["config"]
    known = {name for option in command.params for name in option.opts}
    assert ["models", "config"] == words[:2]
    assert {word.partition("=")[0] for word in words[2:]} <= known
    assert {"--wait", f"--model={MODEL}"} <= set(words)
    assert f"--models-config={flags_of(server(way))['model_config_file']}" in words
    assert [{"name": "models", "mountPath": "/models", "readOnly": True}] == first["volumeMounts"]
