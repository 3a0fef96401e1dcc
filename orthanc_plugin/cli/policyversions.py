"""``consentgate policy propose | activate | versions``: how another policy.toml comes into force.

Knows click, and the order: look at what is queued and what is out under the new rules, put them in force together with
what they forbid, copies that left during the look included, then look once more at what was queued during it. Must not
decide.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from orthanc_plugin.cli.common import by_option, json_option, say, services, show, told
from orthanc_plugin.config.policydiff import differences
from orthanc_plugin.config.policyfile import Policy
from orthanc_plugin.errors import ConfigurationError
from orthanc_plugin.lifecycle import policies, redeciding
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.redeciding import Found, Rulings, ruling
from orthanc_plugin.policy.recalling import Cause
from orthanc_plugin.registry import policyversions
from orthanc_plugin.release import Release
from orthanc_plugin.services import Services

DOOR: Final = "consentgate policy"
REASON: Final = "another policy.toml is in force"
COLUMNS: Final = ("digest", "proposed_at", "proposed_by", "activated_at", "activated_by", "in_force")
UNKNOWN: Final = (
    "No policy was ever put in force, and this is the file that counts already: what it takes back of an earlier one"
    " nobody can tell. If copies have left under an earlier one, propose and activate that first."
)
RESTART: Final = "Restart Orthanc now: until then it releases nothing, because it still has the policy before."


def _text(shared: Services, file: Path | None) -> str:
    path = file or shared.settings.path(shared.settings.policy.file)
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path.name} can't be read ({type(error).__name__}).", remedy="Name a policy.toml that can be read."
        ) from None


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@by_option
@json_option
@told
def propose(file: Path | None, by: str, as_json: bool) -> None:
    """Propose FILE, or the policy.toml of the settings; say what it changes, and what it would take back.

    It counts for nothing until somebody else activates it.
    """
    shared = services()
    act, text = shared.act(by, DOOR), _text(shared, file)
    with shared.database.writing() as connection:
        new = policies.propose(connection, act, text)
    shared.sign_head()
    found = redeciding.look(shared.database, _rulings(shared, act, new))
    changes = differences(shared.policy, new)
    counted = _counted(found)
    doubt = (UNKNOWN,) if shared.policy.sha256 == new.sha256 else ()  # one that is in force is not proposed
    words = "\n".join((*changes, f"Proposed {new.sha256}. In force it {_sentence(found)}", *doubt))
    told = {"digest": new.sha256, "changes": changes, "before_unknown": bool(doubt), **counted}
    say(told, words, as_json=as_json)


@click.command()
@click.argument("digest")
@by_option
@json_option
@told
def activate(digest: str, by: str, as_json: bool) -> None:
    """Put the proposed policy with SHA-256 DIGEST in force; somebody else than who proposed it does.

    What it no longer permits is cancelled where it is queued, and recalled where it is out.
    """
    shared = services()
    act = shared.act(by, DOOR)
    with shared.database.reading() as connection:
        new = policies.pending(connection, act, digest)
    rulings = _rulings(shared, act, new)
    found = redeciding.look(shared.database, rulings)
    with shared.database.writing() as connection:
        policies.activate(connection, act, digest)
        found = redeciding.late(connection, rulings, found, act.at.isoformat())
        redeciding.apply(connection, act, found, Cause.POLICY, digest, REASON)
    late = redeciding.look(shared.database, rulings, since=act.at.isoformat())  # what was queued meanwhile
    if late.sends or late.back or late.lost:
        with shared.database.writing() as connection:
            redeciding.apply(connection, act, late, Cause.POLICY, digest, REASON)
    shared.sign_head()
    together = Found(sends=found.sends + late.sends, back=found.back + late.back, lost=found.lost + late.lost)
    told = {"digest": digest, **_counted(together), "recalls": together.back, "not_recallable": together.lost}
    say(told, f"In force: {digest}. It {_sentence(together)}\n{RESTART}", as_json=as_json)


@click.command()
@json_option
@told
def versions(as_json: bool) -> None:
    """List the versions of policy.toml that were proposed, and which one is in force."""
    with services().database.reading() as connection:
        standing = policyversions.in_force(connection)
        found = [asdict(each) for each in policyversions.listed(connection)]
    rows = [{**each, "in_force": "yes" if each["digest"] == standing else ""} for each in found]
    show(rows, COLUMNS, as_json=as_json, empty="None was ever proposed; the file counts as it is.")


def _rulings(shared: Services, act: Act, new: Policy) -> Rulings:
    before = ruling(shared.policy, act, shared.release.under)
    after = ruling(new, act, Release(new, shared.release.keys, shared.release.vault).under)
    return Rulings(before=before, after=after, routes=redeciding.recipients(new))


def _counted(found: Found) -> dict[str, object]:
    return {"cancelled": len(found.sends), "recalled": len(found.back), "beyond_recall": len(found.lost)}


def _sentence(found: Found) -> str:
    cancelled, recalled, lost = len(found.sends), len(found.back), len(found.lost)
    return f"cancels {cancelled} queued send(s) and recalls {recalled} copies; {lost} can't be had back."
