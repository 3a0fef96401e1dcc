"""The core's lists and searches, answered with nothing but what may be told: find, lookup, bulk content, counts, lists.

Knows the bodies and answers of Orthanc's REST API of 1.10.1 to 1.13.0. Must not decide. What the core would tell of
everything in a study, whoever may see it (metadata, attachments, labels, statistics, stability), is not told at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.archive.port import CoreApi
from orthanc_plugin.config.bindings import Role
from orthanc_plugin.enforcement.attributes import COMPUTED, MAIN, Item, Level, computed, header, keyword_of, told_for
from orthanc_plugin.enforcement.reply import FORBIDDEN, CallError, Reply
from orthanc_plugin.enforcement.rest import Call, Endpoint, Lane
from orthanc_plugin.enforcement.searching import MOST_TOLD, UIDS, Question, items, read_keys, search, whole
from orthanc_plugin.enforcement.visible import MOST, Viewer, visible
from orthanc_plugin.registry.images import Subject
from orthanc_plugin.registry.listed import Listed, listed
from orthanc_plugin.services import Services

CHILDREN: Final = {
    Level.PATIENT: ("Studies", Level.STUDY),
    Level.STUDY: ("Series", Level.SERIES),
    Level.SERIES: ("Instances", Level.INSTANCE),
}
PARENTS: Final = {
    Level.STUDY: ("ParentPatient", Subject.PATIENT),
    Level.SERIES: ("ParentStudy", Subject.STUDY),
    Level.INSTANCE: ("ParentSeries", Subject.SERIES),
}
WITHIN: Final = dict(PARENTS.values())
LISTS: Final = {
    "/patients": Level.PATIENT,
    "/studies": Level.STUDY,
    "/series": Level.SERIES,
}
# What ResponseContent can ask for, and the fields that it brings; the core has more, which tells of what is hidden.
CONTENT: Final[Mapping[str, tuple[str, ...]]] = {
    "MainDicomTags": ("MainDicomTags", "PatientMainDicomTags"),
    "RequestedTags": ("RequestedTags",),
    "Children": tuple(name for name, _ in CHILDREN.values()),
    "Parent": tuple(name for name, _ in PARENTS.values()),
    "Metadata": (),
}
# The metadata that Orthanc's DICOMweb plugin looks up by our answer from 1.20 on; no other is told.
METADATA: Final = ("TransferSyntax", "SopClassUid")
# From 1.20 on that plugin looks up by it what an account retrieves by its UIDs, in the account's name and past the
# filter, which asks everybody else for the role to list.
FIND: Final = "/tools/find"
NAME_IT: Final = (
    "Ask for a picture, series or study by its UID; the data protection officer gives roles in policy.toml."
)
PICTURE: Final = "SOPInstanceUID"
UID: Final = re.compile(r"[0-9][0-9.]{0,63}")
ASKED: Final = ("Level", "Query", "CaseSensitive", *WITHIN)
TOLD: Final = ("Expand", "Limit", "Since", "RequestedTags", "ResponseContent")
# Fields of the core's that may be there as long as they ask for nothing.
IDLE: Final = ("Full", "Short", "Labels", "LabelsConstraint", "MetadataQuery", "OrderBy", "Metadata")
ARGUMENTS: Final = frozenset({"expand", "since", "limit", "requested-tags", "response-content", "purpose"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How much of what was found is told.

    Attributes:
        expand: attributes too, not only identifiers.
        since: how many to leave out.
        limit: how many at most; 0 for all.
        tags: requested attributes, by keyword.
        content: kinds of content; empty for all.
    """

    expand: bool = False
    since: int = 0
    limit: int = 0
    tags: tuple[str, ...] = ()
    content: tuple[str, ...] = ()


def find(core: CoreApi, services: Services, call: Call) -> Reply:
    """Find patients, studies, series or instances that the account may have."""
    fields = call.fields(*ASKED, *TOLD, *IDLE)
    question = _question(fields)
    if Role.LIST not in call.user.roles and not any(UID.fullmatch(question.keys.get(key, "")) for key in UIDS):
        raise CallError("The account does not have the role 'list'.", status=FORBIDDEN, remedy=NAME_IT)
    told = _told(call, fields)
    undescribed = told.content == ("Metadata",) and bool(UID.fullmatch(question.keys.get(PICTURE, "")))
    found = search(services, core, replace(_viewer(call), undescribed=undescribed), question)
    return replace(_reply(core, found, told), held=question.telling)


