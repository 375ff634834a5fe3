"""What "auto" means for the network's input: chosen from a sample of the pictures.

The sample is the 256 readable pictures whose paths hash lowest: the same for the same folder, whatever its
order.

- Size: the median of the shorter sides, taken up to the next of 32, 48, 64, 96 or 128 pixels; 128 is the end.
- Channels: 1 if every picture of the sample is grey. A picture stored as RGB is grey too where its channels
  agree within a few levels: JPEG rounds them apart. One colour picture beyond the sample would be turned to
  grey.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pictor_contract import InvalidContract, PictureInput, PictureRefused, decode_picture
from pictor_training.config.schema import InputConfig
from pictor_training.data.contents import LIMITS, Refusal, read_file
from pictor_training.data.example import Example
from pictor_training.data.source import Source
from pictor_training.data.threads import in_order
from pictor_training.errors import ConfigError, DataError

SAMPLE: Final = 256
LADDER: Final = (32, 48, 64, 96, 128)
"""Pixels. The smallest can still be halved by four poolings, the largest is the reference network's input."""

GREY_LEVELS: Final = 8
"""The most that the channels of a grey picture may differ by, of 255, after it was scaled to the probe."""

_PROBE: Final = PictureInput(height=32, width=32)


@dataclass(frozen=True, slots=True)
class _Probe:
    shorter_side: int
    grey: bool


def resolve_input(config: InputConfig, source: Source) -> PictureInput:
    """Return the input that `config` asks for, with "auto" decided from the pictures.

    Raises:
        ConfigError: a side that the contract does not allow.
        DataError: "auto", and no picture can be read.

    """
    size, channels = config.size, config.channels
    if size == "auto" or channels == "auto":
        probes = list(islice(_probes(source), SAMPLE))
        if not probes:
            raise DataError(f"None of {len(source.examples)} files in {source.root} is a readable picture.")
        if size == "auto":
            size = [_side(probes)] * 2
        if channels == "auto":
            channels = 1 if all(probe.grey for probe in probes) else 3
    red, green, blue = config.background
    try:
        return PictureInput(size[0], size[1], channels, config.resize_filter, config.fit, (red, green, blue))
    except InvalidContract as error:
        raise ConfigError(f"The input cannot be used. {error}") from error


def _probes(source: Source) -> Iterator[_Probe]:
    sampled = sorted(source.examples, key=lambda example: sha256(source.name_of(example).encode()).digest())
    probes = in_order(_probe, sampled)
    return (probe for probe in probes if probe is not None)


def _probe(example: Example) -> _Probe | None:
    data = read_file(example.path)
    if isinstance(data, Refusal):
        return None
    try:
        picture = decode_picture(data, _PROBE, LIMITS)
    except PictureRefused:
        return None  # the audit names it
    return _Probe(min(picture.width, picture.height), _is_grey(picture.pixels))


def _is_grey(pixels: NDArray[np.uint8]) -> bool:
    return bool((np.ptp(pixels, axis=2) <= GREY_LEVELS).all())


def _side(probes: list[_Probe]) -> int:
    middle = median(probe.shorter_side for probe in probes)
    return next((side for side in LADDER if side >= middle), LADDER[-1])
