"""A plan's stage follows from what is on record of it and the day; docs/retention.md has a word for each."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orthanc_plugin.config.disposition import Disposition
from orthanc_plugin.registry.disposals import State
from orthanc_plugin.registry.plans import Action, Approval, Plan
from orthanc_plugin.registry.progress import Progress
from orthanc_plugin.retention.stages import Stage, sentences, staged

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "retention.md").read_text(encoding="utf-8")
AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
TERMS = Disposition(cooling_off_days=30, approval_lapses_days=14)
PLAN = Plan(
    plan_id="p",
    as_of="2026-03-01",
    proposed_at=AT.isoformat(),
    proposed_by="clerk",
    schedule="1",
    schedule_sha256="",
    lines=2,
    lines_sha256="",
    entry=1,
)
GIVEN = Approval(
    approval_id="a", plan_id="p", decided_sha256="", approved_by="guardian", approved_at=AT.isoformat(), entry=3
)
WITHDRAWN = replace(GIVEN, withdrawn_by="officer", withdrawn_at=AT.isoformat(), reason="the family asked")
BOTH = {Action.DESTROY: 1, Action.HOLD: 1}
APPROVED = Progress(decided=BOTH, approval=GIVEN)


@pytest.mark.parametrize(
    ("found", "days", "stage"),
    [
        (Progress(), 0, Stage.PROPOSED),
        (Progress(decided={Action.DESTROY: 1}), 0, Stage.PROPOSED),
        (Progress(decided=BOTH), 0, Stage.DECIDED),
        (Progress(decided=BOTH, approval=WITHDRAWN), 0, Stage.WITHDRAWN),
        (APPROVED, 29, Stage.COOLING_OFF),
        (APPROVED, 30, Stage.EXECUTABLE),
        (APPROVED, 44, Stage.EXECUTABLE),
        (APPROVED, 45, Stage.LAPSED),
        (replace(APPROVED, decided={Action.RETAIN_UNTIL: 2}), 45, Stage.KEPT),
        (replace(APPROVED, decided={Action.TRANSFER: 2}), 45, Stage.LAPSED),
        (replace(APPROVED, running=True), 30, Stage.EXECUTABLE),
        (replace(APPROVED, running=True, settled={State.MARKED: 1}), 45, Stage.BEGUN),
        (replace(APPROVED, certificates=("c",), settled={State.DROPPED: 1}), 45, Stage.EXECUTED),
        (replace(APPROVED, certificates=("c",), settled={State.DROPPED: 1}, running=True), 45, Stage.BEGUN),
    ],
)
def test_the_stage_follows_from_what_is_on_record_and_the_day(found: Progress, days: int, stage: Stage) -> None:
    assert staged(PLAN, found, TERMS, AT + timedelta(days=days)).state is stage


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Progress(), "The plan is PROPOSED."),
        (APPROVED, "Approved by guardian on 2026-03-01. Executable from 2026-03-31 to 2026-04-14."),
        (replace(APPROVED, approval=WITHDRAWN), "Withdrawn by officer on 2026-03-01: the family asked."),
        (
            replace(APPROVED, certificates=("c", "d"), settled={State.DESTROYED: 1, State.PARTLY: 1}),
            "1 record(s) destroyed, 0 dropped, 1 in part. See certificate c, d.",
        ),
    ],
)
def test_a_person_is_told_the_stage_in_a_few_words(found: Progress, words: str) -> None:
    assert words in " ".join(sentences(staged(PLAN, found, TERMS, AT)))


@pytest.mark.parametrize("stage", Stage)
def test_every_stage_is_documented(stage: Stage) -> None:
    assert f"\n| `{stage}` |" in DOCUMENT


@pytest.mark.parametrize("state", State)
def test_every_state_of_a_line_is_documented(state: State) -> None:
    assert f"`{state}`" in DOCUMENT
