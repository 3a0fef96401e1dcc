"""``dicomwrap wrap``: its options, and which way of working they ask for.

Knows click. Must not know DICOM.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

from dicomwrap.cli import batch, orders, report
from dicomwrap.cli.details import Details
from dicomwrap.cli.main import Tools
from dicomwrap.cli.options import detail_options, details
from dicomwrap.cli.papers import Papers
from dicomwrap.cli.plainfiles import read_plain
from dicomwrap.errors import DicomwrapError
from dicomwrap.photograph import MOST_PIXELS

_MEGA: Final = 1_000_000
_SHORTEST_KEY: Final = 16
_LONGEST_KEY: Final = 1 << 16
_FILE: Final = click.Path(path_type=Path, readable=False)  # one that can't be read doesn't stop the others


@click.command("wrap")
@click.argument("photos", nargs=-1, metavar="[PHOTO]...", type=_FILE)
@click.option(
    "--out",
    required=True,
    type=_FILE,
    help="Folder for the objects; for a single photograph also a file name that ends in .dcm.",
)
@click.option("--manifest", type=_FILE, help="CSV or JSON Lines, one row a photograph; columns are options.")
@click.option("--results", type=_FILE, help="The manifest's result file; OUT/results.jsonl when left out.")
@click.option("--from-worklist", type=_FILE, help="Patient and visit from what 'dicomwrap worklist --out' wrote.")
@click.option("--item", type=int, help="Which entry of that file, from 1, when there are several.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="How many files at a time.")
@click.option("--stamp-key", type=_FILE, help="Seals the consent stamp; a file of at least 16 secret bytes.")
@click.option("--max-megapixels", type=click.IntRange(1), default=MOST_PIXELS // _MEGA, show_default=True)
@click.option("--prove", is_flag=True, help="Decode each JPEG to its end first: finds one cut short. Slower.")
@click.option("--drop-audio", is_flag=True, help="Wrap a film without its sound; else it is refused.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a picture in place of lines.")
@detail_options
@click.pass_context
def wrap_command(
    context: click.Context, /, photos: tuple[Path, ...], out: Path, as_json: bool, **options: object
) -> None:
    """Wrap each PHOTO, or what a manifest lists.

    JPEG, HEIC, PNG, TIFF, WebP, AVIF and BMP become VL Photographic Images (or, with --dermoscopy, Dermoscopic
    Photography Images), MP4 and MOV films Video Photographic Images. One call makes one study.

    Exit code 0: all wrapped. 1: some refused, each with its reason. 2: the call itself is wrong, nothing written.
    """
    tools = context.find_object(Tools) or Tools()
    said = details(options)
    try:
        settings = _settings(tools, options)
        if options["from_worklist"] is not None:
            said = _from_worklist(said, options)
        if options["manifest"] is not None:
            sys.exit(_manifest(photos, out, said, settings, options, as_json=as_json))
        order = _order(photos, out, said, settings)
    except orders.UsageProblemsError as error:
        raise click.UsageError("\n".join(error.problems)) from error
    except DicomwrapError as error:
        raise click.UsageError(str(error)) from error
    jobs = int(str(options["jobs"]))
    outcomes = batch.wrap_each(photos, out, order, tools.new_uid, jobs=jobs, form_name=said.consent_form)
    sys.exit(report.show(outcomes, as_json=as_json))


def _settings(tools: Tools, options: dict[str, object]) -> orders.Settings:
    return orders.Settings(
        now=tools.now(),
        most_pixels=int(str(options["max_megapixels"])) * _MEGA,
        prove=bool(options["prove"]),
        key=stamp_key(options["stamp_key"]),
        drop_audio=bool(options["drop_audio"]),
    )


def stamp_key(path: object) -> bytes | None:
    """Read the key that seals stamps.

    Raises:
        UsageProblemsError: it can't be read, or is too short to be a secret.
    """
    if not isinstance(path, Path):
        return None
    try:
        key = read_plain(path, _LONGEST_KEY)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise orders.UsageProblemsError([f"--stamp-key: can't be read ({reason})"]) from error
    if len(key) < _SHORTEST_KEY:
        raise orders.UsageProblemsError([f"--stamp-key: needs {_SHORTEST_KEY} bytes at least"])
    return key


def _order(photos: tuple[Path, ...], out: Path, said: Details, settings: orders.Settings) -> orders.Order:
    problems = [] if photos else ["PHOTO: name a photograph, or give --manifest"]
    problems += filter(None, [batch.out_problem(out, len(photos))])
    try:
        order = orders.order(said, settings, Papers())
    except orders.UsageProblemsError as error:
        problems = [*error.problems, *problems]
    if problems:
        raise orders.UsageProblemsError(problems)
    return order


def _from_worklist(said: Details, options: dict[str, object]) -> Details:
    """Return the details with what the worklist says; it and the options must not name two patients."""
    from dicomwrap.cli import worklistdetails

    item = options["item"]
    return worklistdetails.merged(Path(str(options["from_worklist"])), said, item if isinstance(item, int) else None)


def _manifest(
    photos: tuple[Path, ...],
    out: Path,
    said: Details,
    settings: orders.Settings,
    options: dict[str, object],
    *,
    as_json: bool,
) -> int:
    from dicomwrap.cli import manifestrun

    if photos:
        raise orders.UsageProblemsError(["--manifest: lists the photographs; name none besides"])
    return manifestrun.run(
        Path(str(options["manifest"])),
        out,
        results=Path(str(options["results"])) if options["results"] else out / "results.jsonl",
        defaults=said,
        settings=settings,
        jobs=int(str(options["jobs"])),
        as_json=as_json,
    )
