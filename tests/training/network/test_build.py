"""The network is what its configuration says, and nothing in the process changes it."""

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from pictor_contract import Head, PictureInput
from pictor_training.config import load_config, shape_table
from pictor_training.config.schema import NetworkConfig
from pictor_training.errors import ConfigError
from pictor_training.network.build import build_network
from pictor_training.network.losses import accuracy_for, loss_for, targets_for


def _build(config: dict[str, object], side: int = 8, seed: int = 1, head: Head = "multiclass") -> keras.Model:
    network = NetworkConfig.model_validate({"blocks": [{"filters": 2}], **config})
    return build_network(network, PictureInput(side, side, 1), 2 if head == "binary" else 3, head, seed=seed)


def _pictures(seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (4, 8, 8, 1), dtype=np.uint8)


def test_the_course_network_has_the_published_number_of_parameters() -> None:
    """17.07 million for one sigmoid unit, of which the first dense layer has 16.78."""
    network = load_config("pictures", None, ["preset=course-cnn"]).network
    model = build_network(network, PictureInput(128, 128), 2, "binary", seed=1)
    assert model.count_params() == 17_069_825
    assert model.get_layer("dense1").count_params() == 16_777_728
    # The published penalty: on the dense kernels, to which he_normal gives a variance of 2 / inputs.
    assert float(sum(model.losses)) == pytest.approx(12.8, rel=0.01)
    table = shape_table(network, PictureInput(128, 128))
    assert [row.shape for row in table] == [model.get_layer(row.name).output.shape[1:] for row in table]


def test_the_modern_network_is_sixty_times_smaller() -> None:
    """Global average pooling is where the weights of the course network went."""
    network = load_config("pictures", None, []).network
    model = build_network(network, PictureInput(128, 128), 2, "binary", seed=1)
    assert model.count_params() < 17_069_825 / 60


def test_layers_are_named_after_what_they_do() -> None:
    """Names are what export, evaluation and people find layers by."""
    block = {"filters": 2, "batch_norm": True, "dropout": 0.1}
    model = _build({"gaussian_noise": 0.1, "blocks": [block], "dense": [{"units": 2, "dropout": 0.1}]})
    assert [layer.name for layer in model.layers] == [
        "images",
        "scale",
        "noise",
        "block1_conv",
        "block1_norm",
        "block1_activation",
        "block1_pool",
        "block1_dropout",
        "reduce",
        "dense1",
        "dense1_activation",
        "dense1_dropout",
        "logits",
        "scores",
    ]


def test_whole_numbers_and_floats_are_taken_alike() -> None:
    """The gateway sends uint8, augmentation gives floats: the same levels give the same scores."""
    model = _build({})
    whole = model.predict(_pictures(), verbose=0)
    assert np.array_equal(whole, model.predict(_pictures().astype(np.float32), verbose=0))
    assert np.array_equal(whole, np.asarray(model(_pictures(), training=False)))


def test_the_same_seed_gives_the_same_weights_and_the_same_dropout() -> None:
    """Whatever was drawn in the process before."""
    config = {"dense": [{"units": 8, "dropout": 0.5}], "gaussian_noise": 0.1}
    first = _build(config, seed=7)
    keras.random.normal((3,))
    again, other = _build(config, seed=7), _build(config, seed=8)
    for ours, same, different in zip(first.weights, again.weights, other.weights, strict=True):
        assert np.array_equal(ours.numpy(), same.numpy())
        assert "kernel" not in ours.name or not np.array_equal(ours.numpy(), different.numpy())
    drawn = [np.asarray(model(_pictures(), training=True)).tolist() for model in (first, again)]
    assert drawn[0] == drawn[1]


def test_another_layer_does_not_change_the_weights_of_the_rest() -> None:
    """Each layer's seed comes from its name."""
    short, long = _build({}), _build({"dense": [{"units": 2}]})
    assert np.array_equal(short.get_layer("block1_conv").kernel, long.get_layer("block1_conv").kernel)


