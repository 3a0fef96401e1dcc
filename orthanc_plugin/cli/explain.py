"""``consentgate explain DECISION``: a recorded decision in words a patient could read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import click

from orthanc_plugin.cli.common import json_option, services, told
from orthanc_plugin.policy.explain import OBLIGATION_WORDS
from orthanc_plugin.policy.model import Obligation


def _texts(entry: Mapping[str, object], key: str) -> list[str]:
    value = entry.get(key)
    return [str(each) for each in value] if isinstance(value, list) else []


def sentences(entry: Mapping[str, object]) -> Iterator[str]:
    """Give the explanation, sentence by sentence."""
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


@click.command()
@click.argument("decision_id")
@json_option
@told
def explain(decision_id: str, as_json: bool) -> None:
    """Explain the recorded decision DECISION_ID."""
    entry = services().trail.find(decision_id)
    click.echo(json.dumps(entry, indent=2, ensure_ascii=False) if as_json else "\n".join(sentences(entry)))
