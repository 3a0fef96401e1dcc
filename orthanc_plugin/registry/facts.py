"""Gather the facts of one decision: the image, its patient, every consent and authority that may speak of it.

Knows how rows become a ``Case``. Must not decide. Patients that were merged are one: the survivor's facts count, and
what was consented to, refused or ordered under any of their numbers. Every row is read anew each time, so a withdrawal
counts as soon as it is committed, whatever day another node's clock gave it; what is read here is watched over
(``factversions``), so that the gate may keep a permit for as long as none of it changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, exists, func, literal_column, select

from dicomwrap.consentrecord import ConsentRecord
from orthanc_plugin.errors import UnknownImageError
from orthanc_plugin.policy.model import (
    Anonymisable,
    Case,
    Consent,
    Image,
    ImageSource,
    ImageStatus,
    ImageType,
    MadeFor,
    Patient,
    Request,
    Switches,
)
from orthanc_plugin.policy.reviewing import EVERY, Under
from orthanc_plugin.registry import authorities, consentfacts, hidings, patients
from orthanc_plugin.registry.consentfacts import Columns, Place
from orthanc_plugin.registry.hidings import is_of_hiding
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.reviews import NEWEST_FIRST, holds_under, is_verdict, verdict
from orthanc_plugin.registry.stored import day, flag, texts, word
from orthanc_plugin.registry.tables import authorities as authority_rows
from orthanc_plugin.registry.tables import consents, images, reviews
from orthanc_plugin.registry.tables import patients as patient_rows

_merged = patient_rows.alias("merged")
_newest = consents.alias("newest")

_REVIEWED = (
    select(reviews.c.outcome)
    .where(
        reviews.c.sop_instance_uid == images.c.sop_instance_uid,
        reviews.c.sha256 == images.c.sha256,
        is_verdict(),
        holds_under(),
    )
    .order_by(*NEWEST_FIRST)
    .limit(literal_column("1"))
    .scalar_subquery()
)
_OTHERS = exists().where(
    _merged.c.merged_into_id == images.c.patient_id, _merged.c.merged_into_issuer == images.c.issuer
)
_HIDING = exists().where(reviews.c.sop_instance_uid == images.c.sop_instance_uid, is_of_hiding())
_CLAIMED = exists().where(
    authority_rows.c.patient_id == images.c.patient_id, authority_rows.c.issuer == images.c.issuer
)


class _Known(NamedTuple):
    """The row of ``IMAGE``; patient columns are None when the registry lost the patient."""

    series_instance_uid: str
    study_instance_uid: str
    consent_id: str | None
    image_type: object
    made_on: object
    made_for: object
    source: object
    intimate: object
    covert: object
    familial: object
    legacy: object
    shows: object
    status: object
    reviewed: object
    hiding: object
    sha256: str
    patient_id: str
    issuer: str
    on_record: str | None
    merged_into: str | None
    others: object
    claimed: object
    birth_date: object
    death_date: object
    capacity: object
    gillick: object
    national_data_opt_out: object


IMAGE: Final = prepared(
    select(
        images.c.series_instance_uid,
        images.c.study_instance_uid,
        images.c.consent_id,
        images.c.image_type,
        images.c.made_on,
        images.c.made_for,
        images.c.source,
        images.c.intimate,
        images.c.covert,
        images.c.familial,
        images.c.legacy,
        images.c.shows,
        images.c.status,
        _REVIEWED,
        _HIDING,
        images.c.sha256,
        images.c.patient_id,
        images.c.issuer,
        patient_rows.c.patient_id,
        patient_rows.c.merged_into_id,
        _OTHERS,
        _CLAIMED,
        patient_rows.c.birth_date,
        patient_rows.c.death_date,
        patient_rows.c.capacity,
        patient_rows.c.gillick,
        patient_rows.c.national_data_opt_out,
    )
    .select_from(
        images.outerjoin(
            patient_rows,
            (patient_rows.c.patient_id == images.c.patient_id) & (patient_rows.c.issuer == images.c.issuer),
        )
    )
    .where(images.c.sop_instance_uid == bindparam("uid"))
)

CONSENTS: Final = prepared(
    select(consents.c.consent_id, consents.c.version, consents.c.patient_id, consents.c.issuer, consents.c.record)
    .where(
        consents.c.patient_id == bindparam("patient_id"),
        consents.c.issuer == bindparam("issuer"),
        consents.c.version
        == select(func.max(_newest.c.version)).where(_newest.c.consent_id == consents.c.consent_id).scalar_subquery(),
    )
    .order_by(consents.c.recorded_at, consents.c.consent_id)
)


def covers(record: ConsentRecord, row: ImageRow) -> bool:
    """Tell whether the consent speaks of this image."""
    place = Place(row.sop_instance_uid, row.series_instance_uid, row.study_instance_uid, row.consent_id)
    return consentfacts.covers(record.level, record.targets, record.id, place)


def case(
    connection: Connection,
    sop_instance_uid: str,
    request: Request,
    switches: Switches,
    case_id: str,
    under: Under = EVERY,
) -> Case:
    """Return the case that ``request`` for this image makes.

    Args:
        connection: open transaction.
        sop_instance_uid: the image.
        request: what is asked.
        switches: the hospital's.
        case_id: what it is called.
        under: the profile under which a copy would be made; of none only what people found of the picture under every
            profile counts.

    Raises:
        UnknownImageError: the registry doesn't know the image, so nobody may have it.
        UnreadableRowError: a fact can't be read, so nobody may have it.
    """
    rows = IMAGE.rows(connection, uid=sop_instance_uid, profile=under.name, digest=under.digest)
    if not rows:
        raise UnknownImageError("The image is not known to the registry.")
    known = _Known._make(rows[0])
    place = Place(sop_instance_uid, known.series_instance_uid, known.study_instance_uid, known.consent_id)
    patient, keys = _person(connection, known)
    named = keys if known.claimed or len(keys) > 1 else ()  # most patients have no authority, and a question costs time
    return Case(
        id=case_id,
        patient=patient,
        image=_image(connection, sop_instance_uid, known, under),
        consents=tuple(consent for key in keys for consent in _consents(connection, key, place, request.as_of)),
        authorities=tuple(each for key in named for each in authorities.facts(connection, key, place, request.as_of)),
        switches=switches,
        request=request,
    )


def _person(connection: Connection, known: _Known) -> tuple[Patient, tuple[patients.Key, ...]]:
    """Return the image's patient, and every number under which they are known."""
    who = (known.patient_id, known.issuer)
    if known.on_record is None:
        return Patient(id=known.patient_id, dob=None), (who,)
    if known.merged_into is not None or known.others:
        return patients.person(connection, who)
    patient = patients.read(
        known.patient_id,
        known.birth_date,
        known.death_date,
        known.capacity,
        known.gillick,
        known.national_data_opt_out,
    )
    return patient, (who,)


