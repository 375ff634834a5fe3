"""The golden pictures: the same bytes give the same pixels, on every machine and with every release."""

import json
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from pictor_contract import PictureInput, PictureRefused, decode_picture

GOLDEN = Path(__file__).parents[1] / "golden"
PICTURES = sorted((GOLDEN / "pictures").iterdir())
RECORD = json.loads((GOLDEN / "hashes.json").read_text(encoding="utf-8"))
LOSSY = ["colour.jpg", "colour-large.jpg", "colour-444.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg"]


def _input(fields: dict[str, Any]) -> PictureInput:
    return PictureInput(**{**fields, "background": tuple(fields["background"])})


def _outcomes(path: Path) -> dict[str, str]:
    found = {}
    for name, fields in RECORD["inputs"].items():
        try:
            found[name] = sha256(
                decode_picture(path.read_bytes(), _input(fields)).pixels.tobytes()
            ).hexdigest()
        except PictureRefused as refusal:
            found[name] = type(refusal).__name__
    return found


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_a_golden_picture_decodes_to_exactly_the_recorded_pixels(path: Path) -> None:
    """Every input's sha256, or refusal, is the recorded one."""
    assert RECORD["outcomes"][path.name] == _outcomes(path)


def test_every_recorded_picture_is_there_and_every_picture_is_recorded() -> None:
    """A picture that got lost would otherwise be a test that got lost."""
    assert sorted(RECORD["outcomes"]) == [path.name for path in PICTURES]


def test_many_threads_decode_the_same_pixels_as_one() -> None:
    """Decoding shares nothing between threads."""
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(_outcomes, PICTURES * 3))
    assert [RECORD["outcomes"][path.name] for path in PICTURES] * 3 == outcomes


@pytest.mark.parametrize("side", [16, 32, 48])
@pytest.mark.parametrize("name", LOSSY)
def test_scaled_decoding_stays_close_to_a_full_decode(name: str, side: int) -> None:
    """Against all pixels and the same resize: at most 2 levels on average, 24 at the sharpest edge."""
    data = (GOLDEN / "pictures" / name).read_bytes()
    with Image.open(BytesIO(data)) as opened:
        full = opened.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    difference = np.abs(np.asarray(full, np.int16) - decode_picture(data, PictureInput(side, side)).pixels)
    assert difference.mean() <= 2
    assert difference.max() <= 24


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_of_any_orientation_comes_out_upright(orientation: int) -> None:
    """At full size the pixels are those of Pillow's own transposition."""
    data = (GOLDEN / "pictures" / f"orientation-{orientation}.jpg").read_bytes()
    with Image.open(BytesIO(data)) as opened:
        upright = ImageOps.exif_transpose(opened)
    decoded = decode_picture(data, PictureInput(48, 64))
    assert (64, 48) == (decoded.width, decoded.height)
    np.testing.assert_array_equal(np.asarray(upright), decoded.pixels)
