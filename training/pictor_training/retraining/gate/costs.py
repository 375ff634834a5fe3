"""What an answer costs: time on one core, and space on disk."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

import numpy as np

from pictor_contract import ImageContract
from pictor_contract.artifact import ONNX_FILE
from pictor_training.retraining.gate.config import GateConfig
from pictor_training.retraining.gate.engine import Engine
from pictor_training.retraining.gate.words import limited, skipped
from pictor_training.verdict import Check

NEGLIGIBLE_MS: Final = 1.0
"""A difference below is the machine's, not the model's: it takes longer to decode a picture."""

_ROUNDS: Final = 101
_WARM_UP: Final = 3
_AT_MOST_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Costs:
    """Of one version: median milliseconds for one picture, bytes of model.onnx and of the whole folder."""

    latency_ms: float
    onnx_bytes: int
    folder_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers."""
        return {
            "latency_ms": self.latency_ms,
            "onnx_bytes": self.onnx_bytes,
            "folder_bytes": self.folder_bytes,
        }


def measure(versions: Sequence[tuple[Path, ImageContract]]) -> list[Costs]:
    """Measure the versions in turns, so that whatever slows the machine meanwhile slows all of them.

    Raises:
        ArtifactError: a model does not answer.
    """
    asked = [_question(folder, contract) for folder, contract in versions]
    times = _in_turns(asked)
    return [
        Costs(1000 * median(one), (folder / ONNX_FILE).stat().st_size, _bytes(folder))
        for one, (folder, _) in zip(times, versions, strict=True)
    ]


def cost_checks(ours: Costs, stable: Costs | None, config: GateConfig) -> Iterator[Check]:
    """Compare the challenger's costs with the limits and with those of the stable version."""
    yield _absolute_latency(ours, config)
    yield _absolute_size(ours, config)
    if stable is None:
        yield skipped("latency and size beside the stable version", "There is none to compare with.")
        return
    yield _relative_latency(ours, stable, config)
    yield _relative_size(ours, stable, config)


def _question(folder: Path, contract: ImageContract) -> Callable[[], object]:
    engine = Engine(folder, contract, threads=1)
    # Noise, not a picture: the time does not hang on it, and zeros are a special case of some processors.
    picture = np.random.default_rng(1).integers(0, 256, (1, *contract.input.shape), np.uint8)
    return lambda: engine(picture)


def _in_turns(asked: Sequence[Callable[[], object]]) -> list[list[float]]:
    for ask in asked:
        for _ in range(_WARM_UP):
            ask()
    times: list[list[float]] = [[] for _ in asked]
    start = perf_counter()
    for _ in range(_ROUNDS):
        for ask, taken in zip(asked, times, strict=True):
            began = perf_counter()
            ask()
            taken.append(perf_counter() - began)
        if perf_counter() - start > _AT_MOST_S:
            break
    return times


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _absolute_latency(ours: Costs, config: GateConfig) -> Check:
    limit, objection = config.max_latency_ms, None
    if limit is not None and ours.latency_ms > limit:
        objection = f"One picture takes {ours.latency_ms:.3g} ms; gate.max_latency_ms is {limit:g}."
    return limited(
        "latency", "any" if limit is None else f"at most {limit:g} ms", _ms(ours.latency_ms), objection
    )


def _absolute_size(ours: Costs, config: GateConfig) -> Check:
    limit, objection = config.max_size_bytes, None
    if limit is not None and ours.folder_bytes > limit:
        objection = f"The version has {ours.folder_bytes} bytes; gate.max_size_bytes is {limit}."
    told = "any" if limit is None else f"at most {_size(limit)}"
    return limited("size", told, _size(ours.folder_bytes), objection)


def _relative_latency(ours: Costs, stable: Costs, config: GateConfig) -> Check:
    limit, objection = config.max_latency_ratio, None
    ratio = ours.latency_ms / max(stable.latency_ms, 1e-6)
    is_real = ours.latency_ms - stable.latency_ms > NEGLIGIBLE_MS
    if limit is not None and ratio > limit and is_real:
        objection = (
            f"One picture takes {ours.latency_ms:.3g} ms, {ratio:.2g} times as long as with the stable "
            f"version; gate.max_latency_ratio is {limit:g}."
        )
    measured = f"{_ms(stable.latency_ms)} to {_ms(ours.latency_ms)} ({ratio:.2f} times)"
    told = "any" if limit is None else f"at most {limit:g} times"
    return limited("latency beside the stable version", told, measured, objection)


def _relative_size(ours: Costs, stable: Costs, config: GateConfig) -> Check:
    limit, objection = config.max_size_ratio, None
    ratio = ours.folder_bytes / max(stable.folder_bytes, 1)
    if limit is not None and ratio > limit:
        objection = (
            f"The version is {ratio:.2g} times as large as the stable one; gate.max_size_ratio is {limit:g}."
        )
    measured = f"{_size(stable.folder_bytes)} to {_size(ours.folder_bytes)} ({ratio:.2f} times)"
    told = "any" if limit is None else f"at most {limit:g} times"
    return limited("size beside the stable version", told, measured, objection)


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:.3g} ms"


def _size(count: int) -> str:
    return f"{count / 1e6:.2f} MB" if count >= 10_000 else f"{count} bytes"  # noqa: PLR2004 - below, megabytes say nothing
