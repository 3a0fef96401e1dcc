"""The upload guard while strangers hold connections, or open one after the other."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from select import select

import pytest

from demo.peers import wait_until
from orthanc_plugin.enforcement import uploads
from orthanc_plugin.enforcement.steady import GRACE
from orthanc_plugin.enforcement.uploads import AT_ONCE, CONNECTIONS
from tests.unit.enforcement.guarding import HOST, MOST, Guard, announced, status_of


def test_only_so_many_are_signed_in_at_once(guard: Guard) -> None:
    idle: list[socket.socket] = []
    while len(idle) < CONNECTIONS:
        idle.append(announced(guard, 2))
        assert wait_until(lambda: guard.server.room.left == AT_ONCE * MOST - 2 * len(idle), 60)
    assert wait_until(lambda: status_of(guard) == 503, 60)
    for each in idle:
        each.close()
    assert wait_until(lambda: status_of(guard) == 200, 60)


def test_a_wrong_password_is_told_before_a_body_is_read(guard: Guard) -> None:
    assert guard.server.room.take(guard.server.room.left)
    wrong = b"POST /instances HTTP/1.1\r\nHost: x\r\nAuthorization: Basic eDp5\r\nContent-Length: 5\r\n\r\n"
    assert guard.raw(wrong).split(b" ")[1] == b"401"
    assert guard.behind.received == []


HALF = b"POST /instances HTTP/1.1\r\nHost: x\r\n"
WRONG = HALF + b"Authorization: Basic eDp5\r\nContent-Length: 1000000\r\n\r\n"
STORMS = {"say nothing": b"", "say half": HALF, "have a wrong password": WRONG}


@pytest.mark.parametrize("same", [True, False], ids=["from the same address", "from another"])
@pytest.mark.parametrize("said", STORMS.values(), ids=STORMS.keys())
def test_a_storm_of_strangers_keeps_nobody_out_who_signs_in(said: bytes, same: bool, guard: Guard) -> None:
    raging, opened = threading.Event(), threading.Semaphore(0)

    def rage() -> None:
        held: list[socket.socket] = []
        while not raging.is_set():
            with suppress(OSError):
                source = (HOST if same else "127.0.0.2", 0)
                held.append(socket.create_connection((HOST, guard.server.server_port), 30, source_address=source))
                held[-1].sendall(said)
                opened.release()
            for each in held[:-80]:
                each.close()
            del held[:-80]
        for each in held:
            each.close()

    strangers = [threading.Thread(target=rage) for _ in range(2)]
    for each in strangers:
        each.start()
    try:
        for _ in range(6 * CONNECTIONS):
            assert opened.acquire(timeout=60)
        assert wait_until(lambda: status_of(guard) == 200, 60)
        assert wait_until(lambda: status_of(guard) == 200, 60)
    finally:
        raging.set()
        for each in strangers:
            each.join()


def test_a_stranger_is_given_up_long_before_somebody_who_is_signed_in(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "STRANGER_SECONDS", 0.1)
    with announced(guard, 10) as known, socket.create_connection((HOST, guard.server.server_port), 30) as stranger:
        stranger.sendall(HALF)
        assert select([stranger], [], [], GRACE / 2)[0]
        assert select([known], [], [], 0) == ([], [], [])
