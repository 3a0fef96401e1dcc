"""A certificate names all who executed: whoever began isn't always who went on."""

from __future__ import annotations

import json

import pytest

from orthanc_plugin.retention.certificate import issue, verify
from orthanc_plugin.retention.executors import executors
from orthanc_plugin.retention.page import as_pdf, page
from tests.unit.retention.test_certificate_pages import KEY, RECORD, issued, words_of_pdf

BY_CLERK: dict[str, object] = {**RECORD, "executed_by": "clerk", "executed_at": "2026-11-22T09:00:00+00:00"}
BY_CLERK2: dict[str, object] = {**RECORD, "executed_by": "clerk2", "executed_at": "2026-11-23T09:00:00+00:00"}


@pytest.mark.parametrize(
    ("records", "ended_by", "people"),
    [
        ([], "clerk", ["clerk"]),
        ([BY_CLERK], "clerk", ["clerk"]),
        ([BY_CLERK2], "clerk2", ["clerk", "clerk2"]),
        ([BY_CLERK2, BY_CLERK], "clerk", ["clerk", "clerk2"]),
        ([BY_CLERK], "clerk3", ["clerk", "clerk3"]),
        ([{"stub_id": "old"}], "clerk", ["clerk"]),
    ],
    ids=["nothing", "one", "another destroyed all", "both, in another order", "another ended it", "nobody is named"],
)
def test_all_who_executed_are_named_once_in_the_order_of_time(
    records: list[dict[str, object]], ended_by: str, people: list[str]
) -> None:
    assert executors("clerk", records, ended_by) == people


def certificate(records: list[dict[str, object]], **executed: object) -> str:
    """Return a certificate whose execution the clerk began."""
    said = json.loads(issued(records))
    said = {name: value for name, value in said.items() if name not in ("format", "public_key", "signature")}
    said["executed"] = {**said["executed"], "by": "clerk", **executed}
    return issue(said, KEY).text


@pytest.mark.parametrize("executed", [{}, {"people": ["clerk", "clerk2"]}], ids=["issued before", "issued now"])
def test_the_page_and_the_pdf_name_all_who_executed_and_who_did_each_record(executed: dict[str, object]) -> None:
    text = certificate([BY_CLERK, BY_CLERK2], **executed)
    made = page(text)
    assert "by clerk, clerk2, 2026-11-22T08:59:00 to 2026-11-22T09:01:00; begun by clerk" in made
    assert "<th>Executed by</th>" in made
    assert "<td>clerk2</td>" in made
    printed = words_of_pdf(as_pdf(text))
    assert "byclerk,clerk2," in printed
    assert "Executedby:clerk2;" in printed
    assert verify(text.encode(), KEY.public_key())["number"] == "cert-7"


def test_of_one_person_the_page_says_no_more_than_it_did() -> None:
    assert "<td>by clerk, 2026-11-22T08:59:00 to 2026-11-22T09:01:00</td>" in page(certificate([BY_CLERK]))
