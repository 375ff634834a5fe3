"""What becomes of an exported model: by default it is published; retraining asks its gate first."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pictor_contract import ImageContract
from pictor_training.export.publish import publish_once
from pictor_training.run_folder import PUBLISHED_FILE
from pictor_training.stages import StageReport
from pictor_training.verdict import Verdict

if TYPE_CHECKING:  # what they import takes seconds
    from pictor_training.data.prepare import PreparedData
    from pictor_training.judgement import Judgement


@dataclass(frozen=True, slots=True)
class Exported:
    """A run that has all but been released. `artifact` is the version's folder as it would be published."""

    run: Path
    artifact: Path
    contract: ImageContract
    data: "PreparedData"
    judgement: "Judgement"
    stages: StageReport


@dataclass(frozen=True, slots=True)
class Released:
    """What came of it: the version's number, None if nothing was published, and the gate's word, if asked."""

    version: int | None
    verdict: Verdict | None = None


Release = Callable[[Exported], Released]
"""Called once per run, and again if the process was killed: the second call must find what is done."""


def publish_to(store: Path | None) -> Release:
    """Return what `pictor train` does: publish to `store`, or nothing without one."""

    def release(exported: Exported) -> Released:
        if store is None:
            return Released(None)
        name = exported.contract.name
        version = publish_once(exported.artifact, store, name, exported.run / PUBLISHED_FILE)
        shutil.rmtree(exported.artifact, ignore_errors=True)  # what stays costs room, no more
        return Released(version)

    return release
