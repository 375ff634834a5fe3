"""What tests of mirrors say again and again: what is published, and what a server sees of it."""

from pathlib import Path
from typing import Final

from pictor_contract import ArtifactError
from pictor_contract.artifact import verify_manifest, write_manifest
from pictor_store.mirroring.mirror import Mirror
from pictor_store.models.model import StoredModel

KEEP_S: Final = 100.0

_OURS: Final = {".mirror", ".mirror.lock", ".history", ".last_version", ".servers.lock"}


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def wait(self, wait_s: float) -> None:
        """Let time pass."""
        self.now += wait_s


def publish(model: StoredModel, artifact: Path, content: str) -> int:
    """Publish a version whose weights are these letters."""
    (artifact / "variables" / "variables.data").write_text(content)
    write_manifest(artifact)
    return model.publish(artifact)


def passed(mirror: Mirror) -> tuple[str, ...]:
    """Make one pass; return what did not work."""
    return mirror.bring(mirror.glance()).troubles


def whole_versions(into: Path, name: str = "pets") -> list[int]:
    """Return the versions that a server would see, all whole for as long as they are there."""
    found = sorted(int(entry.name) for entry in (into / name).glob("*") if entry.name.isdigit())
    return [version for version in found if _is_whole(into / name / str(version))]


def _is_whole(folder: Path) -> bool:
    try:
        verify_manifest(folder)
    except ArtifactError:
        if folder.exists():
            raise
        return False  # it was just let go
    return True


def left_overs(into: Path) -> list[str]:
    """Return what a killed run left, or a finished one should not have."""
    names = (path.name for path in into.rglob(".*"))
    return sorted(name for name in names if name not in _OURS)
