"""``consentgate optout import | show``: the national data opt-out, and what a changed list forbids."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from orthanc_plugin.policy.model import AuthorityType
from orthanc_plugin.registry import authorities, outbox, patients
from orthanc_plugin.registry.authorities import Claim
from tests.fakes.pictures import CARE, UID
from tests.fakes.queued import AT, wanted
from tests.fakes.routed import ROUTED, sends
from tests.fakes.world import World, make_world
from tests.unit.cli.conftest import Shell
from tests.unit.lifecycle.steps import leave, listed, recalls

RESEARCH = """
[[dicom_nodes]]
name = "trial"
aet = "TRIAL"
host = "127.0.0.1"
may = ["receive"]
purpose = "RESEARCH"
audience = "RESEARCH_TEAM"
"""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Give a hospital with an approved trial (section 251) that has a copy, and is to have another."""
    world = make_world(tmp_path, policy=ROUTED + RESEARCH)
    row = world.file(CARE)
    approve(world, row.patient_id, row.issuer)
    leave(world, "D1", recipient="trial", purpose="RESEARCH", under=())
    leave(world, "D2", recipient="workstation", purpose="DIRECT_CARE")
    with world.services.database.writing() as connection:
        outbox.queue(connection, [wanted(UID, recipient="trial", purpose="RESEARCH"), wanted(UID, route="care",
                     recipient="workstation", purpose="DIRECT_CARE")], AT)  # fmt: skip
    return Shell(world=world)


def approve(world: World, patient_id: str, issuer: str) -> None:
    said = Claim(
        type=AuthorityType.SECTION_251,
        patient_id=patient_id,
        issuer=issuer,
        document="CAG 26/1",
        requested_by="trial",
        approved_by="the advisory group",
        valid_from=date(2026, 1, 1),
    )
    with world.services.database.writing() as connection:
        authorities.record(connection, said, authority_id="cag", by="clerk", at=world.clock())
        authorities.verify(connection, "cag", by="solicitor", at=world.clock())


def sheet(shell: Shell, *numbers: str) -> Path:
    path = shell.world.folder / "list.csv"
    path.write_text("\n".join(("patient_id,issuer", *numbers, "")))
    return path


def ours(shell: Shell) -> str:
    row = shell.world.row()
    return f"{row.patient_id},{row.issuer}"


def take_in(shell: Shell, *numbers: str, as_of: str = "2026-11-20", complete: bool = False) -> dict[str, object]:
    more = ("--complete",) if complete else ()
    found: dict[str, object] = shell.json(
        "optout", "import", sheet(shell, *numbers), "--as-of", as_of, *more, "--by", "clerk"
    )
    return found


def test_a_list_cancels_and_recalls_what_rests_on_no_consent(shell: Shell) -> None:
    done = take_in(shell, ours(shell))
    assert (done["applied"], done["cancelled"], done["recalls"]) == (1, 1, ["D1"])
    assert recalls(shell.world) == {"D1": "OPEN", "D2": "NONE"}
    assert ("CONFIRM_RECALL", "D1") in listed(shell.world)
    assert sends(shell.world) == {(UID, "to-teaching"): "CANCELLED", (UID, "care"): "WAITING"}
    assert "opted out: 1" in str(shell.world.trail()[-1]["reasons"])


def test_the_same_list_again_changes_nothing(shell: Shell) -> None:
    take_in(shell, ours(shell))
    again = take_in(shell, ours(shell))
    assert (again["applied"], again["known"], again["recalls"]) == (0, 1, [])


def test_who_is_not_on_record_yet_has_opted_out_when_they_come(shell: Shell) -> None:
    take_in(shell, "P77,HOSP")
    with shell.world.services.database.reading() as connection:
        found = patients.find(connection, "P77", "HOSP")
    assert found is not None
    assert found.national_data_opt_out


def known(shell: Shell, number: str, *facts: str) -> None:
    by = ("--issuer", "HOSP", "--reason", "as the list says", "--by", "clerk")
    shell.json("patient", "set", number, "--new", *by)
    if facts:
        shell.json("patient", "set", number, *facts, *by)


