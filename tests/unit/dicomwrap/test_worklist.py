"""The worklist is asked for, read whatever it says, and handed on as a file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from dicomwrap.cli.worklists import worklist
from dicomwrap.errors import WorklistError
from dicomwrap.sending.findscu import MODALITY_WORKLIST, Question, fits, identifier, item
from dicomwrap.sending.node import Node
from dicomwrap.worklist import FIELDS, WorklistItem, clean, read_item, read_items, written
from tests.unit.dicomwrap.sendable import HOST

ITEM = WorklistItem(patient_id="P1", patient_name="Doe^Jane", admission_id="V7", scheduled_at="2026-11-22T09:30")
texts = st.text(max_size=80).map(clean)
items = st.builds(WorklistItem, **dict.fromkeys(FIELDS, texts))


@given(st.lists(items, max_size=4))
@settings(deadline=None)
def test_what_is_written_is_read_again(made: list[WorklistItem]) -> None:
    assert read_items(written(made)) == tuple(made)
    if made:
        assert read_item(written(made), len(made)) == made[-1]


@given(st.text())
@settings(deadline=None)
def test_no_text_of_an_item_holds_a_control_character(text: str) -> None:
    found = clean(text)
    assert found.isprintable()
    assert found == found.strip() == clean(found)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [("a\tb\r\nc", "a b  c"), ("\x1b[31mred", "[31mred"), ("A  1", "A  1"), ("\u202ex\u200b", "x"), (" x ", "x")],
)
def test_control_characters_go_and_the_rest_stays(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_one_item_needs_no_number_and_several_need_one() -> None:
    one, two = written([ITEM]), written([ITEM, replace(ITEM, patient_id="P2")])
    assert read_item(one) == read_item(one, 1) == read_item("\ufeff" + one) == ITEM
    assert read_item(two, 2).patient_id == "P2"
    with pytest.raises(WorklistError, match=r"2 items.*1 to 2"):
        read_item(two)


NO_LISTS = (
    ("", "isn't JSON"), ("{", "isn't JSON"), ("[" * 100_000, "isn't JSON"), ("[]", '"items"'), ("{}", '"items"'),
    ('{"items": {}}', '"items"'), ('{"items": []}', "no item"), ('{"items": [1]}', "Item 1"),
    ('{"items": [{"patient": "P1"}]}', "unknown fields: patient"), ('{"items": [{"patient_id": 7}]}', "patient_id"),
    ('{"items": [{"patient_id": null}]}', "patient_id"),
    (json.dumps({"items": [{"reason": "x" * 1025}]}), "at most 1024"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "said"), NO_LISTS, ids=[text[:30] for text, _ in NO_LISTS])
def test_what_is_no_worklist_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(WorklistError) as caught:
        read_item(text)
    assert said in str(caught.value)


@pytest.mark.parametrize("number", [0, -1, 2])
def test_a_number_that_is_none_is_refused(number: int) -> None:
    with pytest.raises(WorklistError, match=f"no item {number}"):
        read_item(written([ITEM]), number)


def test_reading_an_item_loads_no_library() -> None:
    code = "import sys, dicomwrap.worklist; print([m for m in ('pydicom', 'pynetdicom', 'click') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_question_has_the_standard_keys_and_those_of_an_encounter() -> None:
    asked = identifier(
        Question(patient_id="P1", day=date(2026, 11, 22), modality="xc", station_aet="DICOMWRAP", department="Derm*")
    )
    step = asked.ScheduledProcedureStepSequence[0]
    assert (asked.PatientID, step.Modality, step.ScheduledStationAETitle) == ("P1", "XC", "DICOMWRAP")
    assert (step.ScheduledProcedureStepStartDate, asked.InstitutionalDepartmentName) == ("20261122", "Derm*")
    assert asked.AdmissionID == asked.InstitutionName == asked.StudyInstanceUID == ""
    for keyword in ("InstitutionalDepartmentTypeCodeSequence", "IssuerOfAdmissionIDSequence"):
        assert all(element.is_empty for element in asked[keyword].value[0])
    assert "SpecificCharacterSet" not in asked
    assert identifier(Question(institution="Cl\xednica")).SpecificCharacterSet == "ISO_IR 192"


@pytest.mark.parametrize("text", ["a\\b", "a\nb", "x" * 65])
def test_a_question_that_dicom_can_t_hold_is_refused(text: str) -> None:
    with pytest.raises(WorklistError):
        identifier(Question(patient_id=text))


@pytest.mark.parametrize(
    ("question", "changes", "fit"),
    [
        (Question(), {}, True),
        (Question(admission_id="V7"), {}, True),
        (Question(admission_id="V7"), {"admission_id": "V8"}, False),
        (Question(admission_id="V7"), {"admission_id": ""}, False),
        (Question(patient_id="P?"), {}, True),
        (Question(patient_id="P"), {}, False),
        (Question(department="derm*"), {"department": "Dermatology"}, True),
        (Question(department="derm*"), {"department": ""}, True),
        (Question(department="derm*"), {"department": "Radiology"}, False),
        (Question(institution="St. [A]"), {"institution": "St. A"}, False),
    ],
)
def test_an_item_that_was_not_asked_for_is_passed_over(question: Question, changes: dict[str, str], fit: bool) -> None:
    assert fits(question, replace(ITEM, **changes)) is fit


def answer(**values: object) -> Dataset:
    found = Dataset()
    found.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in values.items():
        setattr(found, keyword, value)
    return found


def test_codes_and_issuers_stand_in_for_names() -> None:
    code = answer(CodeValue="394582007", CodingSchemeDesignator="SCT", CodeMeaning="Dermatology")
    found = item(
        answer(
            InstitutionalDepartmentTypeCodeSequence=[code],
            RequestedProcedureCodeSequence=[answer(CodeValue="1", CodeMeaning="")],
            IssuerOfAdmissionIDSequence=[answer(UniversalEntityID="1.2.3", UniversalEntityIDType="ISO")],
            ReasonForTheRequestedProcedure="mole",
            PatientName="M\xfcller^Anna=\u5c71\u7530^\u82b1\u5b50",
        )
    )
    assert (found.department, found.requested_procedure, found.admission_issuer) == ("Dermatology", "1", "1.2.3")
    assert (found.reason, found.patient_name) == ("mole", "M\xfcller^Anna=\u5c71\u7530^\u82b1\u5b50")


@pytest.mark.parametrize(
    ("day", "time", "moment"),
    [
        ("20261122", "093015.25", "2026-11-22T09:30:15"), ("20261122", "0930", "2026-11-22T09:30"),
        ("20261122", "09", "2026-11-22T09:00"), ("20261122", "", "2026-11-22"), ("20261122", "9999", "2026-11-22"),
        ("20261322", "0930", ""), ("", "0930", ""), ("2026.11.22", "09:30", "2026-11-22T09:30"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Invalid value")
def test_a_scheduled_start_is_told_as_precisely_as_it_is_known(day: str, time: str, moment: str) -> None:
    step = answer(ScheduledProcedureStepStartDate=day, ScheduledProcedureStepStartTime=time)
    assert item(answer(ScheduledProcedureStepSequence=[step])).scheduled_at == moment


def test_an_answer_that_says_nothing_is_an_item_that_says_nothing() -> None:
    assert item(Dataset()) == WorklistItem()


@contextmanager
def serving(answers: list[Dataset], final: int = 0x0000, pending: int = 0xFF01) -> Iterator[Node]:
    """Serve a worklist that answers everything with everybody."""

    def found(_event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        for each in answers:
            yield pending, each
        yield final, None

    entity = AE(ae_title="RIS")
    entity.add_supported_context(MODALITY_WORKLIST)
    server = entity.start_server((HOST, 0), block=False, evt_handlers=[(evt.EVT_C_FIND, found)])
    assert server is not None
    try:
        yield Node(aet="RIS", host=HOST, port=int(server.server_address[1]))
    finally:
        server.shutdown()


def run(*arguments: object) -> Result:
    return CliRunner().invoke(worklist, [*map(str, arguments)], catch_exceptions=False)


def patients(count: int) -> list[Dataset]:
    """Return answers, the latest scheduled first."""
    return [
        answer(
            PatientID=f"P{number}",
            PatientName=f"[bold]N{number}\x07",
            ScheduledProcedureStepSequence=[
                answer(ScheduledProcedureStepStartDate=f"202611{28 - number}", ScheduledProcedureStepStartTime="0930")
            ],
        )
        for number in range(count)
    ]


def test_the_table_is_numbered_earliest_first_and_shows_names_as_they_are() -> None:
    with serving(patients(3)) as node:
        result = run("--from", node)
    lines = [line for line in result.output.splitlines() if "N0" in line or "N2" in line]
    assert result.exit_code == 0
    assert "\x07" not in result.output
    assert [line.split("\u2502")[1].strip() for line in lines] == ["1", "3"]
    assert "[bold]N2" in lines[0]


def test_one_item_is_picked_by_its_number_and_only_its_owner_may_read_the_file(tmp_path: Path) -> None:
    out = tmp_path / "item.json"
    with serving(patients(3)) as node:
        assert run("--from", node, "--out", out).exit_code == 0
        assert [each.patient_id for each in read_items(out.read_text())] == ["P2", "P1", "P0"]
        result = run("--from", node, "--pick", 3, "--out", out, "--json")
    assert json.loads(result.stdout)["items"] == [asdict(read_item(out.read_text()))]
    assert (read_item(out.read_text()).patient_id, out.stat().st_mode & 0o777) == ("P0", 0o600)


def test_a_number_beyond_the_list_writes_nothing(tmp_path: Path) -> None:
    with serving(patients(1)) as node:
        result = run("--from", node, "--pick", 2, "--out", tmp_path / "item.json")
    assert (result.exit_code, [*tmp_path.iterdir()]) == (1, [])
    assert "no item 2" in result.stderr


def test_an_empty_list_is_no_failure() -> None:
    with serving([]) as node:
        assert (run("--from", node).output, run("--from", node, "--json").stdout.split()) == (
            "Nothing on the worklist matches.\n",
            ["{", '"items":', "[]", "}"],
        )


def test_keys_that_the_server_passes_over_are_heeded_here() -> None:
    with serving(patients(3)) as node:
        found = json.loads(run("--from", node, "--patient-id", "P1", "--json").stdout)["items"]
    assert [each["patient_id"] for each in found] == ["P1"]


def test_a_list_without_end_is_cut_off() -> None:
    with serving(patients(1) * 1001) as node:
        result = run("--from", node)
    assert result.exit_code == 1
    assert "more than 1000" in result.stderr


def test_a_server_that_refuses_is_said_in_words() -> None:
    with serving([], final=0xA700) as node:
        result = run("--from", node)
    assert result.exit_code == 1
    assert "refuses the question: out of resources (A700H)" in result.stderr


@pytest.mark.parametrize(("day", "code"), [("2026-11-22", 0), ("today", 0), ("22.11.2026", 2)])
def test_a_day_is_given_as_iso_or_today(day: str, code: int) -> None:
    with serving([]) as node:
        assert run("--from", node, "--date", day).exit_code == code
