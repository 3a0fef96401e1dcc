"""Tell how each photograph fared: lines for a person, or one JSON object a line for a program.

Knows the shape of the answer. Must not know how photographs are wrapped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import click


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapped:
    """A picture that was wrapped. ``sha256`` is of the photograph's file as it came; ``page`` counts from 1."""

    input: str
    output: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    transfer_syntax: str
    lossless: bool
    page: int = 1
    sha256: str = ""
    rows: int = 0
    columns: int = 0
    left_out: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A picture that was not wrapped, and why."""

    input: str
    reason: str
    remedy: str
    page: int = 1


Outcome: TypeAlias = Wrapped | Refused


def row(outcome: Outcome) -> dict[str, object]:
    """Return an outcome as the JSON object that ``--json`` and result files have."""
    if isinstance(outcome, Refused):
        return {
            "input": outcome.input,
            "status": "refused",
            "output": None,
            "sop_instance_uid": None,
            "transfer_syntax": None,
            "lossless": False,
            "reason": outcome.reason,
            "remedy": outcome.remedy,
            "page": outcome.page,
        }
    return {
        "input": outcome.input,
        "status": "wrapped",
        "output": outcome.output,
        "sop_instance_uid": outcome.sop_instance_uid,
        "transfer_syntax": outcome.transfer_syntax,
        "lossless": outcome.lossless,
        "reason": None,
        "page": outcome.page,
        "series_instance_uid": outcome.series_instance_uid,
        "study_instance_uid": outcome.study_instance_uid,
        "sha256": outcome.sha256,
        "rows": outcome.rows,
        "columns": outcome.columns,
        "warnings": list(outcome.warnings),
    }


def line(row_of_result: Mapping[str, object]) -> str:
    """Return a row as one line of JSON; a file name that is no UTF-8 stays readable."""
    text = json.dumps(row_of_result, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def show(outcomes: Iterable[Outcome], *, as_json: bool) -> int:
    """Print the outcomes as they come and return the exit code: 0, or 1 when a photograph was refused."""
    refused = 0
    for outcome in outcomes:
        refused += isinstance(outcome, Refused)
        tell(outcome, quietly=as_json)
        if as_json:
            click.echo(line(row(outcome)))
    return 1 if refused else 0


def tell(outcome: Outcome, *, quietly: bool) -> None:
    """Print lines about one outcome: warnings and refusals on the error stream."""
    if isinstance(outcome, Refused):
        click.echo(f"{safe(outcome.input)}: {safe(outcome.reason)}. {outcome.remedy}", err=True)
        return
    if not quietly:
        click.echo(f"{safe(outcome.input)} -> {safe(outcome.output)}")
    for warning in outcome.warnings:
        click.echo(f"{safe(outcome.input)}: warning: {warning}", err=True)


def safe(text: str) -> str:
    """Return a file's name as a terminal can show it."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)
