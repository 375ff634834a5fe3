"""The course's formula tells what leaves each layer, and which layer shrinks the picture to nothing."""

import pytest

from pictor_contract import PictureInput
from pictor_training.config import check_network, load_config, shape_table
from pictor_training.config.schema import NetworkConfig
from pictor_training.errors import ConfigError


def _network(*blocks: dict[str, object]) -> NetworkConfig:
    return NetworkConfig.model_validate({"blocks": list(blocks)})


def test_the_course_network_ends_in_32768_features() -> None:
    """Three times halved, 128 pixels are 16; 16 x 16 x 128 = 32768."""
    network = load_config("pictures", None, ["preset=course-cnn"]).network
    table = {row.name: row.shape for row in shape_table(network, PictureInput(128, 128))}
    assert table["block3_pool"] == (16, 16, 128)
    assert [table["reduce"], table["dense1"], table["dense2"]] == [(32768,), (512,), (128,)]


def test_the_worked_example_of_the_course_comes_out() -> None:
    """A 12 x 12 picture and 256 kernels of side 5, step 1, no padding: 8 x 8 x 256."""
    rows = shape_table(
        _network({"filters": 256, "kernel": 5, "padding": "valid", "pool": 0}), PictureInput(12, 12)
    )
    assert rows[1].shape == (8, 8, 256)


@pytest.mark.parametrize(
    ("block", "side", "reason"),
    [
        ({"kernel": 5, "padding": "valid"}, 4, r"kernel 5 on 4 pixels leaves \[\(4-5\+2\*0\)/1\]\+1 = 0"),
        ({"kernel": 3, "pool": 5}, 4, r"max-pooling by 5 on 4 pixels leaves \[\(4-5\)/5\]\+1 = 0"),
        ({"kernel": 3, "stride": 3, "pool": 3}, 6, r"max-pooling by 3 on 2 pixels"),
    ],
)
def test_a_block_that_shrinks_the_picture_to_nothing_is_refused(
    block: dict[str, object], side: int, reason: str
) -> None:
    """Block, formula and result are named."""
    first: dict[str, object] = {"filters": 2, "pool": 1}
    with pytest.raises(ConfigError, match=rf"network\.blocks\.1 \(block2\) shrinks .*{reason}"):
        check_network(_network(first, {"filters": 4, **block}), PictureInput(side, 64))


def test_padding_same_never_shrinks_to_nothing() -> None:
    """A kernel larger than the picture is fine where the border is padded."""
    check_network(_network({"filters": 2, "kernel": 7, "pool": 1}), PictureInput(2, 2))


def test_pooling_stops_at_the_smallest_map() -> None:
    """Five poolings fit a picture of 128 pixels; on one of 32 the last two are left out, not refused."""
    network = load_config("pictures", None, []).network
    large = {one.name: one.shape for one in shape_table(network, PictureInput(128, 128))}
    small = {one.name: one.shape for one in shape_table(network, PictureInput(32, 32))}
    assert (4, 4, 128) == large["block5_pool"]
    assert ("block5_pool" not in small, (4, 4, 128)) == (True, small["block5_conv"])
