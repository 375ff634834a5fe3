"""`pictor models mirror`: a store in object storage as a folder of this machine, kept as the store says."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

import click

from pictor_contract import is_model_name
from pictor_contract.contract import MODEL_NAME_RULE
from pictor_store.cli.options import FAILED, Asked, on_store, with_servers
from pictor_store.cli.tables import overview
from pictor_store.models.reported import reported
from pictor_store.models.store import ModelStore, open_store
from pictor_store.serving.servers import Servers

if TYPE_CHECKING:
    from pictor_store.mirroring.mirror import Passed

_LOCK_WAIT_S: Final = 5.0
"""For a mirror that was just told to stop."""

_SIGNALLED: Final = 128
"""A shell's exit code of a process that a signal ended, less the signal's number."""

_MOST_S: Final = 86400.0
"""As for --timeout-s. Without a bound, "inf" and "nan" would be times to wait."""


class _Seconds(click.FloatRange):
    """A range that "nan" is not in: click compares, and nothing is smaller or larger than it."""

    def convert(self, value: float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        seconds = float(super().convert(value, param, ctx))
        if isnan(seconds):
            self.fail(f"{value} is no time.", param, ctx)
        return seconds


@click.command()
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder that becomes the copy; nothing else may be in it.",
)
@click.option("--model", default="", metavar="NAME,...", help="Models to mirror. [default: all]")
@click.option("--once/--follow", default=True, help="Bring what is served now, or go on. [default: --once]")
@click.option(
    "--poll-interval-s",
    type=_Seconds(0.1, _MOST_S),
    default=15.0,
    show_default=True,
    help="Seconds between two looks at the store.",
)
@click.option(
    "--keep-s",
    type=_Seconds(0, _MOST_S),
    default=120.0,
    show_default=True,
    help="Seconds that a version stays after the servers were told to let it go.",
)
@click.option("--max-bytes", type=click.IntRange(1), help="Bound of all that is in the folder.")
@with_servers
@on_store
def mirror(  # noqa: PLR0913 - one parameter for each flag
    asked: Asked,
    *,
    into: Path,
    model: str,
    once: bool,
    poll_interval_s: float,
    keep_s: float,
    max_bytes: int | None,
    servers: Servers,
) -> None:
    """Copy the versions that are served into a folder, whole and verified, and keep it so.

    For servers without a volume in common: each has its own copy. Labels move on the TensorFlow Serving of
    --tfs, and in its --models-config, when it has the version and answers its golden picture as recorded.
    """
    from pictor_store.mirroring import following  # noqa: PLC0415 - gRPC takes time
    from pictor_store.mirroring.folder import MirrorFolder  # noqa: PLC0415 - as above
    from pictor_store.mirroring.mirror import Mirror  # noqa: PLC0415 - as above

    if not once and servers.config_file is not None and not servers.targets:
        raise click.UsageError(
            "--follow with --models-config needs --tfs: a label can only move to a version that TensorFlow "
            "Serving has loaded, and a file alone does not tell."
        )
    only = _names(model)
    _refuse_inside_each_other(asked.store, into)
    folder = MirrorFolder(into.absolute(), max_bytes)
    made = Mirror(asked.store, folder, servers, only, keep_s)
    with (
        _ended_by_sigterm(0 if not once else _SIGNALLED + signal.SIGTERM),
        folder.mine(asked.store.where, _LOCK_WAIT_S),
    ):
        if not once:
            following.Following(made, poll_interval_s, lambda passed: _tell(asked, into, passed)).run()
        with reported(f"{into} cannot be used"):
            passed = following.once(made)
        _tell(asked, into, passed, always=True)
    if passed.troubles:
        raise click.exceptions.Exit(FAILED)


def _names(model: str) -> list[str]:
    names = [name.strip() for name in model.split(",") if name.strip()]
    for name in names:
        if not is_model_name(name):
            raise click.BadParameter(
                f"A model's name must be {MODEL_NAME_RULE}; received {name!r}.", param_hint="--model"
            )
    return names


def _refuse_inside_each_other(store: ModelStore, into: Path) -> None:
    """Refuse a store as its own mirror: versions without a label would be deleted from it."""
    local = store.place.local("")
    if local is None:
        return
    source, copy = local.resolve(), into.resolve()
    if source.is_relative_to(copy) or copy.is_relative_to(source):
        raise click.BadParameter(
            f"{into} and the store {store.where} are in one another. Name a folder outside of the store.",
            param_hint="--into",
        )


def _tell(asked: Asked, into: Path, passed: "Passed", *, always: bool = False) -> None:
    """Print what is here, if that is new, and each trouble in a line."""
    for trouble in passed.troubles:
        click.echo(f"pictor models: {' '.join(trouble.split())}", err=True)
    if passed.changed or always:
        here = open_store(into)
        found = [overview(here.model(name)) for name in here.names()]
        asked.show(
            found,
            [_line(facts["name"], facts["versions"], facts["labels"]) for facts in found] or ["No models."],
        )


def _line(name: str, versions: list[int], labels: dict[str, int]) -> str:
    named = ", ".join(f"{label}={version}" for label, version in sorted(labels.items()))
    return f"{name}: mirrored {', '.join(map(str, versions))}; {named or 'no labels'}."


@contextmanager
def _ended_by_sigterm(code: int) -> Iterator[None]:
    """End the process at once when it is told to: whatever it is doing may be broken off at any point.

    As a container's first process it would not even be ended by the signal otherwise.
    """

    def end(_signal: int, _frame: FrameType | None) -> None:
        os._exit(code)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
