"""``consentgate linkage list | permit``: anonymised studies of one patient add up until somebody else has looked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomwrap.subject import Patient
from orthanc_plugin.config.bindings import DicomNode
from orthanc_plugin.errors import IllegalTransitionError, ReleaseRefusedError
from orthanc_plugin.lifecycle import linkage
from orthanc_plugin.lifecycle.linkage import LinkageError
from orthanc_plugin.policy.linkage import TASK
from orthanc_plugin.registry.ledger import Delivery
from orthanc_plugin.sending.asking import bound
from orthanc_plugin.sending.delivery import Courier
from tests.fakes.leaving import leave
from tests.fakes.pictures import CARE, TEACHING, consent, encoded, photograph
from tests.fakes.world import MODALITIES, POLICY, World, make_world
from tests.unit.cli.conftest import Shell
from tests.unit.dicomwrap.objects import PATIENT

MOST = 2
LECTURER = """
[[users]]
name = "lecturer"
roles = ["view"]
purpose = "TEACHING"
audience = "TRUST_STUDENTS"
form = "ANONYMISED"
profile = "publication"
[[users]]
name = "caldicott"
roles = ["tasks"]
purpose = "RECORDS_MANAGEMENT"
audience = "RECORDS_OFFICER"
"""
PICTURES = tuple(f"2.25.{number}" for number in range(300, 306))
OTHER = "2.25.400"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path, policy=f"{POLICY}{LECTURER}[linkage]\nreleases = {MOST}\nwindow_days = 30\n")
    made.record(consent(CARE, TEACHING))
    for uid in PICTURES:
        take(made, uid, study=f"{uid}.1")
    yield made
    made.close()


def take(world: World, uid: str, study: str) -> None:
    """Take a picture in, and have somebody look at it."""
    picture = photograph(uid=uid, StudyInstanceUID=study, SeriesInstanceUID=f"{study}.2")
    assert world.receive(encoded(picture)).reasons == ()
    world.review(uid)


def reviews(world: World) -> list[dict[str, object]]:
    return [task for task in world.tasks() if task["kind"] == TASK]


def test_one_too_many_is_refused_with_a_task_until_somebody_else_has_looked(shell: Shell) -> None:
    world = shell.world
    for uid in PICTURES[:MOST]:
        leave(world, uid)
    for uid in PICTURES[MOST : MOST + 2]:
        with pytest.raises(LinkageError, match="consentgate linkage permit"):
            leave(world, uid)
    assert len(world.disclosures()) == MOST
    (task,) = reviews(world)
    listed = shell.json("linkage", "list")
    assert {row["study"] for row in listed} == {f"{uid}.1" for uid in PICTURES[:MOST]}
    assert {row["task_id"] for row in listed} == {task["task_id"]}
    with world.services.database.writing() as connection:
        settled = linkage.permit(
            connection, world.services.act("caldicott", "test"), str(task["task_id"]), "Hands only, years apart."
        )
    assert settled.settled_by == "caldicott"
    assert reviews(world) == []
    world.clock.advance(seconds=1)
    for uid in PICTURES[MOST : 2 * MOST]:
        leave(world, uid)
    with pytest.raises(LinkageError):
        leave(world, PICTURES[2 * MOST])


def test_more_of_a_study_that_is_out_already_may_be_had_but_not_under_another_profile(world: World) -> None:
    for number in range(2 * MOST):
        take(world, f"2.25.50{number}", study=f"{PICTURES[0]}.1")
        leave(world, f"2.25.50{number}")
        leave(world, PICTURES[0])
    leave(world, PICTURES[1])
    with pytest.raises(LinkageError):
        leave(world, PICTURES[0], "lecturer")


def test_what_failed_to_leave_is_not_out(world: World) -> None:
    for uid in PICTURES[:MOST]:
        leave(world, uid)
    world.sql("UPDATE disclosures SET outcome = 'FAILED'")
    leave(world, PICTURES[MOST])


def test_a_recipient_that_keeps_each_picture_and_answers_no_gets_no_more_than_another(world: World) -> None:
    kept: list[bytes] = []
    node = world.binding("teaching-archive")
    assert isinstance(node, DicomNode)

    def keeps(_modality: str, content: bytes) -> None:
        kept.append(content)
        world.archive.refused.add(content)

    world.archive.watcher = keeps
    courier = Courier(world.services, world.archive, MODALITIES, world.worker())
    handed = list(courier.deliver(bound("TEACHING", node), [world.row(uid) for uid in PICTURES], node, "C-MOVE"))
    # Copies are made two at a time, so which of two next to one another comes first is chance; how many isn't.
    assert Counter(each.delivery for each in handed) == {Delivery.SENT: MOST, None: len(PICTURES) - MOST}
    assert len(kept) == MOST


def test_what_leaves_as_it_is_for_care_does_not_count(world: World) -> None:
    for uid in PICTURES:
        leave(world, uid, "derm")


def test_another_patient_s_studies_do_not_count_together_until_the_two_are_merged(shell: Shell) -> None:
    world = shell.world
    somebody = Patient(
        id="P2", issuer=PATIENT.issuer, name=PATIENT.name, birth_date=PATIENT.birth_date, sex=PATIENT.sex
    )
    theirs = consent(CARE, TEACHING, id="urn:uuid:2b4e28ba-2fa1-11d2-883f-0016d3cca427", patient_id="P2",
        giver={"type": "PATIENT", "id": "P2"})  # fmt: skip
    world.record(theirs)
    assert world.receive(encoded(photograph(uid=OTHER, patient=somebody, refers_to=theirs))).reasons == ()
    world.review(OTHER)
    for uid in PICTURES[:MOST]:
        leave(world, uid)
    leave(world, OTHER)
    world.sql("DELETE FROM disclosures WHERE sop_instance_uid = '2.25.300'")
    shell.json("patient", "merge", "P2", "--into", "P1", "--reason", "The same person twice.", "--by", "records")
    with pytest.raises(LinkageError):
        leave(world, PICTURES[2])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--note", "Looked at both.", "--by", "Teacher "), "somebody else"),
        (("--note", " ", "--by", "caldicott"), "note"),
        (("--note", "Looked at both.", "--by", "Somebody Else"), "not in policy.toml"),
    ],
)
def test_whoever_asked_may_not_settle_it_nor_anybody_without_a_word(
    arguments: tuple[str, ...], words: str, shell: Shell
) -> None:
    for uid in PICTURES[:MOST]:
        leave(shell.world, uid)
    with pytest.raises(ReleaseRefusedError):
        leave(shell.world, PICTURES[MOST])
    (task,) = reviews(shell.world)
    assert words in shell.fails("linkage", "permit", str(task["task_id"]), *arguments)
    assert len(reviews(shell.world)) == 1


def test_nor_may_anybody_who_asked_after_the_first_whoever_it_is_for(tmp_path: Path) -> None:
    world = make_world(tmp_path, policy=f"{POLICY}{LECTURER}[linkage]\nreleases = 1\nwindow_days = 30\n")
    world.record(consent(CARE, TEACHING))
    for uid in PICTURES[:4]:
        take(world, uid, study=f"{uid}.1")
    leave(world, PICTURES[0])
    askers = {"teacher": "teacher", "lecturer": "lecturer", "teaching-archive": "TEACHING"}
    for uid, name in zip(PICTURES[1:], askers, strict=False):
        with pytest.raises(LinkageError):
            leave(world, uid, name, asker=askers[name])
    (task,) = reviews(world)
    for by in ("teacher", "Lecturer", "TEACHING", "teaching-archive"):
        with world.services.database.writing() as connection, pytest.raises(IllegalTransitionError, match="asked"):
            linkage.permit(connection, world.services.act(by, "test"), str(task["task_id"]), "Looked at both.")
    with world.services.database.writing() as connection:
        linkage.permit(connection, world.services.act("caldicott", "test"), str(task["task_id"]), "Looked at both.")
    world.close()


def test_a_task_of_another_kind_is_not_settled_so_nor_is_this_one_by_closing_it(shell: Shell) -> None:
    for uid in PICTURES[:MOST]:
        leave(shell.world, uid)
    with pytest.raises(ReleaseRefusedError):
        leave(shell.world, PICTURES[MOST])
    (task,) = reviews(shell.world)
    assert "consentgate linkage permit" in shell.fails(
        "task", "close", str(task["task_id"]), "--note", "Done.", "--by", "caldicott"
    )
    shell.world.sql("UPDATE tasks SET kind = 'NOTIFY_IG'")
    assert "no linkage review" in shell.fails(
        "linkage", "permit", str(task["task_id"]), "--note", "Looked.", "--by", "caldicott"
    )


def test_a_review_that_was_made_up_behind_our_back_is_noticed(shell: Shell) -> None:
    world = shell.world
    for uid in PICTURES[:MOST]:
        leave(world, uid)
    with pytest.raises(ReleaseRefusedError):
        leave(world, PICTURES[MOST])
    (task,) = reviews(world)
    shell.json("linkage", "permit", str(task["task_id"]), "--note", "Looked at both.", "--by", "caldicott")
    world.sql("DELETE FROM consents")  # which the world records without telling the trail
    world.sql("DELETE FROM reviews")
    assert shell.json("audit", "verify")["whole"] is True
    world.sql("UPDATE linkage_reviews SET settled_at = '2027-01-01T00:00:00+00:00'")
    assert "linkage review" in shell.json("audit", "verify", code=1)["problem"]


def test_without_a_section_the_default_holds(tmp_path: Path) -> None:
    made = make_world(tmp_path / "plain")
    assert (made.services.policy.linkage.releases, made.services.policy.linkage.window_days) == (5, 365)
    made.close()


def test_the_first_study_of_a_patient_needs_nobody(shell: Shell) -> None:
    leave(shell.world, PICTURES[0])
    assert shell("linkage", "list").stderr == "No linkage review is open.\n"
