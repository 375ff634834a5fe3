"""What the commands on models have in common: where the store and the servers are, and how errors end."""

import getpass
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from pictor_store.errors import StoreError, StoreLocked, VersionMissing
from pictor_store.models.model import StoredModel
from pictor_store.models.store import ModelStore, open_store
from pictor_store.serving.servers import TIMEOUT_S, Servers, Tls

FAILED: Final = 1
LOCKED: Final = 5
"""Exit codes; 2 is click's, for a command that is written wrongly."""

Command = Callable[..., None]
Value = Any
"""What click gives for a flag: of as many types as there are flags."""

_FILE: Final = click.Path(dir_okay=False, path_type=Path)

_STORE = (
    click.option(
        "--store", default="models", show_default=True, metavar="WHERE", help="Folder or URL of the store."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs."),
)
_BASE_PATH = click.option(
    "--base-path", metavar="PATH", help="The store as TensorFlow Serving sees it. [default: where it is]"
)
_SERVERS = (
    click.option("--tfs", default="", metavar="ADDRESS,...", help="TensorFlow Servings that are to follow."),
    click.option(
        "--models-config",
        type=_FILE,
        metavar="FILE",
        help="Their --model_config_file, written as well; entries for other models stay.",
    ),
    _BASE_PATH,
    click.option(
        "--timeout-s",
        type=float,
        default=TIMEOUT_S,
        show_default=True,
        help="Seconds for the servers to follow.",
    ),
    click.option("--tfs-tls", is_flag=True, help="Speak to them over TLS."),
    click.option("--tfs-ca-file", type=_FILE, help="PEM file of the authorities that sign for them."),
    click.option("--tfs-cert-file", type=_FILE, help="PEM file of our certificate, for mutual TLS."),
    click.option("--tfs-key-file", type=_FILE, help="PEM file of its private key."),
    click.option("--tfs-server-name", help="The name their certificate says."),
)
_REASON = (
    click.option("--reason", default="", help="Why, for the history."),
    click.option("--by", default=None, help="Who, for the history. [default: the user]"),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What every command is given: the store, and whether programs read the answer."""

    store: ModelStore
    as_json: bool

    def model(self, name: str) -> StoredModel:
        """Return a model that has a version.

        Raises:
            VersionMissing: there is none of this name; the message suggests one.
        """
        names = self.store.names()
        if name in names:
            return self.store.model(name)
        close = get_close_matches(name, names, 1)
        hint = f" Did you mean {close[0]}?" if close else f" There are: {', '.join(names) or 'none'}."
        raise VersionMissing(f"{self.store.where} has no model {name!r}.{hint}")

    def show(self, document: object, lines: list[str]) -> None:
        """Print the one or the other."""
        click.echo(json.dumps(document, indent=2, ensure_ascii=False) if self.as_json else "\n".join(lines))


def on_store(command: Command) -> Command:
    """Give a command its first argument: `Asked`. What the store refuses ends it with one line."""

    @wraps(command)
    def run(*, store: str, as_json: bool, **more: Value) -> None:
        with _ended(), _warned():
            command(Asked(open_store(store), as_json), **more)

    return _with(run, _STORE)


def with_servers(command: Command) -> Command:
    """Give a command `servers`, which may be none."""

    @wraps(command)
    def run(*arguments: Value, **more: Value) -> None:
        where = more.pop("tfs"), more.pop("models_config"), more.pop("base_path")
        files = {name: more.pop(f"tfs_{name}") for name in ("ca_file", "cert_file", "key_file")}
        name, wanted = more.pop("tfs_server_name"), more.pop("tfs_tls")
        if not wanted and (name or any(files.values())):
            raise click.UsageError("--tfs-ca-file, --tfs-cert-file and --tfs-server-name need --tfs-tls.")
        if (files["cert_file"] is None) != (files["key_file"] is None):
            raise click.UsageError("--tfs-cert-file and --tfs-key-file need each other.")
        tls = Tls(**files, name=name) if wanted else None
        try:
            servers = Servers(*where, timeout_s=more.pop("timeout_s"), tls=tls)
        except StoreError as error:
            raise click.UsageError(str(error)) from error
        command(*arguments, servers=servers, **more)

    return _with(run, _SERVERS)


def with_base_path(command: Command) -> Command:
    """Give a command `base_path`."""
    return _BASE_PATH(command)


def with_reason(command: Command) -> Command:
    """Give a command `reason` and `by`, the user if nobody is named."""

    @wraps(command)
    def run(*arguments: Value, by: str | None, **more: Value) -> None:
        command(*arguments, by=_user() if by is None else by, **more)

    return _with(run, _REASON)


def _with(command: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a number without a name, as in many containers
        return ""


@contextmanager
def _ended() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        click.echo(f"pictor models: {error}", err=True)
        raise click.exceptions.Exit(LOCKED if isinstance(error, StoreLocked) else FAILED) from error


class _Line(logging.Formatter):
    """A warning as one line, with its fields: the root's own way would leave them out."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = ", ".join(f"{name} {value}" for name, value in getattr(record, "fields", {}).items())
        return f"pictor models: {record.getMessage()}{f': {fields}' if fields else ''}"


@contextmanager
def _warned() -> Iterator[None]:
    """Print what the store warns of while a command runs."""
    log, handler = logging.getLogger("pictor.store"), logging.StreamHandler()
    handler.setFormatter(_Line())
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
