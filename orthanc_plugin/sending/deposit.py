"""What goes into the bag of a record that is transferred: pictures, what they say, and everything that was decided.

Knows files and where their content comes from. Must not know plans' rules, nor bags. The DICOM objects are bit for bit
those that were accepted; beside each lies the photograph as it opens anywhere, and its header as JSON (PS3.18 F).

Sources: requirements 4, step 11 (metadata, consent history, fixity); NHS Records Management Code 5.5; ISO 15489-1 9.6.
"""

from __future__ import annotations

import csv
import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO, StringIO
from typing import Final

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from dicomwrap.consentfile import consent_json
from dicomwrap.errors import DicomwrapError
from dicomwrap.judging.opening import UnfitFileError, read
from dicomwrap.pictures import pictures
from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.clock import hospital_day
from orthanc_plugin.lifecycle import accounts
from orthanc_plugin.lifecycle.accountpages import as_csv, as_html, as_json
from orthanc_plugin.lifecycle.accounts import Account
from orthanc_plugin.registry import consentrows, patients, trail
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.retention.transfer import Consignment
from orthanc_plugin.sending.packing import original
from orthanc_plugin.services import Services

BULK: Final = 4096  # bytes of a value that is left in the object itself
PIXELS: Final = frozenset({"7FE00010", "00420011"})  # Pixel Data, Encapsulated Document
ROW: Final = ("sop_instance_uid", "sop_class_uid", "series_instance_uid", "made_on", "made_for", "image_type")
ALSO: Final = ("body_site", "department", "status", "received_at", "consent_id", "size", "sha256")
README: Final = """One record, transferred to {place}

dicom/         the objects as they were stored, bit for bit; pictures.csv has the SHA-256 of each as it was accepted
photographs/   each picture as it opens anywhere, with nothing hidden in it
metadata/      what each object's header says (DICOM JSON); record.json: what the archive knew beside it
consents.json  every version of every consent of the patient, with who recorded it and when
disclosures.*  who has had copies of the pictures
retention.json by which rule the record was kept until when, and who decided that it is transferred
trail.json     what the audit trail says of the record; the trail itself is signed, and stays at {source}

Whoever takes it in validates the bag, works out the SHA-256 of tagmanifest-sha256.txt, and returns both in the receipt.
Until {source} has that receipt it keeps the record.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """Gives the files of bags, from the registry and the archive."""

    services: Services
    archive: ImageArchive

    @property
    def source(self) -> str:
        """Return who transfers."""
        return self.services.policy.intake.default_issuer or "the hospital"

    def tags(self, load: Consignment) -> dict[str, str]:
        """Return what bag-info.txt says; it names no patient."""
        return {
            "Source-Organization": self.source,
            "Contact-Name": load.place.owner,
            "External-Description": f"A record of {len(load.own)} clinical picture(s) with consents and history",
            "External-Identifier": load.transfer.transfer_id,
            "Internal-Sender-Identifier": f"plan {load.plan.plan_id} line {load.line.line}",
            "Internal-Sender-Description": f"transferred under {load.line.rule} of {load.plan.schedule}",
            "Bagging-Date": hospital_day(self.services.clock()).isoformat(),
        }

    def files(self, load: Consignment) -> Iterator[tuple[str, bytes]]:
        """Give every file, by its name in the bag; one picture is in memory at a time.

        Raises:
            ReleaseRefusedError: an object isn't the one that was accepted.
            ArchiveError: one can't be had.
        """
        named: list[tuple[ImageRow, tuple[str, ...]]] = []
        for row in load.own:
            made = tuple(self._picture(row))
            named.append((row, tuple(name for name, _ in made)))
            yield from made
        yield from self._papers(load)
        yield "pictures.csv", _table(named)
        yield "README.txt", README.format(place=load.place.name, source=self.source).encode()

    def _picture(self, row: ImageRow) -> Iterator[tuple[str, bytes]]:
        content, uid = original(self.archive, row), row.sop_instance_uid
        yield f"dicom/{uid}.dcm", content
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pydicom; the object was accepted as it is
            dataset = read(BytesIO(content))
            yield f"metadata/{uid}.json", _json(_header(dataset, uid))
            yield from _readable(dataset, uid)

    def _papers(self, load: Consignment) -> Iterator[tuple[str, bytes]]:
        """Give what the registry knows of the record."""
        day = hospital_day(self.services.clock())
        with self.services.database.reading() as connection:
            numbers = sorted(
                {each for row in load.own for each in patients.numbers(connection, (row.patient_id, row.issuer))}
            )
            consents = [
                {
                    "recorded_at": each.recorded_at,
                    "recorded_by": each.recorded_by,
                    "record": json.loads(consent_json(each.record)),
                }
                for number in numbers
                for name in consentrows.ids(connection, *number)
                for each in consentrows.versions(connection, name)
            ]
            policy = self.services.policy
            account: Account = tuple(
                entry for row in load.own for entry in accounts.of_image(connection, policy, row.sop_instance_uid)
            )
            subjects = (load.line.study_instance_uid, load.plan.plan_id, load.transfer.transfer_id)
            said = list(trail.of_subjects(connection, (*subjects, *(row.sop_instance_uid for row in load.own))))
        yield "consents.json", _json(consents)
        yield "disclosures.json", as_json(account, day).encode()
        yield "disclosures.csv", as_csv(account, day).encode()
        yield "disclosures.html", as_html(account, day).encode()
        yield "trail.json", _json(said)
        yield "metadata/record.json", _json(_record(load, numbers))
        yield "retention.json", _json(_retention(load))


def _readable(dataset: Dataset, uid: str) -> Iterator[tuple[str, bytes]]:
    """Give the picture, or each frame of it, or its document; of what has none there is the object alone."""
    try:
        found = list(pictures(dataset))
    except (DicomwrapError, UnfitFileError):
        return
    for number, each in enumerate(found, 1):
        yield f"photographs/{uid}{f'_{number}' if len(found) > 1 else ''}{each.suffix}", each.data


def _header(dataset: Dataset, uid: str) -> dict[str, object]:
    """Return the header as DICOM JSON; pixels and long values are told by where they are."""
    place = f"../dicom/{uid}.dcm"

    def elsewhere(_element: DataElement) -> str:
        return place

    found: dict[str, object] = dataset.to_json_dict(BULK, elsewhere)
    return {tag: {"vr": "OB", "BulkDataURI": place} if tag in PIXELS else value for tag, value in found.items()}


def _record(load: Consignment, numbers: Sequence[tuple[str, str]]) -> dict[str, object]:
    return {
        "study_instance_uid": load.line.study_instance_uid,
        "patient": [{"patient_id": number, "issuer": issuer} for number, issuer in numbers],
        "pictures": [{name: getattr(row, name) for name in (*ROW, *ALSO)} for row in load.own],
        "copies_not_exported": [
            {"sop_instance_uid": row.sop_instance_uid, "study_instance_uid": row.study_instance_uid}
            for row in load.copies
        ],
    }


def _retention(load: Consignment) -> dict[str, object]:
    plan, line = asdict(load.plan), load.line
    return {
        "plan": {name: plan[name] for name in ("plan_id", "as_of", "proposed_by", "proposed_at")},
        "schedule": {"version": plan["schedule"], "sha256": plan["schedule_sha256"]},
        "line": {name: getattr(line, name) for name in ("line", "rule", "due_date", "words", "flags")},
        "decision": asdict(load.decision),
        "approval": {"by": load.approval.approved_by, "at": load.approval.approved_at},
        "transfer": {"id": load.transfer.transfer_id, "place": load.place.name, "address": load.place.address},
    }


def _table(named: Sequence[tuple[ImageRow, tuple[str, ...]]]) -> bytes:
    file = StringIO()
    writer = csv.writer(file)
    writer.writerow((*ROW, *ALSO, "files"))
    for row, files in named:
        writer.writerow((*(getattr(row, name) for name in (*ROW, *ALSO)), "; ".join(files)))
    return file.getvalue().encode()


def _json(content: object) -> bytes:
    return (json.dumps(content, indent=1, default=str, sort_keys=True) + "\n").encode()
