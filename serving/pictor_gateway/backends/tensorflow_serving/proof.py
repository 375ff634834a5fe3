"""Believe a version only after it has answered its golden example: AVAILABLE is no proof.

A version that is copied while TensorFlow Serving looks at its folder becomes AVAILABLE, and fails at every
picture.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Final

from grpc import StatusCode

from pictor_contract import ContractError, ImageContract
from pictor_contract.golden import check_golden, golden_pixels
from pictor_gateway.backends.tensorflow_serving.failures import CallFailed
from pictor_gateway.backends.tensorflow_serving.server import Server
from pictor_gateway.backends.tensorflow_serving.translation import PROVES_NOTHING
from pictor_tfs.messages import (
    PREDICT,
    InvalidAnswer,
    contract_request,
    images_request,
    read_contract,
    read_scores,
)

_PROOF_S: Final = 10.0
"""Seconds for a version's first answer: one that was not warmed up compiles its graph meanwhile."""

_MOST_BATCH_BYTES: Final = 2**31 - 2**16
"""A protobuf message ends below 2 GiB; the rest is for what goes with the pictures."""


class NotProven(Exception):
    """A version is not what its contract says; the message is for operators."""


@dataclass(frozen=True, slots=True)
class Proven:
    """A version's contract, its largest batch cut to what fits one message; `digest` is of the whole one."""

    contract: ImageContract
    digest: str


async def prove(server: Server, name: str, version: int) -> Proven:
    """Return the contract of a version that answers as its contract says.

    Raises:
        NotProven: it does not.
        CallFailed: the server could not be asked, or was too busy; that says nothing about the version.
    """
    try:
        contract = await _contract_of(server, name, version)
        pixels = await asyncio.to_thread(golden_pixels, contract)
        answer = await server.call(PREDICT, images_request(name, version, pixels), _PROOF_S)
        check_golden(contract, read_scores(answer, 1, len(contract.labels)))
        return Proven(cut_to_messages(contract), contract.digest())
    except CallFailed as failure:
        if failure.kind in PROVES_NOTHING or failure.code is StatusCode.NOT_FOUND:
            raise
        raise NotProven(
            f"TensorFlow Serving says it is available, but it answers with {failure.code.name}."
        ) from failure
    except ContractError as error:
        raise NotProven(str(error)) from error
    except InvalidAnswer as error:
        raise NotProven("It is no model of Pictor's; the log says what it answered.") from error


async def _contract_of(server: Server, name: str, version: int) -> ImageContract:
    answer = await server.call(PREDICT, contract_request(name, version=version), _PROOF_S)
    answered, text = read_contract(answer)
    if answered != version:
        raise NotProven(f"Version {answered} answered in its place.")
    return await asyncio.to_thread(ImageContract.from_json, text)


def cut_to_messages(contract: ImageContract) -> ImageContract:
    """Return `contract` with a largest batch that fits one message."""
    height, width, channels = contract.input.shape
    most = _MOST_BATCH_BYTES // (height * width * channels)
    if contract.max_batch <= most:
        return contract
    sizes = tuple(size for size in contract.allowed_batch_sizes if size < most)
    return replace(contract, allowed_batch_sizes=(*sizes, most))
