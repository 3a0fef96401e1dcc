"""The ``dicomwrap`` command: which commands there are, and nothing else.

Knows click. Must not know DICOM: what a command does is imported when it runs, so that each starts quickly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Final

import click

from dicomwrap.cli import clock
from dicomwrap.uids import UidSource, fresh_uid
from dicomwrap.version import VERSION

# command: module of dicomwrap.cli, the name in it, and what the command is for
COMMANDS: Final = {
    "wrap": ("wrapcommand", "wrap_command", "Turn photographs into DICOM objects."),
    "unwrap": ("judging", "unwrap", "Take the photograph out of an object again."),
    "inspect": ("judging", "inspect", "Show what an object says."),
    "verify": ("judging", "verify", "Judge DICOM photographs, from whatever program."),
    "worklist": ("worklists", "worklist", "Ask a worklist whose photographs are to be taken."),
    "send": ("sending", "send", "Send objects, and be told what may be deleted."),
    "watch": ("watchcommand", "watch_command", "Wrap, send and delete what a camera puts into a folder."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the commands take from the world; tests give their own as ``obj``."""

    now: Callable[[], datetime] = clock.now
    new_uid: UidSource = fresh_uid


class LazyCommands(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, _context: click.Context) -> list[str]:
        """Return the names in the order of the work."""
        return list(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """Return a command, or None when there is none of that name."""
        if name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[name]
        command: click.Command = getattr(import_module(f"dicomwrap.cli.{module}"), attribute)
        return command

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="dicomwrap")
def main() -> None:
    """Turn clinical photographs into DICOM objects that carry their consent, and back."""
