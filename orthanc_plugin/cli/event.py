"""``consentgate event``: what follows from an event on a consent, for cases from a file; nothing is recorded."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

import click

from orthanc_plugin.policy.cases import CaseError
from orthanc_plugin.policy.eventcases import event_answer, parse_event_case
from orthanc_plugin.policy.events import outcome

FAULTY = 1
UNREADABLE = 2


def _answer(value: object, place: str) -> Mapping[str, object] | None:
    """Return the answer to one case; one that can't be read has none, and is told."""
    try:
        case = parse_event_case(value, place)
    except CaseError as error:
        for problem in error.problems:
            click.echo(f"consentgate: {problem}", err=True)
        return None
    return event_answer(case.id, outcome(case.before, case.event))


@click.command()
@click.option(
    "--case", "source", type=click.Path(), required=True, help="File of one case or a list (JSON), or - for stdin."
)
def event(source: str) -> None:
    """Say what follows from an event: consent, picture, recalls, tasks.

    Neither a database nor Orthanc is needed: one case gives one object, a list gives a list. A case that can't be read
    has no answer; what is wrong with it is told on stderr, and the exit status is 1.
    """
    try:
        with click.open_file(source, encoding="utf-8") as file:
            value: object = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        click.echo(f"consentgate: The cases can't be read: {error}. Give one case object, or a list of them.", err=True)
        sys.exit(UNREADABLE)
    many = isinstance(value, list)
    found = [_answer(each, f"case[{at}]") for at, each in enumerate(value if isinstance(value, list) else [value])]
    answers = [each for each in found if each is not None]
    if many or answers:
        click.echo(json.dumps(answers if many else answers[0], indent=2, ensure_ascii=False))
    sys.exit(FAULTY if len(answers) < len(found) else 0)
