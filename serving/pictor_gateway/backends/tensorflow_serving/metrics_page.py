"""TensorFlow Serving's page of metrics, read line by line: what is known by name, in base units.

Its names hold colons, which Prometheus keeps for rules, and its times are microseconds. Only the metrics in
the table are taken over: of TensorFlow's many others neither unit nor meaning is promised, and a wrong unit
under a legal name would be worse than none. A line that cannot be read is passed over, as label values come
from requests.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType
from typing import Final, Literal

MAX_SAMPLES: Final = 5_000
"""Most samples taken from one page; a server with ten models has 1,000."""

_MICROSECONDS: Final = 1e6
_BUCKET, _SUM, _COUNT = "_bucket", "_sum", "_count"
_LE: Final = "le"
_MODEL: Final = "model"
_MAX_VALUE_LETTERS: Final = 200

_LINE: Final = re.compile(r"(:[\w:]+)(?:\{(.*)\})? ([^ ]+)")
_LABEL: Final = re.compile(r'([A-Za-z_]\w*)="([^"\\]*)"(?:,|$)')
_LABEL_NAMES: Final = MappingProxyType({"model_name": _MODEL, "API": "api", "thread_pool_name": "pool"})


@dataclass(frozen=True, slots=True)
class Family:
    """What one of its metrics is called here; values are divided by `unit` to have base units."""

    name: str
    kind: Literal["counter", "histogram"]
    help: str
    unit: float = 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a family."""

    family: Family
    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Page:
    """One server's page: the samples of each series stand together."""

    samples: tuple[Sample, ...]
    dropped: int = 0
    """Samples left out because there were too many."""


def _counter(name: str, text: str, unit: float = 1.0) -> Family:
    return Family(name, "counter", text, unit)


def _duration(name: str, text: str) -> Family:
    return Family(f"{name}_duration_seconds", "histogram", text, _MICROSECONDS)


def _size(name: str, text: str) -> Family:
    return Family(name, "histogram", text)


_SERVING: Final = ":tensorflow:serving:"
_BATCHING: Final = ":tensorflow:serving:batching_session:"
FAMILIES: Final = MappingProxyType(
    {
        f"{_SERVING}request_count": _counter("tfserving_requests", "Requests, by status."),
        f"{_SERVING}request_latency": _duration("tfserving_request", "How long answered requests took."),
        f"{_SERVING}runtime_latency": _duration("tfserving_runtime", "How long the model itself took."),
        f"{_SERVING}request_example_counts": _size(
            "tfserving_request_examples", "Examples in one request (not of Predict)."
        ),
        f"{_SERVING}request_log_count": _counter("tfserving_request_logs", "Requests logged, by status."),
        f"{_SERVING}model_warmup_latency": _duration(
            "tfserving_model_warmup", "How long the warm-up of a version took."
        ),
        f"{_SERVING}model_warmup_records_read": _counter(
            "tfserving_model_warmup_records", "Warm-up records read."
        ),
        f"{_BATCHING}queuing_latency": _duration(
            "tfserving_batch_queue", "How long requests waited for their batch to begin."
        ),
        f"{_BATCHING}input_batch_size": _size("tfserving_batch_input_size", "Rows that one request brought."),
        f"{_BATCHING}processed_batch_size": _size(
            "tfserving_batch_processed_size", "Rows of one batch that ran, padding included."
        ),
        f"{_BATCHING}padding_size": _size("tfserving_batch_padding_size", "Rows added to fill a batch."),
        f"{_BATCHING}wrapped_run_count": _counter(
            "tfserving_batch_runs", "Batches run, and requests too large or too odd for one."
        ),
        ":tensorflow:core:graph_runs": _counter("tfserving_graph_runs", "Runs of a graph."),
        ":tensorflow:core:graph_run_time_usecs": _counter(
            "tfserving_graph_run_seconds", "Time spent in runs of a graph.", _MICROSECONDS
        ),
        ":tensorflow:cc:saved_model:load_attempt_count": _counter(
            "tfserving_model_loads", "Versions loaded, or tried, by status."
        ),
        ":tensorflow:cc:saved_model:load_latency": _counter(
            "tfserving_model_load_seconds", "Time spent loading versions.", _MICROSECONDS
        ),
    }
)


def read_page(text: str, models: Collection[str], max_samples: int = MAX_SAMPLES) -> Page:
    """Read a page; of series that name a model, those of `models` alone: any request makes a series."""
    series: dict[tuple[object, ...], list[Sample]] = {}
    taken = dropped = 0
    for sample in _samples(text):
        if _MODEL in sample.labels and sample.labels[_MODEL] not in models:
            continue
        key = (sample.family.name, *(item for item in sample.labels.items() if item[0] != _LE))
        if taken >= max_samples and key not in series:
            dropped += 1
            continue
        series.setdefault(key, []).append(sample)
        taken += 1
    return Page(tuple(sample for samples in series.values() for sample in samples), dropped)


def _samples(text: str) -> Iterator[Sample]:
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        named = _named(found[1])
        labels = _labels(found[2] or "")
        value = _number(found[3])
        if named is not None and labels is not None and value is not None:
            family, suffix = named
            if suffix == _BUCKET and _LE in labels:
                labels[_LE] = _bound(labels[_LE], family.unit)
            unit = 1.0 if suffix in (_BUCKET, _COUNT) else family.unit
            yield Sample(family, family.name + suffix, labels, value / unit)


def _named(name: str) -> tuple[Family, str] | None:
    family = FAMILIES.get(name)
    if family is not None and family.kind == "counter":
        return family, "_total"
    for suffix in (_BUCKET, _SUM, _COUNT):
        family = FAMILIES.get(name.removesuffix(suffix)) if name.endswith(suffix) else None
        if family is not None and family.kind == "histogram":
            return family, suffix
    return None


def _labels(text: str) -> dict[str, str] | None:
    labels = {}
    end = 0
    for found in _LABEL.finditer(text):
        if found.start() != end:
            return None
        end = found.end()
        labels[_LABEL_NAMES.get(found[1], found[1].lower())] = found[2][:_MAX_VALUE_LETTERS]
    return labels if end == len(text) else None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _bound(text: str, unit: float) -> str:
    number = _number(text)
    return text if number is None else str(number / unit)
