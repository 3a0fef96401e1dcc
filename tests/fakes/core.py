"""Orthanc's core over the objects of an archive in memory: it finds and describes whatever it has, whoever asks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from io import BytesIO

from pydicom import dcmread
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from orthanc_plugin.errors import ArchiveError
from orthanc_plugin.registry.images import orthanc_id
from tests.fakes.archive import ArchiveSimulator

LEVELS = {
    "Patient": ("PatientID",),
    "Study": ("PatientID", "StudyInstanceUID"),
    "Series": ("PatientID", "StudyInstanceUID", "SeriesInstanceUID"),
    "Instance": ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"),
}
LOOKED_UP = {
    "PatientID": "Patient",
    "AccessionNumber": "Study",
    "StudyInstanceUID": "Study",
    "SeriesInstanceUID": "Series",
    "SOPInstanceUID": "Instance",
}


@dataclass(kw_only=True)
class CoreSimulator:
    """A ``CoreApi``.

    Attributes:
        archive: what it holds.
        asked: every call, oldest first.
        meanwhile: called before each answer.
    """

    archive: ArchiveSimulator
    asked: list[tuple[str, str, bytes]] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Return the core's answer, or fail as the real adapter does."""
        self.asked.append((method, path, body))
        self.meanwhile()
        if path == "/tools/find":
            return json.dumps(list(self._found(json.loads(body)))).encode()
        if path == "/tools/lookup":
            return json.dumps(self._looked_up(body.decode())).encode()
        if path.endswith("/tags"):
            return json.dumps(tags(self._dataset(path.split("/")[2]))).encode()
        if "/metadata/" in path:
            return self._metadata(*path.split("/")[2::2]).encode()
        if path.startswith(("/patients/", "/studies/", "/series/")):
            return json.dumps(self._within(path.split("/")[2].partition("?")[0])).encode()
        raise ArchiveError("The archive could not answer.")

    def _within(self, resource: str) -> list[str]:
        """Return the UIDs of whatever a patient, study or series holds."""
        everything = [self._dataset(name) for name in self.archive.objects]
        holding = {str(each.SOPInstanceUID): {identifier(each, level) for level in LEVELS} for each in everything}
        return sorted(uid for uid, names in holding.items() if resource in names)

    def _metadata(self, instance: str, name: str) -> str:
        dataset = self._dataset(instance)
        return str({"TransferSyntax": dataset.file_meta.TransferSyntaxUID, "SopClassUid": dataset.SOPClassUID}[name])

    def _dataset(self, name: str) -> Dataset:
        return dcmread(BytesIO(self.archive.read(name)), stop_before_pixels=True)

    def _found(self, asked: dict[str, object]) -> Iterator[str]:
        query = asked["Query"]
        assert asked["Level"] == "Instance"
        assert isinstance(query, dict)
        for name in self.archive.objects:
            dataset = self._dataset(name)
            if all(_matches(dataset, keyword, value) for keyword, value in query.items()):
                yield name

    def _looked_up(self, named: str) -> list[dict[str, str]]:
        found: dict[str, str] = {}
        for name in self.archive.objects:
            dataset = self._dataset(name)
            for keyword, level in LOOKED_UP.items():
                if str(dataset.get(keyword, "")) == named:
                    found[identifier(dataset, level)] = level
        return [{"ID": name, "Type": level, "Path": "/"} for name, level in found.items()]


def identifier(dataset: Dataset, level: str) -> str:
    """Return the core's identifier of what a picture is in."""
    return orthanc_id(*(str(dataset[keyword].value) for keyword in LEVELS[level]))


def _matches(dataset: Dataset, keyword: str, value: str) -> bool:
    own = str(dataset.get(keyword, "")).lower()
    return any(fnmatchcase(own, each.lower()) for each in value.split("\\"))


def tags(dataset: Dataset) -> dict[str, object]:
    """Return a header as the core writes it."""
    return {f"{element.tag.group:04x},{element.tag.element:04x}": _element(element) for element in dataset}


def _element(element: DataElement) -> dict[str, object]:
    name = keyword_for_tag(element.tag) or "Unknown Tag & Data"
    if element.VR == "SQ":
        return {"Name": name, "Type": "Sequence", "Value": [tags(item) for item in element.value]}
    if isinstance(element.value, bytes):
        return {"Name": name, "Type": "Null", "Value": None}
    value = element.value if element.VM > 1 else [element.value]
    return {"Name": name, "Type": "String", "Value": "\\".join("" if each is None else str(each) for each in value)}
