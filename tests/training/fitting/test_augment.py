"""Random changes of training pictures: exact where they can be, repeatable, and nothing when off."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pictor_training.config.schema import AugmentConfig
from pictor_training.fitting.augment import DRAWS, change, changes_nothing, draw, factors, transforms

EVERYTHING: dict[str, Any] = {
    "rotation_degrees": 20,
    "shift": 0.1,
    "shear_degrees": 10,
    "zoom": 0.2,
    "flip": "both",
    "brightness": 0.2,
}


def pictures(count: int = 1, height: int = 9, width: int = 9) -> NDArray[np.uint8]:
    """Return noise: any pixel out of place is seen."""
    return np.random.default_rng(5).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def drawn(count: int = 1, **values: float) -> NDArray[np.float64]:
    """Return draws that change nothing but for the named columns; 0 is the lowest value, 1 the highest."""
    draws = np.full((count, len(DRAWS)), 0.5)
    for name, value in values.items():
        draws[:, DRAWS.index(name)] = value
    return draws


def changed(config: AugmentConfig, batch: NDArray[np.uint8], draws: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Change `batch` by explicit draws."""
    height, width = batch.shape[1:3]
    moved = change(batch, transforms(config, draws, height, width), factors(config, draws), config.fill)
    return np.asarray(moved.numpy())


def test_a_right_angle_turns_every_pixel_exactly() -> None:
    """The highest draw of 90 degrees turns counter-clockwise, the lowest the other way."""
    batch, config = pictures(), AugmentConfig(rotation_degrees=90)
    turned = {value: changed(config, batch, drawn(rotation=value))[0] for value in (0.0, 1.0)}
    assert np.rot90(batch[0], 1).tolist() == turned[1.0].tolist()
    assert np.rot90(batch[0], -1).tolist() == turned[0.0].tolist()


@pytest.mark.parametrize(
    ("flip", "directions"),
    [
        ("horizontal", (1, -1)),
        ("vertical", (-1, 1)),
        ("both", (-1, -1)),
        ("none", (1, 1)),
    ],
)
def test_a_flip_mirrors_every_pixel_exactly_and_only_the_allowed_way(
    flip: str, directions: tuple[int, int]
) -> None:
    """Both draws say yes; what is not allowed is not flipped. The sides differ, one is even."""
    batch = pictures(height=7, width=10)
    flipped = changed(AugmentConfig.model_validate({"flip": flip}), batch, drawn(flip_x=0.0, flip_y=0.0))
    down, across = directions
    assert batch[:, ::down, ::across].tolist() == flipped.tolist()


def test_a_shift_by_whole_pixels_moves_every_pixel_exactly() -> None:
    """A share of 0.2 of ten rows is two rows, up; what comes in below is black."""
    batch = pictures(height=10, width=8)
    moved = changed(AugmentConfig(shift=0.2, fill="constant"), batch, drawn(shift_y=1.0))
    assert batch[:, 2:].tolist() == moved[:, :-2].tolist()
    assert not moved[:, -2:].any()


@pytest.mark.parametrize(("fill", "source"), [("nearest", [0, 0]), ("reflect", [1, 0])])
def test_what_comes_in_is_the_edge_or_its_mirror_image(fill: str, source: list[int]) -> None:
    """Two columns come in from the left."""
    batch = pictures(width=10)
    config = AugmentConfig.model_validate({"shift": 0.2, "fill": fill})
    moved = changed(config, batch, drawn(shift_x=0.0))
    assert batch[:, :, source].tolist() == moved[:, :, :2].tolist()
    assert batch[:, :, :-2].tolist() == moved[:, :, 2:].tolist()


def test_zoom_and_shear_keep_the_centre_and_go_where_the_angle_says() -> None:
    """A zoom of 0.5 at its lowest draw doubles the size; a shear slides rows sideways by its sine."""
    batch = pictures()
    near = changed(AugmentConfig(zoom=0.5), batch, drawn(zoom_x=0.0, zoom_y=0.0))
    assert batch[:, 2:7, 2:7].tolist() == near[:, ::2, ::2].tolist()
    [[xx, xy, _, yx, yy, *_]] = transforms(AugmentConfig(shear_degrees=30), drawn(shear=1.0), 9, 9)
    assert [xx, xy, yx, yy] == pytest.approx([1.0, -0.5, 0.0, np.cos(np.pi / 6)])


def test_brightness_scales_the_levels_and_stops_at_white() -> None:
    """The highest draw of 0.5 makes half as bright again."""
    batch = pictures()
    lit = changed(AugmentConfig(brightness=0.5), batch, drawn(brightness=1.0))
    assert np.clip(np.round(batch * 1.5), 0, 255).astype(np.uint8).tolist() == lit.tolist()


def test_draws_in_the_middle_change_nothing() -> None:
    """Every map is about the picture's centre, and sampling loses nothing by itself."""
    batch = pictures(height=8, width=11)
    config = AugmentConfig(**{**EVERYTHING, "flip": "none"})
    assert batch.tolist() == changed(config, batch, drawn()).tolist()


def test_the_same_seed_epoch_and_row_change_the_same_way() -> None:
    """A resumed run sees the pictures it would have seen; another seed or epoch sees others."""
    config, batch = AugmentConfig(**EVERYTHING), pictures(20)
    once = changed(config, batch, draw(1, 2, 20))
    assert once.tolist() == changed(config, batch, draw(1, 2, 20)).tolist()
    assert once[3:5].tolist() == changed(config, batch[3:5], draw(1, 2, 20)[3:5]).tolist()
    assert once.tolist() != changed(config, batch, draw(1, 3, 20)).tolist()
    assert once.tolist() != changed(config, batch, draw(2, 2, 20)).tolist()


def test_every_setting_alone_changes_pictures_each_in_its_own_way() -> None:
    """Twenty copies of one picture come out different, but for a flip, which has two ways."""
    batch = np.repeat(pictures(), 20, axis=0)
    for name, value in EVERYTHING.items():
        config = AugmentConfig.model_validate({name: "horizontal" if name == "flip" else value})
        assert not changes_nothing(config)
        different = {picture.tobytes() for picture in changed(config, batch, draw(1, 0, 20))}
        assert len(different) == (2 if name == "flip" else 20), name


def test_the_default_configuration_changes_nothing() -> None:
    """A fill alone is no change."""
    assert changes_nothing(AugmentConfig(fill="reflect"))


def test_a_grey_picture_is_changed_too() -> None:
    """One channel as well as three."""
    batch = pictures()[..., :1]
    flipped = changed(AugmentConfig(flip="horizontal"), batch, drawn(flip_x=0.0))
    assert batch[:, :, ::-1].tolist() == flipped.tolist()
