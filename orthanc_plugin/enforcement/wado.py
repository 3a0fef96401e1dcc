"""WADO-RS of a study or series: its objects as one multipart answer, and its metadata as DICOM JSON.

Knows PS3.18's retrieve transaction. Must not decide. It answers instead of the DICOMweb plugin, which lists a study's
pictures itself, after anybody was asked about them. A study is given whole or not at all: it is looked through first,
and each object is decided on again, and recorded, when its turn comes. One that may not leave then breaks the answer
off, and without its last boundary no reader takes it for whole. Objects leave as they are stored, and are never
transcoded; what is drawn of them, frames and bulk data are asked of one instance.

Sources: PS3.18 8.6.1.2.1 (multipart), 8.7 (media types), 10.4 (Retrieve transaction), F (DICOM JSON).
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO

from orthanc_plugin.archive.port import CoreApi, ImageArchive
from orthanc_plugin.config.bindings import Role
from orthanc_plugin.enforcement.levels import Whole
from orthanc_plugin.enforcement.qido import DICOM_JSON, NOT_ACCEPTABLE, ROOT, acceptable
from orthanc_plugin.enforcement.reply import FORBIDDEN, CallError, Reply
from orthanc_plugin.enforcement.rest import Call, Endpoint
from orthanc_plugin.errors import ReleaseRefusedError
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.sending.packing import original
from orthanc_plugin.services import Services

MULTIPART: Final = "multipart/related"
DICOM: Final = "application/dicom"
STUDY: Final = f"{ROOT}/studies/{{study_uid}}"
LEVELS: Final = (STUDY, f"{STUDY}/series/{{series_uid}}")
BINARY: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
UTF8: Final = "ISO_IR 192"
AS_STORED: Final = f'Accept {MULTIPART}; type="{DICOM}"; transfer-syntax=*. Frames are asked of one instance.'
BROKEN_OFF: Final = "Something of it may not leave any more."


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """One of the media ranges that the caller takes, and its parameters."""

    media: str
    parameters: Mapping[str, str]

    @property
    def syntax(self) -> str | None:
        """Return the transfer syntax that the objects must have, '*' for any; None when it takes no objects at all."""
        if self.media in ("*/*", "multipart/*"):
            return "*"
        objects = self.media == MULTIPART and self.parameters.get("type", DICOM).lower() == DICOM
        return self.parameters.get("transfer-syntax", "*") if objects else None


def accepted(header: str) -> Iterator[Accepted]:
    """Give the media ranges in an Accept header; one that is missing takes everything."""
    for each in (header or "*/*").split(","):
        media, *rest = (part.strip() for part in each.split(";"))
        pairs = (part.partition("=") for part in rest)
        parameters = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
        yield Accepted(media=media.lower(), parameters=parameters)


class Retrieval:
    """Answers for studies and series.

    Args:
        archive: reads the objects.
        core: tells their transfer syntaxes.
    """

    def __init__(self, archive: ImageArchive, core: CoreApi) -> None:
        self.archive = archive
        self.core = core

    def objects(self, services: Services, call: Call) -> Reply:
        """Give the objects of a study or series, as they are stored, all of which may leave."""
        syntaxes = {each.syntax for each in accepted(call.headers.get("accept", ""))} - {None}
        if not syntaxes:
            raise CallError("Only DICOM objects are offered.", status=NOT_ACCEPTABLE, remedy=AS_STORED)
        whole = Whole.of(services, call)
        rows = whole.permitted(whole.rows())
        if isinstance(rows, Reply):
            return rows
        if "*" not in syntaxes and not all(self._syntax(row) in syntaxes for row in rows):
            raise CallError("Nothing is transcoded.", status=NOT_ACCEPTABLE, remedy=AS_STORED)
        boundary = services.ids()
        parts = _begun(self._parts(whole, rows, boundary))
        return Reply(stream=parts, media=f'{MULTIPART}; type="{DICOM}"; boundary="{boundary}"')

    def metadata(self, services: Services, call: Call) -> Reply:
        """Give the metadata of a study or series all of whose pictures may leave."""
        acceptable(call.headers.get("accept", ""))
        whole = Whole.of(services, call)
        rows = whole.permitted(whole.rows())
        if isinstance(rows, Reply):
            return rows
        return whole.released(rows) or Reply(stream=_begun(self._metadata(rows)), media=DICOM_JSON)

    def _syntax(self, row: ImageRow) -> str:
        return self.core.ask("GET", f"/instances/{row.orthanc_instance}/metadata/TransferSyntax").decode()

    def _parts(self, whole: Whole, rows: Sequence[ImageRow], boundary: str) -> Iterator[bytes]:
        for row in rows:
            content = original(self.archive, row)
            if whole.originals.release((row,)) is not None:
                raise ReleaseRefusedError(BROKEN_OFF)
            yield b"--%b\r\nContent-Type: %b\r\n\r\n%b\r\n" % (boundary.encode(), DICOM.encode(), content)
        yield b"--%b--\r\n" % boundary.encode()

    def _metadata(self, rows: Sequence[ImageRow]) -> Iterator[bytes]:
        for at, row in enumerate(rows):
            content = original(self.archive, row)
            yield b"%b%b" % (b"," if at else b"[", header_json(content, row).encode())
        yield b"]"


def _begun(pieces: Iterator[bytes]) -> Generator[bytes, None, None]:
    """Return the pieces, the first of which is made already: what goes wrong with it can still be told."""
    try:
        first = next(pieces)
    except ReleaseRefusedError as error:
        raise CallError(str(error.args[0]), status=FORBIDDEN, remedy="Ask again.") from None
    return _joined(first, pieces)


def _joined(first: bytes, rest: Iterator[bytes]) -> Generator[bytes, None, None]:
    yield first
    yield from rest


def header_json(content: bytes, row: ImageRow) -> str:
    """Return an object's metadata in DICOM JSON; binary values are told by where they can be fetched."""
    place = f"{ROOT}/studies/{row.study_instance_uid}/series/{row.series_instance_uid}/instances/{row.sop_instance_uid}"
    return _dataset_json(dcmread(DicomBytesIO(content)), f"{place}/bulk/")


