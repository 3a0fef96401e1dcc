"""Tell how each photograph fared: lines for a person, or one JSON object for a program.

Knows the shape of the answer. Must not know how photographs are wrapped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import click


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapped:
    """A photograph that was wrapped. ``sha256`` is of the photograph's file as it came."""

    photo: str
    file: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    sha256: str
    rows: int
    columns: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A photograph that was not wrapped, and why."""

    photo: str
    reason: str
    remedy: str


def show(outcomes: Iterable[Wrapped | Refused], *, as_json: bool) -> int:
    """Print the outcomes as they come and return the exit code: 0, or 1 when a photograph was refused."""
    wrapped: list[Wrapped] = []
    refused: list[Refused] = []
    for outcome in outcomes:
        if isinstance(outcome, Wrapped):
            wrapped.append(outcome)
            _tell_wrapped(outcome, quietly=as_json)
        else:
            refused.append(outcome)
            click.echo(f"{_safe(outcome.photo)}: {_safe(outcome.reason)}. {outcome.remedy}", err=True)
    if as_json:
        answer = {"wrapped": [asdict(each) for each in wrapped], "refused": [asdict(each) for each in refused]}
        click.echo(json.dumps(answer, indent=1))
    return 1 if refused else 0


def _tell_wrapped(outcome: Wrapped, *, quietly: bool) -> None:
    if not quietly:
        click.echo(f"{_safe(outcome.photo)} -> {_safe(outcome.file)}")
    for warning in outcome.warnings:
        click.echo(f"{_safe(outcome.photo)}: warning: {warning}", err=True)


def _safe(text: str) -> str:
    """Return a file's name as a terminal can show it."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)
