"""The golden picture: small, hard to decode by accident, and recorded as it was answered."""

import base64
from hashlib import sha256
from io import BytesIO

import numpy as np
import pytest
from PIL import ExifTags, Image

from pictor_contract import PictureInput, decode_picture
from pictor_contract.contract import Fit
from pictor_training.export.golden import golden_example, make_golden

EIGHT_BY_SIX = PictureInput(height=6, width=8)


def test_the_golden_picture_of_an_input_is_always_the_same() -> None:
    """Two calls give the same bytes."""
    assert make_golden(EIGHT_BY_SIX) == make_golden(EIGHT_BY_SIX)


def test_the_golden_picture_exercises_orientation_and_scaled_decoding() -> None:
    """It is a JPEG stored on its side, about three times as large as the input."""
    with Image.open(BytesIO(make_golden(PictureInput(height=100, width=128)))) as picture:
        stored = (picture.format, picture.size, picture.getexif()[ExifTags.Base.Orientation])

    assert stored == ("JPEG", (300, 448), 6)


@pytest.mark.parametrize(
    ("side", "largest"),
    [(8, 1_000), (128, 12_000), (512, 30_000), (4096, 700_000)],
)
def test_the_golden_picture_stays_small_enough_to_travel_in_the_contract(side: int, largest: int) -> None:
    """Its size is bounded, and decoding it stays within the default limits, also for the largest input."""
    picture_input = PictureInput(height=side, width=side)
    picture = make_golden(picture_input)

    assert len(picture) < largest
    assert decode_picture(picture, picture_input).pixels.shape == (side, side, 3)


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_golden_picture_decodes_for_every_kind_of_input(fit: Fit, channels: int) -> None:
    """Grey and colour, stretched, cropped and padded; it is never one flat colour."""
    picture_input = PictureInput(height=24, width=16, channels=channels, fit=fit)
    pixels = decode_picture(make_golden(picture_input), picture_input).pixels

    assert pixels.shape == (24, 16, channels)
    assert pixels.std() > 20


def test_the_ways_to_fit_give_different_pixels() -> None:
    """A server that ignores `fit` is found out: the picture has another aspect ratio than the input."""
    inputs = [PictureInput(height=24, width=24, fit=fit) for fit in ("stretch", "crop", "pad")]
    digests = {decode_picture(make_golden(one), one).pixels.tobytes() for one in inputs}

    assert len(digests) == 3


def test_a_golden_example_records_picture_pixels_and_scores() -> None:
    """What is recorded can be compared without any other file."""
    pixels = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    example = golden_example(b"picture", pixels, np.array([0.25, 0.75]))

    assert base64.b64decode(example.picture_base64) == b"picture"
    assert example.pixels_sha256 == sha256(pixels.tobytes()).hexdigest()
    assert example.scores == (0.25, 0.75)
