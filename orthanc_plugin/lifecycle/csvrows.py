"""What a line of a spreadsheet means that holds a consent.

Knows columns and what they stand for. Must not know files nor the registry. An empty cell says nothing: it never widens
a consent and never takes a fact away. Everything wrong with a line is told at once, by column.

Sources: requirements 2.1 (record), 2.2 (form levels), 003-25c (the purposes shown are those stored).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from enum import Enum, auto
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from dicomwrap.consentdetails import purposes_digest
from dicomwrap.consentfields import Fields
from dicomwrap.consentfile import read_consent
from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.errors import ConsentFileError
from dicomwrap.terms import Competence, ConsentState, GiverType
from orthanc_plugin.config.forms import ConsentForm, FormLevel, FormScope, UnknownFormError, level_of
from orthanc_plugin.errors import ConfigurationError
from orthanc_plugin.lifecycle.csvfile import Fault
from orthanc_plugin.registry.minimum import FIRST_STATES

Cells = Mapping[str, str]
Forms = Mapping[str, ConsentForm]


class RowError(ConfigurationError):
    """A line, or what was typed in place of one, can't be used; ``faults`` name its columns."""

    remedy = "Correct what is named; nothing of it was recorded."

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(
            "The consent or patient can't be recorded.",
            problems=tuple(f"{fault.field}: {fault.remedy}" for fault in self.faults),
        )


class Kind(Enum):
    """How a cell is written."""

    TEXT = auto()
    DAY = auto()
    FLAG = auto()
    LIST = auto()


LIST_SIGN: Final = "|"
FLAG_WORDS: Final = {"yes": True, "no": False}
NO_ISO_DAY: Final = "must be a date that exists, as YYYY-MM-DD; in any other style the day can be taken for the month"
NO_STATE: Final = "must be GIVEN, REFUSED or PROPOSED; what was withdrawn long ago is taken over as REFUSED on that day"
NO_FLAG: Final = "must be yes or no"
ISO_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

# Each column of a consent: where it stands in a consent file, and how its cells are written.
CONSENT: Final[dict[str, tuple[str, Kind]]] = {
    "id": ("id", Kind.TEXT),
    "patient_id": ("patient_id", Kind.TEXT),
    "issuer": ("issuer", Kind.TEXT),
    "level": ("level", Kind.TEXT),
    "targets": ("targets", Kind.LIST),
    "state": ("state", Kind.TEXT),
    "decided_on": ("decided_on", Kind.DAY),
    "giver": ("giver.type", Kind.TEXT),
    "giver_id": ("giver.id", Kind.TEXT),
    "relationship": ("giver.relationship", Kind.TEXT),
    "authority_document": ("giver.authority_document", Kind.TEXT),
    "parental_responsibility": ("giver.has_pr", Kind.FLAG),
    "competent": ("giver.competent_at_decision", Kind.TEXT),
    "competence_assessor": ("giver.competence_assessor", Kind.TEXT),
    "capacity": ("capacity.result", Kind.TEXT),
    "capacity_decision": ("capacity.decision", Kind.TEXT),
    "capacity_assessor": ("capacity.assessor", Kind.TEXT),
    "capacity_on": ("capacity.on", Kind.DAY),
    "necessary": ("tests.necessary", Kind.FLAG),
    "best_interests": ("tests.best_interests", Kind.FLAG),
    "no_less_restrictive": ("tests.no_less_restrictive", Kind.FLAG),
    "consulted": ("tests.consulted", Kind.LIST),
    "evidence": ("evidence", Kind.TEXT),
    "witness": ("document.witness", Kind.TEXT),
    "document_uid": ("document.object_uid", Kind.TEXT),
    "document_sha256": ("document.sha256", Kind.TEXT),
    "explained": ("explained", Kind.LIST),
    "discussion_note": ("discussion.note", Kind.TEXT),
    "discussion_author": ("discussion.author", Kind.TEXT),
    "retention_told": ("retention_told.text", Kind.TEXT),
    "retention_until": ("retention_told.until", Kind.DAY),
    "source_system": ("source_system", Kind.TEXT),
}
# What was agreed to: written out, or taken from a level of a form and completed.
TERMS: Final[dict[str, tuple[str, Kind]]] = {
    "purposes": ("purposes", Kind.LIST),
    "max_form": ("max_form", Kind.TEXT),
    "audience": ("audience", Kind.LIST),
    "recipients": ("named_recipients", Kind.LIST),
    "publication": ("named_publication", Kind.TEXT),
    "valid_from": ("valid_from", Kind.DAY),
    "valid_to": ("valid_to", Kind.DAY),
}
BY_FORM: Final = ("form", "form_version", "form_level")
CONSENT_COLUMNS: Final = (*CONSENT, *BY_FORM, *TERMS, "birth_date")
CONSENT_REQUIRED: Final = ("patient_id", "state", "giver", "decided_on")
_COLUMN_AT: Final = {place: column for column, (place, _) in (CONSENT | TERMS).items()}


def column_of(place: str) -> str:
    """Return the column that a place of a consent file comes from, such as ``giver`` for ``giver.type``."""
    bare = re.sub(r"\[\d+\]", "", place).removeprefix("scopes.")
    return _COLUMN_AT.get(bare, bare)


