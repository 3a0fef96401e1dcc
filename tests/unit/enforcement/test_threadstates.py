"""The state of each of Orthanc's threads is held once, however often it calls."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from orthanc_plugin.enforcement.threadstates import MOST, keeping


def test_each_thread_is_held_once_and_the_hook_answers_as_ever() -> None:
    held: list[int] = []
    hook = keeping(lambda uri, **said: f"{uri} {said['method']}", lambda: held.append(threading.get_ident()))
    for _ in range(3):
        assert hook("/system", method=1) == "/system 1"
    with ThreadPoolExecutor(1) as other:
        assert [other.submit(hook, "/x", method=2).result() for _ in range(2)] == ["/x 2"] * 2
    assert len(held) == len(set(held)) == 2


def test_no_more_are_kept_than_orthanc_could_have_threads() -> None:
    held: list[int] = []
    hook = keeping(lambda: None, lambda: held.append(1))
    for _ in range(MOST + 8):
        thread = threading.Thread(target=hook)
        thread.start()
        thread.join()
    assert len(held) == MOST


def test_a_thread_whose_state_is_really_held_ends_as_ever() -> None:
    called = threading.Event()
    thread = threading.Thread(target=keeping(called.set))
    thread.start()
    thread.join()
    assert called.is_set()
