"""Overrides never take all of Orthanc's HTTP threads: who comes too many is told so at once."""

from __future__ import annotations

import threading

import pytest

from orthanc_plugin.enforcement.admission import Admission
from tests.fakes.orthanc import RestOutput


class Slow:
    """Answers once it is let."""

    def __init__(self) -> None:
        self.inside = threading.Semaphore(0)
        self.go_on = threading.Event()

    def hook(self, output: object, uri: str, **request: object) -> None:
        self.inside.release()
        assert self.go_on.wait(30)


class Failing:
    """Fails."""

    def hook(self, output: object, uri: str, **request: object) -> None:
        raise MemoryError


def test_who_comes_too_many_is_sent_away_at_once_and_may_come_again() -> None:
    slow, admission = Slow(), Admission(2)
    hooks = [admission.before(slow), admission.before(slow)]
    threads = [threading.Thread(target=hook, args=(RestOutput(), "/studies")) for hook in hooks]
    for thread in threads:
        thread.start()
        assert slow.inside.acquire(timeout=30)
    turned_away = RestOutput()
    hooks[0](turned_away, "/studies")
    assert turned_away.status == 503
    assert "Ask again" in str(turned_away.body)
    slow.go_on.set()
    for thread in threads:
        thread.join(30)
    hooks[0](RestOutput(), "/studies")
    assert slow.inside.acquire(timeout=30)


def test_a_call_that_fails_gives_its_place_back() -> None:
    hook = Admission(1).before(Failing())
    for _ in range(3):
        with pytest.raises(MemoryError):
            hook(RestOutput(), "/studies")
