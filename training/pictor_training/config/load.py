"""Preset, file and command line become one configuration, or one message that says why not."""

from collections.abc import Sequence
from difflib import get_close_matches
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from pictor_training.config import layers as layering
from pictor_training.config.explain import explain, is_text
from pictor_training.config.layers import Layers
from pictor_training.config.rules import check_rules
from pictor_training.config.schema import TrainConfig
from pictor_training.config.yamltext import read_mapping, read_value
from pictor_training.errors import ConfigError

DEFAULT_PRESET = "modern-cnn"

Change = tuple[layering.Path, object, str]
"""Where, what, and who says so."""


def load_config(data: str | None, file: Path | None, overrides: Sequence[str]) -> TrainConfig:
    """Lay preset, `file`, `data` (the folder of pictures) and `key=value` overrides over each other.

    Later ones win. The preset is the one that an override or the file names.

    Raises:
        ConfigError: an unknown key, an impossible value or combination, a file that cannot be read.

    """
    changes = [parse_override(text, TrainConfig) for text in overrides]
    from_file = {} if file is None else read_file(file)
    layers = Layers()
    named = [value for path, value, _ in changes if path == ("preset",)]
    preset = read_preset(named[-1] if named else from_file.get("preset", DEFAULT_PRESET))
    layers.lay(preset, f"preset {preset['preset']}")
    if file is not None:
        layers.lay(from_file, str(file))
    if data is not None:
        layers.put(("data", "path"), data, "--data")
    for path, value, origin in changes:
        layers.put(path, value, origin)
    layers.values.setdefault("data", {})  # so that the message names data.path, the key that people set
    try:
        config = TrainConfig.model_validate(layers.values, strict=True)
    except ValidationError as error:
        raise ConfigError(explain(error, layers, TrainConfig)) from error
    check_rules(config)
    return config


def dump_config(config: TrainConfig) -> str:
    """Return YAML with every key of the configuration; loaded again it gives an equal one."""
    return yaml.safe_dump(
        config.model_dump(mode="json"),
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=110,
    )


def preset_names() -> list[str]:
    """Names of the presets that come with the package, sorted."""
    every = (entry.name for entry in _presets().iterdir())
    return sorted(name.removesuffix(".yaml") for name in every if name.endswith(".yaml"))


def _presets() -> Traversable:
    return files("pictor_training.config") / "presets"


def read_preset(preset: object) -> dict[str, Any]:
    """Return a preset's keys, with its own name under "preset".

    Raises:
        ConfigError: there is none of this name.
    """
    known = preset_names()
    if preset not in known:
        close = get_close_matches(str(preset), known, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        raise ConfigError(f"preset: received {preset!r}; known are {', '.join(known)}.{hint}")
    text = (_presets() / f"{preset}.yaml").read_text(encoding="utf-8")
    return {**read_mapping(text, f"preset {preset}"), "preset": preset}


def read_file(file: Path) -> dict[str, Any]:
    """Return a configuration file's keys.

    Raises:
        ConfigError: it cannot be read, or is no YAML mapping.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"The configuration {file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"The configuration {file} is not UTF-8 text: {error.reason}.") from error
    return read_mapping(text, str(file))


def parse_override(text: str, schema: type[BaseModel]) -> Change:
    """Return where `key=value` puts which value, and the text itself as who says so.

    Raises:
        ConfigError: it is not written so, or the value is no YAML.
    """
    key, separator, value = text.partition("=")
    parts = key.strip().split(".")
    if not separator or not all(parts):
        raise ConfigError(f"An override is written key=value, for example fit.epochs=3; received {text!r}.")
    path = tuple(int(part) if part.isdecimal() else part for part in parts)
    parsed = read_value(value, f"the value of {key}")
    if is_text(path, schema) and parsed is not None and not isinstance(parsed, str):
        parsed = value.strip()  # --name 2024 is a name
    return path, parsed, f"'{text}'"
