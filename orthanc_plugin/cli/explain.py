"""``consentgate explain``: a recorded decision, or who could have a picture now, in words a patient could read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import click

from orthanc_plugin.cli.common import json_option, services, told
from orthanc_plugin.enforcement.dryrun import Would, may_break_the_glass, recipients, would
from orthanc_plugin.policy.explain import OBLIGATION_WORDS
from orthanc_plugin.policy.model import Effect, Obligation
from orthanc_plugin.policy.words import AUDIENCE_WORDS, PURPOSE_WORDS
from orthanc_plugin.services import Services

GIVEN = {Effect.PERMIT_IDENTIFIABLE: "as it is", Effect.PERMIT_ANONYMISED: "anonymised only"}


def _texts(entry: Mapping[str, object], key: str) -> list[str]:
    value = entry.get(key)
    return [str(each) for each in value] if isinstance(value, list) else []


def sentences(entry: Mapping[str, object]) -> Iterator[str]:
    """Give the explanation of a recorded decision, sentence by sentence."""
    yield f"Decision {entry['id']}, entry {entry['seq']} of the trail, {entry['at']}."
    purpose = entry["purpose"] or "no purpose"
    yield f"{entry['actor']} asked by {entry['door']} for image {entry['subject']}, for {purpose}."
    yield f"Answer: {entry['effect']}."
    yield from (f"Reason: {reason}" + ("" if reason.endswith(".") else ".") for reason in _texts(entry, "reasons"))
    if rules := _texts(entry, "rules"):
        yield f"Rules that spoke: {', '.join(rules)}."
    if citations := _texts(entry, "citations"):
        yield f"Guidance behind them: {'; '.join(citations)}."
    for obligation in _texts(entry, "obligations"):
        yield OBLIGATION_WORDS[Obligation(obligation)]
    if counted := _texts(entry, "consents"):
        yield f"Consents that counted: {', '.join(counted)}."
    yield f"Policy in force: SHA-256 {entry['policy']}."


def everybody(shared: Services, image: str) -> list[dict[str, object]]:
    """Return, for each recipient of policy.toml, what would be decided on ``image`` now and why.

    Accounts that may be granted emergency access are asked about a second time, as if they had been.
    """
    found: list[dict[str, object]] = []
    for binding in recipients(shared.policy):
        found.append(_row(would(shared, image, binding)))
        if may_break_the_glass(binding):
            found.append(_row(would(shared, image, binding, emergency=True)))
    return found


def _row(each: Would) -> dict[str, object]:
    decision, request = each.decision, each.case.request
    return {
        "recipient": each.binding.name,
        "audience": each.binding.audience,
        "purpose": request.purpose,
        "decision": decision.effect,
        "released": each.released,
        "form": GIVEN.get(decision.effect, ""),
        "reasons": [*decision.reasons, *each.unmet],
        "obligations": list(decision.obligations),
        "rules": list(decision.rules),
        "citations": list(decision.citations),
        "consents": list(decision.consents),
    }


def _told(rows: list[dict[str, object]]) -> Iterator[str]:
    """Give who could have it and who could not, with the reasons of each."""
    could = [row for row in rows if row["released"]]
    yield "Could have it now:" if could else "Nobody could have it now."
    for row in could:
        yield f"  {_whom(row)}, {row['form']}."
        yield from (f"    {reason}" for reason in _texts(row, "reasons"))
    if refused := [row for row in rows if not row["released"]]:
        yield "Could not:"
    for row in refused:
        yield f"  {_whom(row)}: {row['decision']}."
        yield from (f"    {reason[0].upper()}{reason[1:]}" for reason in _texts(row, "reasons"))
        yield from (f"    {OBLIGATION_WORDS[Obligation(each)]}" for each in _texts(row, "obligations"))


def _whom(row: Mapping[str, object]) -> str:
    purposes = {purpose.value: words for purpose, words in PURPOSE_WORDS.items()}
    audiences = {audience.value: words for audience, words in AUDIENCE_WORDS.items()}
    purpose = purposes.get(str(row["purpose"]), str(row["purpose"]))
    return f"{row['recipient']} ({audiences[str(row['audience'])]}) for {purpose}"


@click.command()
@click.argument("decision_id", required=False)
@click.option("--image", help="SOP Instance UID: who could have it now, for what, in which form, and why not.")
@json_option
@told
def explain(decision_id: str | None, image: str | None, as_json: bool) -> None:
    """Explain the recorded decision DECISION_ID, or with --image who could have a picture now."""
    if (decision_id is None) == (image is None):
        raise click.UsageError("Give a decision id, or --image UID.")
    if image is not None:
        rows = everybody(services(), image)
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False) if as_json else "\n".join(_told(rows)))
        return
    entry = services().trail.find(decision_id or "")
    click.echo(json.dumps(entry, indent=2, ensure_ascii=False) if as_json else "\n".join(sentences(entry)))
