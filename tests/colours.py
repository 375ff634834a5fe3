"""The contract and the pictures of the model "colours": softmax(sharpness * mean colour)."""

import base64
import io
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pictor_contract import GoldenExample, ImageContract, PictureInput, decode

COLOURS = ("röd", "green", "blue")


def make_picture(
    colour: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (20, 10), form: str = "PNG"
) -> bytes:
    """Return an encoded picture of one colour."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, form)
    return file.getvalue()


def make_contract(name: str, sharpness: float) -> ImageContract:
    """Return the contract of a model that names the colour of a picture; `sharpness` tells versions apart."""
    contract = ImageContract(
        name=name,
        labels=COLOURS,
        head="multiclass",
        input=PictureInput(height=8, width=8),
        allowed_batch_sizes=(1, 2, 4),
        metrics={"accuracy": 1.0},
    )
    golden = make_picture((10, 60, 220))
    pixels = decode(golden, contract)
    example = GoldenExample(
        base64.b64encode(golden).decode(),
        sha256(pixels.tobytes()).hexdigest(),
        tuple(colour_scores(pixels[np.newaxis], sharpness)[0].tolist()),
    )
    return replace(contract, golden=example)


def colour_scores(pictures: NDArray[Any], sharpness: float) -> NDArray[Any]:
    """Return the scores float64 [N, 3] of `pictures` [N, H, W, 3]."""
    powers = np.exp(sharpness * pictures.mean(axis=(1, 2)) / 255)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
