"""A run's folder is one process's at a time, and says what is wrong with it."""

from pathlib import Path

import pytest

from pictor_training.errors import ConfigError, TrainingError
from pictor_training.plan import plan_resumption
from pictor_training.run_folder import CONFIG_FILE, ENVIRONMENT_FILE, held, how_to_resume


@pytest.fixture
def run(tmp_path: Path, pictures: Path) -> Path:
    """Return a folder that was begun."""
    (tmp_path / CONFIG_FILE).write_text(f"data: {{path: '{pictures}'}}")
    return tmp_path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Return class folders whose pictures nobody opens."""
    for name in ("cat", "dog"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        (tmp_path / "pictures" / name / "1.png").write_bytes(b"")
    return tmp_path / "pictures"


def test_a_second_process_is_refused_and_the_next_one_is_not(run: Path) -> None:
    """The lock goes with its holder."""
    with held(run), pytest.raises(TrainingError, match="Another process"), held(run):
        pass
    with held(run):
        pass


def test_a_folder_that_cannot_be_written_is_named(run: Path) -> None:
    """Here something lies where the lock must be; a read-only folder says the same."""
    (run / ".lock").mkdir()
    with pytest.raises(TrainingError, match=f"{run} cannot be written"), held(run):
        pass


def test_an_error_of_the_work_itself_is_not_taken_for_one_of_the_lock(run: Path) -> None:
    """Whoever holds the lock may fail for reasons of their own."""
    with pytest.raises(OSError, match="of its own"), held(run):
        raise OSError("of its own")


@pytest.mark.parametrize("text", [None, "", "{}", "[]", '{"store": 1}', "\xff"])
def test_a_run_that_does_not_tell_its_store_is_refused(run: Path, text: str | None) -> None:
    """Publishing elsewhere, or nowhere, would be a guess."""
    (run / CONFIG_FILE).write_text(
        f"data: {{path: '{run / 'pictures'}'}}\ninput: {{size: [32, 32], channels: 3}}"
    )
    if text is not None:
        (run / ENVIRONMENT_FILE).write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError, match="does not tell where to publish"):
        plan_resumption(run)


def test_the_command_to_resume_survives_a_shell(tmp_path: Path) -> None:
    """It is there to be copied."""
    assert how_to_resume(tmp_path / "my runs") == f"pictor train --resume '{tmp_path}/my runs'"
