"""`pictor tfs-config`."""

from datetime import UTC, datetime
from math import isnan
from pathlib import Path
from typing import Final

import click

from pictor_tfs.tuning.figures import MOST_PICTURES, Figures, FiguresInvalid, Timing, read_figures
from pictor_tfs.tuning.files import files
from pictor_tfs.tuning.rules import Demand, NothingFits, Place, tune

_HOUR_MS: Final = 3_600_000.0
_MOST: Final = 10_000
"""Of cores, gateways and calls: more are a slip, and TensorFlow Serving's numbers have an end."""

_FILE: Final = click.Path(dir_okay=False, path_type=Path)


class _Milliseconds(click.FloatRange):
    """A range that does not let NaN pass, which is neither too small nor too large."""

    def convert(self, value: float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if isnan(number):
            self.fail(f"{value} is no number.", param, ctx)
        return number


@click.command("tfs-config")
@click.option(
    "--figures",
    "figures_file",
    type=_FILE,
    required=True,
    help="What was measured: read, or written by --measure.",
)
@click.option(
    "--measure", metavar="HOST:8500", help="Measure this TensorFlow Serving, which nobody else uses."
)
@click.option("--model", default="classifier", show_default=True, help="Model to measure with.")
@click.option(
    "--about", default="", help="The server and its hardware in words, for whoever reads the figures."
)
@click.option(
    "--repeats", type=click.IntRange(3, _MOST), default=20, show_default=True, help="Calls of each caller."
)
@click.option(
    "--max-batch", type=click.IntRange(1), help="Largest batch to measure. [default: the contract's]"
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for the files to be written."
)
@click.option(
    "--latency-ms",
    type=_Milliseconds(0, _HOUR_MS, min_open=True),
    default=200.0,
    show_default=True,
    help="Longest time that a call of the server may take.",
)
@click.option(
    "--deadline-ms",
    type=_Milliseconds(0, _HOUR_MS, min_open=True),
    default=10_000.0,
    show_default=True,
    help="The gateways' --request-timeout-s: what waits longer is for nobody.",
)
@click.option(
    "--cpus", type=click.IntRange(1, _MOST), default=2, show_default=True, help="The server's CPU request."
)
@click.option("--gpu", is_flag=True, help="It computes on a GPU.")
@click.option(
    "--gateways",
    type=click.IntRange(1, _MOST),
    default=10,
    show_default=True,
    help="Most gateways there will be.",
)
@click.option(
    "--calls",
    type=click.IntRange(1, _MOST),
    default=2,
    show_default=True,
    help="The gateways' --tfs-calls-per-server; as many callers measure.",
)
@click.option(
    "--largest-batch",
    type=click.IntRange(1, MOST_PICTURES),
    help="Last of export.batch_sizes of the models to be served. [default: the measured model's]",
)
def tfs_config(  # noqa: PLR0913 - one parameter for each flag
    *,
    figures_file: Path,
    measure: str | None,
    model: str,
    about: str,
    repeats: int,
    max_batch: int | None,
    out: Path | None,
    latency_ms: float,
    deadline_ms: float,
    cpus: int,
    gpu: bool,
    gateways: int,
    calls: int,
    largest_batch: int | None,
) -> None:
    """Choose TensorFlow Serving's batching and threads by measured figures.

    With --measure a running server is asked with batches of 1, 2, 4, ... and the figures are written. With
    --out they decide batching.config, monitoring.config and flags.txt, which are written there.
    """
    if measure is None and out is None:
        raise click.UsageError("Say what to do: --measure HOST:8500, or --out FOLDER, or both.")
    try:
        if measure is not None:
            figures = _measured(measure, model, about, (calls, repeats, max_batch))
            figures_file.write_text(figures.to_json(), encoding="utf-8")
        if out is not None:
            figures = read_figures(figures_file)
            demand = Demand(latency_ms / 1000, deadline_ms / 1000, gateways, calls, largest_batch)
            texts = files(tune(figures, Place(cpus, gpu), demand), figures, _command())
            out.mkdir(parents=True, exist_ok=True)
            for name, text in texts.items():
                (out / name).write_text(text, encoding="utf-8")
                click.echo(out / name)
    except (FiguresInvalid, NothingFits, OSError) as error:
        raise click.ClickException(str(error)) from error


def _measured(target: str, model: str, about: str, counts: tuple[int, int, int | None]) -> Figures:
    from pictor_tfs.tuning import measuring  # noqa: PLC0415 - gRPC and NumPy only where a server is asked

    calls, repeats, most = counts
    plan = measuring.Plan(target, model, calls, repeats, most, " ".join(about.split()))

    def report(timing: Timing) -> None:
        rate = calls * timing.pictures / timing.median_s
        click.echo(
            f"{timing.pictures:4} pictures  {timing.median_s * 1000:8.1f} ms  {rate:8.1f} pictures/s",
            err=True,
        )

    try:
        return measuring.measure(plan, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), report)
    except measuring.MeasureFailed as error:
        raise click.ClickException(str(error)) from error


def _command() -> list[str]:
    """Return what was typed and decides the files, so that their heads say how to write them again."""
    context = click.get_current_context()
    given = ["pictor", "tfs-config"]
    for option in context.command.params:
        name = option.name or ""
        if option.name in {"measure", "model", "about", "repeats", "max_batch"}:
            continue
        source = context.get_parameter_source(name)
        if source is not None and source.name != "DEFAULT":
            value = context.params[name]
            given += [option.opts[0]] if value is True else [option.opts[0], _plain(value)]
    return given


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
