"""Small pictures and folders that the tests of the data side are made of."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pictor_training.config.schema import DataConfig, InputConfig
from pictor_training.data import PreparedData, prepare, read_source, resolve_input

Draw = Callable[..., Image.Image]
Encode = Callable[..., bytes]
Fill = Callable[..., Path]
Prepare = Callable[..., PreparedData]


@pytest.fixture
def draw() -> Draw:
    """Return a function that draws another picture for each number: a random layout with some detail."""

    def make(number: int, side: int = 80, *, mode: str = "RGB") -> Image.Image:
        random = np.random.default_rng(number)
        layout = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        pixels = np.asarray(layout.resize((side, side), Image.Resampling.BICUBIC)).astype(np.int16)
        pixels += random.integers(-10, 11, pixels.shape, dtype=np.int16)
        return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).convert(mode)

    return make


@pytest.fixture
def encode() -> Encode:
    """Return a function that encodes a picture, as PNG if not told otherwise."""

    def make(image: Image.Image, format: str = "PNG", **options: int) -> bytes:  # noqa: A002  # Pillow's own word
        file = BytesIO()
        image.save(file, format, **options)
        return file.getvalue()

    return make


@pytest.fixture
def fill(draw: Draw, encode: Encode) -> Fill:
    """Return a function that writes `count` different pictures into a folder, numbered from `start`.

    As BMP: no library's version changes its bytes, so their hashes, and the sides they fall on, stay.
    """

    def write(folder: Path, count: int, start: int = 0, side: int = 80) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(start, start + count):
            (folder / f"{number}.bmp").write_bytes(encode(draw(number, side), "BMP"))
        return folder

    return write


@pytest.fixture
def prepared(tmp_path: Path) -> Prepare:
    """Return a function that prepares a folder with a cache outside of it."""

    def run(folder: Path, **settings: object) -> PreparedData:
        config = DataConfig.model_validate({"path": str(folder), **settings})
        source = read_source(config)
        picture_input = resolve_input(InputConfig(), source)
        return prepare(source, config, picture_input, tmp_path / "cache", report=lambda *_: None)

    return run
