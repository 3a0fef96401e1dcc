"""A connection that goes on bringing something is read; one that is slow is given up, however it goes about it."""

from __future__ import annotations

import io
import socket
from dataclasses import dataclass
from typing import cast

import pytest

from orthanc_plugin.enforcement.steady import GRACE, RATE, Steady
from tests.fakes.world import HandTicks


@dataclass(kw_only=True)
class Drip:
    """A connection that brings so many bytes, each time after so many seconds."""

    ticks: HandTicks
    coming: list[tuple[float, int]]
    timeout: float = 0.0

    def settimeout(self, seconds: float) -> None:
        self.timeout = seconds

    def recv_into(self, buffer: memoryview) -> int:
        seconds, count = self.coming.pop(0) if self.coming else (0.0, 0)
        self.ticks.seconds += min(seconds, self.timeout)
        if seconds >= self.timeout:
            raise TimeoutError
        return min(count, len(buffer))


def read(coming: list[tuple[float, int]]) -> tuple[int, bool, float]:
    """Return how many bytes were read, whether it was given up, and after how many seconds."""
    ticks = HandTicks()
    begun = ticks()
    steady = Steady(cast("socket.socket", Drip(ticks=ticks, coming=list(coming))), ticks)
    got, buffer = 0, bytearray(10 * RATE)
    try:
        while count := steady.readinto(buffer):
            got += count
    except TimeoutError:
        return got, True, ticks() - begun
    return got, False, ticks() - begun


@pytest.mark.parametrize(
    ("coming", "got", "given_up", "seconds"),
    [
        ([(0.0, 5)], 5, False, 0.0),
        ([(GRACE - 1, 5)], 5, False, GRACE - 1),
        ([(GRACE, 5)], 0, True, GRACE),
        ([(GRACE - 1, 1)] * 9, 1, True, GRACE),
        ([(1.0, RATE)] * 100, 100 * RATE, False, 100.0),
        ([(2.0, RATE)] * 28, 28 * RATE, False, 56.0),
        ([(2.0, RATE)] * 100, 28 * RATE, True, 58.0),
        ([(0.0, 10 * RATE), (GRACE, 1)], 10 * RATE, True, GRACE),
    ],
)
def test_what_comes_too_slowly_is_given_up(
    coming: list[tuple[float, int]], got: int, given_up: bool, seconds: float
) -> None:
    assert read(coming) == (got, given_up, pytest.approx(seconds, abs=0.01))


def test_each_request_has_the_whole_time_and_what_comes_between_two_reads_costs_none() -> None:
    ticks = HandTicks()
    steady = Steady(cast("socket.socket", Drip(ticks=ticks, coming=[(GRACE - 1, 1)] * 3)), ticks)
    for _ in range(3):
        steady.begin()
        assert steady.readinto(bytearray(1)) == 1
        ticks.seconds += 10 * GRACE


def test_it_is_read_through_a_buffer_like_any_stream() -> None:
    ticks = HandTicks()
    drip = Drip(ticks=ticks, coming=[(1.0, 3), (1.0, 3), (GRACE, 1)])
    reader = io.BufferedReader(Steady(cast("socket.socket", drip), ticks))
    assert len(reader.read(6)) == 6
    with pytest.raises(TimeoutError):
        reader.read(1)
