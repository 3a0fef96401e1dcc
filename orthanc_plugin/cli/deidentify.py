"""``consentgate deidentify``: anonymise files and folders that are in no archive, by the same engine as releases."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final, TypeVar

import click

from dicomwrap.cli.report import line, safe
from orthanc_plugin.cli.batch import Batch, Order, Outcome, Status
from orthanc_plugin.cli.common import json_option, told
from orthanc_plugin.cli.profile import chosen, vault
from orthanc_plugin.deid.crops import crop
from orthanc_plugin.deid.keys import KEY_BYTES, read_key
from orthanc_plugin.deid.pseudonym import Pseudonyms
from orthanc_plugin.deid.regions import Region, region
from orthanc_plugin.errors import ConfigurationError, DeidentificationError

KEY: Final = "CONSENTGATE_PSEUDONYM_KEY"
_DRAWN: Final = 100
T = TypeVar("T")


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path, exists=True))
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the copies.")
@click.option("--profile", "name", required=True, help="A shipped profile, or one of policy.toml.")
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"File of the pseudonyms' key, 64 hexadecimal digits [default: the environment's {KEY}].",
)
@click.option("--reviewed-by", help="Name of the person who looked at every picture and confirmed it.")
@click.option(
    "--regions",
    type=click.Path(path_type=Path, dir_okay=False),
    help="JSON: what is blanked, as input name and [[x, y, width, height], ...] in pixels.",
)
@click.option(
    "--crops",
    type=click.Path(path_type=Path, dir_okay=False),
    help="JSON: what is kept, as input name and [x, y, width, height] in pixels of the whole picture.",
)
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="How many files at a time.")
@json_option
@told
def deidentify(
    paths: tuple[Path, ...],
    out: Path,
    name: str,
    key: Path | None,
    reviewed_by: str | None,
    regions: Path | None,
    crops: Path | None,
    jobs: int,
    as_json: bool,
) -> None:
    """Write an anonymised copy of every DICOM file in PATH... into a folder; the originals stay as they are.

    A picture that nobody has confirmed is held back. A run that was broken off goes on where it stopped.
    """
    profile = chosen(name)
    inputs = tuple(dict.fromkeys(_files(paths, out)))
    order = Order(
        profile=profile,
        pseudonyms=Pseudonyms(key=_key(key), domain=profile.pseudonym_domain),
        confirmed=bool((reviewed_by or "").strip()),
        regions=_listed(regions, inputs, _regions),
        crops=_listed(crops, inputs, crop),
        vault=vault(),
    )
    counts = Counter[Status]()
    for outcome in _with_progress(Batch(out, order).run(inputs, jobs), len(inputs)):
        counts[outcome.status] += 1
        _tell(outcome, as_json=as_json)
    if not as_json:
        click.echo(f"{', '.join(f'{counts[status]} {status}' for status in Status)}.", err=True)
    sys.exit(0 if counts.total() == counts[Status.WRITTEN] else 1)


def _key(path: Path | None) -> bytes:
    if path is not None:
        return read_key(path)
    try:
        key = bytes.fromhex(os.environ.get(KEY, "").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigurationError(
            "There is no key for the pseudonyms.", remedy=f"Give --key FILE, or set {KEY} to 64 hexadecimal digits."
        )
    return key


def _files(paths: Iterable[Path], out: Path) -> Iterator[Path]:
    """Yield the files, those of a folder by name; never what is in the folder of the copies."""
    kept_out = out.resolve()
    for path in paths:
        found = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
        yield from (each for each in found if kept_out not in each.resolve().parents)


def _regions(said: object) -> tuple[Region, ...]:
    return tuple(region(each) for each in said) if isinstance(said, list) else (region(said),)


def _listed(path: Path | None, inputs: tuple[Path, ...], read: Callable[[object], T]) -> dict[Path, T]:
    """Return what a file says of each input, read one by one.

    Raises:
        ConfigurationError: the file can't be read, names something else, or an input twice: what is meant for it would
            stay visible.
    """
    if path is None:
        return {}
    try:
        said = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_Pairs)
        listed = [(str(name), read(each)) for name, each in said.pairs]
    except (OSError, ValueError, AttributeError, TypeError, DeidentificationError) as error:
        raise ConfigurationError(
            f"{path.name} can't be used ({type(error).__name__}).",
            remedy="Write a JSON object: the name of each input, and its regions as [[x, y, width, height], ...]; "
            "or what is kept of it as [x, y, width, height].",
        ) from error
    unmatched = [name for name, _ in listed if not any(_is_named(each, name) for each in inputs)]
    if unmatched:
        raise ConfigurationError(
            f"{path.name} has {len(unmatched)} name(s) of no input.", remedy="Name the inputs as they are given."
        )
    found = [(each, meant) for name, meant in listed for each in inputs if _is_named(each, name)]
    if len(dict(found)) < len(found):
        raise ConfigurationError(f"{path.name} names an input twice.", remedy="Say all of an input in one place.")
    return dict(found)


class _Pairs:
    """A JSON object of which no name is lost that is there twice."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        self.pairs = pairs


def _is_named(path: Path, name: str) -> bool:
    return name in (str(path), path.name)


def _with_progress(outcomes: Iterator[Outcome], total: int) -> Iterator[Outcome]:
    """Yield what comes, and show how far it is, when a person is looking."""
    if not sys.stderr.isatty():
        yield from outcomes
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("anonymising"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False) as bar:
        task = bar.add_task("anonymising", total=total)
        for number, outcome in enumerate(outcomes, start=1):
            yield outcome
            bar.update(task, completed=number, refresh=number % max(1, total // _DRAWN) == 0 or number == total)


def _tell(outcome: Outcome, *, as_json: bool) -> None:
    """Print one outcome as it comes: a JSON object on a line of its own, or words."""
    if as_json:
        click.echo(line(asdict(outcome)))
    else:
        click.echo(f"{outcome.status}\t{safe(outcome.input)}\t{safe(outcome.output or outcome.reason or '')}")
