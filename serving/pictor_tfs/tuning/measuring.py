"""A running server asked with batches of one size after the other, as gateways ask it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from threading import Event
from time import perf_counter
from typing import Final

import grpc
import numpy as np

from pictor_contract import ContractError, ImageContract
from pictor_contract.golden import golden_pixels
from pictor_tfs.messages import (
    PREDICT,
    InvalidAnswer,
    contract_request,
    images_request,
    read_contract,
    read_scores,
)
from pictor_tfs.targets import Address, InvalidTarget, parse_targets
from pictor_tfs.tuning.figures import Figures, Timing

PATIENCE_S: Final = 60.0
"""Seconds for one answer; a batch that takes longer is too large for anybody."""

WARM_UP_CALLS: Final = 2
"""First calls of each size that do not count: they prepare the graph for its shape."""

_MOST_WORDS: Final = 300

Ask = Callable[[bytes], bytes]


class MeasureFailed(Exception):
    """The server could not be measured; the message says what it answered and what to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask. `about` says in words what answers; `most` cuts the sizes off, None: at the contract's."""

    target: str
    model: str
    concurrency: int
    repeats: int
    most: int | None = None
    about: str = ""


def measure(plan: Plan, now: str, report: Callable[[Timing], None] = lambda timing: None) -> Figures:
    """Measure the newest version that a server has; `report` is told each size's timing as it is known.

    Each of `concurrency` callers asks `repeats` times in a row: the load that a busy gateway makes. A server
    with batching must have a batch thread for each of them, or it puts their batches together.

    Raises:
        MeasureFailed: the target is no single server, or it does not answer as a model of Pictor's.
    """
    address = _address(plan.target)
    with _asking(address) as ask:
        version, contract = _contract(ask, plan.model)
        timings = []
        for size in _sizes(min(contract.max_batch, plan.most or contract.max_batch)):
            timings.append(Timing(size, _median_s(ask, plan, version, contract, size)))
            report(timings[-1])
    return Figures(
        measured_at=now,
        server=plan.about or f"TensorFlow Serving at {address.text}",
        model=plan.model,
        version=version,
        input=contract.input.shape,
        largest_batch=contract.max_batch,
        concurrency=plan.concurrency,
        repeats=plan.repeats,
        timings=tuple(timings),
    )


def _address(target: str) -> Address:
    try:
        targets = parse_targets(target)
    except InvalidTarget as error:
        raise MeasureFailed(f"The server's address: {error}.") from error
    if len(targets) != 1:
        raise MeasureFailed(f"One server is measured at a time; received {target!r}.")
    one = targets[0]
    return (
        one
        if isinstance(one, Address)
        else Address(f"dns:///{one.host}:{one.port}", f"{one.host}:{one.port}")
    )


@contextmanager
def _asking(address: Address) -> Iterator[Ask]:
    options = (
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", -1),
        ("grpc.enable_http_proxy", 0),
    )
    with grpc.insecure_channel(address.uri, options) as channel:
        method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(PREDICT)

        def ask(request: bytes) -> bytes:
            try:
                return method(request, timeout=PATIENCE_S)
            except grpc.RpcError as error:
                words = (error.details() or "")[:_MOST_WORDS]
                raise MeasureFailed(
                    f"{address.text} answers {error.code().name}: {words}{_advice(words)}"
                ) from error

        yield ask


def _advice(words: str) -> str:
    if "maximum input batch size" in words:
        return ". Start it with --enable_batching=false to measure it, or say --max-batch."
    return ""


def _contract(ask: Ask, model: str) -> tuple[int, ImageContract]:
    try:
        version, text = read_contract(ask(contract_request(model)))
        return version, ImageContract.from_json(text)
    except (InvalidAnswer, ContractError) as error:
        raise MeasureFailed(f"{model} is no model of Pictor's: {error}") from error


def _median_s(ask: Ask, plan: Plan, version: int, contract: ImageContract, size: int) -> float:
    pictures = np.repeat(golden_pixels(contract), size, axis=0)
    request = images_request(plan.model, version, pictures)

    stopped = Event()

    def call_in_a_row() -> list[float]:
        calls = range(WARM_UP_CALLS + plan.repeats)
        return [_seconds(ask, request, size, contract) for _ in calls if not stopped.is_set()]

    with ThreadPoolExecutor(plan.concurrency) as callers:
        under_way = [callers.submit(call_in_a_row) for _ in range(plan.concurrency)]
        try:
            seconds = [took for one in under_way for took in one.result()[WARM_UP_CALLS:]]
        finally:
            stopped.set()  # after Ctrl-C or a failure nobody makes the calls that are left
    return round(median(seconds), 6)


def _seconds(ask: Ask, request: bytes, size: int, contract: ImageContract) -> float:
    began = perf_counter()
    answer = ask(request)
    took = perf_counter() - began
    try:
        read_scores(answer, size, len(contract.labels))
    except InvalidAnswer as error:
        raise MeasureFailed(f"A batch of {size} was answered with something else: {error}") from error
    return took


def _sizes(most: int) -> list[int]:
    return [2**power for power in range(most.bit_length())]
