"""``consentgate decide``: the decision on cases from a file, or on an image of the registry, as a dry run."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

import click

from orthanc_plugin.cli import casejson
from orthanc_plugin.cli.common import json_option, say, services, told
from orthanc_plugin.enforcement.dryrun import Would, would
from orthanc_plugin.enforcement.dryrun import recipient as named
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.policy.casefields import CaseError
from orthanc_plugin.policy.cases import answer, parse_case
from orthanc_plugin.policy.decide import decide as decided
from orthanc_plugin.policy.explain import explain
from orthanc_plugin.policy.model import Decision, Effect

UNREADABLE = "R0.case"


class CaseFileError(ConsentgateError):
    """A file of cases can't be read."""

    remedy = "Give one case object, or a list of them, in the documented format."


def _cases(source: str) -> object:
    try:
        return casejson.read(source)
    except (OSError, ValueError, RecursionError) as error:
        raise CaseFileError(f"The cases can't be read: {error}.") from error


def _faults(value: object, place: str) -> Iterator[str]:
    """Say what a reader of JSON would pass over: what is written twice, and a name by which no answer is found."""
    yield from casejson.repeated(value, place)
    if isinstance(value, dict) and isinstance(name := value.get("id"), str) and not name.strip():
        yield f"{place}.id: is empty"


def _answer(value: object, place: str) -> Mapping[str, object]:
    """Return the answer to one case; one that can't be read is denied, and says what is wrong with it."""
    try:
        if problems := tuple(_faults(value, place)):
            raise CaseError(problems)
        case = parse_case(value, place)
    except CaseError as error:
        for problem in error.problems:
            click.echo(f"consentgate: {problem}", err=True)
        name = str(value.get("id") or "").strip() if isinstance(value, dict) else ""
        denial = Decision(effect=Effect.DENY, reasons=error.problems, rules=(UNREADABLE,))
        return answer(name or place, denial)
    return answer(case.id, decided(case))


@click.command()
@click.option("--case", "source", type=click.Path(), help="File of one case or a list of cases (JSON), or - for stdin.")
@click.option("--image", help="SOP Instance UID of an image in the registry (a dry run: nothing is recorded).")
@click.option("--recipient", help="With --image: name of a node or user of policy.toml.")
@json_option
@told
def decide(source: str | None, image: str | None, recipient: str | None, as_json: bool) -> None:
    """Say what is decided, with obligations, reasons and rules.

    With --image it is told in words, or with --json as one object.

    With --case neither a database nor Orthanc is needed: one case gives one object, a list gives a list. A case that
    can't be read is denied, with what is wrong as its reasons, and the exit status is 1.
    """
    if (source is None) == (image is None) or (image is not None and recipient is None):
        raise click.UsageError("Give --case FILE, or --image UID with --recipient NAME.")
    if source is not None:
        try:
            value = _cases(source)
        except CaseFileError as error:
            click.echo(f"consentgate: {error}", err=True)
            sys.exit(2)
        many = isinstance(value, list)
        answers = [
            _answer(each, f"case[{at}]") for at, each in enumerate(value if isinstance(value, list) else [value])
        ]
        click.echo(casejson.written(answers if many else answers[0]))
        sys.exit(1 if any(each["rules"] == [UNREADABLE] for each in answers) else 0)
    shared = services()
    found = would(shared, image or "", named(shared.policy, recipient or ""))
    told_in_words = "\n".join((explain(found.decision, found.case), *_kept_back(found)))
    say(answer(found.case.id, found.decision), told_in_words, as_json=as_json)


def _kept_back(found: Would) -> tuple[str, ...]:
    """Say why a permit would still release nothing here."""
    return (f"And yet nothing would leave: {'; '.join(found.unmet)}.",) if found.unmet else ()
