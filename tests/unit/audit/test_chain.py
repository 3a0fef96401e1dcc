"""The chain: what was changed is found where it was changed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from orthanc_plugin.audit.chain import GENESIS, Entry, link, verify
from orthanc_plugin.audit.checkpoint import Checkpoint, CheckpointError, heads, sign, to_line
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from tests.fakes.world import START

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
FIVE = 5


def chain(length: int = FIVE, start: tuple[Entry, ...] = ()) -> list[Entry]:
    entries = list(start)
    while len(entries) < length:
        previous = entries[-1].digest if entries else GENESIS
        seq = len(entries) + 1
        entries.append(link(seq, f"event-{seq}", previous, f'{{"n":{seq}}}'))
    return entries


def test_a_chain_is_whole() -> None:
    entries = chain()
    found = verify(entries)
    assert (found.whole, found.entries, found.head, found.problem) == (True, FIVE, entries[-1].digest, "")


def test_the_head_of_nothing_is_the_beginning() -> None:
    assert (verify([]).whole, verify([]).head) == (True, GENESIS)


@pytest.mark.parametrize("at", range(FIVE - 1))
def test_a_removed_entry_is_missed_at_its_place(at: int) -> None:
    entries = chain()
    del entries[at]
    found = verify(entries)
    assert (found.broken_at, found.entries) == (at + 1, at)
    assert f"entry {at + 1} is missing" in found.problem


def test_a_tail_cut_off_is_seen_only_by_the_signed_heads() -> None:
    entries = chain()
    signed = {FIVE: entries[-1].digest}
    assert verify(entries[:3]).whole
    found = verify(entries[:3], signed)
    assert (found.broken_at, found.entries) == (4, 3)
    assert "cut off" in found.problem
    assert verify(entries, signed).whole


def test_a_history_that_was_written_anew_is_not_the_one_that_was_signed() -> None:
    signed = {3: chain()[2].digest}
    forged = [link(1, "event-1", GENESIS, "something else")]
    found = verify(chain(start=tuple(forged)), signed)
    assert (found.broken_at, found.problem) == (3, "entry 3 is not the one that was signed at the time")


@pytest.mark.parametrize("at", range(FIVE))
def test_an_entry_that_is_whole_in_itself_but_follows_another_is_found(at: int) -> None:
    entries = chain()
    entries[at] = link(at + 1, entries[at].event_id, "f" * 64, entries[at].body)
    found = verify(entries)
    assert (found.broken_at, found.problem) == (at + 1, f"entry {at + 1} does not follow the entry before it")


def test_everything_gone_is_seen_by_the_signed_heads() -> None:
    assert verify([], {2: "x", 7: "y"}).broken_at == 1


@pytest.mark.parametrize(
    "changes",
    [{"seq": 2}, {"digest": "0" * 64}, {"at": "2027-01-01T00:00:00+00:00"}, {"signature": "00" * 64}],
)
def test_a_head_that_was_changed_does_not_hold(changes: dict[str, object]) -> None:
    good = sign(1, chain()[0].digest, START.isoformat(), KEY)
    assert heads([to_line(good)], KEY.public_key()) == {1: chain()[0].digest}
    with pytest.raises(CheckpointError, match="Line 2"):
        heads([to_line(good), to_line(replace(good, **changes))], KEY.public_key())  # type: ignore[arg-type]


def test_another_key_s_signature_does_not_hold() -> None:
    line = to_line(sign(1, "d", "t", Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)))
    with pytest.raises(CheckpointError):
        heads([line], KEY.public_key())


@pytest.mark.parametrize("line", ["", "{}", "[]", "null", "5", '{"signature": "zz"}', '{"signature": 5}', "{"])
def test_a_line_that_is_no_head_is_told(line: str) -> None:
    with pytest.raises(CheckpointError, match="Line 1"):
        heads([line], KEY.public_key())


def test_a_checkpoint_s_line_has_all_of_it() -> None:
    good = sign(1, "d", "t", KEY)
    assert Checkpoint(**json.loads(to_line(good))) == good


def test_an_event_s_body_is_canonical() -> None:
    event = AuditEvent(
        id="e", at=START, event=EventType.QUERY, outcome=Outcome.REFUSED, actor="é", door="d", reasons=("b", "a")
    )
    body = event.body()
    assert body == replace(event).body()
    assert list(json.loads(body)) == sorted(json.loads(body))
    assert (": " in body, "\\u" in body, json.loads(body)["reasons"]) == (False, False, ["b", "a"])
