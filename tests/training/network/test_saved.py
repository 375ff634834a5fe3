"""A model that was saved and loaded goes on as if it never had been."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from pictor_contract import PictureInput
from pictor_training.config.schema import Activation, Initialiser, NetworkConfig
from pictor_training.errors import TrainingError
from pictor_training.network.build import build_network
from pictor_training.network.saved import load_model_file, save_h5, save_keras

Batch = tuple[NDArray[np.uint8], NDArray[np.float32]]
MakeModel = Callable[..., keras.Model]

SAVE = {".h5": save_h5, ".keras": save_keras}

OPTIMISERS: dict[str, dict[str, object]] = {
    "sgd": {"momentum": 0.9, "nesterov": True, "clip_value": 0.5, "learning_rate": 0.1},
    "rmsprop": {"momentum": 0.5, "clip_norm": 1.0},
    "adam": {"clip_global_norm": 1.0},
    "adamw": {"weight_decay": 0.1, "schedule": "cosine", "warmup_epochs": 0.5, "clip_global_norm": 1.0},
    "adadelta": {"learning_rate": 1.0},
    "adagrad": {"weight_decay": 0.1},
    "adamax": {},
    "nadam": {},
    "ftrl": {},
}


def _train(model: keras.Model, batch: Batch, steps: int) -> None:
    """Train step by step: a graph for each of the many models here would take minutes."""
    for _ in range(steps):
        with tf.GradientTape() as tape:
            loss = model.compute_loss(None, batch[1], model(batch[0], training=True), training=True)
        moved = model.trainable_variables
        model.optimizer.apply(tape.gradient(loss, moved), moved)


def _weights(model: keras.Model) -> list[bytes]:
    return [variable.numpy().tobytes() for variable in model.variables]


@pytest.mark.parametrize("suffix", SAVE)
@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_loaded_model_continues_to_the_same_bits(
    tmp_path: Path, tiny_model: MakeModel, batch: Batch, name: str, suffix: str
) -> None:
    """With every optimiser, in both formats, with dropout, noise, weight decay, clipping and schedule."""
    model = tiny_model(name=name, **OPTIMISERS[name])
    _train(model, batch, 2)
    path = tmp_path / f"model{suffix}"
    SAVE[suffix](model, path)
    loaded = load_model_file(path)
    assert _weights(model) == _weights(loaded)
    before = _weights(model)
    _train(model, batch, 2)
    _train(loaded, batch, 2)
    assert _weights(model) == _weights(loaded)
    assert before != _weights(model)


@pytest.mark.parametrize("suffix", SAVE)
def test_a_loaded_model_continues_with_fit(
    tmp_path: Path, tiny_model: MakeModel, batch: Batch, suffix: str
) -> None:
    """Keras' own loader leaves a .h5 whose fit() fails; ours gives the curve of the model that was saved."""
    model = tiny_model(name="adamw", weight_decay=0.1, schedule="cosine")
    model.fit(*batch, epochs=1, shuffle=False, verbose=0)
    SAVE[suffix](model, tmp_path / f"model{suffix}")
    loaded = load_model_file(tmp_path / f"model{suffix}")
    curves = [one.fit(*batch, epochs=2, shuffle=False, verbose=0).history for one in (model, loaded)]
    assert curves[0] == curves[1]
    assert _weights(model) == _weights(loaded)


def test_saving_h5_leaves_the_live_model_as_it_is(
    tmp_path: Path, tiny_model: MakeModel, batch: Batch
) -> None:
    """Keras 3.15.1 makes a .keras file that is saved after a .h5 come back with RMSprop."""
    model = tiny_model(name="adamw", weight_decay=0.1)
    _train(model, batch, 1)
    before = model.get_compile_config()
    save_h5(model, tmp_path / "model.h5")
    assert before == model.get_compile_config()
    save_keras(model, tmp_path / "model.keras")
    loaded = load_model_file(tmp_path / "model.keras")
    assert isinstance(loaded.optimizer, keras.optimizers.AdamW)
    assert len(loaded.optimizer.variables) == len(model.optimizer.variables)


@pytest.mark.parametrize("suffix", SAVE)
def test_keras_alone_can_read_the_files_too(
    tmp_path: Path, tiny_model: MakeModel, batch: Batch, suffix: str
) -> None:
    """What Pictor adds to a file is not in the way of other tools."""
    model = tiny_model()
    SAVE[suffix](model, tmp_path / f"model{suffix}")
    loaded = keras.models.load_model(tmp_path / f"model{suffix}", compile=False)
    assert np.array_equal(model.predict(batch[0], verbose=0), loaded.predict(batch[0], verbose=0))


