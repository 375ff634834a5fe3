"""Versions in object storage, where nothing can be renamed: a version counts from its manifest on.

::

    <store>/<name>/<number>/            uploaded file by file, the manifest last; removed manifest first
                   .given/<number>      created before the first upload: of two who want a number, one gets it
                   .last_version        the highest number given, as in a folder
                   .lock/               the lease of the one who changes the model
                   .history/            what was done, one file per event
"""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from pictor_contract import ContractError, ImageContract
from pictor_contract.artifact import CONTRACT_FILE, EXTRA, MANIFEST_FILE
from pictor_store.durable import make_folder
from pictor_store.errors import VersionDamaged
from pictor_store.models.versions import (
    Announce,
    is_number,
    is_version,
    note_number,
    read_highest,
    verify_folder,
)
from pictor_store.places.place import Place

_GIVEN = ".given"


class ObjectVersions:
    """The versions of the model in the folder `name` of `place`."""

    def __init__(self, place: Place, name: str) -> None:
        self._place = place
        self._name = name

    def numbers(self) -> list[int]:
        """Those with a manifest."""
        names = self._place.names(self._name)
        return sorted(int(name) for name in names if is_version(name) and self._is_complete(int(name)))

    def contract(self, version: int) -> ImageContract:
        """Read one object."""
        try:
            return ImageContract.from_json(self._place.read(f"{self._at(version)}/{CONTRACT_FILE}"))
        except ContractError as error:
            raise VersionDamaged(f"{self._place.where}/{self._at(version)}: {error}") from error

    def folder(self, version: int) -> None:
        """Nothing of it is on this machine."""

    def fetch(self, version: int, into: Path) -> Path:
        """Download to `into`/<name>/<number>; what was there and is whole is not downloaded again."""
        target = into / self._name / str(version)
        if target.is_dir():
            try:
                verify_folder(target)
            except VersionDamaged:
                shutil.rmtree(target)
            else:
                return target
        make_folder(target.parent)
        beside = Path(tempfile.mkdtemp(prefix=f".fetching-{version}-", dir=target.parent))
        try:
            self._download(version, beside)
            verify_folder(beside)
            beside.rename(target)
        except OSError:
            if not target.is_dir():
                raise
            verify_folder(target)  # another process was faster
        finally:
            shutil.rmtree(beside, ignore_errors=True)  # does nothing once it was renamed
        return target

    def verify(self, version: int) -> None:
        """Download into a temporary folder, and compare with the manifest."""
        with tempfile.TemporaryDirectory(prefix="pictor-verify-") as folder:
            self._download(version, Path(folder))
            verify_folder(Path(folder))

    def highest_given(self) -> int:
        """Read the record."""
        return read_highest(self._place, self._name)

    def note_given(self, version: int) -> None:
        """Write the record, if that is higher."""
        note_number(self._place, self._name, version)

    def bring(self, artifact: Path, announce: Announce | None, check: Callable[[], None]) -> int:
        """Take the next number for good, upload, and let the version appear with its manifest."""
        number = self._take_number()
        self.note_given(number)
        if announce is not None:
            announce(number)
        for path in _in_order(artifact):
            if path == MANIFEST_FILE:
                check()  # who lost the lock may have had his files swept away as a dead one's
            self._place.upload(artifact / path, f"{self._at(number)}/{path}")
        return number

    def remove(self, version: int) -> None:
        """Take the manifest away, then the rest; what is left by a kill is swept as ours."""
        self.note_given(version)  # it may have been copied in by hand
        self._claim(version)
        self._place.remove(f"{self._at(version)}/{MANIFEST_FILE}")
        self._place.remove(self._at(version))

    def sweep(self) -> None:
        """Remove what has no manifest and a number that we gave; others may be copying theirs by hand."""
        present = [name for name in self._place.names(self._name) if is_version(name)]
        broken = [int(name) for name in present if not self._is_complete(int(name))]
        for number in broken:
            if self._place.exists(self._claim_file(number)):
                self._place.remove(self._at(number))

    def _at(self, version: int) -> str:
        return f"{self._name}/{version}"

    def _claim_file(self, version: int) -> str:
        return f"{self._name}/{_GIVEN}/{version}"

    def _is_complete(self, version: int) -> bool:
        return self._place.exists(f"{self._at(version)}/{MANIFEST_FILE}")

    def _take_number(self) -> int:
        names = [*self._place.names(self._name), *self._place.names(f"{self._name}/{_GIVEN}")]
        used = [int(name) for name in names if is_number(name)]
        number = max([self.highest_given(), *used]) + 1
        while not self._claim(number):
            number += 1
        return number

    def _claim(self, number: int) -> bool:
        try:
            self._place.create(self._claim_file(number), b"\n")
        except FileExistsError:
            return False
        return True

    def _download(self, version: int, into: Path) -> None:
        prefix = f"{self._at(version)}/"
        for facts in self._place.files(self._at(version)):
            path = PurePosixPath(facts.path.removeprefix(prefix))
            if path.is_absolute() or ".." in path.parts:
                raise VersionDamaged(f"{self._place.where}/{facts.path} is not a version's file: remove it.")
            (into / path).parent.mkdir(parents=True, exist_ok=True)
            self._place.download(facts.path, into / path)


def _in_order(artifact: Path) -> list[str]:
    """List the files: weights, extras, the graph that TensorFlow Serving looks for, at last the manifest."""

    def rank(path: str) -> tuple[int, str]:
        last = {"saved_model.pb": 2, MANIFEST_FILE: 3}
        return last.get(path, int(path.startswith(f"{EXTRA}/"))), path

    files = (path.relative_to(artifact).as_posix() for path in artifact.rglob("*") if path.is_file())
    return sorted(files, key=rank)
