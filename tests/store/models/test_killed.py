"""Whoever is killed while changing a model: it is what it was or what it should be, never between."""

import subprocess
import sys
from pathlib import Path

import pytest

from artifacts import make_artifact
from pictor_contract import ArtifactError
from pictor_contract.artifact import list_versions, verify_manifest
from pictor_store.models.history import read_labels

SCRIPT = Path(__file__).with_name("kill_changes.py")


class Reader:
    """Polls a model's folder as a server and a gateway do, and checks every version that it sees."""

    def __init__(self, folder: Path, *, labels: bool = True) -> None:
        self._folder = folder
        self._labels = labels
        self.polls = 0

    def poll(self) -> None:
        """Verify all versions, but for those that are withdrawn meanwhile; read the labels."""
        if not self._folder.exists():
            return
        self.polls += 1
        if self._labels:
            read_labels(self._folder)
        for version in list_versions(self._folder):
            folder = self._folder / str(version)
            try:
                verify_manifest(folder)
            except (ArtifactError, FileNotFoundError):
                if folder.exists():
                    raise

    def poll_until_end_of(self, *processes: subprocess.Popen[str]) -> None:
        """Poll while any of them runs, and once more."""
        while any(process.poll() is None for process in processes):
            self.poll()
        self.poll()


def _start(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("place", "kills", "least"),
    [
        pytest.param("folder", ["every"], 100, id="publishing, at every fifth line"),
        pytest.param("folder", ["120", "1"], 120, id="any change, at 120 random lines"),
        pytest.param("bucket", ["20", "2"], 20, id="any change in object storage, at 20 random lines"),
    ],
)
def test_a_killed_change_has_happened_or_not(
    tmp_path: Path, place: str, kills: list[str], least: int
) -> None:
    """Versions are whole, labels name some, the history has no gaps, no number is given twice."""
    reader = Reader(tmp_path / "models" / "pets", labels=kills != ["every"])  # that begins anew each time
    with _start(str(SCRIPT), str(tmp_path), place, *kills) as killer:
        reader.poll_until_end_of(killer)
        died = killer.communicate()[0]

    assert 0 == killer.returncode
    assert int(died) >= least, "too few died for this test to say anything"
    assert reader.polls > 10 or place == "bucket"


def test_two_publishers_at_once_take_turns(tmp_path: Path) -> None:
    """Eight versions of two processes get eight numbers, all are whole, and each has its event."""
    make_artifact(tmp_path / "artifact", weight_bytes=1_000_000)
    code = (
        "import sys; from pathlib import Path; from pictor_store.models.store import open_store\n"
        "model = open_store(sys.argv[1]).model('pets')\n"
        "print(*(model.publish(Path(sys.argv[2])) for _ in range(4)))"
    )
    command = ("-c", code, str(tmp_path / "models"), str(tmp_path / "artifact"))
    folder = tmp_path / "models" / "pets"
    with _start(*command) as one, _start(*command) as other:
        Reader(folder).poll_until_end_of(one, other)
        output = one.communicate()[0] + other.communicate()[0]

    numbers = sorted(int(number) for number in output.split())
    assert (
        list(range(1, 9))
        == numbers
        == list_versions(folder)
        == [int(path.stem) for path in sorted((folder / ".history").iterdir())]
    )


def test_two_publishers_to_object_storage_take_turns(tmp_path: Path) -> None:
    """By lease, and by numbers that are created once."""
    make_artifact(tmp_path / "artifact")
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[3])\n"
        "from bucket import bucket_at\n"
        "from pictor_store.models.store import open_store\n"
        "with bucket_at(Path(sys.argv[1])):\n"
        "    model = open_store('bucket://models').model('pets')\n"
        "    print(*(model.publish(Path(sys.argv[2])) for _ in range(2)))"
    )
    command = ("-c", code, str(tmp_path / "bucket"), str(tmp_path / "artifact"), str(SCRIPT.parents[2]))
    with _start(*command) as one, _start(*command) as other:
        output = one.communicate()[0] + other.communicate()[0]

    assert [1, 2, 3, 4] == sorted(int(number) for number in output.split())
