"""The job's file: presets, paths, overrides, and what is refused."""

import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

import pictor_training
from pictor_training.errors import ConfigError
from pictor_training.retraining import config as sections
from pictor_training.retraining.config import RetrainConfig
from pictor_training.retraining.gate.config import GateConfig
from pictor_training.retraining.loading import load_retrain_config

LEAST = {"name": "pets", "sources": [{"folder": "pictures"}]}


def _load(folder: Path, data: object, *overrides: str) -> RetrainConfig:
    file = folder / "retrain.yaml"
    file.write_text(yaml.safe_dump(data))
    return load_retrain_config(file, overrides)


def test_a_name_and_a_source_are_enough(tmp_path: Path) -> None:
    """All else has a default: the preset, and folders beside the file."""
    config = _load(tmp_path, LEAST)
    assert ("modern-cnn", "pets", 40) == (config.train.preset, config.train.name, config.train.fit.epochs)
    assert (str(tmp_path / "models"), str(tmp_path / "runs")) == (config.store, config.runs)
    assert [str(tmp_path / "pictures")] == [source.folder for source in config.sources]
    assert GateConfig() == config.gate


def test_paths_start_from_the_files_folder_and_urls_stay(tmp_path: Path) -> None:
    """Wherever the command is started."""
    data = {
        **LEAST,
        "store": "s3://bucket/models",
        "runs": "/somewhere/runs",
        "sources": [{"manifest": "a.csv", "folder": "b"}, {"samples": "s3://bucket/samples"}],
        "publish": {"tfs": "host:8500", "models_config": "c/models.config"},
    }
    config = _load(tmp_path, data)
    assert ("s3://bucket/models", "/somewhere/runs") == (config.store, config.runs)
    assert (str(tmp_path / "a.csv"), str(tmp_path / "b")) == (
        config.sources[0].manifest,
        config.sources[0].folder,
    )
    assert "s3://bucket/samples" == config.sources[1].samples
    assert str(tmp_path / "c" / "models.config") == config.publish.models_config


def test_the_command_line_wins_over_the_file_and_the_file_over_the_preset(tmp_path: Path) -> None:
    """The preset may be named by either."""
    data = {**LEAST, "train": {"preset": "course-cnn", "fit": {"epochs": 7, "batch_size": 9}}}
    config = _load(tmp_path, data, "train.fit.epochs=3", "gate.max_regression=0.2")
    assert ("sgd", 3, 9, 0.2) == (
        config.train.optimiser.name,
        config.train.fit.epochs,
        config.train.fit.batch_size,
        config.gate.max_regression,
    )
    assert "adamw" == _load(tmp_path, data, "train.preset=modern-cnn").train.optimiser.name


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"sources": [{"folder": "a"}]}, "name is missing"),
        ({"name": "pets"}, "sources is missing"),
        ({**LEAST, "sources": []}, "sources: received [] (from"),
        ({**LEAST, "name": "a/b"}, "name: received 'a/b'"),
        ({**LEAST, "tran": {}}, "Did you mean 'train'?"),
        ({**LEAST, "train": {"fit": {"epoch": 3}}}, "Did you mean 'train.fit.epochs'?"),
        ({**LEAST, "epochs": 3}, "Did you mean 'train.fit.epochs'?"),
        ({**LEAST, "gate": {"max_regresion": 0}}, "Did you mean 'gate.max_regression'?"),
        ({**LEAST, "gate": {"max_regression": "a"}}, "gate.max_regression: received 'a'"),
        ({**LEAST, "train": {"optimiser": {"clip_norm": 1.0, "clip_value": 1.0}}}, "train: optimiser: clip_"),
        ({**LEAST, "train": {"preset": "corse-cnn"}}, "Did you mean 'course-cnn'?"),
        ({**LEAST, "train": {"name": "x"}}, "use 'name'"),
        ({**LEAST, "train": {"data": {"path": "x"}}}, "use 'sources'"),
        ({**LEAST, "train": 3}, "train: received 3"),
        ({**LEAST, "sources": [{}]}, "sources.0: wanted one of folder"),
        ({**LEAST, "sources": [{"folder": "a", "samples": "b"}]}, "sources.0: wanted one of folder"),
        ({**LEAST, "sources": [{"folder": "a"}, {"folder": "a"}]}, "sources.1: a stands twice"),
        ({**LEAST, "publish": {"base_path": "/models"}}, "publish.tfs"),
        ({**LEAST, "publish": {"models_config": "a"}}, "publish.tfs"),
        ({**LEAST, "publish": {"label": "best"}}, "'stable', 'canary' or 'none'"),
        ([], "must be a mapping"),
    ],
)
def test_what_cannot_be_run_is_refused_with_advice(data: object, told: str, tmp_path: Path) -> None:
    """The key is named, and what was meant."""
    with pytest.raises(ConfigError, match=re.escape(told)):
        _load(tmp_path, data)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """So that a wrong mount is found."""
    with pytest.raises(ConfigError, match=r"retrain\.yaml"):
        load_retrain_config(tmp_path / "retrain.yaml", [])


def test_every_key_is_described_and_read() -> None:
    """A key without a sentence cannot be used; a key that nothing reads is a lie."""
    package = Path(pictor_training.__file__).parent
    text = "".join(path.read_text() for path in package.rglob("*.py") if path.name != "config.py")
    fields = [
        (section, name, field)
        for section, found in vars(sections).items()
        if isinstance(found, type) and issubclass(found, BaseModel) and found.__module__ == sections.__name__
        for name, field in found.model_fields.items()
    ]
    assert len(fields) > 20
    assert [] == [f"{section}.{name}" for section, name, field in fields if not field.description]
    unread = [f"{section}.{name}" for section, name, _ in fields if not re.search(rf"\.{name}\b", text)]
    assert [] == unread
