"""``consentgate retention plan | show | decide | approve | undo | report`` and ``consentgate certificate``."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from orthanc_plugin.clock import now
from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.config.schedulefile import shipped_text
from orthanc_plugin.lifecycle import scheduling
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.retention import certifying
from orthanc_plugin.retention.certificate import Kind, issue
from tests.fakes.disposing import DISPOSING, LONG_AGO, Office, office
from tests.fakes.pictures import CARE, CONSENT_ID
from tests.unit.cli.conftest import Shell


@pytest.fixture
def bureau(shell: Shell) -> Office:
    """Give the office of a world with a picture that fell due long ago, under the schedule that is shipped."""
    services = shell.world.services
    (shell.world.folder / "policy.toml").write_text(DISPOSING)
    shell.world.services = replace(services, policy=load_policy(shell.world.folder / "policy.toml"))
    shell.world.file(CARE)
    proposed = scheduling.propose(services.database, services.act("governance", "test"), shipped_text())
    with services.database.writing() as connection:
        scheduling.activate(connection, services.act("derm", "test"), proposed.version.digest)
    return office(shell.world)


@pytest.fixture
def plan(shell: Shell, bureau: Office) -> str:
    """Give a plan, made now, as the command line does."""
    bureau.world.clock.at = now()
    bureau.tell()
    return str(shell.json("retention", "plan", "--by", "clerk")["plan_id"])


def decided(shell: Shell, plan: str, *what: str) -> None:
    shell.json("retention", "decide", plan, *what, "--reason", "reviewed", "--by", "officer")


def test_a_plan_is_shown_line_by_line_with_words_and_decisions(shell: Shell, plan: str) -> None:
    assert shell.json("retention", "plan", "--by", "clerk")["new"] is False
    assert [each["plan_id"] for each in shell.json("retention", "plans")] == [plan]
    until = (now() + timedelta(days=400)).date().isoformat()
    decided(shell, plan, "1", "RETAIN_UNTIL", until)
    (line,) = shell.json("retention", "show", plan)
    assert line["decision"] == f"RETAIN_UNTIL {until} by officer: reviewed"
    assert "ADULT_GENERAL governs" in shell("retention", "show", plan, "--words").stdout


def test_what_is_reckoned_already_is_not_reckoned_again_unless_all_is_asked_for(shell: Shell, plan: str) -> None:
    counts = [shell.json("retention", "refresh", *more, "--by", "clerk")["reckoned"] for more in ((), ("--all",), ())]
    assert counts == [0, 1, 0]
    again = shell.json("retention", "plan", "--by", "clerk")
    assert (again["plan_id"], again["new"], again["reckoned"]) == (plan, False, 0)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (("1", "RETAIN_UNTIL"), "needs a date"),
        (("1", "DESTROY", "2030-01-31"), "needs a date"),
        (("1", "RETAIN_UNTIL", "2020-01-31"), "a day to come"),
        (("1", "RETAIN_UNTIL", "2038-03-05"), "at most 20 years"),
        (("2", "DESTROY"), "no such line"),
        (("1-3", "HOLD"), "no such line"),
        (("CHILD", "DESTROY"), "No line was named"),
    ],
)
def test_what_can_t_be_decided_is_refused_with_the_remedy(
    what: tuple[str, ...], words: str, shell: Shell, plan: str
) -> None:
    said = shell.fails("retention", "decide", plan, *what, "--reason", "reviewed", "--by", "officer")
    assert words in said


def test_an_approval_says_from_when_it_counts_and_can_be_undone(shell: Shell, plan: str) -> None:
    decided(shell, plan, "ADULT_GENERAL", "DESTROY")
    approved = shell.json("retention", "approve", plan, "--by", "guardian")
    since, until, at = (datetime.fromisoformat(approved[name]) for name in ("executable_from", "lapses", "approved_at"))
    assert ((since - at).days, (until - since).days) == (30, 14)
    said = shell.fails("retention", "decide", plan, "1", "HOLD", "--reason", "wait", "--by", "officer")
    assert "retention undo" in said
    shell.json("retention", "undo", plan, "--reason", "the family asked", "--by", "officer")
    assert "isn't" not in shell("retention", "approve", plan, "--by", "guardian").stderr


def test_nothing_is_executed_without_a_running_orthanc(shell: Shell, plan: str) -> None:
    assert "No running Orthanc" in shell.fails("retention", "apply", plan, "--by", "clerk")


def test_the_report_is_a_table_json_and_csv(shell: Shell, plan: str) -> None:
    decided(shell, plan, "1", "HOLD")
    year = str(now().year)
    rows = shell.json("retention", "report", "--year", year)
    assert {"part": "decided", "name": "HOLD", "records": 1, "objects": None, "size": None} in rows
    assert "decided,HOLD,1,," in shell("retention", "report", "--year", year, "--csv").stdout.splitlines()


def test_the_report_of_a_month_counts_that_month_alone(shell: Shell, plan: str) -> None:
    decided(shell, plan, "1", "HOLD")
    year, month = now().year, now().month
    found = {}
    for each in (month, month % 12 + 1):
        rows = shell.json("retention", "report", "--year", str(year), "--month", str(each))
        found[each] = [row["records"] for row in rows if row["name"] == "HOLD"]
    assert found == {month: [1], month % 12 + 1: [0]}
    assert "--month" in shell("retention", "report", "--year", str(year), "--month", "13").stderr


def test_a_certificate_is_verified_with_nothing_but_the_key(shell: Shell, bureau: Office) -> None:
    _, certificate = bureau.execute(bureau.approved())
    settings = bureau.world.services.settings
    path = certifying.write_files(settings.path(settings.trail.certificates), "c", certificate.text)
    key = shell.put("key.pem", shell("certificate", "key").stdout)
    nowhere = bureau.world.folder / "nowhere.toml"
    held = shell("certificate", "verify", path, "--key", key, settings=nowhere)
    assert (held.exit_code, "holds" in held.stdout) == (0, True)
    path.write_text(certificate.text.replace("DESTROYED", "destroyed").replace("2018", "2019"))
    broken = shell("certificate", "verify", path, "--key", key, "--json", settings=nowhere)
    assert (broken.exit_code, '"holds": false' in broken.stdout) == (1, True)


def test_an_interim_certificate_is_verified_and_called_so(shell: Shell, bureau: Office) -> None:
    content = {"number": "c-interim-7", "trail": {"entry": 7, "digest": "ab"}, "counts": {"records": 1, "objects": 2}}
    path = shell.put("interim.json", issue(content, bureau.world.services.heads.key, Kind.INTERIM).text)
    key = shell.put("key.pem", shell("certificate", "key").stdout)
    held = shell("certificate", "verify", path, "--key", key)
    assert held.exit_code == 0
    assert held.stdout.startswith(
        "The interim certificate of an execution that goes on holds: number c-interim-7, 1 record"
    )


def test_a_patient_is_told_what_was_destroyed_and_when(shell: Shell, bureau: Office) -> None:
    row = bureau.world.row()
    assert shell.json("retention", "destroyed", row.patient_id, "--issuer", row.issuer) == []
    bureau.execute(bureau.approved())
    (stub,) = shell.json("retention", "destroyed", row.patient_id, "--issuer", row.issuer)
    assert (stub["objects"], stub["rule"], stub["executed_by"]) == (1, "ADULT_GENERAL", "clerk")


def test_a_certificate_is_written_again_from_the_registry(shell: Shell, bureau: Office) -> None:
    bureau.execute(bureau.approved())
    ((number,),) = bureau.world.sql("SELECT batch_id FROM disposition_batches")
    said = shell.json("certificate", "export", str(number))
    assert str(said["certificate"]).endswith(f"{number}.json")
    assert "No certificate" in shell.fails("certificate", "export", "none")


def test_a_care_picture_whose_care_is_withdrawn_is_restricted_and_kept(shell: Shell, bureau: Office) -> None:
    bureau.world.clock.at = now()
    bureau.tell(replace(LONG_AGO, last_contact=now().date() - timedelta(days=400)))
    shell.json("consent", "withdraw", CONSENT_ID, "--how", "by letter", "--by", "nurse")
    assert shell.json("retention", "plan", "--by", "clerk")["lines"] == 0
    assert bureau.world.row().status is ImageStatus.RESTRICTED
    assert len(bureau.world.archive.objects) == 1
