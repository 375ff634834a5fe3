"""The network's input is chosen from the pictures, by a rule that can be read."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from pictor_training.config.schema import DataConfig, InputConfig
from pictor_training.data import Source, read_source, resolve_input
from pictor_training.errors import ConfigError, DataError

Draw = Callable[..., Image.Image]
Encode = Callable[..., bytes]
Fill = Callable[..., Path]


def _source_of(root: Path) -> Source:
    return read_source(DataConfig(path=str(root)))


@pytest.mark.parametrize(
    ("side", "chosen"), [(8, 32), (32, 32), (33, 48), (64, 64), (90, 96), (97, 128), (300, 128)]
)
def test_the_side_is_the_next_step_of_the_ladder(tmp_path: Path, fill: Fill, side: int, chosen: int) -> None:
    """Small pictures are not blown up, large ones end at 128."""
    fill(tmp_path / "a", 2, side=side)
    fill(tmp_path / "b", 2, start=2, side=side)
    assert (chosen, chosen, 3) == resolve_input(InputConfig(), _source_of(tmp_path)).shape


@pytest.mark.parametrize(("mode", "options", "channels"), [("L", {}, 1), ("RGB", {"quality": 60}, 3)])
def test_grey_pictures_get_one_channel(
    tmp_path: Path, draw: Draw, encode: Encode, mode: str, options: dict[str, int], channels: int
) -> None:
    """Also when each is stored as an RGB JPEG: pixels decide, not the file's mode."""
    for number in range(4):
        path = tmp_path / str(number % 2) / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode(draw(number, mode=mode).convert("RGB"), "JPEG", **options))
    assert channels == resolve_input(InputConfig(), _source_of(tmp_path)).channels


def test_one_colour_picture_in_the_sample_keeps_all_channels(
    tmp_path: Path, draw: Draw, encode: Encode
) -> None:
    """Colour that the network cannot see is lost for good."""
    for number, mode in enumerate(("L", "L", "L", "RGB")):
        path = tmp_path / str(number % 2) / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode(draw(number, mode=mode)))
    assert resolve_input(InputConfig(), _source_of(tmp_path)).channels == 3


def test_a_wanted_input_is_taken_without_opening_a_picture(tmp_path: Path) -> None:
    """Height comes first; background, filter and fit are handed on."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(b"no picture")
    config = InputConfig(size=[20, 30], channels=1, fit="pad", resize_filter="box", background=[1, 2, 3])
    found = resolve_input(config, _source_of(tmp_path))
    assert (found.shape, found.fit, found.resize_filter, found.background) == (
        (20, 30, 1),
        "pad",
        "box",
        (1, 2, 3),
    )


def test_impossible_inputs_are_refused(tmp_path: Path) -> None:
    """A side beyond the contract's limit is a configuration error; nothing readable is a data error."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(b"no picture")
    with pytest.raises(ConfigError, match=r"input\.height must be 1 to 4096"):
        resolve_input(InputConfig(size=[5000, 32], channels=1), _source_of(tmp_path))
    with pytest.raises(DataError, match="None of 2 files"):
        resolve_input(InputConfig(), _source_of(tmp_path))
