"""scikit-learn's bundled handwritten digits as picture files."""

from io import BytesIO
from pathlib import Path
from secrets import token_hex

import numpy as np
from PIL import Image

ASK_ABOUT = 8
"""Pictures that are kept away from training, to have something to ask about."""


def write_digits(pictures: Path, held_out: Path | None = None) -> None:
    """Write 1,789 grey 8x8 PNGs to train on into `pictures`/<digit>/, and eight to ask about into `held_out`.

    Files that are there stay, so that it may be repeated while somebody reads them, or after a kill.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI, as in
    `sklearn.datasets.load_digits`; ink from 0 to 16 becomes levels from 0 to 255.

    Raises:
        OSError: a folder cannot be written.
    """
    from sklearn.datasets import load_digits  # noqa: PLC0415  # half a second that only the demo should cost

    digits = load_digits()
    levels = (digits.images * (255 / 16)).round().astype(np.uint8)
    trained = len(levels) - ASK_ABOUT
    for number, (pixels, digit) in enumerate(zip(levels, digits.target, strict=True)):
        below = pictures / str(digit) if number < trained else held_out
        if below is not None:
            _write(below / f"{digit}-{number:04}.png", Image.fromarray(pixels))


def _write(path: Path, picture: Image.Image) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    content = BytesIO()
    picture.save(content, "PNG")
    beside = path.with_name(f".{path.name}.{token_hex(4)}.partial")  # two may write at once
    beside.write_bytes(content.getvalue())
    beside.replace(path)
