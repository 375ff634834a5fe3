"""TensorFlow Serving's models.config, as a message and as text: models, their versions and labels."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from google.protobuf import text_format

from pictor_store.durable import replace_file
from pictor_store.errors import StoreError
from pictor_tfs.wire import serving_pb2 as wire

PLATFORM: Final = "tensorflow"

_HEAD: Final = """\
# Written by `pictor models` from the store's history: what is changed here by hand is lost for these models.
# A server that starts with it needs --allow_version_labels_for_unavailable_models, and for changes without
# a call --model_config_file_poll_wait_seconds.
"""


@dataclass(frozen=True, slots=True)
class Served:
    """What a server is to have of one model. `versions` None: the newest, whichever that is."""

    name: str
    versions: frozenset[int] | None = None
    labels: Mapping[str, int] = field(default_factory=dict)


def make_config(
    models: Iterable[Served], base_path: str, others: Sequence[wire.ModelConfig] = ()
) -> wire.ModelServerConfig:
    """Return the whole configuration; `base_path` is the store as the servers see it.

    `others` are entries for models that are not the store's, and stay as they are.
    """
    config = wire.ModelServerConfig()
    config.model_config_list.config.extend(others)
    for model in models:
        one = config.model_config_list.config.add(
            name=model.name, base_path=_folder(base_path, model.name), model_platform=PLATFORM
        )
        if model.versions is None:
            one.model_version_policy.latest.num_versions = 1
        else:
            one.model_version_policy.specific.versions.extend(sorted(model.versions))
        one.version_labels.update(model.labels)
    return config


def to_text(config: wire.ModelServerConfig) -> str:
    """Return what TensorFlow Serving reads from a file."""
    text: str = text_format.MessageToString(config, as_utf8=True)
    return f"{_HEAD}{text}"


def write_config(path: Path, config: wire.ModelServerConfig) -> None:
    """Put the text in place of what was: a server that reads it meanwhile sees the old or the new one.

    Raises:
        StoreError: it cannot be written; what was there is untouched.
    """
    try:
        replace_file(path, to_text(config).encode())
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written: {error}. What stood there before is untouched."
        ) from error


def read_others(path: Path, ours: Iterable[str], base_path: str) -> list[wire.ModelConfig]:
    """Return the entries of a file for models that are not `ours`; none if there is no file yet.

    One that was in the store at `base_path` and is no more goes: a server that starts would wait for it.

    Raises:
        StoreError: it cannot be read, or says what would be lost by writing it anew.
    """
    try:
        text = path.read_text(encoding="utf-8")
        config = text_format.Parse(text, wire.ModelServerConfig())
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise StoreError(
            f"{path} cannot be read as a models.config, or has settings that would be lost: {error}. "
            "Correct or remove it; nothing was changed."
        ) from error
    known = set(ours)
    return [
        one
        for one in config.model_config_list.config
        if one.name not in known and one.base_path != _folder(base_path, one.name)
    ]


def _folder(base_path: str, name: str) -> str:
    return f"{base_path.rstrip('/')}/{name}"
