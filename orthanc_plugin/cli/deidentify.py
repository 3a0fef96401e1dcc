"""``consentgate deidentify``: anonymise files and folders that are in no archive, by the same engine as releases."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Final, TypeVar

import click

from dicomwrap.cli.report import line, safe
from dicomwrap.durable import digest, reason_of
from orthanc_plugin.cli.batch import Batch, Order, Outcome, Status
from orthanc_plugin.cli.common import json_option, told
from orthanc_plugin.cli.profile import chosen, vault
from orthanc_plugin.deid.crops import crop
from orthanc_plugin.deid.keys import key_of, read_key
from orthanc_plugin.deid.pseudonym import Pseudonyms
from orthanc_plugin.deid.regions import Region, region
from orthanc_plugin.errors import ConfigurationError, ConsentgateError, DeidentificationError

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

    Exit code 0: all written. 1: something held or refused, each with its reason. 2: the call itself is wrong.
    """
    inputs = _inputs(paths, out)
    profile = chosen(name)
    order = Order(
        profile=profile,
        pseudonyms=Pseudonyms(key=_key(key), domain=profile.pseudonym_domain),
        reviewed_by=(reviewed_by or "").strip(),
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
    key = read_key(path) if path is not None else key_of(os.environ.get(KEY, ""))
    if key is None or not any(key):
        raise ConfigurationError(
            "There is no key for the pseudonyms." if key is None else "The pseudonyms' key is nothing but zeros.",
            remedy=f"Give --key FILE, or set {KEY}: 64 hexadecimal digits, such as 'openssl rand -hex 32' makes.",
        )
    return key


def _inputs(paths: Iterable[Path], out: Path) -> tuple[Path, ...]:
    """Return the files to be copied, each once.

    Raises:
        UsageError: the copies would come to lie among the originals, or there is no file.
    """
    kept_out = _real(out)
    if any(_is_in(kept_out, path) for path in paths):
        raise click.UsageError(
            "--out is the folder of an input, or has it within: copies and originals would lie side by side. "
            "Give another folder, best an empty one."
        )
    found = tuple(dict.fromkeys(_files(paths, kept_out)))
    if not found:
        raise click.UsageError("There is no file in what was given. Give DICOM files, or folders that have some.")
    return found


def _is_in(folder: Path, path: Path) -> bool:
    """Tell whether a path, or what it links to, is the folder or anywhere in it."""
    places = (_real(path),) if path.is_dir() else (_real(path), _real(path.parent) / path.name)
    return any(folder == place or folder in place.parents for place in places)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve() fails on a link that leads to itself


def _files(paths: Iterable[Path], kept_out: Path) -> Iterator[Path]:
    """Yield the files, those of a folder by name; never what is in the folder of the copies."""
    for path in paths:
        found = _within(path) if path.is_dir() else [path]
        yield from (each for each in found if kept_out not in _real(each).parents)


def _within(folder: Path) -> list[Path]:
    """Return all that is in a folder; of other folders those that can't be read, so that none is passed over unsaid."""
    unread: list[OSError] = []
    found = [Path(top, each) for top, _, names in os.walk(folder, onerror=unread.append) for each in names]
    return sorted([*found, *(Path(error.filename) for error in unread)])


def _regions(said: object) -> tuple[Region, ...]:
    return tuple(region(each) for each in said) if isinstance(said, list) else (region(said),)


def _listed(path: Path | None, inputs: tuple[Path, ...], read: Callable[[object], T]) -> dict[Path, T]:
    """Return what a file says of each input, read one by one.

    Raises:
        ConfigurationError: the file can't be read, names something else, an input twice, or says two things of the
            same bytes: what is meant for it would stay visible.
    """
    if path is None:
        return {}
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path.name} can't be read ({reason_of(error)}).", remedy="Give a file of UTF-8 text that can be read."
        ) from error
    try:
        said = json.loads(text, object_pairs_hook=_Pairs)
        listed = [(str(name), read(each)) for name, each in said.pairs]
    except (ValueError, AttributeError, TypeError, RecursionError, DeidentificationError) as error:
        raise ConfigurationError(
            f"{path.name} is not what it should be ({type(error).__name__}).",
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
    return _for_same_bytes(path.name, dict(found), inputs)


def _for_same_bytes(name: str, said: Mapping[Path, T], inputs: tuple[Path, ...]) -> dict[Path, T]:
    """Return what is said, of every input that has the bytes of a named one: all of them have one copy.

    Raises:
        ConfigurationError: two things are said of the same bytes.
    """
    digests = {each: _digest(each) for each in inputs}
    meant: dict[str, Path] = {}
    for each in said:
        first = meant.setdefault(digests[each], each)
        if said[first] != said[each]:
            both = f"{safe(str(first))} and {safe(str(each))}"
            raise ConfigurationError(
                f"{name} says different things of {both}, which are the same picture.",
                remedy="Say the same of both, or give only one of them.",
            )
    return {each: said[meant[found]] for each, found in digests.items() if found in meant}


def _digest(path: Path) -> str:
    """Return what tells a file's bytes from others'; one that can't be read has none but its own, and is refused."""
    with suppress(OSError):
        if path.is_file():
            return digest(path)[0]
    return f"path {path}"


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
    """Print one outcome as it comes: a JSON object on a line of its own, or words.

    Raises:
        ConsentgateError: it can't be printed.
    """
    words = f"{outcome.status}\t{safe(outcome.input)}\t{safe(outcome.output or outcome.reason or '')}"
    try:
        click.echo(line(asdict(outcome)) if as_json else words)
    except OSError as error:
        if error.errno == errno.EPIPE:  # nobody reads on, as with head: click ends the program
            raise
        _pour_away()
        raise ConsentgateError(
            f"What was done can't be printed ({reason_of(error)}), so the run stopped.",
            remedy="Mend the output, then run the command again: it goes on where it stopped.",
        ) from error


def _pour_away() -> None:
    """Send what can't be printed nowhere, or Python tries it once more at its end, and says so at length."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
