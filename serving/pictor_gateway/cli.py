"""`pictor serve`."""

import os
from collections.abc import Callable

import click
from pydantic.fields import FieldInfo

from pictor_gateway.entrance.api_keys import InvalidKeys
from pictor_gateway.process.listening import CannotListen
from pictor_gateway.process.server import run
from pictor_gateway.process.workers import WorkersFailed
from pictor_gateway.settings import ENV_PREFIX, InvalidSettings, Settings, flag_of

Command = Callable[..., None]


def _with_flags(command: Command) -> Command:
    """Give `command` one flag for each setting; the values are judged by the settings, not here."""
    for name, field in reversed(Settings.model_fields.items()):
        command = click.option(flag_of(name), name, metavar="VALUE", help=_help_text(name, field))(command)
    return command


def _help_text(name: str, field: FieldInfo) -> str:
    default = "none" if field.default is None else field.default
    return f"{field.description} [{ENV_PREFIX}{name.upper()}; default: {default}]"


@click.command()
@click.option("--print-config", is_flag=True, help="Print the settings as JSON and stop.")
@_with_flags
def serve(print_config: bool, **flags: str | None) -> None:
    """Serve the models of a folder over HTTP; new versions are picked up while it runs."""
    # gRPC's own lines, a dozen a second while certificates do not fit, would stand among our JSON.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        settings = Settings.load(given, os.environ)
    except InvalidSettings as error:
        raise click.UsageError(str(error)) from error
    if print_config:
        click.echo(settings.model_dump_json(indent=2))
        return
    try:
        run(settings, os.environ)
    except (InvalidKeys, InvalidSettings) as error:
        raise click.UsageError(str(error)) from error
    except (CannotListen, WorkersFailed) as error:
        raise click.ClickException(str(error)) from error
