"""`pictor train`: the command line in, a run folder and a published version out."""

import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from pictor_training.errors import Interrupted, TrainingError
from pictor_training.launch import launch, launch_share
from pictor_training.plan import Plan, Request, Share, plan_resumption, plan_run, plan_run_at, plan_share
from pictor_training.run_folder import is_trained
from pictor_training.several.cluster import Cluster, read_cluster


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
@click.option(
    "--in",
    "folder",
    metavar="RUN",
    type=click.Path(path_type=Path),
    help="The run's folder by name: begun if new, gone on with if stopped, left alone if complete.",
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
    folder: Path | None,
    overrides: tuple[str, ...],
) -> None:
    """Train on the pictures in DIR, evaluate, report and publish.

    KEY=VALUE sets any key of the configuration, for example: preset=course-cnn fit.epochs=20 seed=7

    With TF_CONFIG, TensorFlow's variable, several processes train together: start the same command on each.
    """
    if resume and any((data, manifest, config_file, name, runs, models, no_publish, folder, overrides)):
        raise click.UsageError("--resume takes all from the run's own folder; give nothing else.")
    if runs and folder:
        raise click.UsageError("--in names the run's folder itself; leave --runs out.")
    try:
        cluster = read_cluster(os.environ)
        given = [*overrides, *_as_overrides(manifest, name)]
        store = None if no_publish else models or Path("models")
        command = shlex.join(["pictor", *sys.argv[1:]])
        workers = 1 if cluster is None else cluster.count
        request = Request(data, config_file, given, runs or Path("runs"), store, command, workers)
        lines = _train(request, resume, folder, cluster)
    except KeyboardInterrupt as stop:  # before the run began; from then on `launch` says how to go on
        click.echo("pictor train: Stopped. No run was begun.", err=True)
        raise click.exceptions.Exit(Interrupted.exit_code) from stop
    except TrainingError as error:
        click.echo(f"pictor train: {error}", err=True)
        raise click.exceptions.Exit(error.exit_code) from error
    for line in lines:
        click.echo(line)


def _train(
    request: Request, resume: Path | None, folder: Path | None, cluster: Cluster | None
) -> Sequence[str]:
    if cluster is not None and not cluster.leads:
        if (run := resume or folder) is not None and is_trained(run):
            return [f"{run} needs no other workers any more."]
        launch_share(_share(request, resume), cluster)
        return [f"worker {cluster.index} of {cluster.count} is done"]
    plan = _plan(request, resume, folder)
    if plan is None:
        return [f"{folder} is complete already."]
    return launch(plan, cluster=cluster).lines()


def _plan(request: Request, resume: Path | None, folder: Path | None) -> Plan | None:
    if resume is not None:
        return plan_resumption(resume, request.workers)
    return plan_run(request) if folder is None else plan_run_at(folder, request)


def _share(request: Request, resume: Path | None) -> Share:
    if resume is None:
        return plan_share(request)
    plan = plan_resumption(resume, request.workers)
    return Share(plan.config, plan.picture_input, plan.source)


def _as_overrides(manifest: str | None, name: str | None) -> list[str]:
    """Return the flags that are short names of configuration keys."""
    keys = {"data.manifest": manifest, "name": name}
    return [f"{key}={json.dumps(value)}" for key, value in keys.items() if value is not None]
