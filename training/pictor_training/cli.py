"""`pictor train`: the command line in, a run folder and a published version out."""

import json
import shlex
import sys
from pathlib import Path

import click

from pictor_training.errors import Interrupted, TrainingError
from pictor_training.launch import launch
from pictor_training.plan import Request, plan_resumption, plan_run


@click.command()
@click.option(
    "--data", metavar="DIR", help="Folder of class folders, or what a --manifest's paths start from."
)
@click.option("--manifest", metavar="CSV", help="CSV with columns path,label[,split]; several labels: a|b.")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="YAML file; its keys win over the preset.",
)
@click.option("--name", help="Model name: folder in the store and segment of the URL.")
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    help="Where the run's folder is made. [default: runs]",
)
@click.option(
    "--models",
    type=click.Path(path_type=Path),
    help="The store to publish to. [default: models]",
)
@click.option("--no-publish", is_flag=True, help="Train and report, but publish nothing.")
@click.option(
    "--resume",
    "resume",
    metavar="RUN",
    type=click.Path(path_type=Path),
    help="Go on with a run that was stopped or killed.",
)
@click.argument("overrides", metavar="[KEY=VALUE]...", nargs=-1)
def train(  # noqa: PLR0913, PLR0917  # one parameter for each flag
    data: str | None,
    manifest: str | None,
    config_file: Path | None,
    name: str | None,
    runs: Path | None,
    models: Path | None,
    no_publish: bool,
    resume: Path | None,
    overrides: tuple[str, ...],
) -> None:
    """Train on the pictures in DIR, evaluate, report and publish.

    KEY=VALUE sets any key of the configuration, for example: preset=course-cnn fit.epochs=20 seed=7
    """
    try:
        if resume is None:
            given = [*overrides, *_as_overrides(manifest, name)]
            store = None if no_publish else models or Path("models")
            command = shlex.join(["pictor", *sys.argv[1:]])
            plan = plan_run(Request(data, config_file, given, runs or Path("runs"), store, command))
        elif any((data, manifest, config_file, name, runs, models, no_publish, overrides)):
            raise click.UsageError("--resume takes all from the run's own folder; give nothing else.")
        else:
            plan = plan_resumption(resume)
        result = launch(plan)
    except KeyboardInterrupt as stop:  # before the run began; from then on `launch` says how to go on
        click.echo("pictor train: Stopped. No run was begun.", err=True)
        raise click.exceptions.Exit(Interrupted.exit_code) from stop
    except TrainingError as error:
        click.echo(f"pictor train: {error}", err=True)
        raise click.exceptions.Exit(error.exit_code) from error
    for line in result.lines():
        click.echo(line)


def _as_overrides(manifest: str | None, name: str | None) -> list[str]:
    """Return the flags that are short names of configuration keys."""
    keys = {"data.manifest": manifest, "name": name}
    return [f"{key}={json.dumps(value)}" for key, value in keys.items() if value is not None]
