"""The `pictor` command: its sub-commands come from whatever extras are installed.

A sub-command is an entry point in the group `pictor.commands`, imported only when it is called.
"""

import os
import signal
import sys
from importlib.metadata import EntryPoint, entry_points, version
from types import FrameType

import click

GROUP = "pictor.commands"

_EXTRA_OF_PACKAGE = {
    "pictor_training": "training",
    "pictor_gateway": "serving",
    "pictor_store": "serving",
    "pictor_tfs": "serving",
}


class _Commands(click.Group):
    """The group whose members are looked up when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # click's signature
        """Names of every sub-command, whether or not its extra is installed."""
        return sorted(_found())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # click's
        """Import and return the sub-command; one whose extra is missing says so when it is run."""
        found = _found().get(cmd_name)
        if found is None:
            return None
        try:
            command = found.load()
        except ModuleNotFoundError as missing:
            return _command_that_needs(_extra(found), cmd_name, missing)
        if not isinstance(command, click.Command):
            raise click.ClickException(f"The sub-command {cmd_name!r} ({found.value}) is no click command.")
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the sub-command; a library that only now turns out to be missing gives the same hint."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as missing:
            found = _found().get(ctx.invoked_subcommand or "")
            if found is None or _is_ours(missing):
                raise
            raise _hint(_extra(found), found.name, missing) from missing


def _found() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _extra(point: EntryPoint) -> str:
    return _EXTRA_OF_PACKAGE.get(point.module.partition(".")[0], "dev")


def _is_ours(missing: ModuleNotFoundError) -> bool:
    return (missing.name or "").startswith("pictor_")


def _hint(extra: str, name: str, missing: ModuleNotFoundError) -> click.ClickException:
    return click.ClickException(
        f"`pictor {name}` needs the extra '{extra}' ({missing.name} is not installed): "
        f"pip install 'pictor[{extra}]'"
    )


def _command_that_needs(extra: str, name: str, missing: ModuleNotFoundError) -> click.Command:
    if _is_ours(missing):
        raise missing

    @click.command(
        name,
        help=f"Not available: needs the extra '{extra}'.",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def needs(arguments: tuple[str, ...]) -> None:  # whatever was given, the hint is the answer
        raise _hint(extra, name, missing)

    return needs


def _heed_sigterm() -> None:
    """Let SIGTERM end a container's first process as it ends any other, until a command takes it in hand.

    Linux drops a signal to process 1 that it has no handler for: sent while libraries are being loaded, or to
    a command without a handler, it would be lost, and the pod would stay until its grace period is over.
    """
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, _end)


def _end(number: int, frame: FrameType | None) -> None:
    """End at once, as the default would: nothing that may be half done at a kill is to be tidied up here."""
    os._exit(128 + number)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("pictor"), prog_name="pictor")
def commands() -> None:
    """Train an image classifier from a folder of pictures, publish it, serve it over HTTP."""


def main() -> None:
    """Entry point of the `pictor` command."""
    _heed_sigterm()
    sys.exit(commands.main(prog_name="pictor"))
