"""What must be true once everything has settled: of each recipient, of the ledger, of the trail.

Knows what was filed, consented to and withdrawn, from the test's own book; compares that with what the recipients hold
and with what ``consentgate disclosures`` tells.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from tests.endurance.people import Case, data_set
from tests.endurance.scene import BRANCH, MEDIUM, ROUTES, TEACHING, WORKSTATION, Scene

CARE = tuple(name for name in ROUTES if name != TEACHING)
GONE = ("NOT_DELIVERED", "RECALLED")
Held = dict[str, dict[str, bytes]]


def faults(scene: Scene, cases: Sequence[Case]) -> list[str]:
    """Return what is wrong, in words."""
    held = scene.held()
    found = [
        *_care(held, cases),
        *_teaching(scene, held, cases),
        *_ledger(scene, held),
        *_withdrawn(scene, held, cases),
    ]
    found += [f"{len(scene.workstation.changed | scene.teaching.changed)} UIDs came with two contents"] * bool(
        scene.workstation.changed | scene.teaching.changed
    )
    verified = scene.nodes[0].server.consentgate("audit", "verify")
    return found + ([] if verified.returncode == 0 else [f"the trail doesn't hold: {verified.stderr[-500:]}"])


def _care(held: Held, cases: Sequence[Case]) -> Iterator[str]:
    """Every photograph of a patient who has not withdrawn is at each recipient for care, bit for bit, and no other."""
    filed = {data: uid for case in cases for uid, data in case.contents().items()}
    staying = {uid for case in cases if case.withdrawn is None for uid in case.files}
    for name in CARE:
        there = [filed.get(data_set(file), "?") for file in held[name].values()]
        if "?" in there:
            yield f"{name} holds {there.count('?')} objects that were never filed so"
        if len(there) != len(set(there)):
            yield f"{name} holds {len(there) - len(set(there))} photographs twice"
        if missing := staying - set(there):
            yield f"{name} lacks {len(missing)} of {len(staying)} photographs: {sorted(missing)[:3]}"


def _teaching(scene: Scene, held: Held, cases: Sequence[Case]) -> Iterator[str]:
    """What is for teaching is there once, under another name, when it was agreed to and confirmed; nothing else is."""
    allowed = {uid for case in cases for uid in case.reviewed}
    staying = {uid for case in cases if case.withdrawn is None for uid in case.reviewed}
    entries = _entries(scene, TEACHING)
    origin = {entry["released_uid"]: entry["image"] for entry in entries}
    there = [origin.get(uid, "?") for uid in held[TEACHING]]
    if set(there) - allowed:
        yield f"{TEACHING} holds {len(set(there) - allowed)} photographs that it mustn't"
    if len(there) != len(set(there)):
        yield f"{TEACHING} holds {len(there) - len(set(there))} photographs twice"
    if missing := staying - set(there):
        yield f"{TEACHING} lacks {len(missing)} of {len(staying)} photographs: {sorted(missing)[:3]}"


def _ledger(scene: Scene, held: Held) -> Iterator[str]:
    """The ledger tells of everything that a recipient holds, and of nothing as held that isn't there."""
    for name in ROUTES:
        entries = _entries(scene, name)
        there = _names(held[name], name)
        by = "sha256" if name == MEDIUM else "released_uid"
        live = {entry[by] for entry in entries if entry["standing"] not in GONE}
        told = {entry[by] for entry in entries if entry["standing"] == "HELD"}
        if unknown := there - live:
            yield f"{name} holds {len(unknown)} objects that the ledger doesn't tell of: {sorted(unknown)[:3]}"
        if absent := told - there:
            yield f"the ledger says that {name} holds {len(absent)} objects that it hasn't: {sorted(absent)[:3]}"


def _names(files: dict[str, bytes], recipient: str) -> set[str]:
    if recipient != MEDIUM:
        return set(files)
    return {hashlib.sha256(file).hexdigest() for file in files.values()}


def _entries(scene: Scene, recipient: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = scene.told("disclosures", "--recipient", recipient)  # type: ignore[assignment]
    return found


def _withdrawn(scene: Scene, held: Held, cases: Sequence[Case]) -> Iterator[str]:
    """Nothing began to arrive after a withdrawal had returned, but what was on its way; what was there is recalled."""
    for case in cases:
        if case.withdrawn is None:
            continue
        late = sum(uid in case.files and began > case.withdrawn for uid, began in scene.workstation.began)
        if late > len(scene.nodes):  # each courier may have had one on its way
            yield f"{late} photographs of {case.person.letter} began to arrive after the withdrawal"
        if left := set(held[BRANCH]) & set(case.files):
            yield f"{BRANCH} still holds {len(left)} photographs of {case.person.letter}, who has withdrawn"
        if unasked := set(held[WORKSTATION]) & set(case.files) - scene.workstation.rejected:
            yield f"{WORKSTATION} wasn't asked for {len(unasked)} photographs of {case.person.letter}"
