"""A certificate of destruction as a page that people read and print.

Knows HTML. Must not judge: the signed file beside it is what counts, and the page says so.

Source: requirements 4, step 9 (readable by people and by machines).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final

COLUMNS: Final[dict[str, str]] = {
    "stub_id": "Record (pseudonym)",
    "link_id": "Patient (pseudonym)",
    "objects": "Pictures",
    "acquired": "Year made",
    "rule": "Rule",
    "due_date": "Due",
    "decided_by": "Decided by",
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
<p>This page is for reading. What counts is the signed file {number}.json, whose SHA-256 is {sha256}; check it with
<code>consentgate certificate verify {number}.json --key PUBLIC-KEY</code>.</p>
</body>
</html>
"""
NONE: Final = "<p>Nothing.</p>"
Row = Mapping[str, object]


def page(text: str) -> str:
    """Return the page of a certificate."""
    said = json.loads(text)
    plan = said["plan"]
    facts = {
        "Number": said["number"],
        "Plan": f"{plan['plan_id']}, proposed by {plan['proposed_by']} on {plan['proposed_at']}",
        "Retention schedule": f"{said['schedule']['version']} (SHA-256 {said['schedule']['sha256']})",
        "Approved": f"by {said['approved']['by']} on {said['approved']['at']}",
        "Executed": f"by {said['executed']['by']}, {said['executed']['begun_at']} to {said['executed']['ended_at']}",
        "Audit trail": f"entry {said['trail']['entry']}, digest {said['trail']['digest']}",
        "Notices to recipients, when it was issued": _counted(said.get("notices", {})),
        "Public key": said["public_key"],
    }
    return FRAME.format(
        number=escape(str(said["number"])),
        facts=_table(("", ""), facts.items()),
        destroyed=_listed(COLUMNS, said["records"]),
        kept=_listed(KEPT, said["not_destroyed"]),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )


def _counted(notices: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {standing}" for standing, count in notices.items()) or "none was needed"


def _listed(columns: Mapping[str, str], rows: Sequence[Row]) -> str:
    if not rows:
        return NONE
    return _table(tuple(columns.values()), ([row.get(name, "") for name in columns] for row in rows))


def _table(heads: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    head = _row("th", heads) if any(heads) else ""
    return f"<table>{head}{''.join(_row('td', row) for row in rows)}</table>"


def _row(cell: str, values: Iterable[object]) -> str:
    return f"<tr>{''.join(f'<{cell}>{escape(str(value))}</{cell}>' for value in values)}</tr>"
