"""`pictor retrain`: the command line in; a better model, or a clear no, out."""

import os
import shlex
import sys
from pathlib import Path

import click

from pictor_training.errors import Interrupted, TrainingError
from pictor_training.several.cluster import refuse_cluster


@click.command()
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    required=True,
    help="YAML file that describes the job; its paths start from its folder.",
)
@click.option(
    "--if-drifted",
    metavar="URL,...",
    help="Retrain only if one of these gateways sees other pictures than the champion was trained on.",
)
@click.argument("overrides", metavar="[KEY=VALUE]...", nargs=-1)
def retrain(config_file: Path, if_drifted: str | None, overrides: tuple[str, ...]) -> None:
    """Collect what is new, train, ask the gate, publish and label: one night of a job that runs for years.

    KEY=VALUE sets any key of the configuration, for example: train.fit.epochs=20 gate.max_regression=0.02

    Exit code 0: promoted, or nothing to do. 3: held back by the gate. 4: the pictures. 5: another job is at
    work. 2: the configuration. 130: stopped, the same command goes on. 1: anything else.
    """
    from pictor_training.launch import stoppable  # noqa: PLC0415 - --help needs none of these
    from pictor_training.retraining.job import retrain as one_night  # noqa: PLC0415 - likewise
    from pictor_training.retraining.loading import load_retrain_config  # noqa: PLC0415 - likewise
    from pictor_training.retraining.running import LAST_WORDS  # noqa: PLC0415 - likewise
    from pictor_training.retraining.tools import real_tools  # noqa: PLC0415 - likewise
    from pictor_training.stages import StageReport  # noqa: PLC0415 - likewise

    given = list(overrides)
    if if_drifted is not None:
        gateways = [url.strip() for url in if_drifted.split(",") if url.strip()]
        given.append(f"drift.gateways={gateways!r}")
    stages = StageReport(sys.stderr)
    try:
        with stoppable(LAST_WORDS):
            refuse_cluster(os.environ, "pictor retrain")
            config = load_retrain_config(config_file, given)
            outcome = one_night(config, real_tools(), stages, shlex.join(["pictor", *sys.argv[1:]]))
    except KeyboardInterrupt as stop:  # before it could be heeded
        click.echo(f"pictor retrain: {LAST_WORDS}", err=True)
        raise click.exceptions.Exit(Interrupted.exit_code) from stop
    except TrainingError as error:
        click.echo(f"pictor retrain: {error}", err=True)
        raise click.exceptions.Exit(error.exit_code) from error
    finally:
        stages.end()
    for line in outcome.lines:
        click.echo(line)
    raise click.exceptions.Exit(outcome.exit_code)
