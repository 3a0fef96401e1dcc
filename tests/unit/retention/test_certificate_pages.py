"""The certificate of destruction for people: a page and a PDF that say the same, and which file counts."""

from __future__ import annotations

import hashlib
import re
from html import unescape
from io import BytesIO
from pathlib import Path

import pypdf
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from reportlab.pdfbase import pdfmetrics

from orthanc_plugin.archive.printing import PLAIN, SIZE, SPELT, WIDTH, letters, lines_of
from orthanc_plugin.retention.certificate import issue, verify
from orthanc_plugin.retention.certifying import write_files
from orthanc_plugin.retention.page import COLUMNS, TITLE, as_pdf, page

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
DIGEST = "ab" * 32
RECORD: dict[str, object] = {
    "stub_id": "stub-1",
    "link_id": "link-1",
    "objects": 3,
    "acquired": "2009",
    "rule": "ADULT_GENERAL",
    "due_date": "2018",
    "decided_by": "records clerk",
    "executed_by": "second clerk",
    "executed_at": "2026-11-22T09:00:00+00:00",
    "method": "deleted in Orthanc, looked for in its index and on disk",
    "uids_sha256": DIGEST,
    "pictures": [],
}
KEPT: dict[str, object] = {"line": 4, "state": "DROPPED", "reason": "a hold <was> placed & stands"}


def issued(records: list[dict[str, object]], kept: list[dict[str, object]] | None = None, by: str = "guardian") -> str:
    content: dict[str, object] = {
        "number": "cert-7",
        "plan": {"plan_id": "plan-1", "proposed_by": "records clerk", "proposed_at": "2026-10-01T09:00:00+00:00"},
        "schedule": {"version": "2026.1", "sha256": DIGEST},
        "approved": {"by": by, "at": "2026-10-02T09:00:00+00:00"},
        "executed": {"by": "records clerk", "begun_at": "2026-11-22T08:59:00", "ended_at": "2026-11-22T09:01:00"},
        "trail": {"entry": 71, "digest": DIGEST},
        "records": records,
        "not_destroyed": kept or [],
        "notices": {"OPEN": 2},
    }
    return issue(content, KEY).text


def words_of_pdf(content: bytes) -> str:
    """Return all that a PDF says but its pages' heads and feet, without what folds its lines."""
    pages = (each.extract_text() for each in pypdf.PdfReader(BytesIO(content), strict=True).pages)
    bare = (re.sub(r"Certificate cert-7, page \d+ of \d+", "", text) for text in pages)
    return TITLE.replace(" ", "") + "".join("".join(text.replace(TITLE, "").split()) for text in bare)


def cells_of_page(text: str) -> list[str]:
    """Return everything that the page says, tag by tag."""
    body = text.partition("<body>")[2]
    said = (unescape(each) for each in re.split(r"<[^>]+>", body))
    return ["".join(each.split()) for each in said if each.strip()]


@pytest.mark.parametrize(
    "text",
    [
        issued([RECORD], [KEPT]),
        issued([]),
        issued([{**RECORD, "stub_id": f"stub-{number}"} for number in range(40)], [KEPT] * 40),
    ],
    ids=["one", "nothing", "many"],
)
def test_the_pdf_says_all_that_the_page_says(text: str) -> None:
    said = words_of_pdf(as_pdf(text))
    for cell in cells_of_page(page(text)):
        assert cell in said, cell


def test_every_column_stands_beside_its_value_for_every_record() -> None:
    rows = [{**RECORD, "stub_id": f"stub-{number}"} for number in range(30)]
    said = words_of_pdf(as_pdf(issued(rows)))
    for row in rows:
        told = "; ".join(f"{words}: {row[name]}" for name, words in COLUMNS.items())
        assert "".join(told.split()) in said


def test_both_name_the_digest_of_the_file_that_counts_and_that_file_verifies(tmp_path: Path) -> None:
    path = write_files(tmp_path, "cert-7", issued([RECORD], [KEPT]))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["cert-7.html", "cert-7.json", "cert-7.pdf"]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert f"whoseSHA-256is{digest};checkitwith" in words_of_pdf(path.with_suffix(".pdf").read_bytes())
    assert digest in path.with_suffix(".html").read_text()
    assert verify(path.read_bytes(), KEY.public_key())["number"] == "cert-7"


def test_the_same_certificate_gives_the_same_pdf_and_another_another() -> None:
    text = issued([RECORD])
    assert as_pdf(text) == as_pdf(text)
    assert as_pdf(text) != as_pdf(issued([{**RECORD, "objects": 4}]))


def test_each_page_has_its_number_so_that_none_can_be_missing() -> None:
    made = as_pdf(issued([RECORD] * 60))
    pages = pypdf.PdfReader(BytesIO(made), strict=True).pages
    assert len(pages) > 2
    for number, each in enumerate(pages, 1):
        assert f"Certificate cert-7, page {number} of {len(pages)}" in each.extract_text()


@pytest.mark.parametrize(
    ("name", "written", "told"),
    [("Müller & <b>", "Müller&<b>", False), ("Ś. Więcek", "S.Wiecek", True), ("W" * 300, "W" * 300, False)],
)
def test_a_name_is_printed_whole_whatever_its_letters(name: str, written: str, told: bool) -> None:
    said = words_of_pdf(as_pdf(issued([RECORD], by=name)))
    assert written in said
    assert ("".join(SPELT.split()) in said) is told


def test_no_line_is_wider_than_its_page() -> None:
    known = letters()
    assert known
    for each in ("W" * 500, "i" * 500, "a word " * 90, ""):
        lines = [*lines_of(each)]
        assert "".join("".join(lines).split()) == "".join(each.split())
        assert all(pdfmetrics.stringWidth(line, PLAIN, SIZE) <= WIDTH for line in lines)
