"""One small network, exported once for all tests that look at it."""

from collections.abc import Callable
from pathlib import Path

import keras
import pytest

from pictor_contract import Head, ImageContract, PictureInput
from pictor_training.config.schema import ConvBlock, DenseBlock, NetworkConfig
from pictor_training.export.artifact import export_artifact
from pictor_training.export.parity import ParityReport
from pictor_training.network.build import build_network
from pictor_training.network.saved import save_h5

LABELS = {"binary": ("no", "yes"), "multiclass": ("cat", "dog", "owl"), "multilabel": ("indoor",)}

MakeModel = Callable[[Head], tuple[keras.Model, ImageContract]]


@pytest.fixture(scope="session")
def make_model() -> MakeModel:
    """Build a network for a head, with its contract; not square, and a batch size that is no power of 2."""

    def make(head: Head) -> tuple[keras.Model, ImageContract]:
        picture_input = PictureInput(height=16, width=24)
        config = NetworkConfig(
            blocks=[ConvBlock(filters=4, batch_norm=True, dropout=0.3)],
            dense=[DenseBlock(units=8, dropout=0.2)],
            gaussian_noise=0.1,
        )
        model = build_network(config, picture_input, len(LABELS[head]), head, seed=1)
        contract = ImageContract(
            name="pets",
            labels=LABELS[head],
            head=head,
            input=picture_input,
            temperature=1.7,
            allowed_batch_sizes=(1, 2, 5),
        )
        return model, contract

    return make


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the one run whose artifact most tests look at; it is not to be changed."""
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="session")
def model(make_model: MakeModel) -> keras.Model:
    """Build a multi-class network."""
    return make_model("multiclass")[0]


@pytest.fixture(scope="session")
def h5(model: keras.Model, run: Path) -> Path:
    """Save `model`."""
    save_h5(model, run / "model.h5")
    return run / "model.h5"


@pytest.fixture(scope="session")
def exported(
    make_model: MakeModel, model: keras.Model, h5: Path, run: Path
) -> tuple[ImageContract, ParityReport]:
    """Export `model`; what the export returned."""
    return export_artifact(model, h5, make_model("multiclass")[1], run / "artifact")


@pytest.fixture(scope="session")
def artifact(exported: tuple[ImageContract, ParityReport], run: Path) -> Path:
    """Return the folder that the export wrote."""
    assert exported
    return run / "artifact"


@pytest.fixture(scope="session")
def contract(exported: tuple[ImageContract, ParityReport]) -> ImageContract:
    """Return the completed contract."""
    return exported[0]
