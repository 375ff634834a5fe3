"""scikit-learn's bundled handwritten digits as picture files."""

from pathlib import Path

import numpy as np
from PIL import Image

ASK_ABOUT = 8
"""Pictures that are kept away from training, to have something to ask about."""


def write_digits(folder: Path) -> None:
    """Write 1,797 grey 8x8 PNGs: `folder`/pictures/<digit>/ to train on, `folder`/held-out/ to ask about.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI, as in
    `sklearn.datasets.load_digits`; ink from 0 to 16 becomes levels from 0 to 255.
    """
    from sklearn.datasets import load_digits  # noqa: PLC0415  # half a second that only the demo should cost

    digits = load_digits()
    levels = (digits.images * (255 / 16)).round().astype(np.uint8)
    for number, (pixels, digit) in enumerate(zip(levels, digits.target, strict=True)):
        held_out = number >= len(levels) - ASK_ABOUT
        below = folder / "held-out" if held_out else folder / "pictures" / str(digit)
        below.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(below / f"{digit}-{number:04}.png")
