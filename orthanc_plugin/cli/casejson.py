"""Cases as JSON text: nothing that is written twice in one object is lost without a word.

Knows JSON. Must not know what a case is about. Of a name that is written twice JSON's readers take the last silently.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click


class _Object(dict[str, object]):
    """A JSON object, and the names that were written more than once in it."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        self.twice = tuple(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)


def read(source: str | Path) -> object:
    """Return what a file, or ``-`` for stdin, holds.

    Raises:
        OSError: it can't be read.
        ValueError: it is no JSON.
        RecursionError: it is nested too deeply.
    """
    with click.open_file(str(source), encoding="utf-8-sig") as opened:
        value: object = json.load(opened, object_pairs_hook=_Object)
    return value


def written(answers: object) -> str:
    """Return answers as JSON text; half a character, which no text can hold, makes all of it ASCII."""
    text = json.dumps(answers, indent=2, ensure_ascii=False)
    return text if _is_text(text) else json.dumps(answers, indent=2)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def repeated(value: object, place: str) -> Iterator[str]:
    """Give, with its place, every field of what was read that is written more than once."""
    waiting = [(value, place)]  # no recursion: what JSON's reader takes may be nested more deeply than calls may
    while waiting:
        each, where = waiting.pop()
        if isinstance(each, _Object):
            yield from (f"{where}.{name}: is written more than once; leave the true one alone" for name in each.twice)
            waiting += ((inner, f"{where}.{name}") for name, inner in each.items())
        elif isinstance(each, list):
            waiting += ((inner, f"{where}[{at}]") for at, inner in enumerate(each))
