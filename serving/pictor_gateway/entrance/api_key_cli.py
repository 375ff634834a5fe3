"""`pictor api-key`."""

import os
from pathlib import Path

import click

from pictor_gateway.entrance.api_keys import DefaultRate, InvalidKeys, line_for, new_key, read_lines


@click.command()
@click.argument("name")
@click.option("--rate-limit", type=float, metavar="N", help="Requests a second with this key.")
@click.option(
    "--rate-limit-burst", type=int, metavar="N", help="Requests at once after a pause; needs --rate-limit."
)
@click.option(
    "--file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of keys to add the line to; made if missing, readable by its owner alone.",
)
def api_key(name: str, rate_limit: float | None, rate_limit_burst: int | None, file: Path | None) -> None:
    """Make an API key for the client NAME.

    The key goes to standard output, this once: nothing keeps it. The line that lets the gateway know it by
    its hash goes to --file, or is shown on standard error for you to add.
    """
    if rate_limit_burst is not None and rate_limit is None:
        raise click.UsageError("--rate-limit-burst needs --rate-limit.")
    key = new_key()
    line = line_for(name, key, rate_limit, rate_limit_burst)
    try:
        read_lines([("The new line", line)], DefaultRate(None, 1))
        if file is not None:
            _append(file, line)
    except (InvalidKeys, OSError) as error:
        raise click.ClickException(str(error)) from error
    if file is None:
        click.echo(f"Line for the file of --api-keys-file:\n{line}\nKey for the client:", err=True)
    else:
        click.echo(f"Added {name} to {file}. Key for the client:", err=True)
    click.echo(key)


def _append(file: Path, line: str) -> None:
    """Add the line in one write, so that two who add at once lose nothing and the owner stays the same."""
    descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    with open(descriptor, "r+b", buffering=0) as opened:  # noqa: PTH123 - a descriptor, made with its mode
        present = opened.read().decode("latin-1")
        places = [(f"Line {number} of {file}", one) for number, one in enumerate(present.split("\n"), 1)]
        read_lines([*places, ("The new line", line)], DefaultRate(None, 1))
        opened.write(("\n" * (present[-1:] not in ("", "\n")) + line + "\n").encode())