def _dataset_json(dataset: Dataset, place: str) -> str:
    told = []
    for tag in sorted(dataset.keys()):
        try:
            told.append(f'"{tag:08X}":{_element_json(dataset[tag], place)}')
        except Exception:  # noqa: BLE001, S112 - one value that nobody can read hides no other
            continue
    return f"{{{','.join(told)}}}"


def _element_json(element: DataElement, place: str) -> str:
    at = f"{place}{element.tag:08x}"
    if not element.value and element.VR in (*BINARY, "SQ"):
        return json.dumps({"vr": element.VR})
    if element.VR == "SQ":
        items = (_dataset_json(item, f"{at}/{number}/") for number, item in enumerate(element.value, start=1))
        return f'{{"vr":"SQ","Value":[{",".join(items)}]}}'
    if element.keyword == "SpecificCharacterSet":
        return json.dumps({"vr": "CS", "Value": [UTF8]})
    if element.VR in BINARY:
        return json.dumps({"vr": element.VR, "BulkDataURI": at})
    return json.dumps(element.to_json_dict(None, 0), allow_nan=False)


def endpoints(archive: ImageArchive, core: CoreApi) -> tuple[Endpoint, ...]:
    """Return the retrievals."""
    retrieval = Retrieval(archive, core)
    handlers = {"": retrieval.objects, "/metadata": retrieval.metadata}
    return tuple(
        Endpoint(
            method="GET",
            path=f"{level}{tail}",
            role=Role.VIEW,
            summary=handler.__doc__ or "",
            gives="",
            handler=handler,
        )
        for level in LEVELS
        for tail, handler in handlers.items()
    )
