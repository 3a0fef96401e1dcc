"""The patient's refusal, recorded because of what happened at the camera: of one picture, or of a whole study.

Knows the record such a refusal makes: the patient's own, of every use by its name, for pictures or a study alone: a
refusal that named no use would be outranked by an older consent that does (R6). Must not know what led to it. A child's
refusal or distress counts as a refusal, competent or not, until a later competent consent.

Sources: requirements 2.3 (any child's refusal), 000-34e, 0 (8); GMC recordings 34.
"""

from __future__ import annotations

from sqlalchemy import Connection

from dicomwrap.consentrecord import ConsentRecord, Discussion, Giver, Scope
from dicomwrap.terms import FORBIDDEN_AUDIENCES, Audience, ConsentLevel, ConsentState, Form, GiverType, Purpose
from orthanc_plugin.lifecycle import consenting
from orthanc_plugin.lifecycle.act import Act


def of_pictures(
    connection: Connection, act: Act, patient: tuple[str, str], sop_instance_uids: tuple[str, ...]
) -> ConsentRecord:
    """Record that the patient (number and issuer) refuses every use of these pictures."""
    return _refused(connection, act, patient, ConsentLevel.IMAGE, sop_instance_uids)


def of_study(connection: Connection, act: Act, patient: tuple[str, str], study_instance_uid: str) -> ConsentRecord:
    """Record that the patient (number and issuer) refuses every use of one study's pictures."""
    return _refused(connection, act, patient, ConsentLevel.STUDY, (study_instance_uid,))


def _refused(
    connection: Connection, act: Act, patient: tuple[str, str], level: ConsentLevel, targets: tuple[str, ...]
) -> ConsentRecord:
    patient_id, issuer = patient
    audience = tuple(each for each in Audience if each not in FORBIDDEN_AUDIENCES)
    everything = tuple(
        Scope(purpose=purpose, max_form=Form.IDENTIFIABLE, audience=audience, valid_from=act.day) for purpose in Purpose
    )
    record = ConsentRecord(
        id=f"urn:uuid:{act.ids()}",
        patient_id=patient_id,
        issuer=issuer,
        level=level,
        targets=targets,
        state=ConsentState.REFUSED,
        giver=Giver(type=GiverType.PATIENT),
        decided_on=act.day,
        scopes=everything,
        discussion=Discussion(note="Refused at the camera.", author=act.by),
    )
    return consenting.record(connection, act, record)
