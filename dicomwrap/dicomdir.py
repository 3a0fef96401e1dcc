"""The directory of a medium: a DICOMDIR over objects that are handed to it one by one.

Knows the Basic Directory and what its records take from an object. Must not know where the objects are kept: of each it
keeps only what its records say. pydicom's ``FileSet`` isn't used because it writes each object to a temporary file, and
refuses what has no date of study, as anonymised copies have none.

Sources: PS3.3 F (Basic Directory), PS3.10 8 (File-sets), PS3.12 (media).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import zip_longest
from typing import Final

from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.fileset import DIRECTORY_RECORDERS
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    KeyObjectSelectionDocumentStorage,
    MediaStorageDirectoryStorage,
)

NAME: Final = "DICOMDIR"
FOLDER: Final = "IMAGES"
IN_USE: Final = 0xFFFF
DOCUMENTS: Final = "1.2.840.10008.5.1.4.1.1.104."
# What a record must say (type 1) and an object need not; PS3.3 F.5 leaves it to whoever makes the directory. The same
# that dcmtk makes up.
UNKNOWN: Final = {"StudyDate": "19000101", "StudyTime": "000000", "StudyID": "NONE", "Modality": "OT"}
KEPT: Final = (
    *(
        "SpecificCharacterSet",
        "PatientName",
        "PatientID",
        "IssuerOfPatientID",
        "StudyDate",
        "StudyTime",
        "StudyDescription",
        "StudyID",
    ),
    *("StudyInstanceUID", "AccessionNumber", "Modality", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription"),
    *("InstanceNumber", "SOPClassUID", "SOPInstanceUID", "ContentDate", "ContentTime", "ConceptNameCodeSequence"),
    *("DocumentTitle", "HL7InstanceIdentifier", "MIMETypeOfEncapsulatedDocument", "ContentSequence"),
)


@dataclass(slots=True, kw_only=True)
class _Node:
    """A record, where it begins in the file, and those below it by what tells them apart."""

    record: Dataset
    place: int = 0
    below: dict[str, _Node] = field(default_factory=dict)

    def within(self) -> Iterator[_Node]:
        yield self
        for node in self.below.values():
            yield from node.within()


class Directory:
    """Grows with each object; ``content`` is the DICOMDIR of those that it was told of.

    Args:
        uid: its own UID.
    """

    def __init__(self, uid: str) -> None:
        self.uid = uid
        self.patients: dict[str, _Node] = {}
        self.count = 0

    def add(self, content: bytes) -> str:
        """Take an object in, a file as of PS3.10; return the name of its file on the medium."""
        said = dcmread(BytesIO(content), specific_tags=[*KEPT])
        self.count += 1
        file_id = (FOLDER, f"IM{self.count:06}")
        study_uid = str(said.StudyInstanceUID)
        whose = f"{said.get('PatientID') or study_uid}\\{said.get('IssuerOfPatientID') or ''}"  # no ID has a backslash
        patient = _below(self.patients, "PATIENT", whose, said)
        study = _below(patient.below, "STUDY", study_uid, said)
        series = _below(study.below, "SERIES", str(said.SeriesInstanceUID), said)
        leaf = _below(series.below, kind(said), str(said.SOPInstanceUID), said).record
        leaf.ReferencedFileID = list(file_id)
        leaf.ReferencedSOPClassUIDInFile = said.SOPClassUID
        leaf.ReferencedSOPInstanceUIDInFile = said.SOPInstanceUID
        leaf.ReferencedTransferSyntaxUIDInFile = said.file_meta.TransferSyntaxUID
        return "/".join(file_id)

    def content(self) -> bytes:
        """Return the DICOMDIR: written once to learn where its records begin, and again with the way to each."""
        roots = tuple(self.patients.values())
        nodes = [each for root in roots for each in root.within()]
        made = _empty(self.uid)
        made.DirectoryRecordSequence = [node.record for node in nodes]
        found = dcmread(BytesIO(_written(made))).get("DirectoryRecordSequence", ())
        for node, record in zip(nodes, found, strict=True):
            node.place = record.seq_item_tell
        if roots:
            made.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = roots[0].place
            made.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = roots[-1].place
        _link(roots)
        return _written(made)


def kind(said: Dataset) -> str:
    """Return the type of the record for an object: whatever isn't a document is an image."""
    if said.SOPClassUID == KeyObjectSelectionDocumentStorage:
        return "KEY OBJECT DOC"
    return "ENCAP DOC" if said.SOPClassUID.startswith(DOCUMENTS) else "IMAGE"


def _below(nodes: dict[str, _Node], record_type: str, key: str, said: Dataset) -> _Node:
    if key not in nodes:
        nodes[key] = _Node(record=_record(record_type, said, len(nodes) + 1))
    return nodes[key]


def _record(record_type: str, said: Dataset, number: int) -> Dataset:
    """Return a record; what it must say and the object doesn't is its ``number`` among its like, or not known."""
    complete = Dataset()
    complete.update(said)
    wanted = {**UNKNOWN, "PatientID": f"NONE{number}", "SeriesNumber": number, "InstanceNumber": number}
    wanted |= {"ContentDate": UNKNOWN["StudyDate"], "ContentTime": UNKNOWN["StudyTime"]}
    for keyword, value in wanted.items():
        if complete.get(keyword) in (None, ""):
            setattr(complete, keyword, value)
    if "ContentSequence" in complete:  # of which a record has only what modifies the title (PS3.3 F.5.33)
        modifying = [item for item in complete.ContentSequence if item.get("RelationshipType") == "HAS CONCEPT MOD"]
        complete.ContentSequence = modifying
        if not modifying:
            del complete.ContentSequence
    record = DIRECTORY_RECORDERS[record_type](complete)
    record.OffsetOfTheNextDirectoryRecord = 0
    record.RecordInUseFlag = IN_USE
    record.OffsetOfReferencedLowerLevelDirectoryEntity = 0
    record.DirectoryRecordType = record_type
    if said.get("SpecificCharacterSet"):
        record.SpecificCharacterSet = said.SpecificCharacterSet
    return record


def _link(nodes: Sequence[_Node]) -> None:
    for node, after in zip_longest(nodes, nodes[1:]):
        below = tuple(node.below.values())
        node.record.OffsetOfTheNextDirectoryRecord = after.place if after else 0
        node.record.OffsetOfReferencedLowerLevelDirectoryEntity = below[0].place if below else 0
        _link(below)


def _empty(uid: str) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    made.file_meta.MediaStorageSOPInstanceUID = UID(uid)
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.FileSetID = None
    made.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = 0
    made.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = 0
    made.FileSetConsistencyFlag = 0
    return made


def _written(made: Dataset) -> bytes:
    file = BytesIO()
    dcmwrite(file, made, enforce_file_format=True)
    return file.getvalue()
