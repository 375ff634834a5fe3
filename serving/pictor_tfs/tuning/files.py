"""The settings as TensorFlow Serving reads them: two files in protobuf's text form, and flags."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from pictor_tfs.tuning.figures import Figures
from pictor_tfs.tuning.rules import Tuning

BATCHING: Final = "batching.config"
MONITORING: Final = "monitoring.config"
FLAGS: Final = "flags.txt"

METRICS_PATH: Final = "/monitoring/prometheus/metrics"
"""TensorFlow Serving's own default; gateways and PodMonitors read there."""


def files(tuning: Tuning, figures: Figures, command: Sequence[str]) -> Mapping[str, str]:
    """Return each file's text by its name; `command` is what writes them again, and stands in their heads."""
    return {
        name: _head(figures, command) + text
        for name, text in (
            (BATCHING, _batching(tuning)),
            (MONITORING, _monitoring()),
            (FLAGS, _flags(tuning)),
        )
    }


def _head(figures: Figures, command: Sequence[str]) -> str:
    return (
        f"# Written by: {' '.join(shlex.join(command).split())}\n"  # a path may hold a line's end
        "# Change the figures or the command, not this file. It follows, by the rules in\n"
        "# serving/pictor_tfs/tuning/rules.py, from what was measured on\n"
        f"# {figures.server} ({figures.measured_at}).\n"
    )


def _batching(tuning: Tuning) -> str:
    """Return BatchingParameters (tensorflow_serving/servables/tensorflow/session_bundle_config.proto).

    Its last allowed size must be its largest batch, or no version loads; a name it does not know ends the
    server at its start.
    """
    return "\n".join(
        (
            f"# Batches of {tuning.best_batch} have 90 % of the best throughput. Never less than a model has",
            "# (export.batch_sizes): its warm-up asks the largest, and without an answer it does not load.",
            f"max_batch_size {{ value: {tuning.max_batch_size} }}",
            *(f"allowed_batch_sizes: {size}" for size in tuning.allowed_batch_sizes),
            "# The gateways have batched already: waiting for more delays a lone request, and gains nothing.",
            f"batch_timeout_micros {{ value: {tuning.batch_timeout_micros} }}",
            "# What waits longer than its deadline is worked on for nobody.",
            f"max_enqueued_batches {{ value: {tuning.max_enqueued_batches} }}",
            f"num_batch_threads {{ value: {tuning.num_batch_threads} }}",
            "",
        )
    )


def _monitoring() -> str:
    """Return MonitoringConfig (tensorflow_serving/config/monitoring_config.proto)."""
    return f'prometheus_config {{\n  enable: true\n  path: "{METRICS_PATH}"\n}}\n'


def _flags(tuning: Tuning) -> str:
    """Return the flags that belong to the files, a line each."""
    flags = {
        "grpc_max_threads": tuning.grpc_max_threads,
        "rest_api_num_threads": tuning.rest_api_num_threads,
        "tensorflow_intra_op_parallelism": tuning.intra_op_parallelism,
        "tensorflow_inter_op_parallelism": tuning.inter_op_parallelism,
    }
    return "--enable_batching=true\n" + "".join(f"--{name}={value}\n" for name, value in flags.items())
