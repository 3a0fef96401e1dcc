"""The patient's refusal, recorded because of what happened at the camera: of one picture, or of a whole study.

Knows the record such a refusal makes: the patient's own, of every use, for the picture or the study alone. Must not
know what led to it. A child's refusal or distress counts as a refusal, competent or not, until a later competent
consent.

Sources: requirements 2.3 (any child's refusal), 000-34e, 0 (8); GMC recordings 34.
"""

from __future__ import annotations

from sqlalchemy import Connection

from dicomwrap.consentrecord import ConsentRecord, Discussion, Giver, Scope
from dicomwrap.terms import FORBIDDEN_AUDIENCES, Audience, ConsentLevel, ConsentState, Form, GiverType, PurposeGroup
from orthanc_plugin.lifecycle import consenting
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.registry.quarantine import Held


def of_picture(connection: Connection, act: Act, held: Held) -> ConsentRecord:
    """Record that the patient refuses every use of one picture."""
    return _refused(connection, act, (held.patient_id, held.issuer), ConsentLevel.IMAGE, held.sop_instance_uid)


def of_study(connection: Connection, act: Act, patient: tuple[str, str], study_instance_uid: str) -> ConsentRecord:
    """Record that the patient (number and issuer) refuses every use of one study's pictures."""
    return _refused(connection, act, patient, ConsentLevel.STUDY, study_instance_uid)


def _refused(
    connection: Connection, act: Act, patient: tuple[str, str], level: ConsentLevel, target: str
) -> ConsentRecord:
    patient_id, issuer = patient
    everything = Scope(
        purpose=PurposeGroup.ALL,
        max_form=Form.IDENTIFIABLE,
        audience=tuple(audience for audience in Audience if audience not in FORBIDDEN_AUDIENCES),
        valid_from=act.day,
    )
    record = ConsentRecord(
        id=f"urn:uuid:{act.ids()}",
        patient_id=patient_id,
        issuer=issuer,
        level=level,
        targets=(target,),
        state=ConsentState.REFUSED,
        giver=Giver(type=GiverType.PATIENT),
        decided_on=act.day,
        scopes=(everything,),
        discussion=Discussion(note="Refused at the camera.", author=act.by),
    )
    return consenting.record(connection, act, record)
