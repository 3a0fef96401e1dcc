"""``consentgate policy propose | activate | versions``: a changed policy.toml counts once a second person says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orthanc_plugin.errors import ReleaseRefusedError
from orthanc_plugin.registry import outbox
from orthanc_plugin.release import Released
from orthanc_plugin.services import Services, build
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.fakes.queued import AT, wanted
from tests.fakes.routed import ROUTED, sends
from tests.fakes.world import World, counted_ids, make_world
from tests.unit.cli.conftest import Shell
from tests.unit.lifecycle.steps import leave, listed, recalls

BARE = 'form = "ANONYMISED"\nprofile = "teaching"\n'
OPEN = ROUTED.replace(BARE, "")  # the first text of a rule that gives teaching the picture as it is
STRICT = ROUTED
SHOWING = {**TEACHING, "max_form": "IDENTIFIABLE"}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Give a hospital in which teaching may have pictures as they are, where the patient says so."""
    made = in_force(tmp_path)
    made.world.file(CARE, SHOWING)
    return made


@pytest.fixture
def bare(tmp_path: Path) -> Shell:
    """Give the same hospital without pictures or consents."""
    return in_force(tmp_path)


def in_force(folder: Path) -> Shell:
    """Return a world whose policy was activated."""
    shell = Shell(world=make_world(folder, policy=OPEN))
    shell.json("policy", "activate", proposed(shell, OPEN), "--by", "governance")
    return shell


def written(shell: Shell, text: str) -> Path:
    path = shell.world.folder / "policy.toml"
    path.write_text(text)
    return path


def proposed(shell: Shell, text: str = STRICT, by: str = "admin") -> str:
    written(shell, text)
    return str(shell.json("policy", "propose", "--by", by)["digest"])


def rebuilt(world: World) -> Services:
    return build(world.folder / "settings.toml", {}, world.clock, counted_ids("later"), world.ticks)


def test_before_any_was_activated_the_file_counts_as_it_is(world: World) -> None:
    shell = Shell(world=world)
    written(shell, OPEN)
    assert rebuilt(world).policy.routes != world.services.policy.routes
    assert shell.json("policy", "versions") == []


def test_what_is_only_proposed_counts_for_nothing_once_one_is_in_force(
    shell: Shell, caplog: pytest.LogCaptureFixture
) -> None:
    first = shell.world.services.policy.sha256
    second = proposed(shell, STRICT)
    assert rebuilt(shell.world).policy.sha256 == first != second
    assert "consentgate policy activate" in caplog.text
    rows = {row["digest"]: row["in_force"] for row in shell.json("policy", "versions")}
    assert rows == {first: "yes", second: ""}


def test_whoever_proposes_says_what_changes_and_somebody_else_puts_it_in_force(bare: Shell) -> None:
    shell = bare
    written(shell, STRICT)
    told = shell("policy", "propose", "--by", "admin").stdout
    assert "node teaching-archive, form: was IDENTIFIABLE, becomes ANONYMISED." in told
    digest = told.split("Proposed ")[1].split(".")[0]
    assert "not in policy.toml" in shell.fails("policy", "propose", "--by", "a name of one's own")
    assert "can't activate it" in shell.fails("policy", "activate", digest, "--by", "Admin")
    assert "not in policy.toml" in shell.fails("policy", "activate", digest, "--by", "nobody-known")
    assert "Restart Orthanc" in shell("policy", "activate", digest, "--by", "governance").stdout
    assert rebuilt(shell.world).policy.sha256 == digest
    told_of = [(entry["effect"], entry["actor"]) for entry in shell.world.trail()][-3:]
    assert told_of == [("POLICY_PROPOSED", "admin"), ("POLICY_ACTIVATED", "governance"), ("RULES_SWEPT", "governance")]
    assert shell("audit", "verify").exit_code == 0


def test_an_activation_cancels_and_recalls_what_it_no_longer_permits(shell: Shell) -> None:
    world = shell.world
    with world.services.database.writing() as connection:
        outbox.queue(connection, [wanted(UID), wanted(UID, route="away", recipient="gone")], AT)
    leave(world, "D1")
    leave(world, "D2", recipient="workstation", purpose="DIRECT_CARE")
    text = OPEN.replace('audience = "TRUST_STUDENTS"', 'audience = "EXTERNAL_AUDIENCE"')
    digest = proposed(shell, text)
    done = shell.json("policy", "activate", digest, "--by", "governance")
    assert (done["cancelled"], done["recalls"]) == (2, ["D1"])
    assert recalls(world) == {"D1": "OPEN", "D2": "NONE"}
    assert ("CONFIRM_RECALL", "D1") in listed(world)
    assert set(sends(world).values()) == {"CANCELLED"}


def test_a_copy_that_time_made_forbidden_is_not_recalled_by_a_new_policy(shell: Shell) -> None:
    leave(shell.world, "D1", purpose="RESEARCH", recipient="teaching-archive")  # nobody was ever bound to this
    digest = proposed(shell)
    assert shell.json("policy", "activate", digest, "--by", "governance")["recalls"] == []


