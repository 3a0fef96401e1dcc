"""One thread is ahead of the other: nothing begins any more after a failure, and others' entries are told from ours."""

from __future__ import annotations

from threading import Event
from typing import NoReturn

import pytest

from orthanc_plugin.retention.ahead import Ahead, EndedError
from orthanc_plugin.retention.following import KEPT, Followed, Head

SECONDS = 60.0


class LostError(Exception):
    """Something failed."""


def head(number: int) -> Head:
    return number, f"digest {number}"


def test_what_was_begun_is_done_in_order_on_another_thread() -> None:
    done: list[int] = []
    with Ahead() as ahead:
        begun = [ahead.begin(lambda number=number: done.append(number)) for number in range(5)]  # type: ignore[misc]
        for each in begun:
            each.result(SECONDS)
    assert done == [0, 1, 2, 3, 4]


def test_after_a_failure_nothing_begins_any_more() -> None:
    done: list[int] = []
    failing = Event()

    def fail() -> NoReturn:
        assert failing.wait(SECONDS)
        raise LostError

    with Ahead() as ahead:
        first, second = ahead.begin(fail), ahead.begin(lambda: done.append(1))
        failing.set()
        with pytest.raises(LostError):
            first.result(SECONDS)
        with pytest.raises(EndedError):
            second.result(SECONDS)
    assert done == []


def test_what_goes_on_when_the_other_side_fails_ends_before_its_next_step() -> None:
    done: list[int] = []
    begun, ended = Event(), Event()

    def go_on(ahead: Ahead) -> None:
        begun.set()
        assert ended.wait(SECONDS)
        ahead.go_on()
        done.append(1)

    ahead = Ahead()
    waited_for = ahead.begin(lambda: go_on(ahead))
    left = ahead.begin(lambda: done.append(2))
    left.add_done_callback(lambda _future: ended.set())  # it is taken back when this side ends
    assert begun.wait(SECONDS)
    with pytest.raises(LostError), ahead:
        raise LostError
    assert left.cancelled()
    assert isinstance(waited_for.exception(SECONDS), EndedError)
    assert done == []


def test_whoever_writes_between_two_of_our_transactions_is_noticed() -> None:
    followed = Followed(head(3))
    assert followed.alone(head(3))
    assert not followed.alone(head(4))
    followed.wrote(head(3), head(5))
    assert followed.alone(head(5))
    assert not followed.alone(head(6))
    followed.wrote(head(6), head(6))
    assert followed.alone(head(6))


@pytest.mark.parametrize(
    ("ours", "newest", "quiet"),
    [
        ([], 5, True),
        ([], 6, False),
        ([(5, 8)], 8, True),
        ([(5, 8), (8, 9)], 9, True),
        ([(5, 8), (9, 12)], 12, False),
        ([(5, 8)], 9, False),
        ([(6, 8)], 8, False),
        ([(3, 5)], 5, True),
        ([(5, 5)], 6, False),
    ],
    ids=[
        "nobody wrote",
        "somebody wrote",
        "we wrote",
        "we wrote twice",
        "somebody in between",
        "somebody after us",
        "somebody before us",
        "we wrote before",
        "a transaction of ours without an entry",
    ],
)
def test_only_others_entries_ask_for_another_look(ours: list[tuple[int, int]], newest: int, quiet: bool) -> None:
    followed = Followed(head(0))
    for before, after in ours:
        followed.wrote(head(before), head(after))
    assert followed.quiet(head(5), head(newest)) is quiet


def test_an_entry_of_somebody_else_under_the_number_of_one_that_was_undone_is_not_ours() -> None:
    followed = Followed(head(0))
    followed.wrote(head(5), head(8))
    assert followed.quiet(head(5), (8, "of somebody else")) is False


def test_what_was_written_long_ago_is_forgotten_and_counts_as_somebody_else_s() -> None:
    followed = Followed(head(0))
    for number in range(KEPT + 5):
        followed.wrote(head(number), head(number + 1))
    assert followed.quiet(head(KEPT), head(KEPT + 5)) is True
    assert followed.quiet(head(0), head(KEPT + 5)) is False
