"""`pictor demo`: what the README promises in one command."""

import json
import shlex
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import click

from pictor_training.demo.digits import write_digits
from pictor_training.demo.gateway import free_port, gateway
from pictor_training.errors import TrainingError
from pictor_training.launch import launch
from pictor_training.plan import Request, plan_run

OVERRIDES = ("name=digits", "fit.epochs=30")


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Where all of it is written.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Another free port is taken if somebody listens there.",
)
@click.option("--once", is_flag=True, help="End after the answer instead of serving on.")
@click.option(
    "--pictures-only",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write the class folders into DIR, and do nothing else; may be repeated.",
)
@click.argument("overrides", metavar="[KEY=VALUE]...", nargs=-1)
def demo(folder: Path, port: int, once: bool, pictures_only: Path | None, overrides: tuple[str, ...]) -> None:
    """Train on 1,797 handwritten digits, publish, serve, and ask about one held-out picture.

    KEY=VALUE sets any key of the training's configuration, as for `pictor train`.
    """
    try:
        if pictures_only is not None:
            _write_pictures(pictures_only)
            return
        _require_the_rest()
        _train(folder, [*OVERRIDES, *overrides])
        _serve_and_ask(folder, port, once=once)
    except TrainingError as error:
        click.echo(f"pictor demo: {error}", err=True)
        raise click.exceptions.Exit(error.exit_code) from error


def _require_the_rest() -> None:
    """Refuse before the training what would fail after it."""
    if shutil.which("curl") is None:
        raise TrainingError("The demo asks with curl, and there is none on the PATH. Install it.")
    if find_spec("fastapi") is None:
        raise TrainingError(
            "The demo also serves, and needs the extra 'serving' as well: pip install '.[training,serving]'"
        )


def _write_pictures(pictures: Path, held_out: Path | None = None) -> None:
    try:
        write_digits(pictures, held_out)
    except OSError as error:
        raise TrainingError(f"{error.filename} cannot be written: {error.strerror}.") from error


def _train(folder: Path, overrides: list[str]) -> None:
    click.secho("1. Real pictures: 1,797 handwritten digits, 8x8, ten folders", bold=True)
    _write_pictures(folder / "pictures", folder / "held-out")
    command = ["pictor", "train", "--data", str(folder / "pictures"), *overrides]
    command += ["--runs", str(folder / "runs"), "--models", str(folder / "models")]
    click.secho(f"2. {shlex.join(command)}", bold=True)
    pictures, runs, models = (folder / name for name in ("pictures", "runs", "models"))
    plan = plan_run(Request(str(pictures), None, overrides, runs, models, shlex.join(command)))
    for line in launch(plan).lines():
        click.echo(line)


def _serve_and_ask(folder: Path, port: int, *, once: bool) -> None:
    chosen = free_port(port)
    click.secho(f"3. pictor serve --models {folder / 'models'} --port {chosen}", bold=True)
    picture = min((folder / "held-out").glob("*.png"))
    with gateway(folder / "models", chosen) as (url, process):
        click.secho(f"4. Ask about a {picture.name.partition('-')[0]} that training never saw", bold=True)
        _ask(url, picture)
        if not once:
            click.echo(f"\nServing on {url} (API: {url}/docs). Ctrl-C ends it.")
            try:
                process.wait()
            except KeyboardInterrupt:
                click.echo()


def _ask(url: str, picture: Path) -> None:
    arguments = [
        "-sS",
        "--fail-with-body",
        "--noproxy",
        "*",
        "-F",
        f"file=@{picture}",
        f"{url}/v1/classify?top_k=3",
    ]
    click.echo("   $ " + shlex.join(["curl", *arguments]))
    answer = subprocess.run(["curl", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607  # our words, the PATH's curl
    click.echo(_indented(answer.stdout))
    if answer.returncode:
        raise TrainingError(f"curl ended with {answer.returncode}: {answer.stderr.strip()}")


def _indented(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:  # whoever answered was no gateway: show what was said
        return text
