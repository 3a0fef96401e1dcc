"""Whose request runs on a thread of Orthanc's."""

from __future__ import annotations

import base64
import threading

import pytest

from orthanc_plugin.enforcement.senders import HttpHook, Senders
from tests.fakes.world import World


def asked(account: str, method: int = 2) -> dict[str, object]:
    """Return what Orthanc tells the filter of a POST."""
    password = base64.b64encode(f"{account}:p".encode()).decode()
    return {"method": method, "ip": "127.0.0.1", "headers": {"Authorization": f"Basic {password}"}, "get": {}}


def answering(answer: object) -> HttpHook:
    def hook(uri: str, **request: object) -> bool:
        return answer  # type: ignore[return-value]

    return hook


def test_the_account_whose_post_was_let_pass_is_the_sender_on_that_thread_only(world: World) -> None:
    senders = Senders()
    assert senders.noted(world.services, answering(True))("/instances", **asked("uploader"))
    assert senders.account() == "uploader"
    elsewhere: list[str] = []
    thread = threading.Thread(target=lambda: elsewhere.append(senders.account()))
    thread.start()
    thread.join()
    assert elsewhere == [""]


@pytest.mark.parametrize(
    ("answer", "account", "method"),
    [
        (False, "uploader", 2),
        (None, "uploader", 2),
        (True, "stranger", 2),
        (True, "consentgate", 2),
        (True, "uploader", 1),
        (True, "uploader", 99),
    ],
)
def test_after_any_other_request_nobody_is(answer: object, account: str, method: int, world: World) -> None:
    senders = Senders()
    senders.noted(world.services, answering(True))("/instances", **asked("portal"))
    assert senders.noted(world.services, answering(answer))("/instances", **asked(account, method)) is answer
    assert senders.account() == ""


def test_a_filter_that_fails_leaves_nobody(world: World) -> None:
    def failing(uri: str, **request: object) -> bool:
        raise ConnectionError

    senders = Senders()
    senders.noted(world.services, answering(True))("/instances", **asked("portal"))
    with pytest.raises(ConnectionError):
        senders.noted(world.services, failing)("/instances", **asked("portal"))
    assert senders.account() == ""
