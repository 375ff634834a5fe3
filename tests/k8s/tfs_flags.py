"""The flags of TensorFlow Serving's command line, and those of a rendered server."""

import re
from collections.abc import Mapping
from math import ceil
from typing import Final

from k8s.checks.reading import at, quantity
from k8s.rendering import Object

KNOWN: Final = frozenset(
    [
        "port",
        "grpc_socket_path",
        "rest_api_port",
        "rest_api_num_threads",
        "rest_api_timeout_in_ms",
        "rest_api_enable_cors_support",
        "enable_batching",
        "allow_version_labels_for_unavailable_models",
        "batching_parameters_file",
        "enable_per_model_batching_parameters",
        "model_config_file",
        "model_config_file_poll_wait_seconds",
        "model_name",
        "model_base_path",
        "num_load_threads",
        "num_unload_threads",
        "max_num_load_retries",
        "load_retry_interval_micros",
        "file_system_poll_wait_seconds",
        "flush_filesystem_caches",
        "tensorflow_session_parallelism",
        "tensorflow_session_config_file",
        "tensorflow_intra_op_parallelism",
        "tensorflow_inter_op_parallelism",
        "use_alts_credentials",
        "ssl_config_file",
        "platform_config_file",
        "per_process_gpu_memory_fraction",
        "saved_model_tags",
        "grpc_channel_arguments",
        "grpc_max_threads",
        "enable_model_warmup",
        "num_request_iterations_for_warmup",
        "version",
        "monitoring_config_file",
        "remove_unused_fields_from_bundle_metagraph",
        "prefer_tflite_model",
        "num_tflite_pools",
        "num_tflite_interpreters_per_pool",
        "enable_signature_method_name_check",
        "xla_cpu_compilation_enabled",
        "xla_gpu_compilation_enabled",
        "enable_profiler",
        "thread_pool_factory_config_file",
        "mixed_precision",
        "skip_initialize_tpu",
        "enable_grpc_healthcheck_service",
        "enable_serialization_as_tensor_content",
    ]
)
"""Every flag of tensorflow_serving/model_servers/main.cc, as of releases that have the health service (2.15.1
and later, so 2.17 to 2.20). One that is not known ends the server at its start."""

_FLAG: Final = re.compile(r"--([a-z_]+)=(.*)")
_VARIABLE: Final = re.compile(r"\$\(([A-Z_]+)\)")


def flags_of(container: Object) -> dict[str, str]:
    """Return a server's flags as it will read them: variables stand for what Kubernetes puts in."""
    environment = {one["name"]: _value(one, container) for one in container.get("env") or []}
    found: dict[str, str] = {}
    for argument in container["args"]:
        match = _FLAG.fullmatch(argument)
        assert match is not None, f"{argument} is no --flag=value"
        assert match[1] not in found, f"--{match[1]} stands twice"
        found[match[1]] = _VARIABLE.sub(lambda variable: environment[variable[1]], match[2])
    return found


def _value(variable: Object, container: Object) -> str:
    source = at(variable, "valueFrom", "resourceFieldRef")
    if source is None:
        return str(variable["value"])
    kind, _, resource = source["resource"].partition(".")
    return str(ceil(quantity(container["resources"][kind][resource]) / quantity(source["divisor"])))


def channel_arguments(flags: Mapping[str, str]) -> dict[str, int]:
    """Return --grpc_channel_arguments, which the server reads as name=number,..."""
    pairs = (pair.split("=") for pair in flags["grpc_channel_arguments"].split(","))
    return {name: int(number) for name, number in pairs}
