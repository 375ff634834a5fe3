"""One version's folder: the model in every form it is served in, its contract, and proof that they agree."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from pictor_contract import ImageContract, decode_picture
from pictor_contract.artifact import CONTRACT_FILE, EXTRA, ONNX_FILE, WARMUP_FILE, write_manifest
from pictor_training.errors import ParityError, PublishError
from pictor_training.export.forms import KerasForm, OnnxForm, ServedForm, graph_refuses
from pictor_training.export.golden import golden_example, make_golden
from pictor_training.export.graph import write_saved_model
from pictor_training.export.onnx import write_onnx
from pictor_training.export.parity import (
    Form,
    ParityReport,
    Pictures,
    Scores,
    answers_of,
    compare,
    probe_batches,
)
from pictor_training.export.warmup import write_warmup
from pictor_training.network.saved import load_model_file


def export_artifact(
    model: keras.Model, h5: Path, contract: ImageContract, folder: Path
) -> tuple[ImageContract, ParityReport]:
    """Write the artifact of `model` into `folder`, which must not exist or be empty.

    `h5` is the file that `model` was saved to: it must answer like all the others. The contract returned is
    `contract` with the weights' digest and the golden example. On failure nothing is left behind. Two exports
    into one folder at the same time are the caller's mistake.

    Raises:
        ParityError: two forms of the model answer differently; the message names them.
        PublishError: there is something in `folder` already, or it cannot be written.

    """
    picture = make_golden(contract.input)
    pixels = decode_picture(picture, contract.input).pixels
    batches = probe_batches(pixels, contract.max_batch)
    trained = answers_of("keras", KerasForm(model, contract), batches, contract)
    example = golden_example(picture, pixels, trained[0][0])
    complete = replace(contract, weights_sha256=weights_digest(model), golden=example)
    with _staged(folder) as staging:
        _write(model, complete, pixels, staging)
        report = _prove(staging, h5, complete, batches, trained)
        write_manifest(staging)
    return complete, report


def weights_digest(model: keras.Model) -> str:
    """Sha256 (hex) over every weight's path, shape, type and bytes, in the order of the paths."""
    digest = sha256()
    for weight in sorted(model.weights, key=lambda weight: weight.path):
        value = weight.numpy()
        digest.update(f"{weight.path} {value.shape} {value.dtype}\n".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


@contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    if folder.exists() and any(folder.iterdir()):
        raise PublishError(f"{folder} is not empty. Export into a new folder.")
    staging = folder.with_name(f".{folder.name}.staging")
    shutil.rmtree(staging, ignore_errors=True)  # of an export that was killed
    try:
        staging.mkdir(parents=True)
        yield staging
        staging.rename(folder)
    except (OSError, tf.errors.ResourceExhaustedError) as error:
        raise PublishError(
            f"{folder} cannot be written: {error}. Free space there or allow writing."
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write(model: keras.Model, contract: ImageContract, golden_pixels: Pictures, folder: Path) -> None:
    write_saved_model(model, contract, folder)
    (folder / EXTRA).mkdir()
    (folder / CONTRACT_FILE).write_text(contract.to_json(), encoding="utf-8")
    write_onnx(model, contract, folder / ONNX_FILE)
    write_warmup(golden_pixels, contract, folder / WARMUP_FILE)


def _prove(
    folder: Path, h5: Path, contract: ImageContract, batches: list[Pictures], trained: list[Scores]
) -> ParityReport:
    with ServedForm(folder) as served:
        _check_told_contract(served, contract)
        forms: dict[str, Form] = {
            "reloaded .h5": KerasForm(load_model_file(h5, compile=False), contract),
            "SavedModel": served,
            "ONNX": OnnxForm(folder / ONNX_FILE),
        }
        answers = {name: answers_of(name, form, batches, contract) for name, form in forms.items()}
    _check_refusals(folder, batches[0])
    return compare({"keras": trained, **answers})


def _check_told_contract(served: ServedForm, contract: ImageContract) -> None:
    text = contract.to_json().encode()
    for count in (1, contract.max_batch):
        if served.contract(count) != [text] * count:
            raise ParityError(
                f"The SavedModel does not tell its contract {count} times to a probe of {count}."
            )


def _check_refusals(folder: Path, one: Pictures) -> None:
    other_shapes = {
        "a picture without batch": one[0],
        "a picture of another height": np.repeat(one, 2, axis=1),
    }
    for what, pictures in other_shapes.items():
        if not graph_refuses(folder, pictures):
            raise ParityError(f"The SavedModel answers {what}; that can end a TensorFlow Serving process.")