def test_penalties_lie_on_kernels_alone_and_a_layer_may_have_its_own() -> None:
    """Biases, batch norm and the logits are never penalised."""
    blocks = [{"filters": 2, "l1": 0.0}, {"filters": 2, "l2": 0.0, "batch_norm": True}]
    model = _build({"blocks": blocks, "dense": [{"units": 2, "l1": 0.5, "l2": 0.0}], "l1": 0.1, "l2": 0.2})
    found = {
        layer.name: layer.kernel_regularizer for layer in model.layers if hasattr(layer, "kernel_regularizer")
    }
    assert keras.regularizers.L2 is type(found["block1_conv"])
    assert keras.regularizers.L1 is type(found["block2_conv"])
    assert pytest.approx(0.5) == float(found["dense1"].l1)
    assert found["logits"] is None
    assert len(model.losses) == 3


def test_a_convolution_before_batch_norm_has_no_bias() -> None:
    """The batch norm's offset takes its place."""
    model = _build({"blocks": [{"filters": 2, "batch_norm": True}, {"filters": 2}]})
    assert [model.get_layer(f"block{number}_conv").use_bias for number in (1, 2)] == [False, True]


def test_selu_drops_by_alpha_dropout() -> None:
    """Plain dropout would undo the mean and variance that selu keeps."""
    blocks = [{"filters": 2, "dropout": 0.1}]
    selu = _build({"activation": "selu", "initialiser": "lecun_normal", "blocks": blocks})
    assert isinstance(selu.get_layer("block1_dropout"), keras.layers.AlphaDropout)
    assert type(_build({"blocks": blocks}).get_layer("block1_dropout")) is keras.layers.Dropout


@pytest.mark.parametrize(("head", "units", "sums_to_one"), [("binary", 1, False), ("multiclass", 3, True)])
def test_the_head_decides_the_units_and_the_scores(head: Head, units: int, sums_to_one: bool) -> None:
    """One sigmoid, a softmax, or a sigmoid for each label; float32 in each case."""
    scores = _build({}, head=head).predict(_pictures(), verbose=0)
    assert ((4, units), np.float32) == (scores.shape, scores.dtype)
    assert np.allclose(scores.sum(axis=1), 1) == sums_to_one


def test_the_head_stays_in_float32_under_mixed_precision() -> None:
    """Softmax and loss in bfloat16 would lose the small differences that are learned from."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = _build({})
    finally:
        keras.config.set_dtype_policy(before)
    found = [model.get_layer(name).compute_dtype for name in ("block1_conv", "logits", "scores")]
    assert found == ["bfloat16", "float32", "float32"]


def test_a_network_that_shrinks_the_picture_to_nothing_is_refused() -> None:
    """With our message, not with Keras'."""
    with pytest.raises(ConfigError, match="shrinks the feature map to nothing"):
        _build({"blocks": [{"filters": 2}] * 4})


@pytest.mark.parametrize("head", ["binary", "multiclass", "multilabel"])
def test_loss_accuracy_and_targets_of_a_head_fit_each_other(head: Head) -> None:
    """Perfect scores cost nothing and are all right; without smoothing the loss is the cross-entropy."""
    given = np.array([[1, 0], [0, 1], [0, 1]], np.float32)
    targets = targets_for(given, head)
    assert targets.shape == ((3, 1) if head == "binary" else (3, 2))
    assert float(loss_for(head)(targets, targets)) == pytest.approx(0, abs=1e-5)
    assert float(loss_for(head)(targets, np.full_like(targets, 0.5))) == pytest.approx(np.log(2))
    assert float(loss_for(head, 0.1)(targets, targets)) > 0.1
    accuracy = accuracy_for(head)
    accuracy.update_state(targets, targets)
    assert (float(accuracy.result()), accuracy.name) == (1.0, "accuracy")


def test_the_binary_target_is_the_second_label() -> None:
    """The one unit's score is the score of label 1."""
    assert targets_for(np.eye(2, dtype=np.float32), "binary").tolist() == [[0.0], [1.0]]
