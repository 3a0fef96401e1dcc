"""Entry point of ``consentgate``: the commands are loaded when they are called, so that help comes at once."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import Final

import click

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "consent": ("orthanc_plugin.cli.consent", "Record, list and withdraw consents."),
    "decide": ("orthanc_plugin.cli.decide", "Say what would be decided, and why."),
    "explain": ("orthanc_plugin.cli.explain", "Explain a recorded decision in words."),
    "review": ("orthanc_plugin.cli.review", "Record what a person found when looking at a picture."),
    "quarantine": ("orthanc_plugin.cli.quarantine", "Show and release what is held back."),
    "audit": ("orthanc_plugin.cli.audit", "Read and verify the audit trail."),
    "preflight": ("orthanc_plugin.cli.preflight", "Check an Orthanc configuration from outside."),
    "db": ("orthanc_plugin.cli.db", "Make or upgrade the registry's tables."),
    "init": ("orthanc_plugin.cli.init", "Write a safe, commented configuration into an empty folder."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported on first use."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Return the command, loaded now."""
        if name not in COMMANDS:
            return None
        module, _ = COMMANDS[name]
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list without loading anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup)
@click.option(
    "--settings",
    envvar="CONSENTGATE_SETTINGS",
    type=click.Path(dir_okay=False),
    help="Path of settings.toml [default: settings.toml here, or the environment's CONSENTGATE_SETTINGS].",
)
@click.version_option(version("consentgate"), prog_name="consentgate")
def main(settings: str | None) -> None:
    """Consent for clinical photographs: who may have which picture, for what, in which form."""
