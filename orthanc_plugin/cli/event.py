"""``consentgate event``: what follows from an event on a consent, for cases from a file; nothing is recorded."""

from __future__ import annotations

import json
import sys

import click

from orthanc_plugin.cli import casejson
from orthanc_plugin.policy.casefields import CaseError
from orthanc_plugin.policy.eventcases import Answer, event_answer, parse_event_case, readable, takes_back
from orthanc_plugin.policy.eventmodel import Outcome
from orthanc_plugin.policy.events import outcome

FAULTY = 1
UNREADABLE = 2


def _answer(value: object, place: str) -> tuple[Answer, bool]:
    """Return the answer to one case, and whether it could be read; what is wrong with it is told.

    Nothing follows from what can't be read, but a word that is taken back counts however little else can be.
    """
    try:
        if problems := tuple(casejson.repeated(value, place)):
            raise CaseError(problems)
        case = parse_event_case(value, place)
    except CaseError as error:
        for problem in error.problems:
            click.echo(f"consentgate: {problem}", err=True)
        case = readable(value)
        unchanged = Outcome(consent=case.before.consent, image=case.before.image)
        return event_answer(case, outcome(case.before, case.event) if takes_back(value) else unchanged), False
    return event_answer(case, outcome(case.before, case.event)), True


@click.command()
@click.option(
    "--case", "source", type=click.Path(), required=True, help="File of one case or a list (JSON), or - for stdin."
)
def event(source: str) -> None:
    """Say what follows from an event: consent, picture, recalls, tasks.

    Neither a database nor Orthanc is needed: one case gives one object, a list gives a list. From a case that can't be
    read nothing follows, unless it takes a consent back: what can't be read of it is as if left out. What is wrong is
    told on stderr, and the exit status is 1.
    """
    try:
        value = casejson.read(source)
    except (OSError, ValueError, RecursionError) as error:
        click.echo(f"consentgate: The cases can't be read: {error}. Give one case object, or a list of them.", err=True)
        sys.exit(UNREADABLE)
    many = isinstance(value, list)
    found = [_answer(each, f"case[{at}]") for at, each in enumerate(value if isinstance(value, list) else [value])]
    answers = [each for each, _ in found]
    click.echo(json.dumps(answers if many else answers[0], indent=2))
    sys.exit(0 if all(read for _, read in found) else FAULTY)