def merged(shell: Shell, number: str, into: str) -> None:
    issuers = ("--issuer", "HOSP", "--into-issuer", "HOSP")
    shell.json("patient", "merge", number, "--into", into, *issuers, "--reason", "one person", "--by", "clerk")


def opted_out(shell: Shell, number: str) -> bool:
    return bool(shell.json("patient", "show", number, "--issuer", "HOSP")["national_data_opt_out"])


def test_a_number_that_was_given_up_opts_its_patient_out(shell: Shell) -> None:
    known(shell, "P80")
    known(shell, "P81")
    merged(shell, "P81", into="P80")
    done = take_in(shell, "P81,HOSP")
    assert (done["applied"], done["failed"], opted_out(shell, "P80")) == (1, 0, True)
    gone = take_in(shell, "P77,HOSP", as_of="2026-11-21", complete=True)
    assert (gone["opted_in"], gone["kept"], opted_out(shell, "P80")) == (1, 0, False)


def test_a_complete_list_is_taken_in_whole_though_a_merged_number_says_otherwise(shell: Shell) -> None:
    known(shell, "P80", "--opt-out")
    known(shell, "P81", "--opt-out")
    merged(shell, "P81", into="P80")
    done = take_in(shell, ours(shell), complete=True)
    assert (done["opted_in"], done["kept"], done["recalls"]) == (0, 1, ["D1"])
    assert opted_out(shell, "P80")


def test_a_complete_list_is_taken_in_whole_though_somebody_opted_out_since_it_was_made(shell: Shell) -> None:
    known(shell, "P80", "--opt-out")
    done = take_in(shell, ours(shell), as_of="2026-11-20", complete=True)
    assert (done["opted_in"], done["kept"], done["recalls"]) == (0, 1, ["D1"])
    assert opted_out(shell, "P80")


def test_a_complete_list_of_nobody_opts_nobody_in(shell: Shell) -> None:
    take_in(shell, "P77,HOSP")
    path = shell.put("none.csv", "patient_id,issuer\r\n\r\n")
    said = shell.fails("optout", "import", path, "--as-of", "2026-11-21", "--complete", "--by", "clerk")
    assert "names nobody" in said
    assert len(shell.world.sql("SELECT * FROM patients WHERE national_data_opt_out = 1")) == 1


def test_a_complete_list_of_nobody_is_taken_in_where_nobody_has_opted_out(shell: Shell) -> None:
    assert take_in(shell, complete=True)["opted_in"] == 0
    assert shell.json("optout", "show") == {"as_of": "2026-11-20T00:00:00+00:00", "opted_out": 0}


@pytest.mark.parametrize(("complete", "left"), [(False, 2), (True, 1)])
def test_who_is_missing_has_opted_in_only_when_the_list_is_complete(complete: bool, left: int, shell: Shell) -> None:
    take_in(shell, ours(shell))
    done = take_in(shell, "P77,HOSP", as_of="2026-11-21", complete=complete)
    assert done["opted_in"] == 2 - left
    assert shell.json("optout", "show")["opted_out"] == left


def test_an_older_list_or_one_from_the_future_is_refused(shell: Shell) -> None:
    take_in(shell, ours(shell), as_of="2026-11-20T09:00")
    path = sheet(shell, "P78,HOSP")
    for as_of, words in (("2026-11-19", "newer list"), ("2096-01-01", "from the future")):
        assert words in shell.fails("optout", "import", path, "--as-of", as_of, "--by", "clerk")
    assert "2026-11-20 09:00" in shell("optout", "show").stdout
    assert shell.json("optout", "show")["opted_out"] == 1


def test_a_line_without_a_number_goes_to_the_errors_and_nobody_is_opted_in_for_it(shell: Shell) -> None:
    take_in(shell, ours(shell))
    path = sheet(shell, ",HOSP", "P78,HOSP")
    result = shell("optout", "import", path, "--as-of", "2026-11-21", "--complete", "--by", "clerk")
    assert result.exit_code == 1
    assert "list.errors.csv" in result.stdout
    assert shell.json("optout", "show")["opted_out"] == 2


def test_nothing_was_taken_in_yet(shell: Shell) -> None:
    assert "No list yet" in shell("optout", "show").stdout