def count(core: CoreApi, services: Services, call: Call) -> Reply:
    """Count patients, studies, series or instances that the account may have."""
    fields = call.fields(*ASKED, *IDLE)
    question = _question(fields)
    found = search(services, core, _viewer(call), question)
    return Reply(payload={"Count": len(found)}, held=question.telling)


def whole_list(core: CoreApi, services: Services, call: Call, *, level: Level) -> Reply:
    """List everything of one level that the account may have."""
    arguments = call.arguments
    if unknown := sorted(set(arguments) - ARGUMENTS):
        raise CallError(f"Unknown arguments: {', '.join(unknown)[:200]}.")
    fields: dict[str, object] = {name: _number(arguments.get(name.lower(), "0")) for name in ("Since", "Limit")}
    fields["Expand"] = arguments.get("expand", "false").lower() not in ("false", "0")
    fields["RequestedTags"] = [name for name in arguments.get("requested-tags", "").split(";") if name]
    fields["ResponseContent"] = [name for name in arguments.get("response-content", "").split(";") if name]
    found = search(services, core, _viewer(call), Question(level=level, keys={}))
    return _reply(core, found, _told(call, fields))


def lookup(core: CoreApi, services: Services, call: Call) -> Reply:
    """Tell Orthanc's identifiers of what bears a DICOM identifier and the account may have."""
    if not call.body.strip():
        raise CallError("The body must be an identifier.")
    answer = json.loads(core.ask("POST", "/tools/lookup", call.body))
    named = [(Level(each["Type"]), str(each["ID"])) for each in answer]

    def pictures(connection: Connection) -> Iterable[Listed]:
        return {each for level, name in named for each in listed(connection, level.subject, (name,), MOST)}

    shown = visible(services, _viewer(call), pictures, guessed=True)
    found = [item for level, name in named for item in items(level, shown, (name,))]
    return Reply(
        payload=[{"Type": item.level, "ID": item.id, "Path": f"/{PATHS[item.level]}/{item.id}"} for item in found],
        held=not found or any(item.level is Level.PATIENT for item in found),
    )


def bulk_content(core: CoreApi, services: Services, call: Call) -> Reply:
    """Describe the resources named, or what is of one level in and above them, as far as the account may have them."""
    fields = call.fields("Resources", "Level", *IDLE)
    _refuse_idle(fields)
    names = _texts(fields, "Resources")
    level = _level(fields) if "Level" in fields else None

    def named(connection: Connection) -> Iterable[Listed]:
        return {each for one in Level for each in listed(connection, one.subject, names, MOST)}

    def pictures(connection: Connection) -> Iterable[Listed]:
        return named(connection) if level is None else whole(connection, level, named(connection))

    shown = visible(services, _viewer(call), pictures, guessed=True)
    by_uids = {each.of(one.subject) for each in shown for one in PARENTS}
    return replace(_reply(core, _described(level, shown, names), Told(expand=True)), held=not by_uids.issuperset(names))


def _described(level: Level | None, shown: Sequence[Listed], names: Sequence[str]) -> tuple[Item, ...]:
    if level is None:
        return tuple(item for name in names for one in Level for item in items(one, shown, (name,)))
    related = (each.of(level.subject) for each in shown if any(each.of(one.subject) in names for one in Level))
    return tuple(items(level, shown, related))


PATHS: Final = {
    Level.PATIENT: "patients",
    Level.STUDY: "studies",
    Level.SERIES: "series",
    Level.INSTANCE: "instances",
}


def _viewer(call: Call) -> Viewer:
    return Viewer(requester=call.requester, binding=call.user, door=call.door)


def _refuse_idle(fields: Mapping[str, object]) -> None:
    """Refuse what would tell, or search by, more than is decided on; LabelsConstraint says nothing by itself."""
    if busy := [name for name in IDLE if fields.get(name) and name != "LabelsConstraint"]:
        raise CallError(f"Not served here: {', '.join(busy)}.", remedy="Leave it out; sort and format the answer.")


def _question(fields: Mapping[str, object]) -> Question:
    _refuse_idle(fields)
    level, query = _level(fields), fields.get("Query")
    if not isinstance(query, dict) or not all(isinstance(value, str) for value in query.values()):
        raise CallError("Query: must be an object of texts by keyword or tag.")
    read = read_keys(level, query)
    if read.unserved:
        raise CallError(
            f"These attributes can't be searched by: {', '.join(read.unserved)[:200]}.",
            remedy="Search by the main attributes of patient, study, series and instance.",
        )
    return Question(
        level=level,
        keys=read.keys,
        classes=read.classes,
        within=tuple((subject, _text(fields, name)) for name, subject in WITHIN.items() if fields.get(name)),
        case_sensitive=fields.get("CaseSensitive") is True,
    )


