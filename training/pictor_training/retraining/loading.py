"""The job's file and the command line become one configuration, or one message that says why not."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from pictor_contract import is_model_name
from pictor_contract.contract import MODEL_NAME_RULE
from pictor_store.places import is_url
from pictor_training.config.explain import explain
from pictor_training.config.layers import Layers
from pictor_training.config.load import DEFAULT_PRESET, parse_override, read_file, read_preset
from pictor_training.config.rules import check_rules
from pictor_training.errors import ConfigError
from pictor_training.retraining.config import PublishConfig, RetrainConfig, SourceConfig

_SETTLED: Final = {
    ("train", "data", "path"): "sources",
    ("train", "data", "manifest"): "sources",
    ("train", "name"): "name",
}
"""Keys of `pictor train` that the job sets itself, and the job's key that says the same."""

_PUBLISH_PATHS: Final = ("models_config", "tls_ca_file", "tls_cert_file", "tls_key_file")


def load_retrain_config(file: Path, overrides: Sequence[str]) -> RetrainConfig:
    """Lay preset, `file` and `key=value` overrides over each other; later ones win.

    Relative paths start from the file's folder, whoever names them.

    Raises:
        ConfigError: an unknown key, an impossible value or combination, a file that cannot be read.
    """
    changes = [parse_override(text, RetrainConfig) for text in overrides]
    layers = Layers()
    from_file = read_file(file)
    layers.lay({"train": _preset(from_file, changes)}, "the preset")
    layers.lay(from_file, str(file))
    for path, value, origin in changes:
        layers.put(path, value, origin)
    _refuse_settled(layers)
    _settle(layers)
    try:
        config = RetrainConfig.model_validate(layers.values, strict=True)
    except ValidationError as error:
        raise ConfigError(explain(error, layers, RetrainConfig)) from error
    _check(config)
    return _from_folder(config, file.absolute().parent)


def _preset(from_file: dict[str, Any], changes: Sequence[tuple[Any, object, str]]) -> dict[str, Any]:
    named = [value for path, value, _ in changes if path == ("train", "preset")]
    section = from_file.get("train")
    chosen = section.get("preset", DEFAULT_PRESET) if isinstance(section, dict) else DEFAULT_PRESET
    return read_preset(named[-1] if named else chosen)


def _refuse_settled(layers: Layers) -> None:
    for path, instead in _SETTLED.items():
        if _stands(path, layers.values):
            raise ConfigError(
                f"{'.'.join(path)} (from {layers.origin(path)}) is settled by the job: use '{instead}'."
            )


def _stands(path: tuple[str, ...], values: object) -> bool:
    for part in path:
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return True


def _settle(layers: Layers) -> None:
    """Fill in what each run's folder decides, and the name, which stands once."""
    train = layers.values.get("train")
    if not isinstance(train, dict):
        return
    data = train.setdefault("data", {})
    if isinstance(data, dict):
        data["path"] = "/"
    if isinstance(layers.values.get("name"), str):
        train["name"] = layers.values["name"]


def _check(config: RetrainConfig) -> None:
    broken = [*_name(config), *_sources(config.sources), *_publish(config.publish)]
    if broken:
        raise ConfigError("\n".join(broken))
    try:
        check_rules(config.train)
    except ConfigError as error:
        raise ConfigError("\n".join(f"train: {line}" for line in str(error).splitlines())) from error


def _name(config: RetrainConfig) -> Iterator[str]:
    if not is_model_name(config.name):
        yield f"name: received {config.name!r}; wanted {MODEL_NAME_RULE}."


def _sources(sources: Sequence[SourceConfig]) -> Iterator[str]:
    for index, source in enumerate(sources):
        pictures = source.folder or source.manifest
        if bool(pictures) == bool(source.samples):
            yield f"sources.{index}: wanted one of folder, manifest (with or without folder) and samples."
    seen: set[str] = set()
    for index, source in enumerate(sources):
        where = source_name(source)
        if where in seen:
            yield f"sources.{index}: {where} stands twice."
        seen.add(where)


def _publish(publish: PublishConfig) -> Iterator[str]:
    if publish.base_path is not None and publish.tfs is None:
        yield "publish.base_path is for TensorFlow Serving. Set publish.tfs as well."
    if publish.models_config is not None and publish.tfs is None:
        yield (
            "publish.models_config alone does not tell when a version is loaded, and no label moves before. "
            "Set publish.tfs as well."
        )


def source_name(source: SourceConfig) -> str:
    """Return what tells the source apart in reports: its folder, its file or its place."""
    return source.manifest or source.folder or source.samples or ""


def _from_folder(config: RetrainConfig, folder: Path) -> RetrainConfig:
    sources = [
        source.model_copy(
            update={key: _path(getattr(source, key), folder) for key in ("folder", "manifest", "samples")}
        )
        for source in config.sources
    ]
    publish = config.publish.model_copy(
        update={key: _path(getattr(config.publish, key), folder) for key in _PUBLISH_PATHS}
    )
    places = {key: _path(getattr(config, key), folder) for key in ("store", "runs")}
    return config.model_copy(update={"sources": sources, "publish": publish, **places})


def _path(text: str | None, folder: Path) -> str | None:
    """Return a path from `folder`; a URL stays as it is."""
    return text if text is None or is_url(text) else str(folder / text)
