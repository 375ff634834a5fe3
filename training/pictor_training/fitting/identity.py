"""What makes two runs the same run: the settings that shape the curve, and the pictures."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pictor_training.config.schema import TrainConfig
from pictor_training.errors import ConfigError, DataError

if TYPE_CHECKING:
    from pictor_training.data.prepare import PreparedData

_FREE: Final[dict[str, bool | Mapping[str, bool]]] = {
    "name": True,
    "export": True,
    "data": {"path": True, "manifest": True},
    "fit": {"checkpoint_every_s": True},
}
"""Settings that may change between two parts of a run: no weight depends on them."""


def identify(config: TrainConfig, data: "PreparedData") -> dict[str, Any]:
    """Describe a run as plain data: its settings, readable, and a digest of pictures, targets and split."""
    digest = sha256(data.fingerprint.encode())  # of contents, in whose order rows are: files may be renamed
    digest.update("\0".join(data.labels).encode())
    for array in (data.targets, data.train, data.val):
        digest.update(array.tobytes())
    return {"config": config.model_dump(mode="json", exclude=_FREE), "data": digest.hexdigest()}


def refuse_other_run(checkpoint: Path, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    """Compare a checkpoint's identity with this run's.

    Raises:
        ConfigError: the settings differ; the message names them.
        DataError: the pictures, their order, their labels or their split differ.

    """
    if told := differences(theirs.get("config", {}), ours["config"]):
        raise ConfigError(
            f"The checkpoint {checkpoint} belongs to another configuration: {told}. "
            "Resume with the run's own configuration, or start a new run."
        )
    if theirs.get("data") != ours["data"]:
        raise DataError(
            f"The checkpoint {checkpoint} belongs to other pictures: files, labels or split have changed. "
            "Bring back the pictures it was trained on, or start a new run."
        )


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Say which settings differ and how; empty if none does."""
    was, is_ = dict(_flat(before)), dict(_flat(now))
    changed = [key for key in sorted(was.keys() | is_.keys()) if was.get(key) != is_.get(key)]
    return "; ".join(f"{key} was {was.get(key)!r} and is {is_.get(key)!r}" for key in changed)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
