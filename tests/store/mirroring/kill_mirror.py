"""Kill a mirror again and again, each time before another line; test_killed.py runs this.

Usage: kill_mirror.py FOLDER first|next STEP     the first pass, or the one after a label moved, before each
                                                 STEPth line of ours

Each pass is a fork that dies of SIGKILL: no clean-up runs. After each, what a server and a gateway see is
checked, then the next pass has to make it right. Prints how many died.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

from google.protobuf import text_format

sys.path.insert(0, str(Path(__file__).parents[2]))

import bucket
from artifacts import make_artifact
from mirrored import left_overs, publish, whole_versions
from pictor_store import durable
from pictor_store.changes import promote
from pictor_store.mirroring.folder import MirrorFolder
from pictor_store.mirroring.mirror import Mirror
from pictor_store.models.history import read_labels
from pictor_store.models.store import open_store
from pictor_store.serving.servers import Servers
from pictor_tfs.wire import serving_pb2 as wire

OURS = str(Path(durable.__file__).parent)

State = tuple[list[int], dict[str, int], str]


class Stage:
    """A store as it is before each kill, and the folder that it is mirrored into."""

    def __init__(self, folder: Path) -> None:
        self._bucket, self.into = folder / "bucket", folder / "mirror"
        self._kept = folder / "kept"
        self.file = self.into / "models.config"
        self._artifact = make_artifact(folder / "artifact")

    def set_up(self, *, first: bool) -> None:
        """Publish three versions; the second is stable, and mirrored unless this is to be the first pass."""
        model = open_store("bucket://models").model("pets")
        for letters in ("one", "two", "three"):
            publish(model, self._artifact, letters)
        promote(model, 1)
        promote(model, 2)
        self.into.mkdir()
        if not first:
            self.mirror()
            promote(model, 3)
        shutil.copytree(self.into, self._kept)

    def mirror(self) -> None:
        """Make a pass as the command does, and let go at once what is wanted no more."""
        folder = MirrorFolder(self.into)
        with folder.mine("bucket://models", 0):
            mirror = Mirror(open_store("bucket://models"), folder, Servers(config_file=self.file))
            passed = mirror.bring(mirror.glance())
            assert not passed.troubles, passed
            mirror.let_go()

    def begin_anew(self) -> None:
        """Have the folder as it was."""
        shutil.rmtree(self.into)
        shutil.copytree(self._kept, self.into)

    def state(self) -> State:
        """Return what is seen; whatever is wrong with it ends this process."""
        versions = whole_versions(self.into)
        labels = read_labels(self.into / "pets") if versions else {}
        assert not versions or labels, "without a history, the newest would answer everything"
        if not self.file.exists():
            return versions, labels, ""
        config = text_format.Parse(self.file.read_text(), wire.ModelServerConfig())
        (one,) = config.model_config_list.config
        wanted = set(one.model_version_policy.specific.versions)
        assert wanted <= set(versions), f"a server is told of {wanted}, there are {versions}"
        return versions, labels, str(sorted(wanted))


def dies(change: Callable[[], None], line: int) -> bool:
    """Change in a fork that dies before so many more lines of ours; whether it came to that."""
    child = os.fork()
    if child == 0:
        left = line

        def trace(frame: FrameType, event: str, _arg: Any) -> Any:  # as sys.settrace has it
            nonlocal left
            if not frame.f_code.co_filename.startswith(OURS):
                return None
            left -= event == "line"
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        change()
        sys.settrace(None)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit(f"The pass failed instead of dying: {os.WEXITSTATUS(status)}")
    return os.WIFSIGNALED(status)


def main() -> None:
    """Kill until one lives."""
    folder, first, step = Path(sys.argv[1]), sys.argv[2] == "first", int(sys.argv[3])
    with bucket.bucket_at(folder / "bucket"):
        stage = Stage(folder)
        stage.set_up(first=first)
        before = stage.state()
        stage.mirror()
        after = stage.state()
        assert before != after
        for line in count(step=step):
            stage.begin_anew()
            died = dies(stage.mirror, line)
            between = stage.state()
            assert between[1] in (before[1], after[1]), between
            assert between[2] in (before[2], after[2]), between
            stage.mirror()
            assert stage.state() == after, (line, stage.state())
            assert left_overs(stage.into) == [], (line, left_overs(stage.into))
            if not died:
                sys.stdout.write(f"{line // step}\n")
                return


if __name__ == "__main__":
    main()
