"""TensorFlow Serving, its GPUs, and the pods of it all."""

from panels import Panel, Query, Row
from promql import MODEL, NAMESPACE, mean, per_second, quantiles

_BATCHING = ":tensorflow:serving:batching_session"
_PODS = f'{NAMESPACE}, pod=~"pictor-.+"'
_CONTAINERS = f'{_PODS}, container!=""'
_DEPLOYMENTS = f'{NAMESPACE}, deployment=~"pictor-.+"'
_VOLUMES = f'{NAMESPACE}, persistentvolumeclaim=~"pictor-.+"'


def _gpu(aggregate: str, metric: str) -> str:
    """Return what DCGM says of our GPUs: honorLabels decides which label has the pod's namespace."""
    series = f'{metric}{{{NAMESPACE}}} or {metric}{{exported_namespace="$namespace"}}'
    return f"{aggregate} by (Hostname, gpu) ({series})"


SERVERS = Row(
    "TensorFlow Serving and GPUs",
    [
        Panel(
            "Servers given work",
            [Query(f"avg by (server) (pictor_server_up{{{NAMESPACE}}})", "{{server}}")],
            "percentunit",
            "Share of the gateways that use each server.",
            most=1,
        ),
        Panel(
            "Calls under way",
            [Query(f"sum by (server) (pictor_server_calls_inflight{{{NAMESPACE}}})", "{{server}}")],
            "short",
            "Of all gateways. Uneven over minutes: a server is slow, or was just added.",
        ),
        Panel(
            "Calls by gRPC code",
            [per_second("pictor_backend_calls_total", NAMESPACE, "code")],
            "reqps",
            "Retries count as calls.",
            stacked=True,
        ),
        Panel(
            "Call of a server",
            quantiles("pictor_backend_call_duration_seconds", NAMESPACE),
            "s",
            "As the gateways see it.",
        ),
        Panel(
            "Retries and servers given up",
            [
                per_second("pictor_retries_total", NAMESPACE, "reason", "again: {{reason}}"),
                per_second("pictor_server_ejections_total", NAMESPACE, "reason", "given up: {{reason}}"),
            ],
            "ops",
            "Calls repeated, and servers that were given no more work, a second.",
        ),
        Panel(
            "Pictures answered by the fallback",
            [per_second("pictor_fallback_pictures_total", MODEL, "model")],
            "ops",
            "On the gateways' own CPUs, because no server could.",
        ),
        Panel(
            "Batch waits inside the server",
            quantiles(f"{_BATCHING}:queuing_latency", NAMESPACE, unit=" / 1e6"),
            "s",
            "TensorFlow Serving's own queue, from its microseconds.",
            limit=0.25,
        ),
        Panel(
            "Rows of one batch that ran",
            [
                mean(f"{_BATCHING}:processed_batch_size", NAMESPACE, legend="ran"),
                mean(f"{_BATCHING}:padding_size", NAMESPACE, legend="of them padding"),
            ],
            "short",
            "Padding is work for nothing: allowed_batch_sizes may want more steps.",
        ),
        Panel(
            "Requests by status, as servers count",
            [per_second(":tensorflow:serving:request_count", NAMESPACE, "status")],
            "reqps",
            "Other clients' as well, if there are any.",
            stacked=True,
        ),
        Panel(
            "GPU busy",
            [Query(_gpu("avg", "DCGM_FI_DEV_GPU_UTIL"), "{{Hostname}} {{gpu}}")],
            "percent",
            "DCGM exporter, GPUs of this namespace. Whether, not how well: no scale for an autoscaler.",
            width=12,
            most=100,
        ),
        Panel(
            "GPU memory",
            [Query(f"{_gpu('sum', 'DCGM_FI_DEV_FB_USED')} * 1048576", "{{Hostname}} {{gpu}}")],
            "bytes",
            "Two versions are loaded while one is replaced.",
            width=12,
        ),
    ],
)

RESOURCES = Row(
    "Pods",
    [
        Panel(
            "Replicas",
            [
                Query(
                    f"max by (deployment) (kube_deployment_{part}{{{_DEPLOYMENTS}}})",
                    f"{{{{deployment}}}} {word}",
                )
                for part, word in (("status_replicas_available", "there"), ("spec_replicas", "wanted"))
            ],
            "short",
            "Available and wanted.",
            width=6,
        ),
        Panel(
            "CPU",
            [per_second("container_cpu_usage_seconds_total", _CONTAINERS, "pod")],
            "short",
            "Cores in use.",
            width=6,
        ),
        Panel(
            "Memory",
            [Query(f"sum by (pod) (container_memory_working_set_bytes{{{_CONTAINERS}}})", "{{pod}}")],
            "bytes",
            "What counts against the limit.",
            width=6,
        ),
        Panel(
            "Event loop, slowest hundredth",
            quantiles("pictor_event_loop_lag_seconds", NAMESPACE, by="pod", shares=(0.99,)),
            "s",
            "How late each gateway wakes: while it is late it answers nobody.",
            width=6,
            limit=0.1,
        ),
        Panel(
            "Restarts within an hour",
            [
                Query(
                    "sum by (pod, container) "
                    f"(increase(kube_pod_container_status_restarts_total{{{_PODS}}}[1h]))",
                    "{{pod}} {{container}}",
                )
            ],
            "short",
            "Three are the same fault again.",
            width=12,
            limit=3,
        ),
        Panel(
            "Volumes",
            [
                Query(
                    f"1 - min by (persistentvolumeclaim) (kubelet_volume_stats_available_bytes{{{_VOLUMES}}}"
                    f" / kubelet_volume_stats_capacity_bytes{{{_VOLUMES}}})",
                    "{{persistentvolumeclaim}}",
                )
            ],
            "percentunit",
            "How full they are.",
            kind="bargauge",
            width=12,
            limit=0.9,
            most=1,
        ),
    ],
)
