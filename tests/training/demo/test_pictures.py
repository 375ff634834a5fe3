"""`pictor demo --pictures-only`: class folders for a first look, and nothing else."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from pictor_training.demo.cli import demo
from pictor_training.demo.digits import write_digits


def write(folder: Path) -> Result:
    """Type the command."""
    return CliRunner().invoke(demo, [f"--pictures-only={folder}"])


def test_it_writes_a_folder_for_each_digit(tmp_path: Path) -> None:
    """1,789 grey pictures; the eight that the demo asks about stay away, and nothing lies beside them."""
    done = write(tmp_path / "pictures")
    assert (0, "") == (done.exit_code, done.output)
    assert [str(digit) for digit in range(10)] == sorted(
        one.name for one in (tmp_path / "pictures").iterdir()
    )
    files = [one for one in tmp_path.rglob("*") if one.is_file()]
    assert 1789 == len(files)
    with Image.open(files[0]) as picture:
        assert ("PNG", "L", (8, 8)) == (picture.format, picture.mode, picture.size)


def test_it_may_be_repeated(tmp_path: Path) -> None:
    """What is there stays as it is, a person's correction too; what is missing comes back."""
    write_digits(tmp_path)
    kept, lost = tmp_path / "0" / "0-0000.png", tmp_path / "1" / "1-0001.png"
    kept.write_bytes(b"somebody's own")
    lost.unlink()
    assert 0 == write(tmp_path).exit_code
    assert b"somebody's own" == kept.read_bytes()
    assert lost.is_file()


def test_held_out_pictures_are_for_those_who_ask(tmp_path: Path) -> None:
    """Eight, beside what is trained on."""
    write_digits(tmp_path / "pictures", tmp_path / "held-out")
    assert 8 == len(list((tmp_path / "held-out").iterdir()))


@pytest.mark.parametrize("in_the_way", ["", "0"])
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, in_the_way: str) -> None:
    """In one line, with its name."""
    (tmp_path / "pictures").mkdir()
    place = tmp_path / "pictures" / "0"
    place.write_text("a file")
    done = write(tmp_path / "pictures" / in_the_way)
    assert done.exit_code in {1, 2}
    assert str(place) in done.stderr


def test_a_name_beside_the_picture_is_nobody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that write the same folder at once took each other's half-written file away."""
    names: list[str] = []
    real = Path.replace

    def noted(path: Path, target: Path) -> Path:
        names.append(path.name)
        return real(path, target)

    monkeypatch.setattr(Path, "replace", noted)
    write_digits(tmp_path / "one")
    write_digits(tmp_path / "other")
    assert len(names) == len(set(names)) == 2 * 1789
