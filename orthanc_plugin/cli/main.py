"""Entry point of ``consentgate``: the commands are loaded when they are called, so that help comes at once."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from importlib.metadata import version
from keyword import iskeyword
from traceback import walk_tb
from typing import Any, Final

import click

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "consent": ("orthanc_plugin.cli.consent", "Record, show, withdraw and renew consents."),
    "fhir": ("orthanc_plugin.cli.fhirconsent", "Give and take consents as FHIR R4 resources."),
    "optout": ("orthanc_plugin.cli.optout", "Take in the list of national data opt-outs."),
    "form": ("orthanc_plugin.cli.form", "Show the hospital's consent forms, and fill one in."),
    "import": ("orthanc_plugin.cli.importing", "Take patients' facts and consents in from CSV files."),
    "patient": ("orthanc_plugin.cli.patient", "Show and record the facts of patients."),
    "authority": ("orthanc_plugin.cli.authority", "Record court orders, approvals and the like, beside consent."),
    "image": ("orthanc_plugin.cli.image", "Show and record the facts of pictures."),
    "decide": ("orthanc_plugin.cli.decide", "Say what would be decided, and why."),
    "event": ("orthanc_plugin.cli.event", "Say what follows from an event on a consent."),
    "task": ("orthanc_plugin.cli.task", "List and close what somebody must do."),
    "route": ("orthanc_plugin.cli.route", "Show routes, say what they would do, and see to what they queued."),
    "disclosure": ("orthanc_plugin.cli.disclosure", "Show what left, and record what became of it."),
    "recall": ("orthanc_plugin.cli.recall", "Have copies back: ask, remind, record who has answered."),
    "disclosures": ("orthanc_plugin.cli.disclosures", "Say who has had which photographs, and what they hold now."),
    "retention": ("orthanc_plugin.cli.retention", "Say how long records are kept; keep facts, schedule and disposal."),
    "transfer": ("orthanc_plugin.cli.transfer", "Transfer records to a place of deposit; keep its receipts."),
    "certificate": ("orthanc_plugin.cli.certificate", "Check certificates of destruction, and give the key to it."),
    "hold": ("orthanc_plugin.cli.hold", "Place, lift and list holds, which suspend disposal."),
    "subject-access": ("orthanc_plugin.cli.subjectaccess", "Make a patient's own copy, once it is checked."),
    "policy": ("orthanc_plugin.cli.policy", "Check a policy, compare two, replay recorded decisions under a new one."),
    "explain": ("orthanc_plugin.cli.explain", "Explain a recorded decision in words."),
    "review": ("orthanc_plugin.cli.review", "Record what a person found when looking at a picture."),
    "approval": ("orthanc_plugin.cli.approval", "Record the patient's approval of photographs before they are filed."),
    "capture": ("orthanc_plugin.cli.capture", "Stop the taking of pictures when the patient objects."),
    "break-glass": ("orthanc_plugin.cli.breakglass", "Give, end and review emergency access."),
    "device": (
        "orthanc_plugin.cli.device",
        "Keep the register of devices; report one lost and list what came from it.",
    ),
    "operator": ("orthanc_plugin.cli.operator", "Keep the register of who may take clinical photographs."),
    "legacy": ("orthanc_plugin.cli.legacy", "Take over the pictures from before Consentgate."),
    "deidentify": ("orthanc_plugin.cli.deidentify", "Anonymise DICOM files and folders that are in no archive."),
    "profile": ("orthanc_plugin.cli.profile", "Show the anonymisation profiles, and what each does in words."),
    "reidentify": ("orthanc_plugin.cli.reidentify", "Ask, with a second person, whose an anonymised copy is."),
    "linkage": ("orthanc_plugin.cli.linkage", "Settle when anonymised studies of one patient add up."),
    "key": ("orthanc_plugin.cli.key", "Show and check the keys of pseudonyms."),
    "storage": ("orthanc_plugin.cli.storage", "Encrypt Orthanc's files, and see to the keys."),
    "export": ("orthanc_plugin.cli.export", "Show what key objects asked to have exported, and how that stands."),
    "rejection": ("orthanc_plugin.cli.rejection", "Show and lift what other archives have rejected."),
    "quarantine": ("orthanc_plugin.cli.quarantine", "Show and release what is held back."),
    "audit": ("orthanc_plugin.cli.audit", "Read and verify the audit trail."),
    "doors": ("orthanc_plugin.cli.doors", "List every exit, what passes through it, and who may use it."),
    "preflight": ("orthanc_plugin.cli.preflight", "Check an Orthanc configuration from outside."),
    "watch": ("orthanc_plugin.cli.watch", "Stop Orthanc when nobody guards it."),
    "courier": ("orthanc_plugin.cli.courier", "Send what routes have queued."),
    "uploads": ("orthanc_plugin.cli.uploads", "Look into uploads by HTTP before Orthanc does."),
    "db": ("orthanc_plugin.cli.db", "Make or upgrade the registry's tables."),
    "init": ("orthanc_plugin.cli.init", "Write a safe, commented configuration into an empty folder."),
}

FAILED: Final = 1
UNPRINTED: Final = (
    "What was to be told can't be written ({}). Have it written elsewhere; before you repeat a command that changes "
    "something, see whether it has done so."
)


def _is_unprinted(error: OSError) -> bool:
    """Tell whether it came of printing, as on a full disk; what still waits to be printed is then given up."""
    printing = [frame.f_code for frame, _ in walk_tb(error.__traceback__)][-1] is click.echo.__code__
    if printing:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python tries once more when it ends
    return printing


def _listed_whole(command: click.Command) -> click.Command:
    """Have what is in a group listed with its whole first sentence, which click cuts at the terminal's width."""
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        first, _, _ = " ".join((each.help or "").partition("\n\n")[0].split()).partition(". ")
        each.short_help = f"{first.removesuffix('.')}."
        _listed_whole(each)
    return command


class LazyGroup(click.Group):
    """A group whose commands are imported on first use."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - click's own
        """Run as the program: nothing is searched for garbage while modules are loaded, which is none."""
        gc.disable()
        try:
            return super().__call__(*args, **kwargs)
        except OSError as error:
            if not _is_unprinted(error):
                raise
            click.echo(f"consentgate: {UNPRINTED.format(error.strerror)}", err=True)
            sys.exit(FAILED)
        except UnicodeEncodeError as error:
            from orthanc_plugin.cli.common import unencoded  # loaded by then, by whichever command it was

            click.echo(f"consentgate: {unencoded(error)}", err=True)
            sys.exit(FAILED)

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Return the command, loaded now."""
        if name not in COMMANDS:
            return None
        module, _ = COMMANDS[name]
        attribute = f"{name}_" if iskeyword(name) else name.replace("-", "_")
        command: click.Command = getattr(import_module(module), attribute)
        if not gc.isenabled():
            gc.freeze()  # nor when the program ends, which would take a third of a short command's time
            gc.enable()
        return _listed_whole(command)

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