def faults_of(problems: Iterable[str]) -> tuple[Fault, ...]:
    """Return problems that begin with their place in a consent file as faults of columns."""
    parts = (problem.partition(": ") for problem in problems)
    return tuple(Fault(field=column_of(place), remedy=said or place) for place, _, said in parts)


def birth_date_of(cells: Cells) -> date | None:
    """Return the patient's birth date of a consent's line.

    Raises:
        RowError: it is no date.
    """
    problems: list[str] = []
    found = Fields({"birth_date": cells.get("birth_date")}, "", problems).day("birth_date")
    if problems:
        raise RowError((Fault(field="birth_date", remedy=NO_ISO_DAY),))
    return found


def consent_of(cells: Cells, forms: Forms, digest: str) -> ConsentRecord:
    """Return the consent of a line; one without an id of its own gets one made from ``digest``, always the same.

    Raises:
        RowError: with every column that is wrong.
    """
    columns = {**CONSENT, **TERMS}
    said = {name: cell for name, cell in cells.items() if name in columns}
    if faults := tuple(_writing_faults(said, columns)):
        raise RowError(faults)
    values = {name: _value(cell, columns[name][1]) for name, cell in said.items()}
    mapping: dict[str, object] = {"id": f"urn:uuid:{uuid5(NAMESPACE_URL, digest)}"}
    for name in (*CONSENT, *(() if "form" in cells else TERMS)):
        if name in values:
            _put(mapping, columns[name][0], values[name])
    _say_competence(mapping)
    if any(name in cells for name in BY_FORM):
        _say_form(mapping, cells, values, forms)
    try:
        return read_consent(json.dumps(mapping))
    except ConsentFileError as error:
        raise RowError(faults_of(error.problems)) from error


def _writing_faults(said: Cells, columns: Mapping[str, tuple[str, Kind]]) -> Iterator[Fault]:
    for name, cell in said.items():
        kind = columns[name][1]
        if kind is Kind.DAY and not ISO_DAY.fullmatch(cell):
            yield Fault(field=name, remedy=NO_ISO_DAY)
        if kind is Kind.FLAG and cell not in FLAG_WORDS:
            yield Fault(field=name, remedy=NO_FLAG)
    if said.get("state", ConsentState.GIVEN) not in FIRST_STATES:
        yield Fault(field="state", remedy=NO_STATE)


def _value(cell: str, kind: Kind) -> object:
    if kind is Kind.LIST:
        return [word.strip() for word in cell.split(LIST_SIGN)]
    return FLAG_WORDS[cell] if kind is Kind.FLAG else cell


def _put(mapping: dict[str, object], place: str, value: object) -> None:
    outer, _, inner = place.partition(".")
    if not inner:
        mapping[outer] = value
        return
    part = mapping.setdefault(outer, {})
    assert isinstance(part, dict)  # noqa: S101 - places with a dot share their first part with no other
    part[inner] = value


def _say_competence(mapping: dict[str, object]) -> None:
    """Let a patient whose competence nobody wrote down count as not assessed: presumed at 16, asked about below."""
    giver = mapping.get("giver")
    if isinstance(giver, dict):
        own = giver.get("type") == GiverType.PATIENT
        giver.setdefault("competent_at_decision", Competence.NOT_ASSESSED if own else Competence.NA)


def _say_form(mapping: dict[str, object], cells: Cells, values: Mapping[str, object], forms: Forms) -> None:
    """Put in what the signed level of the form stands for, and the digest of the purposes that it shows."""
    if faults := tuple(_form_faults(cells)):
        raise RowError(faults)
    try:
        form, level = level_of(forms, cells["form"], cells["form_level"], cells.get("form_version"))
    except UnknownFormError as error:
        raise RowError((Fault(field="form", remedy=str(error)),)) from error
    if faults := tuple(_completion_faults(level, cells)):
        raise RowError(faults)
    mapping["scopes"] = [_scope(scope, values) for scope in level.scopes]
    _put(mapping, "document.form_id", cells["form"])
    _put(mapping, "document.form_version", form.version)
    _put(mapping, "document.purposes_sha256", purposes_digest(scope.purpose for scope in level.scopes))


def _form_faults(cells: Cells) -> Iterator[Fault]:
    for name in ("form", "form_level"):
        if name not in cells:
            yield Fault(field=name, remedy="is missing; a level belongs to a form, and a form is signed at a level")
    for name in ("purposes", "max_form", "audience"):
        if name in cells:
            yield Fault(field=name, remedy="must be empty beside a form, whose level says it")


def _completion_faults(level: FormLevel, cells: Cells) -> Iterator[Fault]:
    if level.names_a_publication and "publication" not in cells:
        yield Fault(field="publication", remedy="is missing; name the one publication that the patient agreed to")
    if "publication" in cells and not level.names_a_publication:
        yield Fault(field="publication", remedy="must be empty; this level of the form agrees to no named publication")
    if "recipients" in cells and any(scope.named_recipients for scope in level.scopes):
        yield Fault(field="recipients", remedy="must be empty; this level of the form names its recipients itself")


def _scope(scope: FormScope, values: Mapping[str, object]) -> dict[str, object]:
    dates = {name: values[name] for name in ("valid_from", "valid_to") if name in values}
    return {
        "purpose": scope.purpose,
        "max_form": scope.max_form,
        "audience": list(scope.audience),
        "named_recipients": list(scope.named_recipients) or values.get("recipients"),
        "named_publication": values.get("publication") if scope.named_publication_required else None,
        **dates,
    }
