"""What every command shares: where the settings are, how results are shown, how errors end.

Knows click and rich. Must not know the commands.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orthanc_plugin.clock import Clock, new_id, now
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.policy.words import one_line
from orthanc_plugin.registry.stopping import WORDS, forget, overtaken

if TYPE_CHECKING:
    from orthanc_plugin.services import Services

P = ParamSpec("P")
T = TypeVar("T")
Row = Mapping[str, object]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


MISTYPED: Final = (
    "A word of the call isn't in UTF-8, so it can't be recorded nor looked for. Set the terminal and LANG to UTF-8, or "
    "write it without accents, and give the command again."
)
UNSHOWN: Final = (
    "What is to be shown has letters that this terminal has not. Set the terminal and LANG to UTF-8; before you repeat "
    "a command that changes something, see whether it has done so."
)
LONGEST_NAME: Final = 64  # characters, as the registry's columns have room for


def _named(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if not 0 < len(value.strip()) <= LONGEST_NAME:
        raise click.BadParameter(
            f"give the name or account of the person who does this, in at most {LONGEST_NAME} characters."
        )
    return value.strip()


by_option = click.option("--by", required=True, callback=_named, help="Name or account of the person who does this.")


def services() -> Services:
    """Return the services of the settings that ``--settings`` or CONSENTGATE_SETTINGS names.

    They go by the clock that whoever calls the command line gives it as click's ``obj``, else by the machine's.

    Raises:
        ConsentgateError: they can't be used.
    """
    from orthanc_plugin.services import build  # takes long; what needs no services, such as db upgrade, is spared it

    root = click.get_current_context().find_root()
    clock: Clock = root.obj or now
    return build(Path(root.params.get("settings") or "settings.toml"), os.environ, clock, new_id)


def unencoded(error: UnicodeEncodeError) -> str:
    """Return what to say of letters that can't be written: in UTF-8 only what was typed in another encoding can't."""
    return MISTYPED if error.encoding == "utf-8" else UNSHOWN


def told(command: Callable[P, T]) -> Callable[P, T]:
    """Turn our own errors into a message with the remedy on stderr, and exit status 1."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        forget()
        try:
            return _warned(command(*args, **kwargs))
        except ConsentgateError as error:
            click.echo(f"consentgate: {error}", err=True)
            sys.exit(1)
        except UnicodeEncodeError as error:  # whose own words may name the patient
            click.echo(f"consentgate: {unencoded(error)}", err=True)
            sys.exit(1)

    return run


def _warned(result: T) -> T:
    """Say that a picture was about to leave when the command stopped releases, and could not be waited for."""
    if overtaken():
        click.echo(f"consentgate: {WORDS}", err=True)
    return result


def plain(value: object) -> str:
    """Return a cell's text: one line, in which nothing steers the terminal."""
    if isinstance(value, list | tuple):
        return one_line("; ".join(str(each) for each in value))
    return "" if value is None else one_line(str(value))


def show(rows: Iterable[Row], columns: Iterable[str], *, as_json: bool, empty: str) -> None:
    """Print rows: JSON, a table on a terminal, tab-separated lines elsewhere."""
    found, names = list(rows), list(columns)
    if as_json:
        click.echo(json.dumps([dict(row) for row in found], indent=2, default=str))
    elif not found:
        click.echo(empty, err=True)
    elif sys.stdout is not None and sys.stdout.isatty():  # None: whoever started the program closed it
        table = Table(*names)
        for row in found:
            table.add_row(*(Text(plain(row.get(name))) for name in names))  # what people wrote is no markup
        Console().print(table)
    else:
        click.echo("\t".join(names))
        for row in found:
            click.echo("\t".join(plain(row.get(name)) for name in names))


def say(result: Row, sentence: str, *, as_json: bool) -> None:
    """Print the outcome of an action: JSON, or one sentence."""
    click.echo(json.dumps(dict(result), indent=2, default=str) if as_json else sentence)
