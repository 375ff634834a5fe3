"""Every picture is scored once, in order, by one trace of the network."""

from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from pictor_training.errors import DivergedError
from pictor_training.evaluation.score import predict_logits


class _CountsTraces(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Passes its input on; its call runs once per trace and not once per batch."""

    def __init__(self) -> None:
        super().__init__()
        self.traces = 0

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        self.traces += 1
        return inputs


@pytest.fixture
def pictures(tmp_path: Path) -> NDArray[np.uint8]:
    """Eleven pictures of 4 x 5 pixels as a read-only memory map."""
    path = tmp_path / "pictures.npy"
    np.save(path, np.random.default_rng(1).integers(0, 256, (11, 4, 5, 3), np.uint8))
    mapped: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return mapped


def _model(counter: keras.layers.Layer | None = None) -> keras.Model:
    keras.utils.set_random_seed(7)
    inputs = keras.Input((4, 5, 3), dtype="uint8")
    hidden = keras.layers.Rescaling(1 / 255)(inputs)
    hidden = counter(hidden) if counter is not None else hidden
    hidden = keras.layers.Dropout(0.5)(keras.layers.Flatten()(hidden))
    logits = keras.layers.Dense(3, name="logits")(hidden)
    return keras.Model(inputs, keras.layers.Activation("softmax", name="scores")(logits))


def _expected(model: keras.Model, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    kernel, bias = (weight.numpy() for weight in model.get_layer("logits").weights)
    return np.asarray((pictures / 255).reshape(len(pictures), -1) @ kernel + bias, np.float32)


@pytest.mark.parametrize("batch_size", [1, 4, 11, 64])
def test_every_row_is_scored_once_and_in_order(pictures: NDArray[np.uint8], batch_size: int) -> None:
    """Also when the count is no multiple of the batch, and without dropout."""
    model = _model()
    rows = np.array([10, 0, 3, 3, 7, 1, 9, 2, 5], np.int64)
    logits = predict_logits(model, pictures, rows, batch_size=batch_size)
    np.testing.assert_allclose(_expected(model, pictures[rows]), logits, atol=1e-5)


def test_the_last_partial_batch_does_not_trace_the_network_again(pictures: NDArray[np.uint8]) -> None:
    """Eleven pictures in batches of four are three calls of one trace."""
    counter = _CountsTraces()
    model = _model(counter)
    before = counter.traces
    predict_logits(model, pictures, np.arange(11), batch_size=4)
    assert before + 1 == counter.traces


def test_no_rows_give_no_logits(pictures: NDArray[np.uint8]) -> None:
    """An empty set of rows is not an error and has the right width."""
    assert predict_logits(_model(), pictures, np.array([], np.int64)).shape == (0, 3)


def test_progress_is_reported_up_to_the_last_picture(pictures: NDArray[np.uint8]) -> None:
    """The hook hears the stage, how many are done and how many there are."""
    heard: list[tuple[str, int, int]] = []

    def report(stage: str, done: int, total: int) -> None:
        heard.append((stage, done, total))

    predict_logits(_model(), pictures, np.arange(11), batch_size=4, report=report)
    assert heard == [("score", 4, 11), ("score", 8, 11), ("score", 11, 11)]


def test_a_diverged_network_is_refused(pictures: NDArray[np.uint8]) -> None:
    """NaN weights end with a message that says what to change, not with NaN figures."""
    model = _model()
    layer = model.get_layer("logits")
    layer.set_weights([np.full_like(weight, np.nan) for weight in layer.get_weights()])
    with pytest.raises(DivergedError, match=r"11 of 11 pictures.*learning_rate"):
        predict_logits(model, pictures, np.arange(11))
