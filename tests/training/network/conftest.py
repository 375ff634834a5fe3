"""A tiny network with every kind of layer that has state, and one training step for it."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from pictor_contract import PictureInput
from pictor_training.config.schema import NetworkConfig, OptimiserConfig
from pictor_training.fitting.optimiser import build_optimiser
from pictor_training.network.build import build_network
from pictor_training.network.losses import accuracy_for, loss_for
from pictor_training.network.saved import save_h5, save_keras

TINY = {
    "blocks": [{"filters": 3, "batch_norm": True, "dropout": 0.3, "l2": 0.01}],
    "dense": [{"units": 4, "dropout": 0.2, "l1": 0.001}],
    "gaussian_noise": 0.1,
}


@pytest.fixture
def tiny_model() -> Callable[..., keras.Model]:
    """Return what makes a compiled three-class model on 6 x 6 grey pictures from optimiser settings."""

    def make(**optimiser: object) -> keras.Model:
        network = NetworkConfig.model_validate(TINY)
        model = build_network(network, PictureInput(6, 6, 1), 3, "multiclass", seed=5)
        settings = OptimiserConfig.model_validate(optimiser)
        model.compile(
            optimizer=build_optimiser(settings, 4, 5),
            loss=loss_for("multiclass", 0.05),
            metrics=[accuracy_for("multiclass")],
        )
        return model

    return make


@pytest.fixture
def batch() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return eight pictures and their one-hot targets."""
    pictures = np.random.default_rng(3).integers(0, 256, (8, 6, 6, 1), dtype=np.uint8)
    return pictures, np.eye(3, dtype=np.float32)[np.arange(8) % 3]


@pytest.fixture
def good(tmp_path: Path, tiny_model: Callable[..., keras.Model]) -> dict[str, Path]:
    """Return an honest file of each format."""
    model = tiny_model()
    paths = {suffix: tmp_path / f"good{suffix}" for suffix in (".h5", ".keras")}
    save_h5(model, paths[".h5"])
    save_keras(model, paths[".keras"])
    return paths
