"""Publishers that are killed, and publishers that meet: a reader never sees anything but whole versions."""

import subprocess
import sys
from pathlib import Path

import pytest

from pictor_contract import ArtifactError
from pictor_contract.artifact import list_versions, verify_manifest

NAME = "pets"
SCRIPT = Path(__file__).with_name("kill_publisher.py")


class Reader:
    """Polls a model's folder as a server does, and checks every version that it sees."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.polls = 0

    def poll(self) -> None:
        """Verify all versions, but for those that are withdrawn meanwhile."""
        self.polls += 1
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


def start(*command: str) -> subprocess.Popen[str]:
    """Start Python; its output can be read at the end."""
    return subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("points", "bytes_to_copy", "least"),
    [
        pytest.param(["lines"], 10, 100, id="at every line"),
        pytest.param(["30", "1"], 4_000_000, 30, id="at 30 random times"),
    ],
)
def test_a_reader_sees_whole_versions_while_publishers_are_killed(
    stand_in: Path, tmp_path: Path, points: list[str], bytes_to_copy: int, least: int
) -> None:
    """Every version is whole at every poll, no number is given twice, and the next publisher works."""
    (stand_in / "variables" / "variables.data").write_bytes(bytes(bytes_to_copy))
    store = tmp_path / "store"
    reader = Reader(store / NAME)
    with start(str(SCRIPT), str(stand_in), str(store), NAME, *points) as killer:
        reader.poll_until_end_of(killer)
        died, last_attempt = (int(number) for number in killer.communicate()[0].split())
    folders = [*(store / NAME).glob("[0-9]*"), *(store / "withdrawn").glob("*")]
    numbers = {int((folder / "attempt").read_text()): int(folder.name) for folder in folders}
    given = [numbers[attempt] for attempt in sorted(numbers)]

    assert died >= least, "too few publishers died for this test to say anything"
    assert reader.polls > 10
    assert given == sorted(set(given)), "a later attempt got a number that was given before"
    assert max(numbers) == last_attempt, "the last, undisturbed publisher failed"
    assert (store / NAME / ".last_version").read_text() == f"{given[-1]}\n"
    assert [path.name for path in (store / NAME).glob(".staging-*")] == []


def test_two_publishers_at_once_take_turns(stand_in: Path, tmp_path: Path) -> None:
    """Eight versions of two processes get eight numbers, and all are whole."""
    store = tmp_path / "store"
    code = (
        "import sys; from pathlib import Path; from pictor_training.export.publish import publish\n"
        "print(*(publish(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]) for _ in range(4)))"
    )
    command = ("-c", code, str(stand_in), str(store), NAME)
    with start(*command) as one, start(*command) as other:
        Reader(store / NAME).poll_until_end_of(one, other)
        output = one.communicate()[0] + other.communicate()[0]

    assert (
        sorted(int(number) for number in output.split())
        == list_versions(store / NAME)
        == [1, 2, 3, 4, 5, 6, 7, 8]
    )
