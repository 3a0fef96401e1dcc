"""C-FIND: a node whose binding may list is told of what it may have; the modality worklist is closed.

Knows C-FIND identifiers (PS3.4 C.4.1) and the bindings. Must not decide. Whoever isn't bound to it is answered
UnableToProcess (C-FIND status C000), and so is a query that can't be answered whole. Orthanc tells no address here:
that an AE title comes from its host is what ``DicomCheckModalityHost`` sees to. The archive plans no procedures, so
there is no worklist to give out; a RIS has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Final, NoReturn

from pydicom import dcmwrite
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from orthanc_plugin.archive.port import CoreApi
from orthanc_plugin.config.bindings import DicomNode, Verb
from orthanc_plugin.enforcement import requester as requesters
from orthanc_plugin.enforcement.attributes import Item, Level, answered, fill, header, is_text, told_for
from orthanc_plugin.enforcement.pace import Pace
from orthanc_plugin.enforcement.sdk import FindAnswers, FindQuery
from orthanc_plugin.enforcement.searching import MOST_TOLD, Question, Reading, read_keys, search
from orthanc_plugin.enforcement.visible import Viewer
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.sending.worker import Worker
from orthanc_plugin.services import Services

DOOR: Final = "C-FIND"
WORKLIST: Final = "C-FIND (worklist)"
LEVELS: Final = {
    "PATIENT": Level.PATIENT,
    "STUDY": Level.STUDY,
    "SERIES": Level.SERIES,
    "IMAGE": Level.INSTANCE,
    "INSTANCE": Level.INSTANCE,
}
LEVEL_TAG: Final = 0x00080052
# Of the query itself, not of what is looked for: SpecificCharacterSet, QueryRetrieveLevel, RetrieveAETitle.
ABOUT_IT: Final = frozenset({0x00080005, LEVEL_TAG, 0x00080054})
UTF8: Final = "ISO_IR 192"
UNIQUE: Final = {
    Level.PATIENT: "PatientID",
    Level.STUDY: "StudyInstanceUID",
    Level.SERIES: "SeriesInstanceUID",
    Level.INSTANCE: "SOPInstanceUID",
}


class FindRefusedError(ConsentgateError):
    """A query over DICOM is not answered."""

    remedy = "The reason is in the audit trail: consentgate audit tail."


class FindScp:
    """The C-FIND SCP.

    Args:
        services: gate, registry and policy.
        core: is searched.
        worker: runs the queries.
        pace: holds back what is asked about a person, as ``rest`` does.
    """

    def __init__(self, services: Services, core: CoreApi, worker: Worker, pace: Pace | None = None) -> None:
        self.services = services
        self.core = core
        self.worker = worker
        self.pace = pace or Pace(services.ticks)

    def hook(self, answers: FindAnswers, query: FindQuery, issuer_aet: str, called_aet: str) -> None:
        """Answer Orthanc: with every match that the caller may be told of, or raise."""
        came, asked = self.pace.ticks(), _identifier(query)
        try:
            matches = self.worker.run(self.find, asked, issuer_aet, called_aet)
        finally:
            self._hold(came, asked)
        for match in matches:
            answers.FindAddAnswer(match)

    def _hold(self, came: float, asked: Mapping[int, str]) -> None:
        """Wait where the time that the answer took would say who was photographed here."""
        question = Question(level=Level.INSTANCE, keys=_read(Level.INSTANCE, asked).keys)
        if question.telling and not self.pace.hold(came):
            raise FindRefusedError("Too many answers are held back at once.", remedy="Ask again in a moment.")

    def refuse_worklist(self, _answers: object, _query: object, issuer_aet: str, _called_aet: str) -> None:
        """Refuse a worklist query.

        Raises:
            FindRefusedError: always.
        """
        node = self.services.policy.node(issuer_aet)
        self.worker.run(self._refuse, issuer_aet, node, "there is no worklist here; ask the RIS", WORKLIST)

    def find(self, asked: Mapping[int, str], issuer_aet: str, called_aet: str) -> list[bytes]:
        """Return the matches as DICOM datasets.

        Raises:
            FindRefusedError: the node may not ask, or the query says no level or is too wide.
            ConsentgateError: nothing can be told now.
        """
        node = self.services.policy.node(issuer_aet)
        if node is None or Verb.FIND not in node.may:
            self._refuse(issuer_aet, node, "the calling AE title is not bound in policy.toml to search", DOOR)
        level = LEVELS.get(asked.get(LEVEL_TAG, "").strip().upper())
        if level is None:
            self._refuse(issuer_aet, node, "the query names no level", DOOR, rule="BAD_QUERY")
        read = _read(level, asked)
        viewer = Viewer(requester=requesters.of_node(issuer_aet, node), binding=node, door=DOOR)
        question = Question(level=level, keys=read.keys, classes=read.classes)
        found = search(self.services, self.core, viewer, question)
        if len(found) > MOST_TOLD:
            self._refuse(issuer_aet, node, f"more than {MOST_TOLD} match; narrow the query", DOOR, rule="TOO_MANY")
        return [_written(self._match(viewer, item, asked, called_aet)) for item in found]

    def _refuse(
        self, issuer_aet: str, node: DicomNode | None, reason: str, door: str, rule: str = "FORBIDDEN_SERVICE"
    ) -> NoReturn:
        self.services.gate.refuse(requesters.of_node(issuer_aet, node), door, reason, rule=rule)
        raise FindRefusedError("The query was refused.")

    def _match(self, viewer: Viewer, item: Item, asked: Mapping[int, str], called_aet: str) -> Dataset:
        """Return a match with every key that was asked for, empty where it is unknown (PS3.4 C.4.1.1.3.2)."""
        keywords = {keyword_for_tag(tag) for tag in asked if tag not in ABOUT_IT} | {UNIQUE[item.level]}
        keywords.discard("")
        head = header(self.core, item.pictures[0].orthanc_instance)
        made = answered(self.core, item, head, told_for(viewer.requester.purpose, keywords))
        fill(made, keywords)
        made.SpecificCharacterSet = UTF8
        made.QueryRetrieveLevel = "IMAGE" if item.level is Level.INSTANCE else item.level.upper()
        made.RetrieveAETitle = called_aet
        return made


def _identifier(query: FindQuery) -> dict[int, str]:
    return dict(_elements(query))


def _read(level: Level, asked: Mapping[int, str]) -> Reading:
    return read_keys(level, {f"{tag:08x}": value for tag, value in asked.items() if tag not in ABOUT_IT})


def _elements(query: FindQuery) -> Iterator[tuple[int, str]]:
    for at in range(query.GetFindQuerySize()):
        tag = (query.GetFindQueryTagGroup(at) << 16) + query.GetFindQueryTagElement(at)
        # Orthanc has no value to give of an empty number, and none of them is matched by.
        yield tag, str(query.GetFindQueryValue(at)) if is_text(tag) else ""


def _written(match: Dataset) -> bytes:
    match.file_meta = FileMetaDataset()
    match.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    written = BytesIO()
    dcmwrite(written, match, implicit_vr=False, little_endian=True)
    return written.getvalue()
