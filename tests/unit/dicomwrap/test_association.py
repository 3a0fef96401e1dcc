"""An association ends with its peer: nothing waits for what is there no more."""

from __future__ import annotations

import threading
from typing import cast

from pynetdicom.association import Association

from dicomwrap.sending.association import release


class Ended:
    """An association whose reactor has ended while somebody waits for it to pause."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.free = threading.Event()

    def release(self) -> None:
        self.asked.set()
        self.free.wait()

    def is_alive(self) -> bool:
        return False


def test_a_release_that_nobody_answers_any_more_is_left_behind() -> None:
    ended = Ended()
    releasing = threading.Thread(target=release, args=(cast("Association", ended),))
    releasing.start()
    releasing.join(60)
    assert ended.asked.is_set()
    assert not releasing.is_alive()
    ended.free.set()
