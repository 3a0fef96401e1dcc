"""``consentgate form list | fill``: the hospital's consent forms, and a consent made from one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Final, TypeVar

import click

from dicomwrap.consentfile import as_mapping, consent_json
from dicomwrap.consentrecord import ConsentRecord
from orthanc_plugin.cli.common import json_option, say, services, show, told
from orthanc_plugin.clock import hospital_day
from orthanc_plugin.config.forms import ConsentForm, FormScope, narrowings
from orthanc_plugin.lifecycle import consenting
from orthanc_plugin.lifecycle.csvrows import CONSENT, LIST_SIGN, TERMS, Kind, birth_date_of, consent_of
from orthanc_plugin.registry.minimum import gaps
from orthanc_plugin.services import Services

Command = TypeVar("Command", bound=Callable[..., object])

# What can be filled in beside the level: columns of an import, as options.
FILLED: Final[dict[str, str]] = {
    "id": "The consent's id [default: a fresh one].",
    "patient_id": "The patient's number.",
    "issuer": "Whose number it is [default: the hospital's].",
    "birth_date": "The patient's, when not on record yet.",
    "state": "GIVEN, REFUSED or PROPOSED [default: GIVEN].",
    "giver": "Who decided, such as PATIENT or PR_HOLDER.",
    "giver_id": "Who that is.",
    "relationship": "To the patient.",
    "authority_document": "What gives a proxy the authority.",
    "parental_responsibility": "Does the giver hold it: yes or no.",
    "competent": "Was the giver found competent for this decision: YES, NO, NOT_ASSESSED, NA.",
    "competence_assessor": "Who found a child competent.",
    "capacity": "What an assessment of capacity found: HAS or LACKS.",
    "capacity_decision": "For which decision.",
    "capacity_assessor": "Who assessed.",
    "capacity_on": "Day of the assessment.",
    "necessary": "Where a proxy decides: is it needed; yes or no.",
    "best_interests": "Where a proxy decides: is it in the patient's best interests; yes or no.",
    "no_less_restrictive": "Where a proxy decides: would nothing less intrusive do; yes or no.",
    "consulted": "Who was consulted; repeatable.",
    "decided_on": "Day of the decision [default: today].",
    "valid_to": "Last day it holds [default: no end].",
    "level": "PATIENT, STUDY, SERIES or IMAGE [default: PATIENT].",
    "targets": "UID of a study, series or image; repeatable.",
    "evidence": "How it is evidenced, such as SIGNED_FORM.",
    "witness": "Who witnessed an oral consent.",
    "document_uid": "SOP Instance UID of the signed form.",
    "document_sha256": "Digest of the signed form's file.",
    "explained": "What was explained, such as WHY; repeatable.",
    "discussion_note": "Note of the conversation.",
    "discussion_author": "Who wrote the note.",
    "retention_told": "How long the patient was told it is kept.",
    "retention_until": "Until which day, when there is one.",
    "publication": "The one publication agreed to.",
    "recipients": "These alone may receive; repeatable.",
}


@click.group()
def form() -> None:
    """Show the hospital's consent forms, and fill one in."""


def _scope_words(scope: FormScope) -> str:
    named = ", named" if scope.named_publication_required else ""
    return f"{scope.purpose} ({scope.max_form} to {', '.join(scope.audience)}{named})"


def _listed(form_id: str, found: ConsentForm) -> list[dict[str, object]]:
    return [
        {
            "form": form_id,
            "title": found.title,
            "version": found.version,
            "level": name,
            "label": level.label,
            "agrees_to": [_scope_words(scope) for scope in level.scopes],
        }
        for name, level in found.levels.items()
    ]


@form.command(name="list")
@json_option
@told
def list_(as_json: bool) -> None:
    """List the forms of policy.toml, each level with what it agrees to."""
    forms = services().policy.forms
    rows = [row for form_id, found in forms.items() for row in _listed(form_id, found)]
    columns = ("form", "version", "level", "label", "agrees_to")
    show(rows, columns, as_json=as_json, empty="policy.toml has no form.")
    for form_id, found in forms.items():
        for narrowing in narrowings(found):
            click.echo(f"note: form {form_id}: {narrowing}.", err=True)


def filling_options(command: Command) -> Command:
    """Give a command an option for each column that a form is completed with."""
    for column in reversed(FILLED):
        many = (CONSENT | TERMS).get(column, ("", Kind.TEXT))[1] is Kind.LIST
        name = "--" + {"targets": "target", "recipients": "recipient"}.get(column, column).replace("_", "-")
        command = click.option(name, column, multiple=many, help=FILLED[column])(command)
    return command


def _cells(answers: Mapping[str, object], today: date, fresh: str) -> dict[str, str]:
    """Return the options as a row of an import has them."""
    cells = {"id": f"urn:uuid:{fresh}", "state": "GIVEN", "decided_on": today.isoformat()}
    for column, answer in answers.items():
        text = LIST_SIGN.join(answer) if isinstance(answer, tuple) else answer
        if text:
            cells[column] = str(text)
    return cells


@form.command()
@click.argument("form_id", metavar="FORM")
@click.argument("form_level", metavar="LEVEL")
@filling_options
@click.option("--add", is_flag=True, help="Record it at once.")
@click.option("--by", default="", help="With --add: name or account of the person who does this.")
@json_option
@told
def fill(form_id: str, form_level: str, add: bool, by: str, as_json: bool, **answers: object) -> None:
    """Print the consent that FORM signed at LEVEL stands for, ready for 'consentgate consent add'.

    What is missing before it can be recorded as given is told on stderr.
    """
    if add and not by.strip():
        raise click.UsageError("Give --by with --add: the name or account of the person who does this.")
    shared = services()
    at = shared.clock()
    cells = _cells(answers, hospital_day(at), shared.ids()) | {"form": form_id, "form_level": form_level}
    record, born = consent_of(cells, shared.policy.forms, ""), birth_date_of(cells)
    if add:
        _add(shared, record, born, by.strip(), as_json=as_json)
        return
    click.echo(consent_json(record))
    for gap in gaps(record, day=hospital_day(at), born=born):
        click.echo(f"note: {gap}.", err=True)


def _add(shared: Services, record: ConsentRecord, born: date | None, by: str, *, as_json: bool) -> None:
    with shared.database.writing() as connection:
        filed = consenting.record(connection, shared.act(by, "consentgate form"), record, born)
    shared.sign_head()
    say(as_mapping(filed), f"Recorded consent {filed.id}, version {filed.version}, {filed.state}.", as_json=as_json)
