"""Preset, file and overrides become one configuration, or a message that a person can act on."""

from pathlib import Path

import pytest

from pictor_training.config import TrainConfig, dump_config, load_config, preset_names
from pictor_training.errors import ConfigError


def _file(folder: Path, text: str) -> Path:
    path = folder / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _refusal(folder: Path, text: str = "", *overrides: str) -> str:
    with pytest.raises(ConfigError) as refused:
        load_config("pictures", _file(folder, text), overrides)
    return str(refused.value)


def test_without_file_and_overrides_the_default_preset_is_taken() -> None:
    """`--data` alone is a complete configuration."""
    config = load_config("pictures", None, [])
    assert (config.preset, config.data.path) == ("modern-cnn", "pictures")


def test_the_file_wins_over_the_preset_and_overrides_win_over_the_file(tmp_path: Path) -> None:
    """Later layers win, key by key; what they do not name stays."""
    file = _file(tmp_path, "data: {path: a}\nfit: {epochs: 3, batch_size: 8}\n")
    config = load_config(None, file, ["fit.epochs=5", "network.blocks.1.filters=7"])
    assert (config.data.path, config.fit.epochs, config.fit.batch_size) == ("a", 5, 8)
    assert [block.filters for block in config.network.blocks] == [32, 7, 64, 128, 128]
    assert load_config("a", None, []).optimiser == config.optimiser


def test_the_folder_on_the_command_line_wins_over_the_files(tmp_path: Path) -> None:
    """`--data` is laid over the file."""
    assert load_config("b", _file(tmp_path, "data: {path: a}"), []).data.path == "b"


@pytest.mark.parametrize(
    ("text", "overrides", "expected"),
    [
        ("preset: course-cnn", [], "course-cnn"),
        ("preset: course-cnn", ["preset=modern-cnn"], "modern-cnn"),
        ("", ["preset=course-cnn"], "course-cnn"),
    ],
)
def test_the_file_or_an_override_chooses_the_preset(
    tmp_path: Path, text: str, overrides: list[str], expected: str
) -> None:
    """The override's choice wins, and the configuration remembers it."""
    assert load_config("a", _file(tmp_path, text), overrides).preset == expected


def test_an_exponent_without_a_dot_is_a_number(tmp_path: Path) -> None:
    """PyYAML alone reads 1e-3 as text."""
    config = load_config(
        "a", _file(tmp_path, "optimiser: {learning_rate: 1e-3}"), ["fit.label_smoothing=1E-1"]
    )
    assert (config.optimiser.learning_rate, config.fit.label_smoothing) == (1e-3, 0.1)


def test_an_override_of_text_is_taken_as_it_stands() -> None:
    """A name that looks like a number is a name; quotes and null mean what they mean in YAML."""
    config = load_config("a", None, ["name=2024", "data.manifest='7'"])
    assert (config.name, config.data.manifest) == ("2024", "7")
    assert load_config("a", None, ["data.manifest=null"]).data.manifest is None


def test_an_override_may_set_a_whole_section_or_list() -> None:
    """Sections are merged, lists are replaced."""
    config = load_config("a", None, ["fit={epochs: 9}", "network.blocks=[{filters: 4}]"])
    assert (config.fit.epochs, config.fit.label_smoothing, len(config.network.blocks)) == (9, 0.05, 1)


@pytest.mark.parametrize("preset", preset_names())
def test_a_dumped_configuration_loads_back_equal(tmp_path: Path, preset: str) -> None:
    """config.resolved.yaml repeats the run, whatever preset the next release brings."""
    overrides = [f"preset={preset}", "optimiser.learning_rate=1e-7", "optimiser.clip_norm=1", "name='007'"]
    config = load_config("bilder/ä b", None, overrides)
    assert load_config(None, _file(tmp_path, dump_config(config)), []) == config


def test_configurations_are_frozen() -> None:
    """Nobody changes a run's configuration on the way."""
    config = load_config("a", None, [])
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 3  # type: ignore[misc]  # what is being tested
    assert isinstance(config, TrainConfig)


def test_an_unknown_key_is_refused_with_its_origin_and_the_closest_known_one(tmp_path: Path) -> None:
    """A misspelt setting is never ignored."""
    assert f"unknown key 'fit.epohcs' (from {tmp_path / 'run.yaml'}). Did you mean 'fit.epochs'?" == _refusal(
        tmp_path, "fit: {epohcs: 3}"
    )
    assert (
        _refusal(tmp_path, "", "optimizer.name=sgd")
        == "unknown key 'optimizer' (from 'optimizer.name=sgd'). Did you mean 'optimiser'?"
    )