def _consents(connection: Connection, key: patients.Key, place: Place, day: date) -> Iterator[Consent]:
    patient_id, issuer = key
    for *columns, record in CONSENTS.rows(connection, patient_id=patient_id, issuer=issuer):
        for consent in consentfacts.read(str(record), place, Columns._make(columns)):
            yield _on_record(consent, day)


def _on_record(consent: Consent, day: date) -> Consent:
    """Have a withdrawal that is dated ahead count at once: it is on record (requirements 2.6, R6)."""
    if all(each.on <= day for each in consent.withdrawn):
        return consent
    return replace(consent, withdrawn=tuple(replace(each, on=min(each.on, day)) for each in consent.withdrawn))


def _image(connection: Connection, uid: str, known: _Known, under: Under) -> Image:
    return Image(
        id=uid,
        type=word(ImageType, known.image_type, "images.image_type"),
        made_on=day(known.made_on, "images.made_on"),
        made_for=word(MadeFor, known.made_for, "images.made_for"),
        source=word(ImageSource, known.source, "images.source"),
        shows=texts(known.shows, "images.shows"),
        anonymisable=_anonymisable(connection, uid, known, under),
        intimate=flag(known.intimate, "images.intimate"),
        covert=flag(known.covert, "images.covert"),
        familial=flag(known.familial, "images.familial"),
        legacy=flag(known.legacy, "images.legacy"),
        status=word(ImageStatus, known.status, "images.status"),
        others=hidings.standing(connection, uid, known.sha256).others if known.hiding else None,
    )


def _anonymisable(connection: Connection, uid: str, known: _Known, under: Under) -> Anonymisable:
    """Return what was found of the picture; a yes is looked up where somebody has found others in it, perhaps since."""
    if known.reviewed is None:
        return Anonymisable.UNKNOWN
    found = word(Anonymisable, known.reviewed, "reviews.outcome")
    if found is Anonymisable.YES and known.hiding and verdict(connection, uid, known.sha256, under) is None:
        return Anonymisable.UNKNOWN
    return found