def test_a_process_with_the_policy_before_releases_nothing(shell: Shell) -> None:
    world = shell.world
    answer = world.services.gate.authorize(world.request())
    released = Released(content=b"", sha256="0" * 64, sop_instance_uid=UID)
    world.services.disclose(answer, released)
    digest = proposed(shell)
    shell.json("policy", "activate", digest, "--by", "governance")
    with pytest.raises(ReleaseRefusedError, match=r"Another policy\.toml was activated"):
        world.services.disclose(world.services.gate.authorize(world.request()), released)
    fresh = rebuilt(world)
    fresh.disclose(fresh.gate.authorize(world.request()), released)


def again(shell: Shell, digest: str) -> None:
    shell.json("policy", "activate", digest, "--by", "governance")


def overtaken(shell: Shell, digest: str) -> None:
    other = proposed(shell, f"{OPEN}# another\n")
    shell.json("policy", "activate", other, "--by", "governance")


@pytest.mark.parametrize(
    ("meanwhile", "words"), [(again, "activated before"), (overtaken, "put in force since")], ids=["again", "overtaken"]
)
def test_what_was_not_looked_at_as_it_stands_is_not_activated(
    meanwhile: Callable[[Shell, str], None], words: str, shell: Shell
) -> None:
    digest = proposed(shell)
    meanwhile(shell, digest)
    assert words in shell.fails("policy", "activate", digest, "--by", "governance")


def test_a_policy_with_faults_or_unknown_is_not_taken(shell: Shell) -> None:
    wrong = shell.world.folder / "other.toml"
    wrong.write_text("[decisions]\n")
    assert "fault" in shell.fails("policy", "propose", wrong, "--by", "admin")
    assert "can't be read" in shell.fails("policy", "propose", "no-such.toml", "--by", "admin")
    assert "consentgate policy propose" in shell.fails("policy", "activate", "0" * 64, "--by", "governance")
    assert len(shell.json("policy", "versions")) == 1


def test_a_picture_whose_facts_can_t_be_read_keeps_no_policy_from_coming_into_force(shell: Shell) -> None:
    world = shell.world
    with world.services.database.writing() as connection:
        outbox.queue(connection, [wanted(UID), wanted("1.2.4")], AT)
    leave(world, "D1")
    world.sql("UPDATE images SET image_type = 'of another version'")
    done = shell.json("policy", "activate", proposed(shell), "--by", "governance")
    assert (done["cancelled"], done["recalled"]) == (2, 0)


def test_a_changed_row_of_a_version_is_noticed(bare: Shell) -> None:
    assert bare("audit", "verify").exit_code == 0
    bare.world.sql("UPDATE policy_versions SET proposed_by = 'somebody'")
    assert "policy version record(s)" in bare("audit", "verify").stdout


def test_a_first_policy_that_counted_already_says_that_nobody_knows_the_one_before(tmp_path: Path) -> None:
    shell = Shell(world=make_world(tmp_path, policy=OPEN))
    assert "nobody can tell" in shell("policy", "propose", "--by", "admin").stdout
    elsewhere = tmp_path / "next.toml"
    elsewhere.write_text(STRICT)
    assert "nobody can tell" not in shell("policy", "propose", elsewhere, "--by", "admin").stdout
    assert shell.json("policy", "propose", "--by", "admin")["before_unknown"] is True


def test_what_waits_for_a_recipient_goes_to_whoever_its_route_sends_to_from_now_on(shell: Shell) -> None:
    world = shell.world
    with world.services.database.writing() as connection:
        outbox.queue(connection, [wanted(UID)], AT)
    renamed = OPEN.replace('"teaching-archive"', '"teaching-store"')
    assert renamed.count('"teaching-store"') == OPEN.count('"teaching-archive"') > 1
    done = shell.json("policy", "activate", proposed(shell, renamed), "--by", "governance")
    assert (done["cancelled"], set(sends(world).values())) == (0, {"WAITING"})


# A copy that leaves while an activation looks, and a kill as soon as the activation is committed: as far as a test can.
MEANWHILE = """
CREATE TRIGGER leaves AFTER UPDATE OF activated_at ON policy_versions BEGIN
    UPDATE disclosures SET recall = 'NONE', at = '2999-01-01T00:00:00+00:00' WHERE disclosure_id = 'D1';
END"""
KILLED = """
CREATE TRIGGER killed BEFORE INSERT ON trail
WHEN NEW.body LIKE '%RULES_SWEPT%' AND (SELECT count(*) FROM trail WHERE body LIKE '%RULES_SWEPT%') > 1
BEGIN SELECT RAISE(ABORT, 'killed'); END"""


def test_what_left_while_an_activation_looked_is_recalled_though_it_is_killed_then(shell: Shell) -> None:
    leave(shell.world, "D1")
    digest = proposed(shell, OPEN.replace('audience = "TRUST_STUDENTS"', 'audience = "EXTERNAL_AUDIENCE"'))
    with shell.world.services.database.writing() as connection:
        connection.exec_driver_sql("UPDATE disclosures SET recall = 'CONFIRMED'")  # so that the first look misses it
        connection.exec_driver_sql(MEANWHILE)
        connection.exec_driver_sql(KILLED)
    shell("policy", "activate", digest, "--by", "governance")
    assert recalls(shell.world) == {"D1": "OPEN"}
