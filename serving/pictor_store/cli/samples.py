"""`pictor samples`: look at captured pictures, delete what is too old, forget what must be forgotten."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from pictor_store.cli.tables import table
from pictor_store.errors import StoreError
from pictor_store.samples import digest_of, open_samples
from pictor_store.samples.copies import CACHE_FOLDER, delete_copies, delete_folder

_COLUMNS = ("MODEL", "PICTURES", "BYTES", "LABELS", "FIRST DAY", "LAST DAY")

Command = Callable[..., None]


def _with_place(command: Command) -> Command:
    return click.option(
        "--samples",
        "where",
        metavar="WHERE",
        required=True,
        help="Folder or fsspec URL, as the gateway's --capture.",
    )(command)


def _with_json(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command)


@click.group()
def samples() -> None:
    """Look at captured pictures and the labels that users gave, and delete them."""


@samples.command("list")
@_with_place
@_with_json
def list_samples(where: str, as_json: bool) -> None:
    """Count the pictures and labels of each model."""
    with _told():
        rows = open_samples(where).overview()
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
    elif rows:
        click.echo("\n".join(table(_COLUMNS, [[*map(str, asdict(row).values())] for row in rows])))
    else:
        click.echo(f"No pictures and no labels in {where}.")


@samples.command()
@click.argument("prediction_id")
@_with_place
def show(prediction_id: str, where: str) -> None:
    """Print what is kept of one prediction as JSON: the picture's record and its label."""
    with _told():
        found = open_samples(where).find(prediction_id)
    if found.sample is None and found.judgement is None:
        raise click.ClickException(f"Nothing of this prediction is in {where}.")
    click.echo(json.dumps(asdict(found), indent=2, ensure_ascii=False))


@samples.command()
@_with_place
@click.option("--max-age-days", type=click.FloatRange(min=0), help="Delete pictures older than this.")
@click.option("--max-bytes", type=click.IntRange(min=0), help="Delete the oldest until so much is left.")
@_with_json
def sweep(where: str, max_age_days: float | None, max_bytes: int | None, as_json: bool) -> None:
    """Delete pictures that are too old or too many. The gateway does it by itself."""
    if max_age_days is None and max_bytes is None:
        raise click.UsageError("Give --max-age-days, --max-bytes, or both.")
    with _told():
        swept = open_samples(where).sweep(max_age_days=max_age_days, max_bytes=max_bytes)
    if as_json:
        click.echo(json.dumps(asdict(swept)))
    else:
        click.echo(
            f"Deleted {swept.pictures} pictures, {swept.bytes} bytes; {swept.bytes_left} bytes are left."
        )


@samples.command()
@_with_place
@click.option("--subject", metavar="NAME", help="Whose pictures: as in X-Subject-ID, or an API key's name.")
@click.option("--id", "prediction_id", metavar="PREDICTION_ID", help="The picture of this prediction.")
@click.option(
    "--picture",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Every copy of this file.",
)
@click.option(
    "--collected",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    multiple=True,
    help="A folder that `pictor retrain` collects into, RUNS/collected; may be repeated.",
)
@click.option(
    "--runs",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    multiple=True,
    help="A runs folder, whose decoded pictures (.cache) are deleted; may be repeated.",
)
@_with_json
def forget(  # noqa: PLR0913, PLR0917  # one parameter for each flag
    where: str,
    subject: str | None,
    prediction_id: str | None,
    picture: Path | None,
    collected: tuple[Path, ...],
    runs: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Delete a person's pictures on request, everywhere, so that nothing collects them again.

    Say whose (--subject), which (--id), or give the picture itself. Copies are found by content. May be
    repeated; what was interrupted must be.
    """
    if sum(one is not None for one in (subject, prediction_id, picture)) != 1:
        raise click.UsageError("Give one of --subject, --id and --picture.")
    with _told():
        digest = None if picture is None else digest_of(_content(picture))
        gone = open_samples(where).forget(subject=subject, prediction_id=prediction_id, digest=digest)
        copies = [path for folder in collected for path in delete_copies(folder, gone.digests)]
        caches = [run / CACHE_FOLDER for run in runs if delete_folder(run / CACHE_FOLDER)]
    done = {
        "pictures": gone.pictures,
        "labels": gone.labels,
        "copies": [str(path) for path in copies],
        "caches": [str(path) for path in caches],
        "sha256": list(gone.digests),
    }
    if as_json:
        click.echo(json.dumps(done, indent=2))
    else:
        _tell(where, done)


def _tell(where: str, done: dict[str, Any]) -> None:
    if not any(done.values()):
        click.echo(f"Nothing of it was found in {where}.")
        return
    click.echo(f"Deleted {done['pictures']} pictures and {done['labels']} labels in {where}.")
    for path in (*done["copies"], *done["caches"]):
        click.echo(f"Deleted {path}")
    click.echo(f"{len(done['sha256'])} contents will not be collected again.")
    click.echo("Reports of earlier runs and models trained on it stay: delete those runs, and retrain.")


def _content(picture: Path) -> bytes:
    try:
        return picture.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{picture} cannot be read ({error.strerror}).") from error


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise click.ClickException(str(error)) from error
