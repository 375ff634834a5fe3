"""A run's configuration: preset, YAML file and `key=value` overrides become one frozen, checked object."""

from pictor_training.config.load import dump_config, load_config, preset_names
from pictor_training.config.rules import check_head
from pictor_training.config.schema import TrainConfig
from pictor_training.config.shapes import LayerShape, check_network, shape_table

__all__ = [
    "LayerShape",
    "TrainConfig",
    "check_head",
    "check_network",
    "dump_config",
    "load_config",
    "preset_names",
    "shape_table",
]
