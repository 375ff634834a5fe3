"""Which networks can be exported, and which are refused without leaving anything behind."""

from collections.abc import Callable
from pathlib import Path

import keras
import pytest

from pictor_contract import Head, ImageContract, decode
from pictor_contract.artifact import verify_manifest
from pictor_contract.signature import TOLERANCE
from pictor_training.errors import ParityError, PublishError
from pictor_training.export.artifact import export_artifact
from pictor_training.export.forms import KerasForm, OnnxForm, ServedForm
from pictor_training.export.golden import make_golden
from pictor_training.export.graph import write_saved_model
from pictor_training.export.onnx import write_onnx
from pictor_training.export.parity import answers_of, compare, probe_batches
from pictor_training.network.saved import save_h5

MakeModel = Callable[[Head], tuple[keras.Model, ImageContract]]


@pytest.mark.parametrize("head", ["binary", "multilabel"])
def test_the_other_heads_agree_as_well(head: Head, tmp_path: Path, make_model: MakeModel) -> None:
    """One unit becomes the scores of two labels, or of the only label there is."""
    model, draft = make_model(head)
    save_h5(model, tmp_path / "model.h5")
    contract, report = export_artifact(model, tmp_path / "model.h5", draft, tmp_path / "artifact")

    assert max(report.differences.values()) < TOLERANCE
    assert contract.golden is not None
    assert len(contract.golden.scores) == len(contract.labels)
    if head == "binary":
        assert sum(contract.golden.scores) == pytest.approx(1)


def test_a_folder_in_use_is_not_written_into(
    artifact: Path, h5: Path, model: keras.Model, contract: ImageContract
) -> None:
    """Exporting over an artifact is refused, and the artifact stays valid."""
    with pytest.raises(PublishError, match="is not empty"):
        export_artifact(model, h5, contract, artifact)

    verify_manifest(artifact)


def test_an_unwritable_place_is_said_so(
    h5: Path, model: keras.Model, contract: ImageContract, tmp_path: Path
) -> None:
    """A file where the folder's parent should be: nothing can be written below it."""
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(PublishError, match="cannot be written"):
        export_artifact(model, h5, contract, tmp_path / "file" / "artifact")


def test_an_h5_file_of_other_weights_stops_the_export(
    model: keras.Model, contract: ImageContract, tmp_path: Path, make_model: MakeModel
) -> None:
    """The pair is named, and neither the folder nor a half-written one is left."""
    other, _ = make_model("multiclass")
    for weight in other.trainable_weights:
        weight.assign(weight + 0.1)
    save_h5(other, tmp_path / "other.h5")

    with pytest.raises(
        ParityError,
        match=r"keras = reloaded \.h5 by .*, reloaded \.h5 = SavedModel by .*, reloaded \.h5 = ONNX by",
    ):
        export_artifact(model, tmp_path / "other.h5", contract, tmp_path / "artifact")
    assert [path.name for path in tmp_path.iterdir()] == ["other.h5"]


class AlwaysRandom(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Adds noise whether in training or not."""

    def call(self, pictures: keras.KerasTensor) -> keras.KerasTensor:
        """Draw anew at every call."""
        return pictures + keras.random.normal(keras.ops.shape(pictures))


def test_a_network_that_is_random_outside_training_is_not_exported(
    h5: Path, tmp_path: Path, make_model: MakeModel
) -> None:
    """It is found before anything is written."""
    _, contract = make_model("multiclass")
    pictures = keras.Input(contract.input.shape)
    x = keras.layers.Flatten()(AlwaysRandom()(keras.layers.Rescaling(1 / 255)(pictures)))
    model = keras.Model(pictures, keras.layers.Dense(3, name="logits")(x))

    with pytest.raises(ParityError, match="keras answers the same pictures differently"):
        export_artifact(model, h5, contract, tmp_path / "artifact")
    assert list(tmp_path.iterdir()) == []


def test_large_weights_reach_the_onnx_file_too(tmp_path: Path, make_model: MakeModel) -> None:
    """Weights that go around the converter are filled in, and are no inputs of the network."""
    _, contract = make_model("multiclass")
    pictures = keras.Input(contract.input.shape)
    x = keras.layers.Dense(400, "relu")(keras.layers.Flatten()(pictures))
    model = keras.Model(pictures, keras.layers.Dense(3, name="logits")(x))
    write_onnx(model, contract, tmp_path / "model.onnx")
    batches = probe_batches(decode(make_golden(contract.input), contract), 5)
    trained = answers_of("keras", KerasForm(model, contract), batches, contract)
    converted = answers_of("onnx", OnnxForm(tmp_path / "model.onnx"), batches, contract)

    assert (tmp_path / "model.onnx").stat().st_size > 16 * 24 * 3 * 400 * 4
    assert compare({"keras": trained, "onnx": converted}).differences["keras = onnx"] < TOLERANCE


def test_augmentation_inside_a_network_is_off_in_the_served_graph(
    tmp_path: Path, make_model: MakeModel
) -> None:
    """Keras' own `model.export()` would leave it on: every answer would be drawn by chance."""
    _, contract = make_model("multiclass")
    pictures = keras.Input(contract.input.shape)
    x = keras.layers.RandomFlip(seed=1)(pictures)
    x = keras.layers.RandomRotation(0.3, seed=2)(x)
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(x))
    model = keras.Model(pictures, keras.layers.Dense(3, name="logits")(x))
    batches = probe_batches(decode(make_golden(contract.input), contract), 5)
    write_saved_model(model, contract, tmp_path)
    trained = answers_of("keras", KerasForm(model, contract), batches, contract)
    with ServedForm(tmp_path) as form:
        served = answers_of("SavedModel", form, batches, contract)

    assert compare({"keras": trained, "SavedModel": served}).differences["keras = SavedModel"] < TOLERANCE
