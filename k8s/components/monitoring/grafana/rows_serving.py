"""What clients see, and where a request's time goes."""

from panels import Panel, Query, Row
from promql import NAMESPACE, mean, per_second, quantiles

_REQUESTS = f'dialect!="probe", {NAMESPACE}'


def _kept(title: str, series: str, about: str, promise: float) -> Panel:
    query = Query(f"1 - namespace:pictor_{series}_requests:ratio_rate1h{{{NAMESPACE}}}")
    return Panel(title, [query], "percentunit", about, "stat", width=6, limit=promise, bad_below=True)


def _burns(title: str, series: str, budget: str, about: str) -> Panel:
    queries = [
        Query(
            f"namespace:pictor_{series}_requests:ratio_rate{window}{{{NAMESPACE}}} / {budget}",
            f"{series}, {window}",
        )
        for window in ("1h", "6h", "3d")
    ]
    return Panel(title, queries, "short", about, width=12, limit=14.4)


TRAFFIC = Row(
    "Traffic, promises and their budgets",
    [
        _kept(
            "Availability, 1 h",
            "failed",
            "Share of the requests that were ours to answer and that we did not fail. Promise: 99.9 %.",
            0.999,
        ),
        _kept(
            "Answered within 0.5 s, 1 h",
            "slow",
            "Share of the requests that reached a model and were answered in time. Promise: 99 %.",
            0.99,
        ),
        Panel(
            "Requests",
            [Query(f"sum(rate(pictor_requests_total{{{_REQUESTS}}}[$__rate_interval]))")],
            "reqps",
            "All but probes.",
            kind="stat",
            width=6,
        ),
        Panel(
            "Gateways seen",
            [Query(f"count(pictor_inflight_requests{{{NAMESPACE}}})")],
            "short",
            "Gateways whose metrics are read.",
            kind="stat",
            width=6,
            limit=1,
            bad_below=True,
        ),
        Panel(
            "Requests by outcome",
            [per_second("pictor_requests_total", _REQUESTS, "outcome")],
            "reqps",
            "Failed by us: rejected, timeout, backend_error, error. The others are the client's.",
            stacked=True,
        ),
        Panel(
            "Requests by dialect",
            [per_second("pictor_requests_total", _REQUESTS, "dialect")],
            "reqps",
            "Pictor's own API, TensorFlow Serving's, Open Inference.",
            stacked=True,
        ),
        Panel(
            "Pictures by result",
            [per_second("pictor_pictures_total", NAMESPACE, "result")],
            "ops",
            "Decoded, or why not. Refusals are the client's, unless all of them begin at once.",
            stacked=True,
        ),
        _burns(
            "How fast the error budget burns",
            "failed",
            "0.001",
            "1 spends a month's budget in a month. 14.4 over an hour, or 6 over six, wakes somebody.",
        ),
        _burns(
            "How fast the latency budget burns",
            "slow",
            "0.01",
            "Likewise, of the requests that took longer than 0.5 s.",
        ),
    ],
)

LATENCY = Row(
    "Where the time goes",
    [
        Panel(
            "Request",
            quantiles("pictor_request_duration_seconds", f'{_REQUESTS}, model=~"$model"'),
            "s",
            "From a request's headers to the first byte of its answer, the client's upload included.",
            limit=0.5,
        ),
        Panel(
            "Slowest hundredth by stage",
            quantiles("pictor_stage_duration_seconds", NAMESPACE, by="stage", shares=(0.99,)),
            "s",
            "read: the body. decode: the pixels. queue: for a thread or a call. inference: the model.",
        ),
        Panel(
            "Mean time by stage",
            [mean("pictor_stage_duration_seconds", NAMESPACE, by="stage")],
            "s",
            "Stacked: about where a request's time goes.",
            stacked=True,
        ),
    ],
)

BATCHING = Row(
    "Line and batches",
    [
        Panel(
            "Requests in flight",
            [Query(f"sum by (pod) (pictor_inflight_requests{{{NAMESPACE}}})", "{{pod}}")],
            "short",
            "What the gateway's autoscaler follows.",
            stacked=True,
        ),
        Panel(
            "Pictures in line",
            [Query(f"sum by (pod) (pictor_queued_pictures{{{NAMESPACE}}})", "{{pod}}")],
            "short",
            "Decoded, and waiting for a call of the model.",
            stacked=True,
        ),
        Panel(
            "Refused because busy",
            [per_second("pictor_shed_total", NAMESPACE, "reason")],
            "reqps",
            "concurrency, receiving: the gateway's own limits. queue, predicted_wait: the models are behind.",
            stacked=True,
        ),
        Panel(
            "Time in line",
            quantiles("pictor_queue_wait_seconds", NAMESPACE),
            "s",
            "How long each decoded picture waited for its call to begin.",
        ),
        Panel(
            "Predicted wait",
            [Query(f"max by (pod) (pictor_predicted_wait_seconds{{{NAMESPACE}}})", "{{pod}}")],
            "s",
            "How long a request that comes now would wait for work on it to begin.",
            limit=0.25,
        ),
        Panel(
            "Pictures in one call",
            [
                mean("pictor_batch_size", NAMESPACE, legend="mean"),
                *quantiles("pictor_batch_size", NAMESPACE, shares=(0.99,)),
            ],
            "short",
            "Grows with the load; at the largest batch all the time, more servers are what helps.",
        ),
    ],
)