def _told(call: Call, fields: Mapping[str, object]) -> Told:
    content = _texts(fields, "ResponseContent")
    if unknown := [name for name in content if name not in CONTENT]:
        raise CallError(
            f"Not served here: {', '.join(unknown)[:200]}.", remedy=f"ResponseContent can be: {', '.join(CONTENT)}."
        )
    return Told(
        expand=fields.get("Expand") is True or bool(content),
        since=_number(fields.get("Since", 0)),
        limit=_number(fields.get("Limit", 0)),
        tags=told_for(call.requester.purpose, [_keyword(name) for name in _texts(fields, "RequestedTags")]),
        content=content,
    )


def _level(fields: Mapping[str, object]) -> Level:
    said = _text(fields, "Level")
    level = next((level for level in Level if said.capitalize() == level), None)
    if level is None:
        raise CallError(f"Level: must be one of {', '.join(Level)}.")
    return level


def _keyword(name: str) -> str:
    keyword = keyword_of(name)
    if not keyword:
        raise CallError(f"RequestedTags: '{name[:64]}' is no public attribute.")
    return keyword


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise CallError(f"{name}: must be text.")
    return value


def _texts(fields: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = fields.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise CallError(f"{name}: must be a list of texts.")
    return tuple(value)


def _number(value: object) -> int:
    try:
        number = int(str(value))
    except ValueError as error:
        raise CallError("Since and Limit must be whole numbers.") from error
    if number < 0:
        raise CallError("Since and Limit must not be negative.")
    return number


def _reply(core: CoreApi, found: Sequence[Item], told: Told) -> Reply:
    page = found[told.since :][: told.limit or None]
    if not told.expand:
        return Reply(payload=[item.id for item in page])
    if len(page) > MOST_TOLD:
        raise CallError(
            f"More than {MOST_TOLD} resources would be described.", status=413, remedy="Page with Since and Limit."
        )
    return Reply(payload=[_described_as(core, item, told) for item in page])


def _described_as(core: CoreApi, item: Item, told: Told) -> dict[str, object]:
    chosen = _chosen(describe(core, item, told.tags), told.content)
    if "Metadata" in told.content:
        names = METADATA if item.level is Level.INSTANCE else ()
        chosen["Metadata"] = {name: core.ask("GET", f"/instances/{item.id}/metadata/{name}").decode() for name in names}
    return chosen


def _chosen(described: Mapping[str, object], content: Sequence[str]) -> dict[str, object]:
    """Return the fields that were asked for; what a resource is is always told."""
    fields = {"ID", "Type", *(field for kind in content for field in CONTENT[kind])}
    return {name: value for name, value in described.items() if not content or name in fields}


def describe(core: CoreApi, item: Item, tags: Sequence[str] = ()) -> dict[str, object]:
    """Return a resource as the core would describe it if there were nothing but its visible pictures."""
    level, one = item.level, item.pictures[0]
    head = header(core, one.orthanc_instance)
    told: dict[str, object] = {"ID": item.id, "Type": level}
    told["MainDicomTags"] = {keyword: value for keyword in MAIN[level] if (value := head.text(keyword))}
    if level is Level.STUDY:
        told["PatientMainDicomTags"] = {key: value for key in MAIN[Level.PATIENT] if (value := head.text(key))}
    if level in CHILDREN:
        name, below = CHILDREN[level]
        told[name] = list(item.children(below))
    if level in PARENTS:
        name, above = PARENTS[level]
        told[name] = one.of(above)
    if tags:
        counted = computed(core, item, tags)
        told["RequestedTags"] = {
            keyword: counted.get(keyword, "") if keyword in COMPUTED else head.text(keyword) for keyword in tags
        }
    return told


def endpoints(core: CoreApi) -> tuple[Endpoint, ...]:
    """Return the lists and searches, asked of ``core``."""
    asked = (("find", find), ("lookup", lookup), ("bulk-content", bulk_content), ("count-resources", count))
    searches = (("POST", f"/tools/{name}", (handler.__doc__ or ""), partial(handler, core)) for name, handler in asked)
    lists = (
        ("GET", path, whole_list.__doc__ or "", partial(whole_list, core, level=level)) for path, level in LISTS.items()
    )
    return tuple(
        Endpoint(
            method=method,
            path=path,
            role=Role.LIST,
            also=Role.VIEW if path == FIND else None,
            summary=summary,
            gives="",
            handler=handler,
            lane=Lane.FINDS if path == FIND else Lane.LISTS,
        )
        for method, path, summary, handler in (*searches, *lists)
    )
