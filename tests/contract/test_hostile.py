"""Damaged bytes: a result or a refusal, nothing else, and the same whatever is done with warnings."""

import random
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pictor_contract import DecodedPicture, PictureInput, PictureRefused, decode_picture

PICTURES = sorted((Path(__file__).parents[1] / "golden" / "pictures").iterdir())
SMALL = PictureInput(16, 12, background=(3, 90, 200))
MAGIC = [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\xff\0\0\0WEBP", b"GIF89a", b"II*\0", b"MM\0*", b"BM"]


def _attempt(data: bytes) -> DecodedPicture | None:
    """Decode, or check that the refusal shows nothing of how we work."""
    try:
        return decode_picture(data, SMALL)
    except PictureRefused as refusal:
        _check(refusal)
        return None


def _check(refusal: PictureRefused) -> None:
    assert re.search(r"PIL|0x|<|/|BytesIO|Error", str(refusal)) is None
    assert type(refusal) is not PictureRefused


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_a_truncated_picture_is_refused_or_complete(path: Path) -> None:
    """Cut anywhere, no picture is half decoded: what passes has every pixel of the whole."""
    data = path.read_bytes()
    whole = _attempt(data)
    for length in [*range(0, len(data), max(len(data) // 40, 1)), *range(len(data) - 12, len(data))]:
        cut = _attempt(data[: max(length, 0)])
        if cut is not None:
            assert whole is not None
            np.testing.assert_array_equal(whole.pixels, cut.pixels)


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_flipped_bytes_give_a_result_or_a_refusal(path: Path) -> None:
    """One to eight bytes, half of them in the header; warnings as errors or ignored, the outcome is one."""
    dice = random.Random(path.name)  # noqa: S311  # repeatable on purpose
    for _ in range(40):
        data = bytearray(path.read_bytes())
        for _ in range(dice.choice([1, 2, 8])):
            data[dice.randrange(dice.choice([min(len(data), 120), len(data)]))] = dice.randrange(256)
        strict = _attempt(bytes(data))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            lenient = _attempt(bytes(data))
        assert (strict is None) == (lenient is None)
        if strict is not None and lenient is not None:
            np.testing.assert_array_equal(strict.pixels, lenient.pixels)


@given(magic=st.sampled_from(MAGIC), rest=st.binary(max_size=300))
def test_any_bytes_behind_a_signature_give_a_result_or_a_refusal(magic: bytes, rest: bytes) -> None:
    """The header readers meet what no encoder wrote."""
    _attempt(magic + rest)
