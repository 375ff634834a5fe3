"""What is no whole model of Pictor's is refused in plain words, before it is unpacked or read."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from pictor_training.errors import TrainingError, UnsafeModelFile
from pictor_training.network.saved import load_model_file

MakeModel = Callable[..., keras.Model]


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.7, 0.95, 0.999])
def test_a_truncated_file_is_refused_in_plain_words(good: dict[str, Path], suffix: str, share: float) -> None:
    """A copy that broke off says so, whatever byte it broke off at."""
    content = good[suffix].read_bytes()
    good[suffix].write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UnsafeModelFile, match=f"is not a whole {suffix} model"):
        load_model_file(good[suffix])


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_something_else_under_a_models_name_is_refused(
    tmp_path: Path, good: dict[str, Path], suffix: str
) -> None:
    """Text, and the one format under the other's name."""
    (tmp_path / f"text{suffix}").write_text("not a model")
    other = good[".keras" if suffix == ".h5" else ".h5"]
    shutil.copy(other, tmp_path / f"other{suffix}")
    for name in ("text", "other"):
        with pytest.raises(UnsafeModelFile, match="is not a whole"):
            load_model_file(tmp_path / f"{name}{suffix}")


def test_a_missing_file_a_folder_and_another_name_are_refused(tmp_path: Path, good: dict[str, Path]) -> None:
    """Keras would read a folder named .keras, and fetch addresses that begin with hf://."""
    (tmp_path / "folder.keras").mkdir()
    for path in (tmp_path / "none.h5", tmp_path / "folder.keras", Path("hf://someone/model.keras")):
        with pytest.raises(TrainingError, match="There is no model file"):
            load_model_file(path)
    with pytest.raises(UnsafeModelFile, match=r"wanted \.keras or \.h5"):
        load_model_file(good[".h5"].rename(tmp_path / "model.bin"))


def test_weights_without_a_model_are_refused(tmp_path: Path, tiny_model: MakeModel) -> None:
    """A checkpoint of weights is HDF5 too."""
    tiny_model().save_weights(tmp_path / "model.weights.h5")
    with pytest.raises(UnsafeModelFile, match="weights alone cannot be loaded"):
        load_model_file(tmp_path / "model.weights.h5")


@pytest.mark.parametrize("member", ["../outside", "/outside", "assets/vocabulary.txt", "config.json"])
@pytest.mark.filterwarnings("ignore:Duplicate name")  # what the test makes on purpose
def test_a_keras_file_with_other_members_is_refused(good: dict[str, Path], member: str) -> None:
    """No path out of the archive, no files beside the three, none of them twice."""
    with zipfile.ZipFile(good[".keras"], "a") as archive:
        archive.writestr(member, "x")
    with pytest.raises(UnsafeModelFile, match="each once, and nothing else"):
        load_model_file(good[".keras"])


def test_a_keras_file_that_unpacks_to_far_more_is_refused(tmp_path: Path) -> None:
    """A bomb is found by its directory, not by unpacking it."""
    with zipfile.ZipFile(tmp_path / "bomb.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", bytes(32 * 1024 * 1024))
    with pytest.raises(UnsafeModelFile, match=r"model\.weights\.h5 would unpack to 33554432 bytes"):
        load_model_file(tmp_path / "bomb.keras")


def _link_out(file: h5py.File) -> None:
    file["model_weights/elsewhere"] = h5py.ExternalLink("other.h5", "/secret")


def _link_soft(file: h5py.File) -> None:
    file["optimizer_weights/elsewhere"] = h5py.SoftLink("/model_weights")


def _store_out(file: h5py.File) -> None:
    file.create_dataset("raw", (8,), "u1", external=[("/etc/passwd", 0, 8)])


def _map_out(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "secret", (4,))
    file.create_virtual_dataset("mapped", layout)


def _claim(file: h5py.File) -> None:
    file.create_dataset("huge", (10**9,), "f4", chunks=(1024,))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (_link_out, r"elsewhere is a link \(ExternalLink\)"),
        (_link_soft, r"elsewhere is a link \(SoftLink\)"),
        (_store_out, "raw lies in another file"),
        (_map_out, "mapped lies in another file"),
        (_claim, "huge claims 4000000000 bytes"),
    ],
)
def test_an_h5_file_that_reaches_out_or_claims_too_much_is_refused(
    good: dict[str, Path], change: Callable[[h5py.File], None], found: str
) -> None:
    """HDF5 can point to other files and promise what it does not hold."""
    with h5py.File(good[".h5"], "r+") as file:
        change(file)
    with pytest.raises(UnsafeModelFile, match=found):
        load_model_file(good[".h5"])


def test_state_that_does_not_fit_is_refused_but_the_weights_can_be_had(good: dict[str, Path]) -> None:
    """The message names the way round."""
    with h5py.File(good[".h5"], "r+") as file:
        group = file["optimizer_weights"]
        group.attrs["weight_names"] = np.asarray(group.attrs["weight_names"])[:-1]
    with pytest.raises(UnsafeModelFile, match="Load it with compile=False"):
        load_model_file(good[".h5"])
    assert not load_model_file(good[".h5"], compile=False).compiled
