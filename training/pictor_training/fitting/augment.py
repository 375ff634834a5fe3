"""Random changes of training pictures: one affine map and one brightness per picture and epoch.

Meaning and order are those of Keras' ImageDataGenerator. A picture is first mapped about its centre by
rotation, shift, shear and zoom, then flipped, all as one map that is sampled once (bilinear: four samplings
in a row would blur four times), and last its levels are scaled. Drawn evenly from:

- rotation: -rotation_degrees to +rotation_degrees, counter-clockwise
- shift: -shift to +shift, as a share of the height and, drawn apart, of the width
- shear: -shear_degrees to +shear_degrees: rows slide sideways by its sine, apart by its cosine
- zoom: 1-zoom to 1+zoom, for height and width apart; above 1 the picture shrinks
- flip: yes or no, for each direction that is allowed
- brightness: 1-brightness to 1+brightness; the result is cut to 0..255

What comes in from outside the picture: its edge ("nearest"), its mirror image ("reflect") or black
("constant").
"""

from typing import Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pictor_training.config.schema import AugmentConfig

DRAWS: Final = (
    "rotation",
    "shift_y",
    "shift_x",
    "shear",
    "zoom_y",
    "zoom_x",
    "flip_y",
    "flip_x",
    "brightness",
)
"""Columns of a table of draws. All are always drawn: switching one change on leaves the others alone."""

_EVEN_CHANCE: Final = 0.5

_STREAM: Final = 1
"""Keeps these random numbers apart from those that order the pictures."""


def changes_nothing(config: AugmentConfig) -> bool:
    """Whether every picture stays as it is: then nothing is drawn or computed at all."""
    sizes = (config.rotation_degrees, config.shift, config.shear_degrees, config.zoom, config.brightness)
    return not any(sizes) and config.flip == "none"


def draw(seed: int, epoch: int, count: int) -> NDArray[np.float64]:
    """Numbers from 0 to 1, [count, len(DRAWS)]: row i of an epoch is the same however often it is drawn."""
    return np.random.default_rng([seed, epoch, _STREAM]).random((count, len(DRAWS)))


def transforms(
    config: AugmentConfig, draws: NDArray[np.float64], height: int, width: int
) -> NDArray[np.float32]:
    """Where each output pixel lies in the input: a row of eight per picture, as `change` wants them."""
    angle = np.radians(_within(draws, "rotation", config.rotation_degrees))
    shear = np.radians(_within(draws, "shear", config.shear_degrees))
    shift_y = _within(draws, "shift_y", config.shift) * height
    shift_x = _within(draws, "shift_x", config.shift) * width
    scale_y, scale_x = (1.0 + _within(draws, name, config.zoom) for name in ("zoom_y", "zoom_x"))
    one, nought = np.ones(len(draws)), np.zeros(len(draws))
    rotation = _matrices(np.cos(angle), np.sin(angle), nought, -np.sin(angle), np.cos(angle), nought)
    shift = _matrices(one, nought, shift_y, nought, one, shift_x)
    shear_and_shrink = _matrices(np.cos(shear), nought, nought, -np.sin(shear), one, nought)
    zoom = _matrices(scale_y, nought, nought, nought, scale_x, nought)
    flip_y, flip_x = (_mirror(config, draws, name) for name in ("flip_y", "flip_x"))
    flip = _matrices(flip_y, nought, nought, nought, flip_x, nought)
    about_centre = rotation @ shift @ shear_and_shrink @ zoom @ flip
    return _flatten(about_centre, (height - 1) / 2, (width - 1) / 2)


def factors(config: AugmentConfig, draws: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return what each picture's levels are multiplied by."""
    return (1.0 + _within(draws, "brightness", config.brightness)).astype(np.float32)


def change(pictures: tf.Tensor, transform: tf.Tensor, factor: tf.Tensor, fill: str) -> tf.Tensor:
    """Change a batch uint8 [N, H, W, C] by [N, 8] and [N]; the result is uint8, rounded once at the end."""
    levels = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(pictures, tf.float32),  # the op cuts uint8's fractions off: half a level darker
        transforms=transform,
        output_shape=tf.shape(pictures)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode=fill.upper(),
    )
    levels *= factor[:, tf.newaxis, tf.newaxis, tf.newaxis]
    return tf.cast(tf.round(tf.clip_by_value(levels, 0.0, 255.0)), tf.uint8)


def _within(draws: NDArray[np.float64], name: str, largest: float) -> NDArray[np.float64]:
    return (2.0 * draws[:, DRAWS.index(name)] - 1.0) * largest


def _mirror(config: AugmentConfig, draws: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    allowed = {"flip_y": ("vertical", "both"), "flip_x": ("horizontal", "both")}[name]
    flipped = (draws[:, DRAWS.index(name)] < _EVEN_CHANCE) & (config.flip in allowed)
    return np.where(flipped, -1.0, 1.0)


def _matrices(*six: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stack affine maps of (row, column, 1), given as the six columns of their first two rows."""
    matrices = np.zeros((len(six[0]), 3, 3))
    matrices[:, :2, :] = np.stack(six, axis=1).reshape(-1, 2, 3)
    matrices[:, 2, 2] = 1.0
    return matrices


def _flatten(about_centre: NDArray[np.float64], centre_y: float, centre_x: float) -> NDArray[np.float32]:
    """Move the origin from the centre to the first pixel, and put columns before rows."""
    to_corner = np.array([[1.0, 0.0, centre_y], [0.0, 1.0, centre_x], [0.0, 0.0, 1.0]])
    to_centre = np.array([[1.0, 0.0, -centre_y], [0.0, 1.0, -centre_x], [0.0, 0.0, 1.0]])
    (yy, yx, y0), (xy, xx, x0) = np.moveaxis((to_corner @ about_centre @ to_centre)[:, :2, :], 0, -1)
    nought = np.zeros_like(yy)
    return np.stack([xx, xy, x0, yx, yy, y0, nought, nought], axis=1).astype(np.float32)
