"""A certificate of destruction as people read and print it: a page of HTML, and a PDF that says the same.

Knows HTML and what is told. Must not judge: the signed file beside it is what counts, and both say so, with its digest.

Source: requirements 4, step 9 (readable by people and by machines).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from orthanc_plugin.archive.printing import printed
from orthanc_plugin.retention.executors import executors

COLUMNS: Final[dict[str, str]] = {
    "stub_id": "Record (pseudonym)",
    "link_id": "Patient (pseudonym)",
    "objects": "Pictures",
    "acquired": "Year made",
    "rule": "Rule",
    "due_date": "Due",
    "decided_by": "Decided by",
    "executed_by": "Executed by",
    "executed_at": "Destroyed",
    "method": "How",
    "uids_sha256": "SHA-256 of the SOP Instance UIDs",
}
KEPT: Final[dict[str, str]] = {"line": "Line", "state": "State", "reason": "Why"}
FRAME: Final = """<!DOCTYPE html>
<html lang="en-GB">
<head><meta charset="utf-8"><title>Certificate of destruction {number}</title>
<style>
body {{ font-family: sans-serif; margin: 2em; }}
table {{ border-collapse: collapse; margin: 1em 0; }}
th, td {{ border: 1px solid #888; padding: 0.3em; text-align: left; vertical-align: top; overflow-wrap: anywhere; }}
</style></head>
<body>
<h1>Certificate of destruction</h1>
{facts}
<h2>Destroyed</h2>
{destroyed}
<h2>Not destroyed</h2>
{kept}
<p>{counts}
<code>{check}</code>.</p>
</body>
</html>
"""
TITLE: Final = "Certificate of destruction"
NOTHING: Final = "Nothing."
COUNTS: Final = (
    "This page is for reading. What counts is the signed file {number}.json, whose SHA-256 is {sha256}; check it with"
)
CHECK: Final = "consentgate certificate verify {number}.json --key PUBLIC-KEY"
Row = Mapping[str, object]


def page(text: str) -> str:
    """Return the page of a certificate."""
    said = json.loads(text)
    counts, check = _what_counts(said, text)
    return FRAME.format(
        number=escape(str(said["number"])),
        facts=_table(("", ""), _facts(said).items()),
        destroyed=_listed(COLUMNS, said["records"]),
        kept=_listed(KEPT, said["not_destroyed"]),
        counts=escape(counts),
        check=escape(check),
    )


def as_pdf(text: str) -> bytes:
    """Return the same as a PDF, which is the same for the same certificate."""
    said = json.loads(text)
    paragraphs = [
        *(f"{name}: {value}" for name, value in _facts(said).items()),
        *_paragraphs("Destroyed", COLUMNS, said["records"]),
        *_paragraphs("Not destroyed", KEPT, said["not_destroyed"]),
        "",
        f"{' '.join(_what_counts(said, text))}.",
    ]
    return printed(TITLE, paragraphs, f"Certificate {said['number']}")


def _paragraphs(head: str, columns: Mapping[str, str], rows: Sequence[Row]) -> Iterator[str]:
    yield from ("", head)
    for number, row in enumerate(rows, 1):
        yield f"{number}. " + "; ".join(f"{words}: {row.get(name, '')}" for name, words in columns.items())
    if not rows:
        yield NOTHING


def _what_counts(said: Row, text: str) -> tuple[str, str]:
    number, sha256 = said["number"], hashlib.sha256(text.encode()).hexdigest()
    return COUNTS.format(number=number, sha256=sha256), CHECK.format(number=number)


def _facts(said: Mapping[str, Any]) -> dict[str, str]:
    plan = said["plan"]
    return {
        "Number": said["number"],
        "Plan": f"{plan['plan_id']}, proposed by {plan['proposed_by']} on {plan['proposed_at']}",
        "Retention schedule": f"{said['schedule']['version']} (SHA-256 {said['schedule']['sha256']})",
        "Approved": f"by {said['approved']['by']} on {said['approved']['at']}",
        "Executed": _executed(said["executed"], said["records"]),
        "Audit trail": f"entry {said['trail']['entry']}, digest {said['trail']['digest']}",
        "Notices to recipients, when it was issued": _counted(said.get("notices", {})),
        "Public key": said["public_key"],
    }


def _executed(said: Mapping[str, Any], records: Sequence[Row]) -> str:
    """Say who executed and when; certificates from before 'people' was written tell it by their records."""
    people = said.get("people") or executors(said["by"], records, said["by"])
    begun = f"; begun by {said['by']}" if len(people) > 1 else ""
    return f"by {', '.join(people)}, {said['begun_at']} to {said['ended_at']}{begun}"


def _counted(notices: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {standing}" for standing, count in notices.items()) or "none was needed"


def _listed(columns: Mapping[str, str], rows: Sequence[Row]) -> str:
    if not rows:
        return f"<p>{NOTHING}</p>"
    return _table(tuple(columns.values()), ([row.get(name, "") for name in columns] for row in rows))


def _table(heads: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    head = _row("th", heads) if any(heads) else ""
    return f"<table>{head}{''.join(_row('td', row) for row in rows)}</table>"


def _row(cell: str, values: Iterable[object]) -> str:
    return f"<tr>{''.join(f'<{cell}>{escape(str(value))}</{cell}>' for value in values)}</tr>"
