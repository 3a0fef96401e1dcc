"""The account of disclosures as text, CSV and a page to print.

Knows how an entry is laid out. Must not know rows. The page needs nothing from elsewhere and runs nothing; every value
in it is escaped. A cell that a spreadsheet would take for a formula is quoted.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from datetime import date
from html import escape
from io import StringIO
from typing import Final
from unicodedata import normalize

from orthanc_plugin.policy.accounts import BEYOND, Entry, sentences, told_day
from orthanc_plugin.policy.words import one_line

TITLE: Final = "Who has had the photographs"
NOTHING: Final = "No copy of a photograph has left."
FORMULA: Final = ("=", "+", "-", "@")
COLUMNS: Final = (
    "disclosure",
    "at",
    "image",
    "taken_on",
    "recipient",
    "requester",
    "door",
    "purpose",
    "form",
    "profile",
    "consents",
    "released_uid",
    "sha256",
    "decision",
    "standing",
)
STYLE: Final = (
    "body{font:1rem/1.5 sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    "li{margin:0 0 1rem;break-inside:avoid}small{color:#444}@media print{body{margin:0;max-width:none}}"
)


def mapping(entry: Entry) -> dict[str, object]:
    """Return an entry as JSON tells it."""
    return {
        "disclosure": entry.disclosure,
        "at": entry.at.isoformat(),
        "image": entry.image,
        "taken_on": entry.taken_on.isoformat() if entry.taken_on else None,
        "patient_id": entry.patient[0] if entry.patient else None,
        "issuer": entry.patient[1] if entry.patient else None,
        "recipient": entry.recipient,
        "recipient_words": entry.recipient_words,
        "requester": entry.requester,
        "door": entry.door,
        "purpose": entry.purpose,
        "form": "ANONYMISED" if entry.anonymised else "IDENTIFIABLE",
        "profile": entry.profile,
        "consents": list(entry.consents),
        "released_uid": entry.released_uid,
        "sha256": entry.sha256,
        "decision": entry.decision,
        "standing": entry.standing.value,
        "live": entry.live,
        "words": " ".join(sentences(entry)),
    }


def as_json(account: Sequence[Entry], _made: date) -> str:
    """Return the account as JSON."""
    return json.dumps([mapping(entry) for entry in account], indent=2) + "\n"


def as_text(account: Sequence[Entry], made: date) -> str:
    """Return the account in plain words."""
    listed = tuple("\n   ".join((f"{number}.", *sentences(entry))) for number, entry in enumerate(account, 1))
    return "\n\n".join((f"{TITLE}, as known on {told_day(made)}", *(listed or (NOTHING,)), BEYOND)) + "\n"


def as_csv(account: Sequence[Entry], _made: date) -> str:
    """Return the account as a table for a spreadsheet."""
    file = StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for entry in account:
        values = mapping(entry)
        writer.writerow([_cell(values[name]) for name in COLUMNS])
    return file.getvalue()


def _cell(value: object) -> str:
    text = "; ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    begun = normalize("NFKC", "".join(filter(str.isprintable, text)).lstrip())  # some read wide signs as the plain ones
    return one_line(f"'{text}" if begun.startswith(FORMULA) else text)


def as_html(account: Sequence[Entry], made: date) -> str:
    """Return the account as a page to read or print."""
    entries = "\n".join(map(_item, account))
    body = f"<ol>\n{entries}\n</ol>" if account else f"<p>{escape(NOTHING)}</p>"
    return (
        '<!DOCTYPE html>\n<html lang="en-GB">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(TITLE)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(TITLE)}</h1>\n<p>As known on {escape(told_day(made))}.</p>\n{body}\n"
        f"<p>{escape(BEYOND)}</p>\n</body>\n</html>\n"
    )


def _item(entry: Entry) -> str:
    happened, now = map(escape, sentences(entry))
    return f"<li>{happened}<br><strong>{now}</strong><br><small>Reference: {escape(entry.disclosure)}</small></li>"


WRITERS: Final[dict[str, Callable[[Sequence[Entry], date], str]]] = {
    "text": as_text,
    "csv": as_csv,
    "json": as_json,
    "html": as_html,
}
