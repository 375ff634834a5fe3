"""The checkpoint file: exact, whole or not there, and refused with a reason."""

import json
import resource
from pathlib import Path

import numpy as np
import pytest

from pictor_training.errors import TrainingError
from pictor_training.fitting.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from pictor_training.fitting.state import Patience, RunState

WEIGHTS = [np.arange(6, dtype=np.float32).reshape(2, 3) / 7, np.array([2**40, 3], np.uint64), np.float32(0.1)]


def checkpoint(*, epoch: int = 2) -> Checkpoint:
    """Return a checkpoint with a bit of everything."""
    state = RunState(
        epoch=epoch, step=7, epoch_seconds=1.5, history=[{"loss": 0.1 + 0.2}], stopping=Patience(0.3, 1, 2)
    )
    return Checkpoint(
        {"config": {"seed": 3}}, state, {"model": [np.asarray(one) for one in WEIGHTS], "best": []}
    )


def test_a_checkpoint_is_read_back_bit_by_bit(tmp_path: Path) -> None:
    """Arrays of any type and rank, counters, floats of the history, empty groups."""
    write_checkpoint(tmp_path / "checkpoints/last.npz", checkpoint())
    read = read_checkpoint(tmp_path / "checkpoints/last.npz")
    assert checkpoint().state == read.state
    assert read.run == {"config": {"seed": 3}}
    assert read.groups["best"] == []
    for expected, received in zip(WEIGHTS, read.groups["model"], strict=True):
        assert (expected.dtype, expected.shape, expected.tobytes()) == (
            received.dtype,
            received.shape,
            received.tobytes(),
        )


def test_the_new_checkpoint_takes_the_old_one_s_place_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    """One file per run."""
    for epoch in (1, 2):
        write_checkpoint(tmp_path / "last.npz", checkpoint(epoch=epoch))
    assert [path.name for path in tmp_path.iterdir()] == ["last.npz"]
    assert read_checkpoint(tmp_path / "last.npz").state.epoch == 2


def test_a_full_disk_is_told_and_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    """The limit on a file's size stands in for the end of the disk: both stop a write half-way."""
    write_checkpoint(tmp_path / "last.npz", checkpoint(epoch=1))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        with pytest.raises(TrainingError, match=r"last\.npz could not be written: File too large.*untouched"):
            write_checkpoint(tmp_path / "last.npz", checkpoint(epoch=2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == ["last.npz"]
    assert read_checkpoint(tmp_path / "last.npz").state.epoch == 1


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "checkpoints").write_text("in the way")
    with pytest.raises(TrainingError, match="could not be written"):
        write_checkpoint(tmp_path / "checkpoints/last.npz", checkpoint())


def test_a_half_written_checkpoint_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    """Cut at every fiftieth byte."""
    path = tmp_path / "last.npz"
    write_checkpoint(path, checkpoint())
    whole = path.read_bytes()
    for end in range(0, len(whole), 50):
        path.write_bytes(whole[:end])
        with pytest.raises(TrainingError, match="cannot be read"):
            read_checkpoint(path)


def test_a_flipped_bit_in_a_weight_is_refused(tmp_path: Path) -> None:
    """The archive's checksums are checked."""
    path = tmp_path / "last.npz"
    write_checkpoint(path, checkpoint())
    whole = path.read_bytes()
    assert whole.count(WEIGHTS[0].tobytes()) == 1
    path.write_bytes(whole.replace(WEIGHTS[0].tobytes(), b"\xff" + WEIGHTS[0].tobytes()[1:]))
    with pytest.raises(TrainingError, match="cannot be read"):
        read_checkpoint(path)


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    """Other bytes, another archive, a lone array, a later format, an entry that needs pickle, no file."""
    path = tmp_path / "last.npz"
    later = np.frombuffer(json.dumps({"format": 2}).encode(), np.uint8)
    path.write_bytes(b"not an archive")
    others = [path.read_bytes()]
    for arrays in (
        {"other": np.zeros(3)},
        {"header": later},
        {"header": np.frombuffer(b"[1, 2]", np.uint8)},
        {"header": np.array([{"format": 1}], dtype=object)},
    ):
        np.savez(path, **arrays)  # type: ignore[arg-type]  # its stub takes the arrays for its own option
        others.append(path.read_bytes())
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    others.append(path.read_bytes())
    for other in others:
        path.write_bytes(other)
        with pytest.raises(TrainingError, match="cannot be read"):
            read_checkpoint(path)
    path.unlink()
    with pytest.raises(TrainingError, match="No such file"):
        read_checkpoint(path)
