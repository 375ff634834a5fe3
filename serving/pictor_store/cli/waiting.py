"""Until a store has something to serve: what an init container of TensorFlow Serving waits for."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from time import monotonic
from types import FrameType
from typing import Final, NoReturn

import click
from google.protobuf import text_format

from pictor_store.errors import StoreError
from pictor_store.models.store import ModelStore
from pictor_tfs.wire import serving_pb2 as wire

_LOOK_S: Final = 2.0
_SAY_S: Final = 60.0
_BY_SIGNAL: Final = 128
"""Added to a signal's number in the exit code, as shells do: 143 for SIGTERM, 130 for Ctrl-C."""

_WHAT_TO_DO: Final = (
    "Run the first retraining: `pictor retrain`, or in Kubernetes `kubectl create job first "
    "--from=cronjob/pictor-retrain`. It publishes a version and writes what servers start with"
)


def wait_until_served(
    store: ModelStore, names: Sequence[str], file: Path | None, say: Callable[[str], None]
) -> None:
    """Return when the models of `names` (none: any) have a version, and `file`, if given, names them.

    Nothing is written, so the store may be mounted read-only. `say` is told what is missing and what to do as
    the waiting begins, and what is missing every minute. A store that cannot be read is waited for as well: a
    volume may still be on its way. SIGTERM and SIGINT end it at once, by `click.exceptions.Exit`.
    """
    began = said_at = monotonic()
    first = True
    with _ended_by_signals():
        while missing := _missing(store, names, file):
            if first:
                say(f"waiting: {missing}. {_WHAT_TO_DO}.")
            elif monotonic() - said_at >= _SAY_S:
                said_at = monotonic()
                say(f"still waiting after {(said_at - began) / 60:.0f} min: {missing}.")
            first = False
            Event().wait(_LOOK_S)
    if not first:
        say(f"found after {monotonic() - began:.0f} s.")


def _missing(store: ModelStore, names: Sequence[str], file: Path | None) -> str:
    """Return what is not there yet; "" if all is."""
    try:
        present = store.names()
    except StoreError as error:
        return str(error).rstrip(".")
    if not present or not set(names) <= set(present):
        wanted = ", ".join(name for name in names if name not in present) or "any model"
        return f"{store.where} has no version of {wanted} yet"
    return "" if file is None else _missing_in(file, names or present)


def _missing_in(file: Path, names: Sequence[str]) -> str:
    try:
        text = file.read_text(encoding="utf-8")
        config = text_format.Parse(text, wire.ModelServerConfig(), allow_unknown_field=True)
    except FileNotFoundError:
        return f"{file} is not there yet"
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        return f"{file} cannot be read as a models.config: {error}"
    told = {one.name for one in config.model_config_list.config}
    lost = [name for name in names if name not in told]
    return f"{file} does not name {', '.join(lost)} yet" if lost else ""


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """End at once: the first process of a container has no way to be ended by SIGTERM but its own."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        raise click.exceptions.Exit(_BY_SIGNAL + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
