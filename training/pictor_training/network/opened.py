"""What a model file holds, read and checked before Keras sees it."""

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from pictor_training.errors import TrainingError, UnsafeModelFile
from pictor_training.network.allowed import check_classes

STATE_KEY: Final = "pictor_state"
"""Where Pictor's own addition stands: an attribute of .h5, a key in the JSON of the .keras zip's comment."""

_ZIP_MEMBERS: Final = {"metadata.json", "config.json", "model.weights.h5"}
_MAX_CONFIG_BYTES: Final = 16 * 1024 * 1024
_MAX_EXPANSION: Final = 20
"""Keras does not compress; what unpacks to more than this times the file is no honest model."""

# What h5py, zipfile and Keras raise for a damaged file depends on which byte is wrong.
UNREADABLE: Final = (
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """What Keras itself does not restore from the file; the classes it names are all allowed."""

    training: Mapping[str, Any] | None
    """Loss, metrics and optimiser; None where the model was saved without them."""
    optimiser_values: tuple[NDArray[Any], ...]
    extra_state: Mapping[str, Any]


def open_model(path: Path) -> OpenedModel:
    """Read and check a .h5 or .keras file without running anything in it.

    Raises:
        TrainingError: there is no such file.
        UnsafeModelFile: it names a class that is not allowed, is damaged, or is something else.

    """
    if not path.is_file():
        raise TrainingError(f"There is no model file {path}.")
    readers = {".h5": _open_h5, ".hdf5": _open_h5, ".keras": _open_keras}
    reader = readers.get(path.suffix)
    if reader is None:
        raise UnsafeModelFile(f"{path} is no model file by its name; wanted .keras or .h5.")
    with damage_explained(path):
        return reader(path)


@contextmanager
def damage_explained(path: Path) -> Iterator[None]:
    """Turn what a library raises for a damaged file into UnsafeModelFile."""
    try:
        yield
    except UNREADABLE as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UnsafeModelFile(
            f"{path} is not a whole {path.suffix} model ({reason:.200}). Save the model again, or copy "
            "the file again from where it came."
        ) from error


def _open_h5(path: Path) -> OpenedModel:
    with h5py.File(path, "r") as file:
        _check_hdf5(file, path, path.stat().st_size)
        if "model_config" not in file.attrs:
            raise UnsafeModelFile(f"{path} holds no model: weights alone cannot be loaded without one.")
        check_classes(_json(file.attrs["model_config"]), str(path))
        training = _json(file.attrs["training_config"]) if "training_config" in file.attrs else None
        check_classes(training, str(path))
        values: tuple[NDArray[Any], ...] = ()
        if "optimizer_weights" in file:
            group = file["optimizer_weights"]
            values = tuple(np.asarray(group[name]) for name in _long_attribute(group, "weight_names"))
        extra = _json(file.attrs[STATE_KEY]) if STATE_KEY in file.attrs else {}
    return OpenedModel(training, values, extra)


def _open_keras(path: Path) -> OpenedModel:
    with zipfile.ZipFile(path) as archive:
        _check_zip(archive, path)
        config = _json(archive.read("config.json"))
        check_classes(config, str(path))
        weights = archive.read("model.weights.h5")
        comment = archive.comment
    with h5py.File(BytesIO(weights), "r") as file:
        _check_hdf5(file, path, len(weights))
        # In the order of their numbers, which is not the order of their names: 10 comes after 9.
        group = file.get("optimizer/vars", {})
        values = tuple(np.asarray(group[str(number)]) for number in range(len(group)))
    extra = _json(comment)[STATE_KEY] if comment else {}
    return OpenedModel(config.get("compile_config") or None, values, extra)


def _check_zip(archive: zipfile.ZipFile, path: Path) -> None:
    names = archive.namelist()
    if len(set(names)) != len(names) or not set(names) <= _ZIP_MEMBERS:
        raise UnsafeModelFile(
            f"{path} holds {', '.join(sorted(names))!r:.200}; a model of Pictor holds "
            f"{', '.join(sorted(_ZIP_MEMBERS))}, each once, and nothing else."
        )
    limit = max(path.stat().st_size * _MAX_EXPANSION, _MAX_CONFIG_BYTES)
    for member in archive.infolist():
        most = _MAX_CONFIG_BYTES if member.filename.endswith(".json") else limit
        if member.file_size > most:
            raise UnsafeModelFile(
                f"{path}: {member.filename} would unpack to {member.file_size} bytes, more than {most}."
            )


def _check_hdf5(file: h5py.File, path: Path, size: int) -> None:
    """Refuse links and data sets that reach outside the file, or that promise more bytes than it has."""

    def check_links(group: h5py.Group) -> None:
        for name in group:
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise UnsafeModelFile(f"{path}: {group.name}/{name} is a link ({type(link).__name__}).")

    def check(_: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Group):
            check_links(item)
        elif item.external or item.is_virtual:
            raise UnsafeModelFile(f"{path}: {item.name} lies in another file.")
        elif item.nbytes > size:
            raise UnsafeModelFile(f"{path}: {item.name} claims {item.nbytes} bytes, more than the file has.")

    check_links(file)
    file.visititems(check)


def _json(text: str | bytes) -> Any:  # noqa: ANN401  # JSON is whatever it is; check_classes judges it
    return json.loads(text)


def _long_attribute(group: h5py.Group, name: str) -> list[str]:
    """Read a list that Keras cuts into `name`0, `name`1, ... when it is too long for one HDF5 attribute."""
    if name in group.attrs:
        pieces = [group.attrs[name]]
    else:
        count = sum(1 for key in group.attrs if key.startswith(name))
        pieces = [group.attrs[f"{name}{number}"] for number in range(count)]
    return [item.decode() if isinstance(item, bytes) else str(item) for piece in pieces for item in piece]
