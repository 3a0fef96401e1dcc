"""Whatever is done to one entry of the trail is found at that entry."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from orthanc_plugin.audit.chain import GENESIS, Entry, link, verify

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)


@st.composite
def chains(draw: st.DrawFn, least: int = 1) -> list[Entry]:
    entries: list[Entry] = []
    for seq, (name, body) in enumerate(draw(st.lists(st.tuples(texts, texts), min_size=least, max_size=8)), start=1):
        entries.append(link(seq, name, entries[-1].digest if entries else GENESIS, body))
    return entries


@given(chains(least=0))
def test_a_chain_that_nobody_touched_is_whole(entries: list[Entry]) -> None:
    found = verify(entries, {entry.seq: entry.digest for entry in entries})
    assert (found.whole, found.entries) == (True, len(entries))


@given(
    chains(),
    st.data(),
    st.sampled_from(["event_id", "previous", "body", "digest"]),
    st.characters(exclude_categories=("Cs",)),
)
def test_a_changed_added_or_removed_character_is_found(
    entries: list[Entry], data: st.DataObject, field: str, character: str
) -> None:
    at = data.draw(st.integers(0, len(entries) - 1))
    text = str(getattr(entries[at], field))
    place = data.draw(st.integers(0, len(text)))
    width = data.draw(st.integers(0, 1))
    changed = data.draw(st.sampled_from([text[:place] + character + text[place + width :], text[:-1]]))
    if changed == text:
        return
    entries[at] = replace(entries[at], **{field: changed})  # type: ignore[arg-type]
    assert verify(entries).broken_at == at + 1


@given(chains(), st.data(), st.integers(-3, 12))
def test_a_changed_number_is_found(entries: list[Entry], data: st.DataObject, seq: int) -> None:
    at = data.draw(st.integers(0, len(entries) - 1))
    if seq == entries[at].seq:
        return
    entries[at] = replace(entries[at], seq=seq)
    assert verify(entries).broken_at == at + 1


@given(chains(least=2), st.data())
def test_a_removed_entry_is_missed_unless_it_was_the_last(entries: list[Entry], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(entries) - 1))
    signed = {entries[-1].seq: entries[-1].digest}
    del entries[at]
    assert verify(entries).broken_at == (at + 1 if at < len(entries) else None)
    assert verify(entries, signed).broken_at == at + 1


@given(chains(least=2), st.data())
def test_two_entries_that_changed_places_are_found_at_the_first_of_them(
    entries: list[Entry], data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, len(entries) - 2))
    second = data.draw(st.integers(first + 1, len(entries) - 1))
    entries[first], entries[second] = entries[second], entries[first]
    assert verify(entries).broken_at == first + 1


@given(chains(), st.data(), texts)
def test_an_entry_that_was_put_in_is_found_where_it_stands_or_where_it_pushes(
    entries: list[Entry], data: st.DataObject, body: str
) -> None:
    at = data.draw(st.integers(0, len(entries) - 1))
    stranger = link(at + 1, "stranger", entries[at].previous, body)
    copied = data.draw(st.booleans())
    entries.insert(at, entries[at] if copied else stranger)
    assert verify(entries).broken_at == at + 2


@given(chains(), st.integers(0, 7))
def test_a_cut_tail_is_found_by_the_signed_heads(entries: list[Entry], keep: int) -> None:
    signed = {entry.seq: entry.digest for entry in entries}
    kept = entries[:keep]
    found = verify(kept, signed)
    assert found.broken_at == (None if len(kept) == len(entries) else len(kept) + 1)
