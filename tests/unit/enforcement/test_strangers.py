"""Whose place a newcomer takes while nobody knows who anybody is."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from orthanc_plugin.enforcement.strangers import MOST, MOST_OF_AN_ADDRESS, Strangers


class Street:
    """Strangers from several addresses, and the far ends of their connections."""

    def __init__(self, open_until: ExitStack) -> None:
        self.open_until = open_until
        self.strangers = Strangers()
        self.far: list[tuple[str, socket.socket, socket.socket]] = []

    def come(self, address: str, count: int = 1) -> None:
        for _ in range(count):
            near, far = (self.open_until.enter_context(each) for each in socket.socketpair())
            far.setblocking(False)
            self.far.append((address, near, far))
            self.strangers.enter(near, address)

    def left(self) -> list[str]:
        """Return the addresses of those that were not hung up on, oldest first."""
        return [address for address, _, far in self.far if not self._hung_up(far)]

    def _hung_up(self, far: socket.socket) -> bool:
        try:
            return far.recv(1) == b""
        except BlockingIOError:
            return False


@pytest.fixture
def street() -> Iterator[Street]:
    with ExitStack() as open_until:
        yield Street(open_until)


def test_one_address_drives_out_only_itself(street: Street) -> None:
    street.come("quiet")
    street.come("loud", 10 * MOST)
    assert street.left() == ["quiet", *["loud"] * MOST_OF_AN_ADDRESS]


def test_many_addresses_drive_out_the_one_that_has_most(street: Street) -> None:
    street.come("quiet")
    street.come("loud", MOST_OF_AN_ADDRESS)
    for number in range(MOST):
        street.come(f"one of many {number}")
    assert len(street.left()) == MOST
    assert street.left().count("loud") <= 1


def test_the_newest_is_never_the_one_that_is_hung_up_on(street: Street) -> None:
    for number in range(5 * MOST):
        street.come(f"{number % 7}")
        assert street.far[-1][0] == f"{number % 7}"
        assert not street._hung_up(street.far[-1][2])


def test_who_is_known_takes_no_stranger_s_place_and_is_not_hung_up_on(street: Street) -> None:
    street.come("loud")
    _, known, _ = street.far[0]
    assert street.strangers.leave(known)
    assert not street.strangers.leave(known)
    street.come("loud", 2 * MOST_OF_AN_ADDRESS)
    assert len(street.left()) == MOST_OF_AN_ADDRESS + 1
