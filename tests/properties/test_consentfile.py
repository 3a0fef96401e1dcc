"""A consent written to a file is the same consent when read; any text at all is read or refused."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta, timezone

from hypothesis import assume, given
from hypothesis import strategies as st

from dicomwrap.consentfile import as_mapping, consent_json, read_consent
from dicomwrap.consentrecord import (
    CapacityFinding,
    ConsentRecord,
    Discussion,
    EvidenceDocument,
    Giver,
    RetentionTold,
    Scope,
    Support,
    Withdrawal,
    WithdrawnPurpose,
)
from dicomwrap.consentrecord import Tests as ProxyTests
from dicomwrap.errors import ConsentFileError
from dicomwrap.terms import (
    Audience,
    CapacityResult,
    Competence,
    ConsentLevel,
    ConsentState,
    EvidenceType,
    Explained,
    Form,
    GiverType,
    Purpose,
    PurposeGroup,
    WithdrawalPhase,
)

Withdrawn = tuple[WithdrawnPurpose, ...]
days = st.dates(date(2000, 1, 1), date(2040, 1, 1))
lines = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\\"), min_size=1, max_size=20
)
lines = lines.filter(lambda text: bool(text.strip()))
notes = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80).filter(
    lambda text: bool(text.strip())
)
purposes = st.sampled_from([*Purpose, *PurposeGroup])
uids = st.lists(st.integers(0, 10**6), min_size=2, max_size=5).map(lambda parts: ".".join(map(str, parts)))
said = st.just("") | lines
remarks = st.lists(notes, max_size=3).map(tuple)
digests = st.just("") | st.text("0123456789abcdef", min_size=64, max_size=64)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.builds(datetime.combine, days, st.times(), offsets)
givers = st.builds(
    Giver,
    type=st.sampled_from(GiverType),
    id=said,
    competent_at_decision=st.sampled_from(Competence),
    relationship=said,
    authority_document=said,
    competence_assessor=said,
    has_pr=st.none() | st.booleans(),
)
three_tests = st.builds(
    ProxyTests,
    necessary=st.booleans(),
    best_interests=st.booleans(),
    no_less_restrictive=st.booleans(),
    consulted=remarks,
)
discussions = st.builds(Discussion, note=notes, author=lines, role=said, at=st.none() | moments)
findings = st.builds(
    CapacityFinding,
    result=st.sampled_from(CapacityResult),
    decision=notes,
    assessor=lines,
    on=days,
    method=st.just("") | notes,
)
documents = st.builds(
    EvidenceDocument,
    object_uid=st.just("") | uids,
    sha256=digests,
    form_id=said,
    form_version=said,
    purposes_sha256=digests,
    witness=said,
)
told = st.builds(RetentionTold, text=notes, until=st.none() | days)
supports = st.builds(Support, interpreter=said, language=said, easy_read=st.booleans(), carer=said, aids=remarks)
withdrawals = st.builds(
    Withdrawal,
    by=said,
    phase=st.sampled_from(WithdrawalPhase),
    reason=st.just("") | notes,
    how_received=st.just("") | notes,
)


@st.composite
def scopes(draw: st.DrawFn, earliest: date) -> Scope:
    begins = draw(st.dates(earliest, date(2040, 1, 1)))
    return Scope(
        purpose=draw(purposes),
        max_form=draw(st.sampled_from(Form)),
        audience=tuple(draw(st.lists(st.sampled_from(Audience), min_size=1, max_size=4, unique=True))),
        named_recipients=tuple(draw(st.lists(lines, max_size=3))),
        named_publication=draw(st.none() | lines),
        valid_from=begins,
        valid_to=draw(st.none() | st.dates(begins, date(2050, 1, 1))),
        conditions=draw(remarks),
        legal_basis=draw(remarks),
    )


def on_one_day(earliest: date, words: tuple[Purpose | PurposeGroup, ...]) -> st.SearchStrategy[Withdrawn]:
    """What is withdrawn of ``words`` on one day."""
    on = st.dates(earliest, date(2045, 1, 1))
    return on.map(lambda day: tuple(WithdrawnPurpose(purpose=word, on=day) for word in words))


@st.composite
def taken_back(draw: st.DrawFn, earliest: date, scoped: tuple[Scope, ...]) -> Withdrawn:
    """Nothing, everything on one day, some of it on one day, or each use on a day of its own."""
    whole = st.just(tuple(dict.fromkeys(scope.purpose for scope in scoped)))
    words = draw(st.just(()) | whole | st.lists(purposes, unique=True, min_size=1, max_size=4).map(tuple))
    if draw(st.booleans()):
        return draw(on_one_day(earliest, words))
    return tuple(each for word in words for each in draw(on_one_day(earliest, (word,))))


@st.composite
def records(draw: st.DrawFn) -> ConsentRecord:
    decided = draw(days)
    state = draw(st.sampled_from(ConsentState))
    level = draw(st.sampled_from(ConsentLevel))
    scoped = tuple(draw(st.lists(scopes(decided), min_size=1, max_size=4)))
    withdrawn = draw(taken_back(decided, scoped))
    if state is ConsentState.WITHDRAWN:
        withdrawn = withdrawn or draw(on_one_day(decided, tuple(dict.fromkeys(scope.purpose for scope in scoped))))
    return ConsentRecord(
        id=draw(lines),
        version=draw(st.integers(1, 10**6)),
        patient_id=draw(st.none() | lines),
        issuer=draw(st.none() | lines),
        level=level,
        targets=() if level is ConsentLevel.PATIENT else tuple(draw(st.lists(uids, max_size=3))),
        state=state,
        giver=draw(givers),
        decided_on=decided,
        scopes=scoped,
        withdrawn=withdrawn,
        tests=draw(st.none() | three_tests),
        evidence=draw(st.none() | st.sampled_from(EvidenceType)),
        explained=tuple(draw(st.lists(st.sampled_from(Explained), unique=True, max_size=4))),
        discussion=draw(st.none() | discussions),
        previous_id=draw(st.none() | lines),
        capacity=draw(st.none() | findings),
        document=draw(st.none() | documents),
        retention_told=draw(st.none() | told),
        support=draw(st.none() | supports),
        withdrawal=draw(st.none() | withdrawals) if withdrawn else None,
        source_system=draw(said),
        state_reason=draw(st.just("") | notes),
    )


@given(records())
def test_a_consent_survives_the_file(record: ConsentRecord) -> None:
    assert read_consent(consent_json(record)) == record
    assert read_consent(json.dumps(as_mapping(record))) == record


def faults(text: str) -> tuple[str, ...]:
    try:
        read_consent(text)
    except ConsentFileError as error:
        return error.problems
    return ()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(max_size=40) | json_values.map(json.dumps))
def test_any_text_is_read_or_refused(text: str) -> None:
    faults(text)


@given(records(), st.data())
def test_any_value_at_any_key_is_read_or_refused_with_a_place(record: ConsentRecord, data: st.DataObject) -> None:
    mapping = as_mapping(record)
    key = data.draw(st.sampled_from(sorted(mapping)))
    value = data.draw(json_values)
    assume(value != mapping[key])
    for problem in faults(json.dumps({**mapping, key: value})):
        assert problem.encode()
