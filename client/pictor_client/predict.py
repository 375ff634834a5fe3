"""`pictor predict`: pictures in, one JSON line each out."""

import json
from pathlib import Path
from typing import Any

import click

from pictor_client.call import DEFAULT_TIMEOUT_S, DEFAULT_URL, classify
from pictor_client.errors import ClientError

PICTURE = click.Path(exists=True, dir_okay=False, path_type=Path)
SECONDS = click.FloatRange(min=0, min_open=True)


@click.command()
@click.argument("pictures", nargs=-1, required=True, type=PICTURE)
@click.option("--url", default=DEFAULT_URL, show_default=True, help="Address of the gateway.")
@click.option("--model", help="Model that answers; needed if the gateway serves several.")
@click.option("--version", type=click.IntRange(min=1), help="Version of the model; by default the newest.")
@click.option(
    "--top-k", type=click.IntRange(min=1), help="Labels in the answer; by default as the gateway is set."
)
@click.option("--threshold", type=click.FloatRange(0, 1), help="Least score of a label in the answer.")
@click.option(
    "--timeout-s",
    type=SECONDS,
    default=DEFAULT_TIMEOUT_S,
    show_default=True,
    help="Seconds to wait for each answer.",
)
def predict(pictures: tuple[Path, ...], **asked: Any) -> None:  # noqa: ANN401  # click's options, passed on
    """Classify PICTURES; ends with exit code 1 if one was refused, after trying the rest."""
    failed = 0
    for path in pictures:
        try:
            answer = classify(path.read_bytes(), **asked)
        except (ClientError, OSError) as error:
            failed += 1
            click.echo(f"{path}: {error}", err=True)
            continue
        click.echo(json.dumps({"picture": str(path), **answer}, ensure_ascii=False))
    if failed:
        raise click.exceptions.Exit(1)
