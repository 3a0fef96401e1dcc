"""A consent written to a file is the same consent when read; any text at all is read or refused."""

from __future__ import annotations

import json
from datetime import date

from hypothesis import assume, given
from hypothesis import strategies as st

from dicomwrap.consentfile import as_mapping, consent_json, read_consent
from dicomwrap.consentrecord import ConsentRecord, Discussion, Giver, Scope
from dicomwrap.consentrecord import Tests as ProxyTests
from dicomwrap.errors import ConsentFileError
from dicomwrap.terms import (
    Audience,
    Competence,
    ConsentLevel,
    ConsentState,
    EvidenceType,
    Explained,
    Form,
    GiverType,
    Purpose,
    PurposeGroup,
)

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
    )


@st.composite
def records(draw: st.DrawFn) -> ConsentRecord:
    decided = draw(days)
    state = draw(st.sampled_from(ConsentState))
    level = draw(st.sampled_from(ConsentLevel))
    withdrawn = draw(st.none() | st.lists(purposes, unique=True, min_size=1, max_size=4).map(tuple))
    back = state is ConsentState.WITHDRAWN or withdrawn is not None
    return ConsentRecord(
        id=draw(lines),
        version=draw(st.integers(1, 10**6)),
        patient_id=draw(st.none() | lines),
        issuer=draw(st.none() | lines),
        level=level,
        targets=() if level is ConsentLevel.PATIENT else tuple(draw(st.lists(uids, max_size=3))),
        state=state,
        giver=Giver(
            type=draw(st.sampled_from(GiverType)),
            id=draw(st.just("") | lines),
            competent_at_decision=draw(st.sampled_from(Competence)),
        ),
        decided_on=decided,
        scopes=tuple(draw(st.lists(scopes(decided), min_size=1, max_size=4))),
        withdrawn_on=draw(st.dates(decided, date(2045, 1, 1))) if back else None,
        withdrawn_purposes=withdrawn,
        tests=draw(
            st.none()
            | st.builds(
                ProxyTests, necessary=st.booleans(), best_interests=st.booleans(), no_less_restrictive=st.booleans()
            )
        ),
        evidence=draw(st.none() | st.sampled_from(EvidenceType)),
        explained=tuple(draw(st.lists(st.sampled_from(Explained), unique=True, max_size=4))),
        discussion=draw(st.none() | st.builds(Discussion, note=notes, author=lines)),
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
