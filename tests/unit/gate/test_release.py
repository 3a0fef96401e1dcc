"""What leaves: the original, a derived copy, or nothing."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from io import BytesIO

import pydicom
import pytest
from pydicom.encaps import encapsulate

from dicomwrap.consenttags import read_stamp
from orthanc_plugin.config.bindings import Role
from orthanc_plugin.errors import DeidentificationError, ReleaseRefusedError
from orthanc_plugin.policy.model import Anonymisable, Decision, Effect, Obligation
from orthanc_plugin.release import FULFIL, Context, unmet
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID, consent, encoded, photograph, photograph_bytes
from tests.fakes.world import World


def permit(effect: Effect, *obligations: Obligation) -> Decision:
    return Decision(effect=effect, obligations=obligations, reasons=("because",), rules=("RULE",))


def context(world: World, name: str = "workstation", **changes: object) -> Context:
    named = replace(world.binding("workstation"), may_view_intimate=True)
    binding = named if name == "named" else world.binding(name)
    return Context(**{"binding": binding, "reviewed": Anonymisable.YES, "recordable": True, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("obligation", [each for each in Obligation if each not in FULFIL])
def test_an_obligation_that_nobody_can_meet_yet_refuses_the_release(obligation: Obligation, world: World) -> None:
    decision = permit(Effect.PERMIT_IDENTIFIABLE, obligation)
    assert unmet(decision, context(world)) == (f"obligation {obligation} can't be met yet",)
    with pytest.raises(ReleaseRefusedError, match=obligation):
        world.services.release.prepare(decision, context(world), b"original", UID)


@pytest.mark.parametrize(
    ("obligation", "name", "changes", "met"),
    [
        (Obligation.ANONYMISE, "teaching-archive", {}, True),
        (Obligation.ANONYMISE, "workstation", {}, False),
        (Obligation.VERIFY_RESIDUAL_ID, "workstation", {"reviewed": Anonymisable.YES}, True),
        (Obligation.VERIFY_RESIDUAL_ID, "workstation", {"reviewed": Anonymisable.NO}, False),
        (Obligation.VERIFY_RESIDUAL_ID, "workstation", {"reviewed": Anonymisable.UNKNOWN}, False),
        (Obligation.RECORD_DISCLOSURE, "workstation", {"recordable": True}, True),
        (Obligation.RECORD_DISCLOSURE, "workstation", {"recordable": False}, False),
        (Obligation.SECURE_CHANNEL, "workstation", {}, False),
        (Obligation.MINIMUM_NECESSARY, "workstation", {}, True),
        (Obligation.SEEK_CONSENT, "workstation", {}, True),
        (Obligation.NOTIFY_IG, "workstation", {}, True),
        (Obligation.RECORD_JUSTIFICATION, "workstation", {}, False),
        (Obligation.RECORD_JUSTIFICATION, "workstation", {"justified": True}, True),
        (Obligation.NOTIFY_PATIENT, "workstation", {}, False),
        (Obligation.NOTIFY_PATIENT, "workstation", {"open_tasks": frozenset({"NOTIFY_PATIENT"})}, True),
        (Obligation.RETROSPECTIVE_REVIEW, "workstation", {"open_tasks": frozenset({"NOTIFY_PATIENT"})}, False),
        (Obligation.RETROSPECTIVE_REVIEW, "workstation", {"open_tasks": frozenset({"RETROSPECTIVE_REVIEW"})}, True),
        (Obligation.RESTRICT_VIEW, "workstation", {}, False),
        (Obligation.RESTRICT_VIEW, "named", {}, True),
        (Obligation.METADATA_ONLY, "workstation", {}, False),
        (Obligation.METADATA_ONLY, "workstation", {"undepicted": True}, True),
        (Obligation.TAG_PURPOSE, "workstation", {}, True),
        (Obligation.TAG_PURPOSE, "workstation", {"as_stored": True}, False),
        (Obligation.REDACT_THIRD_PARTIES, "workstation", {"justified": True}, False),
        (Obligation.SERIOUS_HARM_CHECK, "workstation", {"justified": True}, False),
        (Obligation.SERIOUS_HARM_CHECK, "workstation", {"harmless": True}, True),
    ],
)
def test_an_obligation_is_checked_against_what_is_so(
    obligation: Obligation, name: str, changes: dict[str, object], met: bool, world: World
) -> None:
    reasons = unmet(permit(Effect.PERMIT_IDENTIFIABLE, obligation), context(world, name, **changes))
    assert (reasons == ()) is met


def test_every_obligation_that_is_unmet_is_named(world: World) -> None:
    decision = permit(Effect.PERMIT_ANONYMISED, Obligation.ANONYMISE, Obligation.SECURE_CHANNEL)
    assert len(unmet(decision, context(world))) == 2


@pytest.mark.parametrize(
    ("name", "document", "released"),
    [
        ("workstation", True, False),
        ("teaching-archive", True, False),
        ("derm", True, False),
        ("uploader", True, False),
        ("clerk", True, True),
        ("workstation", False, True),
        ("derm", False, True),
    ],
)
def test_a_document_is_for_accounts_that_handle_consents_whatever_was_decided(
    name: str, document: bool, released: bool, world: World
) -> None:
    derm = next(user for user in world.services.policy.users if user.name == "derm")
    clerk = replace(derm, name="clerk", roles=frozenset({Role.VIEW, Role.CONSENT}))
    binding = clerk if name == "clerk" else world.binding(name)
    found = unmet(permit(Effect.PERMIT_IDENTIFIABLE), Context(binding=binding, document=document))
    assert (found == ()) is released
    assert all("signed consent form" in reason for reason in found)


@pytest.mark.parametrize("sop_class", ["104.1", "104.2", "77.1.4"])
def test_a_document_is_known_by_its_sop_class(sop_class: str, world: World) -> None:
    world.file(CARE)
    world.sql("UPDATE images SET sop_class_uid = '1.2.840.10008.5.1.4.1.1.CLASS'".replace("CLASS", sop_class))
    answer = world.services.gate.authorize(world.request("derm"))
    assert answer.decision.permits
    assert world.services.context(answer, world.binding("derm")).document is sop_class.startswith("104.")


@pytest.mark.parametrize("effect", [Effect.DENY, Effect.NEEDS_REVIEW])
def test_what_is_no_permit_releases_nothing(effect: Effect, world: World) -> None:
    with pytest.raises(ReleaseRefusedError, match="not a permit"):
        world.services.release.prepare(permit(effect), context(world), photograph_bytes(), UID)


def test_a_permit_to_identify_releases_the_original_bytes(world: World) -> None:
    released = world.services.release.prepare(permit(Effect.PERMIT_IDENTIFIABLE), context(world), b"original", UID)
    assert (released.content, released.sop_instance_uid, released.profile) == (b"original", UID, "")
    assert released.sha256 == hashlib.sha256(b"original").hexdigest()


def test_a_permit_to_anonymise_releases_a_copy_under_the_recipient_s_profile(world: World) -> None:
    released = world.services.release.prepare(
        permit(Effect.PERMIT_ANONYMISED, Obligation.ANONYMISE),
        context(world, "teaching-archive"),
        photograph_bytes(),
        UID,
    )
    assert released.content != photograph_bytes()
    assert b"Doe^Jane" not in released.content
    assert released.sop_instance_uid not in ("", UID)
    assert released.profile == world.services.release.profile(world.binding("teaching-archive")).digest


def test_an_anonymised_release_to_a_recipient_without_profile_is_refused_whatever_the_obligations(world: World) -> None:
    with pytest.raises(ReleaseRefusedError, match="no anonymisation profile"):
        world.services.release.prepare(permit(Effect.PERMIT_ANONYMISED), context(world), photograph_bytes(), UID)


@pytest.mark.parametrize("found", [Anonymisable.NO, Anonymisable.UNKNOWN])
def test_no_copy_leaves_that_nobody_confirmed_whatever_the_obligations(found: Anonymisable, world: World) -> None:
    unseen = context(world, "teaching-archive", reviewed=found)
    with pytest.raises(ReleaseRefusedError, match="No named person"):
        world.services.release.prepare(permit(Effect.PERMIT_ANONYMISED), unseen, photograph_bytes(), UID)


def test_a_copy_that_can_t_be_made_refuses_the_release(world: World) -> None:
    for original in (b"", b"no DICOM", encoded(photograph(PixelData=encapsulate([b"\0\0"])))):
        with pytest.raises(DeidentificationError):
            world.services.release.prepare(
                permit(Effect.PERMIT_ANONYMISED), context(world, "teaching-archive"), original, UID
            )


def test_a_refusal_keeps_the_names_as_they_are_written(world: World) -> None:
    decision = permit(Effect.PERMIT_IDENTIFIABLE, Obligation.LEGAL_REVIEW)
    with pytest.raises(ReleaseRefusedError, match="Obligation LEGAL_REVIEW can't be met yet"):
        world.services.release.prepare(decision, context(world), b"", UID)


def test_an_identifiable_copy_for_a_secondary_use_says_what_it_is_for(world: World) -> None:
    decision = permit(Effect.PERMIT_IDENTIFIABLE, Obligation.TAG_PURPOSE)
    under = consent(CARE, {**TEACHING, "max_form": "IDENTIFIABLE"})
    known = context(world, "teaching-archive", consent=under)
    released = world.services.release.prepare(decision, known, photograph_bytes(), UID)
    found = read_stamp(pydicom.dcmread(BytesIO(released.content)))
    assert found is not None
    assert (found.release_purpose, found.recipient) == ("TRAIN", "teaching-archive")
    assert (found.record_id, found.record_version) == (CONSENT_ID, "1")
    assert (released.sha256, released.profile) == (hashlib.sha256(released.content).hexdigest(), "")
    assert released.sop_instance_uid not in ("", UID)


def test_what_can_t_be_marked_does_not_leave(world: World) -> None:
    decision = permit(Effect.PERMIT_IDENTIFIABLE, Obligation.TAG_PURPOSE)
    with pytest.raises(ReleaseRefusedError, match="can't be marked"):
        world.services.release.prepare(decision, context(world), b"no object", UID)
