"""A program that is one of several workers: it carries out the runs of its command line with the others.

Worker 0 tells of each step and of the results. `several_run.py '[{"run": "...", "config": {}}, ...]'`, with
TF_CONFIG and the folder of small_run.py on the path. A run may hold the key "others": the settings of all
workers but worker 0.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from small_run import TellingProgress, curve, digest, small_config, small_data, small_model

from pictor_training.errors import ConfigError, TrainingError
from pictor_training.fitting.determinism import make_deterministic
from pictor_training.fitting.fit import fit
from pictor_training.fitting.progress import Silence
from pictor_training.several.cluster import read_cluster
from pictor_training.several.workers import Workers, join


def _train(task: dict[str, Any], workers: Workers) -> None:
    leads = workers.index == 0
    config = small_config(**(task["config"] if leads else task.get("others", task["config"])))
    make_deterministic(config.seed)
    model = small_model(config)
    run = Path(task["run"])
    result = fit(
        model,
        config,
        small_data(),
        run if leads else None,
        resume=True,
        progress=TellingProgress() if leads else Silence(),
        workers=workers,
    )
    file = run.with_name(f"{run.name}-{workers.index}.npz")  # of worker 0 the best weights, else the last
    np.savez(file, *[np.asarray(one) for one in model.trainable_variables])
    if leads:
        facts = {"curve": curve(result.history), "weights": digest(model)}
        sys.stdout.write(f"result {json.dumps(facts)}\n")
        sys.stdout.flush()


def _main(runs: str) -> int:
    cluster = read_cluster(os.environ)
    assert cluster is not None
    workers = join(cluster)
    for task in json.loads(runs):
        try:
            _train(task, workers)
        except ConfigError as refused:  # the next run is another one
            sys.stderr.write(f"{refused}\n")
        except TrainingError as ended:
            sys.stderr.write(f"{ended}\n")
            return ended.exit_code
    workers.part()
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
