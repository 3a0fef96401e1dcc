"""The ``dicomwrap`` command: options, exit codes, and nothing else.

Knows click. Must not know DICOM: what a command does is imported when it runs, so that ``--help`` is quick.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click

from dicomwrap.cli import clock
from dicomwrap.uids import UidSource, fresh_uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the commands take from the world; tests give their own as ``obj``."""

    now: Callable[[], datetime] = clock.now
    new_uid: UidSource = fresh_uid


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="consentgate", prog_name="dicomwrap")
def main() -> None:
    """Turn clinical photographs into DICOM objects that carry their consent."""


@main.command()
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO...", type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder for the objects; for a single photograph also a file name that ends in .dcm.",
)
@click.option("--patient-id", default="", help="The patient's number. Taken from the consent file when left out.")
@click.option("--issuer", default="", help="Who issued that number.")
@click.option("--patient-name", default="", help="The patient's name as Family^Given.")
@click.option("--birth-date", default="", help="The patient's date of birth as YYYY-MM-DD.")
@click.option("--sex", default="", help="M, F or O.")
@click.option("--body-site", default="", help="A site of CID 4029 by code or meaning, such as 'Skin of hand'.")
@click.option("--laterality", default="", help="R, L, U (unpaired) or B (both).")
@click.option("--consent", type=click.Path(path_type=Path), help="The consent, a JSON file.")
@click.option("--purpose", default="DIRECT_CARE", show_default=True, help="Why the photographs were taken.")
@click.option("--operator", default="", help="Who took them, as Family^Given.")
@click.option("--study-description", default="", help="What the visit was about.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object in place of lines.")
@click.pass_context
def wrap(context: click.Context, /, photos: tuple[Path, ...], out: Path, as_json: bool, **options: object) -> None:
    """Wrap each PHOTO, a baseline JPEG, as a VL Photographic Image; one call makes one study.

    Exit code 0: all wrapped. 1: some refused, each with its reason. 2: the call itself is wrong, nothing written.
    """
    from dicomwrap.cli import report, wrapping

    tools = context.find_object(Tools) or Tools()
    try:
        order = wrapping.order(photos=photos, out=out, now=tools.now(), **options)  # type: ignore[arg-type]
    except wrapping.UsageProblemsError as error:
        raise click.UsageError("\n".join(error.problems)) from error
    outcomes = wrapping.wrap_each(order, tools.new_uid)
    sys.exit(report.show(outcomes, as_json=as_json))
