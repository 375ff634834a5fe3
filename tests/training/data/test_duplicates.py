"""Copies are found however they were saved; pictures that only look alike to a hash stay apart."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from pictor_contract import decode_picture
from pictor_training.data.cache import THUMBNAIL
from pictor_training.data.duplicates import group_near_duplicates

Draw = Callable[..., Image.Image]
Encode = Callable[..., bytes]


def _group(files: list[bytes], bits: int = 4) -> list[int]:
    pictures = [decode_picture(data, THUMBNAIL) for data in files]
    thumbnails = np.stack([picture.pixels for picture in pictures])
    sides = [min(picture.width, picture.height) for picture in pictures]
    groups: list[int] = group_near_duplicates(thumbnails, sides, bits, lambda *_: None).tolist()
    return groups


def _crop(image: Image.Image) -> Image.Image:
    return image.crop((1, 1, image.width - 1, image.height - 1))


@pytest.mark.parametrize(
    ("change", "options"),
    [
        (lambda image: image, ("JPEG", {"quality": 40})),
        (lambda image: image, ("BMP", {})),
        (lambda image: image.resize((150, 170)), ("PNG", {})),
        (lambda image: ImageEnhance.Brightness(image).enhance(1.1), ("PNG", {})),
        (lambda image: ImageEnhance.Contrast(image).enhance(0.8), ("PNG", {})),
        (_crop, ("PNG", {})),
    ],
    ids=["saved again", "another format", "scaled", "brighter", "flatter", "cropped"],
)
def test_a_changed_copy_is_found(
    draw: Draw,
    encode: Encode,
    change: Callable[[Image.Image], Image.Image],
    options: tuple[str, dict[str, int]],
) -> None:
    """And is found among others, which stay alone."""
    kind, how = options
    files = [*(encode(draw(number, 120)) for number in range(4)), encode(change(draw(2, 120)), kind, **how)]
    assert _group(files) == [0, 1, 2, 3, 2]


def test_copies_chain(draw: Draw, encode: Encode) -> None:
    """Whoever is near to any of a group belongs to it, and the group is named by its first row."""
    image = draw(1, 120)
    files = [
        encode(draw(0)),
        encode(image),
        encode(image, "JPEG", quality=50),
        encode(image.resize((90, 90))),
    ]
    assert _group(files) == [0, 1, 1, 1]


def test_tiny_pictures_that_differ_stay_apart(encode: Encode) -> None:
    """Two strokes of one pixel's difference are two pictures: 8 x 8 has nothing else to tell."""

    def stroke(bend: int) -> bytes:
        pixels = np.zeros((8, 8), dtype=np.uint8)
        pixels[1:7, 3] = 255
        pixels[bend, 4] = 120
        return encode(Image.fromarray(pixels))

    assert _group([stroke(1), stroke(4), stroke(6)], bits=16) == [0, 1, 2]


def test_tiny_pictures_saved_again_are_found(draw: Draw, encode: Encode) -> None:
    """A JPEG of a 32 x 32 picture is a copy of it."""
    image = draw(1, 32, mode="L")
    assert _group([encode(draw(0, 32)), encode(image), encode(image, "JPEG", quality=85)]) == [0, 1, 1]


def test_uniform_pictures_pair_only_when_equal(encode: Encode) -> None:
    """Black, grey and red have the same empty layout; two files of the same black are copies."""
    levels = [(0, 0, 0), (90, 90, 90), (200, 0, 0), (0, 0, 0)]
    files = [encode(Image.new("RGB", (80 + number, 80), level)) for number, level in enumerate(levels)]
    assert _group(files, bits=16) == [0, 1, 2, 0]


def test_the_same_layout_in_other_colours_stays_apart(draw: Draw, encode: Encode) -> None:
    """A red light is no copy of a green one: the hash is blind to colour, the thumbnail is not."""
    frame = draw(1, 96, mode="L")
    dark = Image.new("L", frame.size)
    red, green = Image.merge("RGB", (frame, dark, dark)), Image.merge("RGB", (dark, frame, dark))
    assert _group([encode(red), encode(green)], bits=16) == [0, 1]


def test_thousands_of_alike_pictures_are_grouped(draw: Draw) -> None:
    """Equal hashes everywhere are the worst case: every one of a million pairs is a candidate."""
    base = np.asarray(draw(1, 32)) // 2
    noise = np.random.default_rng(0).integers(0, 2, (1500, 32, 32, 3), dtype=np.uint8)
    groups = group_near_duplicates(base + noise, [128] * len(noise), 4, lambda *_: None)
    assert groups.max() == 0