def test_a_key_of_another_section_is_found(tmp_path: Path) -> None:
    """The right name in the wrong place leads to the right place."""
    assert (
        _refusal(tmp_path, "", "epochs=3")
        == "unknown key 'epochs' (from 'epochs=3'). Did you mean 'fit.epochs'?"
    )


def test_an_unknown_key_like_no_other_lists_the_known_ones(tmp_path: Path) -> None:
    """Without a close name, all names of the section help."""
    assert "Known here: size, channels, resize_filter, fit, background." in _refusal(
        tmp_path, "", "input.zzz=3"
    )


def test_a_misspelt_key_in_a_list_entry_is_refused_beside_the_missing_one(tmp_path: Path) -> None:
    """All that is wrong is told at once."""
    message = _refusal(tmp_path, "network: {blocks: [{filers: 3}]}")
    assert "network.blocks.0.filters is missing." in message
    assert "Did you mean 'network.blocks.0.filters'?" in message


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("fit.epochs=0", "fit.epochs: received 0 (from 'fit.epochs=0'); wanted more than 0."),
        ("fit.epochs=yes", "fit.epochs: received True (from 'fit.epochs=yes'); wanted a whole number."),
        ("fit.epochs='3'", "fit.epochs: received '3' (from 'fit.epochs='3''); wanted a whole number."),
        ("input.size=big", "input.size: received 'big' (from 'input.size=big'); wanted a list or 'auto'."),
        ("data.head=tri", "wanted 'auto', 'binary', 'multiclass' or 'multilabel'."),
        ("optimiser.learning_rate=.inf", "wanted a finite number."),
        ("fit=3", "fit: received 3 (from 'fit=3'); wanted a section with keys of its own."),
        ("seed=-1", "seed: received -1 (from 'seed=-1'); wanted at least 0."),
        ("data.val_fraction=1", "wanted less than 1."),
        ("network.blocks.9.filters=3", "after 'network.blocks.' comes a number from 0 to 4; received 9."),
        ("network.blocks.x=3", "after 'network.blocks.' comes a number from 0 to 4; received 'x'."),
        ("fit.epochs.x=3", "fit.epochs has no keys below it; its value is 40."),
        ("fit.epochs", "An override is written key=value"),
        ("fit..epochs=3", "An override is written key=value"),
        ("fit.epochs=[", "the value of fit.epochs, line 1:"),
        ("preset=cours-cnn", "Did you mean 'course-cnn'?"),
    ],
)
def test_a_wrong_override_is_refused_readably(tmp_path: Path, override: str, expected: str) -> None:
    """What was received, from where, and what is wanted."""
    assert expected in _refusal(tmp_path, "", override)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fit:\n  epochs: 3\n  epochs: 4\n", "line 3: the key 'epochs' stands twice."),
        ("seed: 1\nfit: [", "line 2: "),
        ("- a", "must be a mapping"),
        ("a: &b {c: 1}\nfit: *b\n", "line 2: aliases (*name) are not supported."),
        ("[" * 5000, "cannot be read as YAML"),
        ("? {a: b}\n: c", "line 1: found unhashable key."),
        ("1: 2", "wanted keys that are text."),
        ("name: 2024-01-01", "wanted text (in quotes, if it looks like a number or a date)."),
        ("x: !!python/object/apply:os.system [echo]", "could not determine a constructor"),
    ],
)
def test_a_file_that_is_no_plain_mapping_is_refused_with_its_line(
    tmp_path: Path, text: str, expected: str
) -> None:
    """Nothing in a file is guessed, dropped or run."""
    assert expected in _refusal(tmp_path, text)


def test_a_missing_folder_of_pictures_is_named() -> None:
    """The message says which flag is wanted."""
    with pytest.raises(ConfigError, match=r"data\.path is missing\. Name the folder of pictures: --data DIR"):
        load_config(None, None, [])


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A wrong path and another encoding are told as such."""
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_config("a", tmp_path / "none.yaml", [])
    (tmp_path / "latin.yaml").write_bytes(b"name: \xff")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load_config("a", tmp_path / "latin.yaml", [])
