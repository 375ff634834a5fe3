"""What the network makes of a picture's size, without TensorFlow: the course's formula, layer by layer."""

from collections.abc import Iterator
from dataclasses import dataclass

from pictor_contract import PictureInput
from pictor_training.config.schema import ConvBlock, NetworkConfig
from pictor_training.errors import ConfigError


@dataclass(frozen=True, slots=True)
class LayerShape:
    """The layer's name in the Keras model, and the shape of what leaves it (without the batch)."""

    name: str
    shape: tuple[int, ...]


def check_network(network: NetworkConfig, picture_input: PictureInput) -> None:
    """Refuse a network that shrinks this input to nothing.

    Raises:
        ConfigError: the block, the formula and its result are named.

    """
    shape_table(network, picture_input)


def shape_table(network: NetworkConfig, picture_input: PictureInput) -> tuple[LayerShape, ...]:
    """Return the shapes from the picture to the last dense layer before the logits.

    Raises:
        ConfigError: a convolution or a pooling leaves less than one pixel.

    """
    return tuple(_shapes(network, picture_input))


def pools(block: ConvBlock, height: int, width: int, smallest_map: int) -> bool:
    """Whether the block's pooling is wanted on a map of `height` x `width` pixels.

    With `smallest_map` 1 it always is: pooling a single pixel away is refused rather than passed over.
    """
    if block.pool <= 1:
        return False
    return smallest_map == 1 or min(height, width) // block.pool >= smallest_map


def _shapes(network: NetworkConfig, picture_input: PictureInput) -> Iterator[LayerShape]:
    height, width, channels = picture_input.shape
    yield LayerShape("images", (height, width, channels))
    for index, block in enumerate(network.blocks):
        name = f"block{index + 1}"
        where = f"network.blocks.{index} ({name})"
        height, width = (_convolved(side, block, where) for side in (height, width))
        channels = block.filters
        yield LayerShape(f"{name}_conv", (height, width, channels))
        if pools(block, height, width, network.smallest_map):
            height, width = (_pooled(side, block.pool, where) for side in (height, width))
            yield LayerShape(f"{name}_pool", (height, width, channels))
    features = height * width * channels if network.reduce == "flatten" else channels
    yield LayerShape("reduce", (features,))
    for index, dense in enumerate(network.dense):
        yield LayerShape(f"dense{index + 1}", (dense.units,))


def _convolved(side: int, block: ConvBlock, where: str) -> int:
    """[(W-K+2P)/S]+1, where the padding "same" is what makes it W/S rounded up."""
    if block.padding == "same":
        return -(-side // block.stride)
    left = (side - block.kernel) // block.stride + 1
    if left < 1:
        formula = f"[({side}-{block.kernel}+2*0)/{block.stride}]+1 = {left}"
        raise _shrunk(where, f"the convolution with kernel {block.kernel} on {side} pixels leaves {formula}")
    return left


def _pooled(side: int, pool: int, where: str) -> int:
    left = (side - pool) // pool + 1
    if left < 1:
        formula = f"[({side}-{pool})/{pool}]+1 = {left}"
        raise _shrunk(where, f"the max-pooling by {pool} on {side} pixels leaves {formula}")
    return left


def _shrunk(where: str, what: str) -> ConfigError:
    return ConfigError(
        f"{where} shrinks the feature map to nothing: {what}. Take a larger input.size, fewer blocks, "
        "a smaller pool or stride, or padding: same."
    )
