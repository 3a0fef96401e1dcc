"""Gather the facts of one decision: the image, its patient, and every consent that speaks of it.

Knows how rows become a ``Case``. Must not decide.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.terms import ConsentLevel
from orthanc_plugin.errors import UnknownImageError
from orthanc_plugin.policy.model import Case, Consent, Image, Patient, Request, Switches
from orthanc_plugin.registry import consents, images, patients, reviews
from orthanc_plugin.registry.images import ImageRow


def covers(record: ConsentRecord, row: ImageRow) -> bool:
    """Tell whether the consent speaks of this image.

    By its level and targets; one that names no targets speaks of the images that were filed under it.
    """
    uids = {
        ConsentLevel.IMAGE: row.sop_instance_uid,
        ConsentLevel.SERIES: row.series_instance_uid,
        ConsentLevel.STUDY: row.study_instance_uid,
    }
    if record.level is ConsentLevel.PATIENT:
        return True
    return uids[record.level] in record.targets or (not record.targets and record.id == row.consent_id)


def flattened(record: ConsentRecord) -> Iterator[Consent]:
    """Give the consent once for each of its scopes, as the policy reads it."""
    for scope in record.scopes:
        yield Consent(
            id=record.id,
            level=record.level,
            state=record.state,
            giver=record.giver,
            decided_on=record.decided_on,
            valid_from=scope.valid_from,
            valid_to=scope.valid_to,
            withdrawn_on=record.withdrawn_on,
            withdrawn_purposes=record.withdrawn_purposes,
            purposes=(scope.purpose,),
            max_form=scope.max_form,
            audience=scope.audience,
            named_recipients=scope.named_recipients or None,
            named_publication=scope.named_publication,
            tests=record.tests,
            evidence=record.evidence,
        )


def _image(connection: Connection, row: ImageRow) -> Image:
    return Image(
        id=row.sop_instance_uid,
        type=row.image_type,
        made_on=row.made_on,
        made_for=row.made_for,
        source=row.source,
        anonymisable=reviews.outcome(connection, row.sop_instance_uid, row.sha256),
        intimate=row.intimate,
        status=row.status,
    )


def case(connection: Connection, sop_instance_uid: str, request: Request, switches: Switches, case_id: str) -> Case:
    """Return the case that ``request`` for this image makes.

    Raises:
        UnknownImageError: the registry doesn't know the image, so nobody may have it.
    """
    row = images.get(connection, sop_instance_uid)
    if row is None:
        raise UnknownImageError("The image is not known to the registry.")
    patient = patients.find(connection, row.patient_id, row.issuer) or Patient(id=row.patient_id, dob=None)
    known = consents.listed(connection, row.patient_id, row.issuer)
    return Case(
        id=case_id,
        patient=patient,
        image=_image(connection, row),
        consents=tuple(consent for each in known if covers(each.record, row) for consent in flattened(each.record)),
        authorities=(),
        switches=switches,
        request=request,
    )
