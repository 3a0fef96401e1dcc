"""Wrap a manifest's rows, each on its own.

Knows how a row becomes a study, a place in it and UIDs that stay the same however often the work is begun again
(docs/adr/0010). Must not know tables or result files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from dicomwrap.cli.manifest import Row
from dicomwrap.cli.orders import Order, Settings, UsageProblemsError, order
from dicomwrap.cli.papers import Papers
from dicomwrap.cli.report import Outcome, Refused, Wrapped
from dicomwrap.cli.results import Studies
from dicomwrap.cli.wrapping import Study, Task, wrap_file, wrap_form
from dicomwrap.iod import encapsulated_pdf, modules
from dicomwrap.iod.modules import Reference, capture_moment
from dicomwrap.photograph import CaptureFacts
from dicomwrap.series import DerivedPlace
from dicomwrap.uids import derived_uid

_UNDATED: Final = "undated"
_REMEDY: Final = "Correct the row and run the command again; rows that are done are not done twice."


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What all rows of a manifest share: where the objects go, and what their UIDs are made with."""

    out: Path
    settings: Settings
    papers: Papers
    studies: Studies
    namespace: str


def wrap_row(each: Row, whole: Import) -> tuple[Outcome, ...]:
    """Wrap one row's photograph. Never raises for what the row or the photograph holds."""
    if each.problem:
        return (_refusal(each, each.problem),)
    try:
        found = order(each.details, whole.settings, whole.papers)
    except UsageProblemsError as error:
        return (_refusal(each, "; ".join(error.problems)),)
    stem = Path(each.photo).stem
    task = Task(
        source=whole.papers.folder / each.photo,
        order=found,
        study_for=_once(lambda facts: _study(found, each, facts, whole)),
        path_for=lambda sha256, page: whole.out / f"{stem}-{_short(each.key, sha256)}{_page(page)}.dcm",
        uid_for=lambda sha256, page: derived_uid("instance", whole.namespace, each.key, sha256, str(page)),
        again=True,
    )
    outcomes = wrap_file(task)
    return tuple(replace(outcome, input=each.photo) for outcome in (*outcomes, *_form(task, outcomes, each, whole)))


def _short(*parts: str) -> str:
    """Return letters that tell the objects of one photograph's name apart: of other words, or of other bytes."""
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:8]


def _page(page: int) -> str:
    return "" if page == 1 else f"-p{page}"


def _once(make: Callable[[CaptureFacts], Study]) -> Callable[[CaptureFacts], Study]:
    """Return what gives every page of a file the study that the first one made."""
    made: list[Study] = []

    def study(facts: CaptureFacts) -> Study:
        if not made:
            made.append(make(facts))
        return made[0]

    return study


def _study(found: Order, each: Row, facts: CaptureFacts, whole: Import) -> Study:
    """Return the study: the one that is named, else one for each visit, which an order, admission or day makes."""
    encounter = found.encounter
    moment = capture_moment(facts, found.now).local
    day = modules.da(moment) if facts.taken_at is not None else _UNDATED  # never the day of the import
    visit = encounter.accession or encounter.admission_id or day
    # without a number nobody knows whether two pictures show one patient: each is a study of its own
    whom = (found.patient.issuer, found.patient.id) if found.patient.id else (each.key,)
    uid = found.study_uid or derived_uid("study", whole.namespace, *whom, visit)
    return Study(
        order=found,
        uid=uid,
        places=DerivedPlace(study_instance_uid=uid, number=each.ordinal),
        form=_form_reference(found, uid),
        started=whole.studies.started(uid, moment),
    )


def _form_reference(found: Order, study_uid: str) -> Reference | None:
    if not found.form:
        return None
    uid = derived_uid("form", study_uid, hashlib.sha256(found.form).hexdigest())
    return Reference(sop_class_uid=encapsulated_pdf.SOP_CLASS_UID, sop_instance_uid=uid)


def _form(task: Task, outcomes: tuple[Outcome, ...], each: Row, whole: Import) -> tuple[Outcome, ...]:
    """Wrap the row's consent form, unless the study has it already."""
    wrapped = next((outcome for outcome in outcomes if isinstance(outcome, Wrapped)), None)
    if wrapped is None or not task.order.form:
        return ()
    uid = wrapped.study_instance_uid
    study = Study(
        order=task.order,
        uid=uid,
        places=DerivedPlace(study_instance_uid=uid, number=each.ordinal),
        started=whole.studies.started(uid, task.order.now.replace(tzinfo=None)),
    )
    reference = _form_reference(task.order, uid)
    if reference is None:
        return ()
    path = whole.out / f"consent-form-{reference.sop_instance_uid}.dcm"
    if path.exists() and path.stat().st_size > len(task.order.form):  # an earlier row of the study wrote it
        return ()
    form = replace(task, path_for=lambda _, __: path, uid_for=lambda _, __: reference.sop_instance_uid)
    return (wrap_form(study, form),)


def _refusal(each: Row, reason: str) -> Refused:
    return Refused(input=each.photo, reason=reason, remedy=_REMEDY)
