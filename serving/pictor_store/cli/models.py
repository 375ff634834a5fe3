"""`pictor models`: what is in a store, which version is used, and the way back."""

from pathlib import Path

import click

from pictor_store import changes
from pictor_store.cli.mirror import mirror
from pictor_store.cli.options import FAILED, Asked, on_store, with_base_path, with_reason, with_servers
from pictor_store.cli.tables import details, details_lines, event_facts, overview, overview_row, table
from pictor_store.errors import VersionDamaged, VersionMissing
from pictor_store.lineage import STABLE
from pictor_store.models.history import Event
from pictor_store.models.model import StoredModel
from pictor_store.serving.servers import Servers, base_path_of

_VERSION = "VERSION|LABEL"
_MOST_DIGITS = 19
"""Of a version: TensorFlow Serving's are 64 bits."""


@click.group()
def models() -> None:
    """Look at published models and choose the version that is used.

    Exit codes: 0 done, 1 failed and all is as before, 2 wrong usage, 5 another process changes the store.
    """


models.add_command(mirror)


@models.command("list")
@on_store
def list_models(asked: Asked) -> None:
    """List the models with their versions and labels."""
    found = [overview(asked.store.model(name)) for name in asked.store.names()]
    rows = [overview_row(facts) for facts in found]
    asked.show(found, table(("NAME", "VERSIONS", "LABELS"), rows) if rows else ["No models."])


@models.command()
@click.argument("name")
@click.argument("version", metavar=f"[{_VERSION}]", required=False)
@on_store
def show(asked: Asked, name: str, version: str | None) -> None:
    """Show contract, labels, metrics and history of a model."""
    model = asked.model(name)
    versions = model.versions() if version is None else [_number(model, version)]
    facts = details(model, versions)
    asked.show(facts, details_lines(facts))


@models.command()
@click.argument("name")
@click.argument("version", metavar=_VERSION)
@click.option("--label", default=STABLE, show_default=True, help="The label that is to name it.")
@with_servers
@with_reason
@on_store
def promote(  # noqa: PLR0913 - one parameter for each flag
    asked: Asked, *, name: str, version: str, label: str, servers: Servers, reason: str, by: str
) -> None:
    """Let stable, or another label, name a version.

    With --tfs the label moves when every server has the version and answers its golden picture as recorded.
    """
    model = asked.model(name)
    before = model.last_event()
    event = changes.promote(
        model, _number(model, version), label=label, servers=servers, reason=reason, by=by
    )
    _tell(asked, model, event, before, f"{label} names version {event.labels[label]}")


@models.command()
@click.argument("name")
@with_servers
@with_reason
@on_store
def rollback(asked: Asked, name: str, servers: Servers, reason: str, by: str) -> None:
    """Let stable name the version it named before; once more goes one further back.

    With --models-config but without --tfs where no server gets ready: restarted, they begin with that file.
    """
    model = asked.model(name)
    before = model.last_event()
    event = changes.rollback(model, servers=servers, reason=reason, by=by)
    _tell(asked, model, event, before, f"{STABLE} names version {event.labels[STABLE]} again")


@models.command()
@click.argument("name")
@click.argument("label")
@with_servers
@with_reason
@on_store
def unlabel(asked: Asked, name: str, label: str, servers: Servers, reason: str, by: str) -> None:
    """Take a label away."""
    model = asked.model(name)
    before = model.last_event()
    event = changes.unlabel(model, label, servers=servers, reason=reason, by=by)
    _tell(asked, model, event, before, f"no version is {label} any more")


@models.command()
@click.argument("name")
@click.argument("version", metavar=f"[{_VERSION}]", required=False)
@on_store
def verify(asked: Asked, name: str, version: str | None) -> None:
    """Compare every file of a version, or of all, with what was published."""
    model = asked.model(name)
    found: dict[int, str] = {}
    for one in model.versions() if version is None else [_number(model, version)]:
        try:
            model.verify(one)
            found[one] = ""
        except VersionDamaged as error:
            found[one] = str(error)
    rows = [[str(one), words or "whole"] for one, words in found.items()]
    facts = [{"version": one, "whole": not words, "reason": words} for one, words in found.items()]
    asked.show(facts, table(("VERSION", "FILES"), rows))
    if any(found.values()):
        raise click.exceptions.Exit(FAILED)


@models.command()
@click.argument("name")
@click.option("--keep", type=click.IntRange(1), required=True, help="Newest versions to keep in any case.")
@with_servers
@with_reason
@on_store
def prune(asked: Asked, name: str, keep: int, servers: Servers, reason: str, by: str) -> None:
    """Remove old versions: none with a label, none a rollback goes to, none that a server still has."""
    model = asked.model(name)
    gone = changes.prune(model, keep, servers=servers, reason=reason, by=by)
    words = f"removed version {', '.join(map(str, gone))}" if gone else "there is nothing to remove"
    asked.show({"removed": gone, "versions": model.versions()}, [f"{name}: {words}."])


@models.command()
@with_servers
@on_store
def sync(asked: Asked, servers: Servers) -> None:
    """Have the servers, or the file alone, follow the history.

    After a server was restarted, or a command killed.
    """
    if not servers:
        raise click.UsageError("Say who is to follow: --tfs ADDRESS,... or --models-config FILE, or both.")
    changes.sync(asked.store, servers)
    names = asked.store.names()
    asked.show({"models": names}, [f"{', '.join(names)}: as the history says."])


@models.command()
@click.option(
    "--wait", is_flag=True, help="First wait until there is something to serve; nothing is written."
)
@click.option(
    "--model", "names", multiple=True, metavar="NAME", help="With --wait: for this model, not for any."
)
@click.option(
    "--models-config",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="With --wait: until this file, which servers are to start with, names the models as well.",
)
@with_base_path
@on_store
def config(
    asked: Asked, *, wait: bool, names: tuple[str, ...], file: Path | None, base_path: str | None
) -> None:
    """Print the models.config that follows from the history, for servers that are to be started."""
    from pictor_store.serving.models_config import make_config, to_text  # noqa: PLC0415 - protobuf takes time
    from pictor_store.serving.state import states_of  # noqa: PLC0415 - as above

    if wait:
        from pictor_store.cli.waiting import wait_until_served  # noqa: PLC0415 - as above

        wait_until_served(
            asked.store, names, file, lambda line: click.echo(f"pictor models: {line}", err=True)
        )
    elif names or file:
        raise click.UsageError("--model and --models-config say what to wait for; they need --wait.")
    where = base_path_of(Servers(base_path=base_path), asked.store.where)
    text = to_text(make_config([state.served for state in states_of(asked.store).values()], where))
    asked.show({"models_config": text}, [text.rstrip("\n")])


def _number(model: StoredModel, text: str) -> int:
    """Return the version that a number or a label means."""
    if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS:
        return int(text)
    labels = model.labels()
    if text not in labels:
        there = ", ".join(sorted(labels)) or "none"
        raise VersionMissing(f"{model.where} has no label {text!r}. There are: {there}.")
    return labels[text]


def _tell(asked: Asked, model: StoredModel, event: Event, before: Event | None, words: str) -> None:
    changed = before is None or event.sequence > before.sequence
    asked.show(
        event_facts(event, changed=changed),
        [f"{model.name}: {words}{'' if changed else ', as before: nothing was recorded'}."],
    )
