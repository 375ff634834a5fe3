"""From the configuration to a Keras model: pixels 0..255 in, scores out, layers named after what they do."""

from hashlib import sha256

import keras
from keras import layers

from pictor_contract import Head, PictureInput
from pictor_training.config.schema import ConvBlock, DenseBlock, NetworkConfig
from pictor_training.config.shapes import check_network, pools

_INITIALISERS = {
    "glorot_uniform": keras.initializers.GlorotUniform,
    "glorot_normal": keras.initializers.GlorotNormal,
    "he_uniform": keras.initializers.HeUniform,
    "he_normal": keras.initializers.HeNormal,
    "lecun_uniform": keras.initializers.LecunUniform,
    "lecun_normal": keras.initializers.LecunNormal,
}

BATCH_NORM_MOMENTUM = 0.9
"""Keras' 0.99 averages over hundreds of steps: small data sets would be judged by stale statistics."""


def build_network(
    config: NetworkConfig, picture_input: PictureInput, label_count: int, head: Head, *, seed: int
) -> keras.Model:
    """Build the model; uint8 and float pictures [N, H, W, C] with levels 0..255 are taken alike.

    The layers "logits" and "scores" are the last two; a binary head has one unit, which stands for the second
    label. The same seed gives the same weights and the same dropout, whatever else the process draws.

    Raises:
        ConfigError: the network shrinks this input to nothing.

    """
    check_network(config, picture_input)
    stack = _Stack(config, seed)
    # Floats, so that augmented levels between two whole numbers are not cut off; uint8 is cast without loss.
    pictures = keras.Input(picture_input.shape, name="images", dtype="float32")
    x = layers.Rescaling(1 / 255, name="scale")(pictures)
    if config.gaussian_noise:
        x = layers.GaussianNoise(config.gaussian_noise, seed=stack.seed("noise"), name="noise")(x)
    for number, block in enumerate(config.blocks, start=1):
        x = stack.convolve(x, block, f"block{number}")
    join = layers.Flatten if config.reduce == "flatten" else layers.GlobalAveragePooling2D
    x = join(name="reduce")(x)
    for number, dense in enumerate(config.dense, start=1):
        x = stack.connect(x, dense, f"dense{number}")
    return keras.Model(pictures, stack.score(x, head, label_count), name="pictor")


class _Stack:
    """Adds layers to a tensor, with what the whole network has in common."""

    def __init__(self, config: NetworkConfig, seed: int) -> None:
        self._config = config
        self._seed = seed

    def seed(self, name: str) -> int:
        """Return the layer's own seed: another layer more or less does not change it."""
        return int.from_bytes(sha256(f"{self._seed}:{name}".encode()).digest()[:4], "big") >> 1

    def convolve(self, x: keras.KerasTensor, block: ConvBlock, name: str) -> keras.KerasTensor:
        x = layers.Conv2D(
            block.filters,
            block.kernel,
            strides=block.stride,
            padding=block.padding,
            use_bias=not block.batch_norm,  # the batch norm's offset would undo it
            kernel_initializer=self._initialiser(block, f"{name}_conv"),
            kernel_regularizer=self._penalty(block),
            name=f"{name}_conv",
        )(x)
        if block.batch_norm:
            x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"{name}_norm")(x)
        x = layers.Activation(self._config.activation, name=f"{name}_activation")(x)
        if pools(block, x.shape[1], x.shape[2], self._config.smallest_map):
            x = layers.MaxPooling2D(block.pool, name=f"{name}_pool")(x)
        return self._drop(x, block, name)

    def connect(self, x: keras.KerasTensor, dense: DenseBlock, name: str) -> keras.KerasTensor:
        x = layers.Dense(
            dense.units,
            kernel_initializer=self._initialiser(dense, name),
            kernel_regularizer=self._penalty(dense),
            name=name,
        )(x)
        x = layers.Activation(self._config.activation, name=f"{name}_activation")(x)
        return self._drop(x, dense, name)

    def score(self, x: keras.KerasTensor, head: Head, label_count: int) -> keras.KerasTensor:
        """Add logits and scores, in float32 whatever the precision before: softmax and loss need it."""
        logits = layers.Dense(
            1 if head == "binary" else label_count,
            kernel_initializer=keras.initializers.GlorotUniform(seed=self.seed("logits")),
            dtype="float32",
            name="logits",
        )(x)
        activation = "softmax" if head == "multiclass" else "sigmoid"
        return layers.Activation(activation, dtype="float32", name="scores")(logits)

    def _drop(self, x: keras.KerasTensor, layer: ConvBlock | DenseBlock, name: str) -> keras.KerasTensor:
        if not layer.dropout:
            return x
        # Zeros would undo what selu keeps: mean 0 and variance 1. Alpha dropout is its counterpart.
        dropout = layers.AlphaDropout if self._config.activation == "selu" else layers.Dropout
        return dropout(layer.dropout, seed=self.seed(f"{name}_dropout"), name=f"{name}_dropout")(x)

    def _initialiser(self, layer: ConvBlock | DenseBlock, name: str) -> keras.Initializer:
        return _INITIALISERS[layer.initialiser or self._config.initialiser](seed=self.seed(name))

    def _penalty(self, layer: ConvBlock | DenseBlock) -> keras.Regularizer | None:
        l1 = self._config.l1 if layer.l1 is None else layer.l1
        l2 = self._config.l2 if layer.l2 is None else layer.l2
        if l1 and l2:
            return keras.regularizers.L1L2(l1, l2)
        if l1:
            return keras.regularizers.L1(l1)
        return keras.regularizers.L2(l2) if l2 else None
