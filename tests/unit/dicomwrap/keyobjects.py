"""Key objects as the tests send them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time

from dicomwrap.iod.keyobject import Code, Referenced, Study, Uids, key_object
from dicomwrap.subject import Patient

STUDY = "2.25.10"
AT = datetime(2026, 11, 22, 10, 15, 30, tzinfo=UTC)
TEACHING = Code(value="128710", scheme="DCM", meaning="For Teaching File Export")
PHOTOGRAPHY = "1.2.840.10008.5.1.4.1.1.77.1.4"
PATIENT = Patient(id="RX1", issuer="HOSP", name="Núñez^Ana", birth_date=date(1970, 1, 1), sex="F")


def referenced(number: int = 1, *, series: str = "2.25.11", study: str = STUDY, kind: str = PHOTOGRAPHY) -> Referenced:
    return Referenced(
        study_instance_uid=study,
        series_instance_uid=series,
        sop_class_uid=kind,
        sop_instance_uid=f"2.25.9{number}",
    )


def built(
    title: Code = TEACHING,
    references: Sequence[Referenced] = (referenced(),),
    *,
    modifiers: Sequence[Code] = (),
    description: str = "",
    study: Study | None = None,
    uids: Uids | None = None,
    patient: Patient = PATIENT,
) -> bytes:
    return key_object(
        title,
        references,
        patient=patient,
        study=study
        or Study(study_instance_uid=STUDY, day=date(2026, 11, 22), time=time(9, 30), id="1", accession="A1"),
        uids=uids or Uids.derived("test", title.value),
        at=AT,
        modifiers=modifiers,
        description=description,
    )