@pytest.mark.parametrize("suffix", SAVE)
def test_a_file_that_keras_wrote_is_taken(
    tmp_path: Path, tiny_model: MakeModel, batch: Batch, suffix: str
) -> None:
    """Without Pictor's addition the optimiser's state still comes back."""
    model = tiny_model(name="adam")
    _train(model, batch, 2)
    model.save(tmp_path / f"model{suffix}")
    loaded = load_model_file(tmp_path / f"model{suffix}")
    saved = [variable.numpy().tobytes() for variable in model.optimizer.variables]
    assert saved == [variable.numpy().tobytes() for variable in loaded.optimizer.variables]


@pytest.mark.parametrize("suffix", SAVE)
def test_a_model_without_training_comes_back_without(tmp_path: Path, suffix: str) -> None:
    """Neither saving nor loading invents an optimiser."""
    network = NetworkConfig.model_validate({"blocks": [{"filters": 2}]})
    model = build_network(network, PictureInput(4, 4), 2, "binary", seed=1)
    SAVE[suffix](model, tmp_path / f"model{suffix}")
    assert not load_model_file(tmp_path / f"model{suffix}").compiled


@pytest.mark.parametrize("suffix", SAVE)
def test_a_model_can_be_loaded_for_answers_alone(tmp_path: Path, tiny_model: MakeModel, suffix: str) -> None:
    """`compile=False` leaves the optimiser in the file."""
    SAVE[suffix](tiny_model(), tmp_path / f"model{suffix}")
    assert not load_model_file(tmp_path / f"model{suffix}", compile=False).compiled


@pytest.mark.parametrize("suffix", SAVE)
@pytest.mark.parametrize("activation", get_args(Activation))
def test_whatever_the_configuration_can_say_can_be_loaded(
    tmp_path: Path, activation: str, suffix: str
) -> None:
    """The list of allowed classes is no tighter than the network's builder."""
    dense = [
        {"units": 2, "initialiser": name, "l1": 0.1, "l2": l2}
        for name, l2 in zip(get_args(Initialiser), (0, 1) * 3, strict=True)
    ]
    config = {"blocks": [{"filters": 2, "dropout": 0.1, "l2": 1}], "dense": dense, "activation": activation}
    network = NetworkConfig.model_validate({**config, "reduce": "average"})
    model = build_network(network, PictureInput(4, 4), 4, "multilabel", seed=1)
    SAVE[suffix](model, tmp_path / f"model{suffix}")
    assert _weights(model) == _weights(load_model_file(tmp_path / f"model{suffix}"))


@pytest.mark.parametrize("suffix", SAVE)
def test_a_failed_save_leaves_the_old_file(
    tmp_path: Path, tiny_model: MakeModel, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """The new file is complete before it takes the old one's place; a failure leaves nothing beside it."""
    path = tmp_path / f"model{suffix}"
    path.write_bytes(b"old")
    model = tiny_model()

    def save_half(beside: Path) -> None:
        beside.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model, "save", save_half)
    with pytest.raises(TrainingError, match="No space left on device"):
        SAVE[suffix](model, path)
    assert [path] == list(tmp_path.iterdir())
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize(("save", "suffix"), [(save_keras, ".keras"), (save_h5, ".h5")])
def test_what_a_killed_save_left_is_gone_after_the_next(
    save: Callable[[keras.Model, Path], None], suffix: str, tmp_path: Path, tiny_model: MakeModel
) -> None:
    """Each may be hundreds of megabytes."""
    path = tmp_path / f"model{suffix}"
    (tmp_path / f".model.partial{suffix}").write_bytes(b"half a model")
    save(tiny_model(), path)
    assert [path] == list(tmp_path.iterdir())


def test_saving_h5_says_nothing_about_its_age(
    tmp_path: Path, tiny_model: MakeModel, caplog: pytest.LogCaptureFixture
) -> None:
    """Keras advises against .h5; who trains with Pictor did not choose it."""
    with caplog.at_level(logging.WARNING, logger="absl"):
        save_h5(tiny_model(), tmp_path / "model.h5")
    assert caplog.messages == []
