"""QIDO-RS: DICOMweb's searches, answered with nothing but what may be told.

Knows PS3.18's search transaction. Must not decide. It answers instead of the DICOMweb plugin, whose own answers would
list and count everything. Answers are DICOM JSON; the XML of PS3.19 is not offered, nor fuzzy matching.

Sources: PS3.18 8.3.4 (query parameters), 10.6 (Search transaction), F (DICOM JSON).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from orthanc_plugin.archive.port import CoreApi
from orthanc_plugin.config.bindings import Role
from orthanc_plugin.enforcement.attributes import MAIN, Header, Item, Level, answered, header, keyword_of, told_for
from orthanc_plugin.enforcement.reply import CallError, Reply
from orthanc_plugin.enforcement.rest import Call, Endpoint, Lane
from orthanc_plugin.enforcement.searching import CLASSES, MODALITIES, MOST_TOLD, Question, read_keys, search
from orthanc_plugin.enforcement.visible import Viewer
from orthanc_plugin.registry.images import Subject
from orthanc_plugin.services import Services

ROOT: Final = "/dicom-web"
DICOM_JSON: Final = "application/dicom+json"
MEDIA: Final = frozenset({DICOM_JSON, "application/json", "application/*", "*/*", ""})
NOT_ACCEPTABLE: Final = 406

_LEVELS: Final = {"studies": Level.STUDY, "series": Level.SERIES, "instances": Level.INSTANCE}
PATHS: Final[Mapping[str, Level]] = {
    f"{ROOT}/{base}{last}": _LEVELS[last]
    for base, lasts in (
        ("", ("studies", "series", "instances")),
        ("studies/{study_uid}/", ("series", "instances")),
        ("studies/{study_uid}/series/{series_uid}/", ("instances",)),
    )
    for last in lasts
}
WITHIN: Final = {"study_uid": Subject.STUDY_INSTANCE_UID, "series_uid": Subject.SERIES_INSTANCE_UID}
UIDS: Final = {"study_uid": "StudyInstanceUID", "series_uid": "SeriesInstanceUID"}

# What is told without being asked for (PS3.18 10.6.3.3): of a study, of a series, of an instance.
TOLD: Final[Mapping[Level, tuple[str, ...]]] = {
    Level.STUDY: (
        *("StudyDate", "StudyTime", "AccessionNumber", "ModalitiesInStudy", "ReferringPhysicianName", "PatientName"),
        *("PatientID", "PatientBirthDate", "PatientSex", "StudyID", "StudyDescription", "StudyInstanceUID"),
        *("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"),
    ),
    Level.SERIES: (
        *("Modality", "SeriesDescription", "SeriesNumber", "SeriesInstanceUID", "NumberOfSeriesRelatedInstances"),
        *("PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime", "RequestAttributesSequence"),
    ),
    Level.INSTANCE: (
        *("SOPClassUID", "SOPInstanceUID", "InstanceNumber", "Rows", "Columns", "BitsAllocated", "NumberOfFrames"),
    ),
}
ALWAYS: Final = ("TimezoneOffsetFromUTC", "InstanceAvailability")
LISTED: Final = (*CLASSES, MODALITIES)  # values of these, and UIDs, can be lists
ORDER: Final = (Level.STUDY, Level.SERIES, Level.INSTANCE)


def qido(core: CoreApi, services: Services, call: Call, *, level: Level) -> Reply:
    """Search for studies, series or instances that the account may have."""
    acceptable(call.headers.get("accept", ""))
    arguments = dict(call.arguments)
    arguments.pop("purpose", None)
    if arguments.pop("fuzzymatching", "false").lower() != "false":
        raise CallError("Fuzzy matching is not offered.", remedy="Use * and ? in names.")
    since, limit = (_number(arguments.pop(name, "")) for name in ("offset", "limit"))
    fields = told_for(call.requester.purpose, _fields(level, call.names, arguments.pop("includefield", "")))
    viewer = Viewer(requester=call.requester, binding=call.user, door=call.door)
    question = _question(level, call.names, arguments)
    found = search(services, core, viewer, question)
    page = found[since or 0 :][:limit]
    if len(page) > MOST_TOLD:
        raise CallError(f"More than {MOST_TOLD} match.", status=413, remedy="Page with limit and offset.")
    return Reply(payload=[_match(core, item, fields) for item in page], media=DICOM_JSON, held=question.telling)


def acceptable(accept: str) -> None:
    """Refuse who takes no DICOM JSON, as PS3.18 8.7.4 says."""
    wanted = {each.partition(";")[0].strip().lower() for each in accept.split(",")}
    if not wanted & MEDIA:
        raise CallError("Only DICOM JSON is offered.", status=NOT_ACCEPTABLE, remedy=f"Accept {DICOM_JSON}.")


def _question(level: Level, names: Mapping[str, str], arguments: Mapping[str, str]) -> Question:
    read = read_keys(level, {name: _value(name, value) for name, value in arguments.items()})
    if read.unserved:
        raise CallError(
            f"These can't be searched by: {', '.join(read.unserved)[:200]}.",
            remedy="Search by the main attributes of patient, study, series and instance.",
        )
    return Question(
        level=level,
        keys={**read.keys} | {UIDS[name]: uid for name, uid in names.items()},
        classes=read.classes,
        within=tuple((WITHIN[name], uid) for name, uid in names.items()),
    )


def _value(name: str, said: str) -> str:
    """Return a list as DIMSE writes it; a comma elsewhere is part of the value."""
    keyword = keyword_of(name)
    return said.replace(",", "\\") if keyword in LISTED or keyword.endswith("InstanceUID") else said


def _fields(level: Level, names: Mapping[str, str], included: str) -> tuple[str, ...]:
    """Return the attributes to tell: the level's own, those of levels above that the path doesn't name, and more."""
    named = {Level.STUDY} if "study_uid" in names else set()
    named |= {Level.SERIES} if "series_uid" in names else set()
    levels = [each for each in ORDER[: ORDER.index(level) + 1] if each not in named]
    return (
        *ALWAYS,
        *(UIDS[name] for name in names),
        *(keyword for each in levels for keyword in TOLD[each]),
        *_included(level, included),
    )


def _included(level: Level, said: str) -> Iterator[str]:
    for name in filter(None, said.split(",")):
        if name == "all":
            yield from (keyword for each in (Level.PATIENT, *ORDER[: ORDER.index(level) + 1]) for keyword in MAIN[each])
            continue
        keyword = keyword_of(name)
        if not keyword:
            raise CallError(f"includefield: '{name[:64]}' is no public attribute.")
        yield keyword


def _number(said: str) -> int | None:
    if not said:
        return None
    if not said.isascii() or not said.isdigit():
        raise CallError("limit and offset must be whole numbers.")
    return int(said)


def _match(core: CoreApi, item: Item, fields: Sequence[str]) -> dict[str, object]:
    head = header(core, item.pictures[0].orthanc_instance)
    made = answered(core, item, head, fields)
    made.RetrieveURL = _address(item, head)
    told: dict[str, object] = made.to_json_dict(suppress_invalid_tags=True)
    return told


def _address(item: Item, head: Header) -> str:
    """Return where the match can be fetched, below the host that was asked, whatever its name is to the caller."""
    names = (("studies", "StudyInstanceUID"), ("series", "SeriesInstanceUID"), ("instances", "SOPInstanceUID"))
    parts = (f"{path}/{head.text(keyword)}" for path, keyword in names[: ORDER.index(item.level) + 1])
    return f"{ROOT}/{'/'.join(parts)}"


def endpoints(core: CoreApi) -> tuple[Endpoint, ...]:
    """Return the searches, asked of ``core``."""
    return tuple(
        Endpoint(
            method="GET",
            path=path,
            role=Role.LIST,
            summary=qido.__doc__ or "",
            gives="",
            handler=partial(qido, core, level=level),
            lane=Lane.LISTS,
        )
        for path, level in PATHS.items()
    )
