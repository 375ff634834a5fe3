"""From measured figures to TensorFlow Serving's settings: each rule once, with where it comes from.

"Guide" is TensorFlow Serving's batching guide (tensorflow_serving/batching/README.md), "source" its C++ code,
"measured" what version 2.17.1 did here.
"""

from dataclasses import dataclass
from math import floor
from typing import Final

from pictor_tfs.tuning.figures import Figures, Timing

GOOD_SHARE: Final = 0.9
"""Of the best throughput: the last tenth costs twice the latency, as throughput flattens."""

BATCH_TIMEOUT_MICROS: Final = 0
"""Never wait for company. The gateway has batched already and has few calls under way on one server, so there
is nobody to wait for; what comes while all batch threads are busy shares a batch in any case. A lone request
waits the whole timeout (measured: 300 ms set, 304 ms taken). The guide: 0 works well for some workloads."""

GPU_BATCH_THREADS: Final = 2
"""One computes while the other copies its batch to the card or its scores back; more only share the card."""

REST_THREADS: Final = 4
"""REST answers probes and the metrics page alone, and queues what is more (measured)."""

LOOKS_PER_GATEWAY: Final = 2
"""Calls a gateway has under way beside its work: one question about versions or labels, one proof."""

SPARE_THREADS: Final = 4
"""A roll-out, a probe, a person, and the thread that accepts calls."""


class NothingFits(ValueError):
    """The figures allow no setting; the message says what was asked for and what was measured."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server runs: the CPU cores that it may count on (its request), and whether a GPU computes."""

    cpus: int
    gpu: bool = False


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked of it, by at most so many `gateways`, each with so many `calls` under way on a server.

    `largest_batch` is that of the models it will serve; None: of the measured one.
    """

    latency_s: float
    deadline_s: float
    gateways: int
    calls: int
    largest_batch: int | None = None


@dataclass(frozen=True, slots=True)
class Tuning:
    """TensorFlow Serving's settings; `best_batch` alone is none, but what the figures recommend."""

    best_batch: int
    max_batch_size: int
    allowed_batch_sizes: tuple[int, ...]
    batch_timeout_micros: int
    max_enqueued_batches: int
    num_batch_threads: int
    grpc_max_threads: int
    rest_api_num_threads: int
    intra_op_parallelism: int
    inter_op_parallelism: int


def tune(figures: Figures, place: Place, demand: Demand) -> Tuning:
    """Return the settings for a server that answers like the measured one.

    The largest batch is the best one by the figures, and never less than the models' own: their warm-up asks
    for that through the batching, and a version whose warm-up is refused does not load (source:
    saved_model_bundle_source_adapter.cc). Gateways find the batch that pays by themselves.

    Raises:
        NothingFits: even one picture takes longer than the latency budget, or than the deadline.
    """
    best = best_batch(figures, demand.latency_s)
    largest = _power_of_two(max(best.pictures, demand.largest_batch or figures.largest_batch))
    threads = GPU_BATCH_THREADS if place.gpu else place.cpus
    return Tuning(
        best_batch=best.pictures,
        max_batch_size=largest,
        allowed_batch_sizes=tuple(2**power for power in range(largest.bit_length())),
        batch_timeout_micros=BATCH_TIMEOUT_MICROS,
        max_enqueued_batches=_most_waiting(figures, largest, threads, demand.deadline_s),
        num_batch_threads=threads,
        grpc_max_threads=_grpc_threads(demand),
        rest_api_num_threads=REST_THREADS,
        intra_op_parallelism=place.cpus,
        inter_op_parallelism=max(place.cpus, threads),
    )


def best_batch(figures: Figures, latency_s: float) -> Timing:
    """Return the smallest batch with 90 % of the best throughput that any batch within the budget has.

    Larger ones add latency and next to no throughput. Batches are powers of two: each size that occurs is a
    shape the server prepares, and pads to.

    Raises:
        NothingFits: one picture takes longer than the budget.
    """
    within = [one for one in figures.timings if one.median_s <= latency_s and _is_power(one.pictures)]
    if not within:
        raise NothingFits(
            f"One picture took {figures.timings[0].median_s * 1000:.0f} ms, more than --latency-ms "
            f"{latency_s * 1000:g}. Allow more time, or take a faster card, more cores or a lighter network."
        )
    enough = GOOD_SHARE * max(map(figures.pictures_per_s, within))
    return next(one for one in within if figures.pictures_per_s(one) >= enough)


def _most_waiting(figures: Figures, largest: int, threads: int, deadline_s: float) -> int:
    """Return how many batches may wait so that the last of them is done before its deadline.

    A queue that is longer works for callers who have gone; a full one sends the gateway to another server at
    once. Never fewer than the batch threads, which the guide names as the least for online serving.
    """
    batch_s = _seconds(figures, largest)
    if batch_s >= deadline_s:
        raise NothingFits(
            f"A batch of {largest} takes {batch_s * 1000:.0f} ms, no less than the deadline of "
            f"{deadline_s * 1000:g} ms. Train with smaller export.batch_sizes, or allow more time."
        )
    at_once = min(figures.concurrency, threads)
    return max(threads, floor((deadline_s - batch_s) / batch_s * at_once))


def _grpc_threads(demand: Demand) -> int:
    """Return the threads for gRPC: as many as there can be calls, as one more is refused at once (measured).

    The default is four for each core of the whole node (source: server.h), whatever the container's share.
    """
    calls = demand.gateways * (demand.calls + LOOKS_PER_GATEWAY)
    return _power_of_two(calls + SPARE_THREADS)


def _seconds(figures: Figures, pictures: int) -> float:
    """Return how long a batch takes; beyond what was measured, a picture costs what it did in the largest."""
    known = [one for one in figures.timings if one.pictures >= pictures]
    if known:
        return known[0].median_s
    last = figures.timings[-1]
    return last.median_s * pictures / last.pictures


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()


def _is_power(number: int) -> bool:
    return number.bit_count() == 1
