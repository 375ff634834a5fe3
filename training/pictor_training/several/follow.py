"""The workers that do not lead: they help to train, and leave nothing behind."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from pictor_training.data.prepare import PreparedData, prepare
from pictor_training.fitting.determinism import make_deterministic
from pictor_training.fitting.fit import fit
from pictor_training.fitting.progress import Silence
from pictor_training.network.build import build_network
from pictor_training.plan import Share
from pictor_training.several.cluster import Cluster
from pictor_training.several.workers import join


def follow(share: Share, cluster: Cluster) -> None:
    """Help to train. No file outlasts this.

    Raises:
        TrainingError: the training ended so.
    """
    sys.stderr.write(f"worker {cluster.index} of {cluster.count}: {cluster.name_of(0)} leads and tells\n")
    sys.stderr.flush()
    workers = join(cluster)
    data = _prepared(share)
    config = share.config
    make_deterministic(config.seed)
    model = build_network(config.network, share.picture_input, len(data.labels), data.head, seed=config.seed)
    fit(model, config, data, None, resume=False, progress=Silence(), workers=workers)
    workers.part()


def _prepared(share: Share) -> PreparedData:
    """Decode into a folder that is gone at once; what is mapped stays until the process ends, however."""
    with TemporaryDirectory(prefix="pictor-", ignore_cleanup_errors=True) as scratch:
        return prepare(
            share.source, share.config.data, share.picture_input, Path(scratch), report=lambda *_: None
        )
