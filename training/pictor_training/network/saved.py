"""Models to files and back: whole files or none, and training goes on to the same numbers."""

import json
import logging
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from pictor_store.durable import force_to_disk
from pictor_training.errors import TrainingError, UnsafeModelFile
from pictor_training.fitting.optimiser import exclude_from_decay, optimiser_state
from pictor_training.network.opened import STATE_KEY, OpenedModel, damage_explained, open_model


def save_keras(model: keras.Model, path: Path) -> None:
    """Write a .keras file with the optimiser's state, whole or not at all.

    Raises:
        TrainingError: the disk is full, or the folder cannot be written.

    """
    with _replacing(path, ".keras") as beside:
        model.save(beside)
        with zipfile.ZipFile(beside, "a") as archive:
            archive.comment = json.dumps({STATE_KEY: _extra_state(model)}).encode()


def save_h5(model: keras.Model, path: Path) -> None:
    """Write a .h5 file with the optimiser's state, whole or not at all; the live model stays as it is.

    Raises:
        TrainingError: the disk is full, or the folder cannot be written.

    """
    with _replacing(path, ".h5") as beside, _compile_config_kept(model), _without_legacy_hint():
        model.save(beside)
        with h5py.File(beside, "r+") as file:
            file.attrs[STATE_KEY] = json.dumps(_extra_state(model))


def load_model_file(path: Path, *, compile: bool = True) -> keras.Model:  # noqa: A002  # Keras' own word for it
    """Load a .h5 or .keras file without running code from it.

    With `compile`, loss, metrics and optimiser come back with their state, and training continues to the same
    numbers as on the model that was saved. A file saved without them gives a model that is not compiled.

    Raises:
        TrainingError: there is no such file.
        UnsafeModelFile: it names a class that is not allowed, is damaged, or is something else.

    """
    opened = open_model(path)
    with damage_explained(path):
        # Never compile=True: Keras 3.15.1 builds the .h5's optimiser over no variables, and fit() then fails.
        model = keras.models.load_model(path, compile=False, safe_mode=True)
        if compile and opened.training is not None:
            _compile(model, opened, path)
        _restore(_seeds(model), opened.extra_state.get("seeds", []), path)
    return model


def _compile(model: keras.Model, opened: OpenedModel, path: Path) -> None:
    training: Mapping[str, Any] = opened.training or {}
    stored = training.get("optimizer_config") or training.get("optimizer")
    optimiser = keras.optimizers.deserialize(stored)
    exclude_from_decay(optimiser)  # no file says so
    optimiser.build(model.trainable_variables)
    model.compile(
        optimizer=optimiser,
        loss=_each(keras.losses.deserialize, training.get("loss")),
        loss_weights=training.get("loss_weights"),
        metrics=_each(keras.metrics.deserialize, training.get("metrics")),
        weighted_metrics=_each(keras.metrics.deserialize, training.get("weighted_metrics")),
    )
    listed = len(optimiser.variables)
    _restore(optimiser.variables, opened.optimiser_values, path)
    _restore(optimiser_state(optimiser)[listed:], opened.extra_state.get("optimiser", []), path)


def _each(deserialise: Callable[[Any], Any], config: object) -> Any:  # noqa: ANN401  # Keras' nested lists and mappings
    """Make objects of the configurations in `config`; names ("accuracy") stay what they are."""
    if isinstance(config, list):
        return [_each(deserialise, item) for item in config]
    if not isinstance(config, dict):
        return config
    if "class_name" in config:
        return deserialise(config)
    return {key: _each(deserialise, item) for key, item in config.items()}


def _extra_state(model: keras.Model) -> dict[str, Any]:
    """Return what neither of Keras' formats keeps, though the next training step depends on it."""
    optimiser = getattr(model, "optimizer", None)
    hidden = optimiser_state(optimiser)[len(optimiser.variables) :] if optimiser is not None else []
    return {
        "seeds": [np.asarray(variable.numpy()).tolist() for variable in _seeds(model)],
        "optimiser": [np.asarray(variable.numpy()).tolist() for variable in hidden],
    }


def _seeds(model: keras.Model) -> list[keras.Variable]:
    """Return where the model's dropout and noise stand in their random sequences."""
    return [variable for variable in model.variables if variable.name == "seed_generator_state"]


def _restore(variables: list[keras.Variable], values: Any, path: Path) -> None:  # noqa: ANN401  # arrays or JSON
    if not len(values):  # a file of Keras' own, or saved before the first step
        return
    arrays = [np.asarray(value) for value in values]
    if [tuple(variable.shape) for variable in variables] != [array.shape for array in arrays]:
        raise UnsafeModelFile(
            f"{path}: the training state does not fit the model. Load it with compile=False."
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array.astype(variable.dtype))


@contextmanager
def _replacing(path: Path, suffix: str) -> Iterator[Path]:
    """Give a path to write to; at the end the file there is forced to the disk and moved to `path`."""
    # Always the same name: what a killed process left is overwritten. Keras goes by the suffix.
    beside = path.with_name(f".{path.stem}.partial{suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        force_to_disk(beside)
        beside.replace(path)
        force_to_disk(path.parent)
    except (OSError, RuntimeError) as error:  # h5py reports a full disk as either
        raise TrainingError(
            f"{path} could not be written: {error}. What stood there is untouched."
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


@contextmanager
def _compile_config_kept(model: keras.Model) -> Iterator[None]:
    """Undo what Keras 3.15.1 does on saving .h5: it drops the optimiser from the live model's configuration.

    A .keras file saved afterwards would come back with RMSprop (fixed upstream by keras pull request 23475).
    """
    compiled = getattr(model, "_compile_config", None)
    kept = None if compiled is None else dict(compiled.config)
    try:
        yield
    finally:
        if compiled is not None:
            compiled.config = kept


@contextmanager
def _without_legacy_hint() -> Iterator[None]:
    """Silence Keras' advice against .h5, which its user asked for."""
    logger = logging.getLogger("absl")

    def is_news(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("You are saving your model as an HDF5 file")

    logger.addFilter(is_news)
    try:
        yield
    finally:
        logger.removeFilter(is_news)
