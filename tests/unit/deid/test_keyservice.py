"""A key from a service over HTTPS: of the right one, to the right one, in time, and otherwise none."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from orthanc_plugin.config.keyplaces import FromService
from orthanc_plugin.config.load import validated
from orthanc_plugin.config.settings import KeySettings, Settings
from orthanc_plugin.deid.keys import KeySource
from orthanc_plugin.errors import ConfigurationError
from orthanc_plugin.lifecycle.keysources import key_source
from tests.fakes.keyservice import TOKEN, Answer, key_service, saying
from tests.unit.dicomwrap.sendable import certificate

DIGITS = "ab" * 32
VAULT = json.dumps({"data": {"data": {"key": DIGITS}, "metadata": {"version": 3}}}).encode()
PLACE: dict[str, Any] = {"url": "https://127.0.0.1", "ca_file": "kms.crt", "token_file": "kms.token"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with the service's certificate, ours, and a token."""
    for name in ("kms", "us", "stranger"):
        certificate(tmp_path, name)
    (tmp_path / "kms.token").write_text(f"{TOKEN}\n")
    for secret in ("kms.token", "us.key"):
        (tmp_path / secret).chmod(0o600)
    return tmp_path


def source(folder: Path, **more: Any) -> KeySource:  # noqa: ANN401 - as in settings.toml
    keys = validated(KeySettings, {"pseudonym": {**PLACE, **more}}, "settings.toml")
    assert isinstance(keys.pseudonym, FromService)
    return key_source(keys.pseudonym, Settings(keys=keys, folder=folder), {})


def asked(folder: Path, given: Answer, /, *, clients: Path | None = None, **more: Any) -> bytes:  # noqa: ANN401
    with key_service(given, folder / "kms.crt", folder / "kms.key", clients) as url:
        return source(folder, **{"url": url, **more}).read()


def refused(folder: Path, words: str, given: Answer = saying(DIGITS.encode()), /, **more: Any) -> None:  # noqa: ANN401, B008
    with pytest.raises(ConfigurationError, match=words) as caught:
        asked(folder, given, **more)
    said = str(caught.value)
    assert "consentgate key check" in said
    assert (DIGITS[:16] in said, TOKEN in said) == (False, False)


@pytest.mark.parametrize(
    ("body", "answer"), [(f" {DIGITS}\n".encode(), ()), (VAULT, ("data", "data", "key"))], ids=["plain", "JSON"]
)
def test_a_key_is_read_from_all_of_an_answer_or_from_its_place_in_one(
    body: bytes, answer: tuple[str, ...], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert asked(folder, saying(body), answer=answer) == bytes.fromhex(DIGITS)
    assert (DIGITS in caplog.text, TOKEN in caplog.text) == (False, False)


def test_a_certificate_of_our_own_is_shown_where_the_service_wants_one(folder: Path) -> None:
    ours = {"certificate_file": "us.crt", "key_file": "us.key"}
    said = saying(DIGITS.encode())
    assert asked(folder, said, clients=folder / "us.crt", **ours) == bytes.fromhex(DIGITS)
    refused(folder, "Error", clients=folder / "us.crt")
    refused(folder, "Error", clients=folder / "stranger.crt", **ours)


def dripping(over: Event) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        with suppress(OSError):
            while not over.wait(0.05):
                handler.wfile.write(b"a")

    return answer


@pytest.mark.parametrize(
    ("answer", "more", "words"),
    [
        (saying(b"", 404), {}, "status 404"),
        (saying(b"", 302), {}, "status 302"),
        (saying(b"nothing"), {}, "its answer is none"),
        (saying(DIGITS[2:].encode()), {}, "its answer is none"),
        (saying(VAULT), {}, "its answer is none"),
        (saying(VAULT), {"answer": ["data", "key"]}, "its answer is none"),
        (saying(DIGITS.encode()), {"answer": ["data"]}, "its answer is none"),
        (saying(b"[" * 60_000), {"answer": ["data"]}, "its answer is none"),
        (saying(b"a" * 200_000), {}, "too long"),
        (saying(DIGITS.encode()), {"token_file": None}, "status 403"),
        (saying(DIGITS.encode()), {"ca_file": "stranger.crt"}, "ConnectError"),
        (saying(DIGITS.encode()), {"ca_file": "none.crt"}, "certificates' files"),
        (saying(DIGITS.encode()), {"token_file": "none.token"}, "token's file"),
    ],
)
def test_whatever_else_is_said_is_no_key(answer: Answer, more: dict[str, Any], words: str, folder: Path) -> None:
    refused(folder, words, answer, **more)


@pytest.mark.parametrize("change", [lambda path: path.chmod(0o644), lambda path: path.write_text("two words")])
def test_a_token_that_others_may_read_is_not_sent(change: Callable[[Path], object], folder: Path) -> None:
    change(folder / "kms.token")
    refused(folder, "only its owner can read")


def test_a_certificate_is_not_shown_whose_key_others_may_read(folder: Path) -> None:
    (folder / "us.key").chmod(0o640)
    refused(folder, "only its owner can read", certificate_file="us.crt", key_file="us.key")


def test_an_answer_that_drips_is_not_waited_for(folder: Path) -> None:
    over = Event()
    try:
        refused(folder, "no answer within 1 s", dripping(over), seconds=1)
    finally:
        over.set()


def test_a_service_that_is_not_there_gives_no_key(folder: Path) -> None:
    with key_service(saying(b""), folder / "kms.crt", folder / "kms.key") as url:
        pass
    refused(folder, "ConnectError", url=url)


@pytest.mark.parametrize("url", ["http://kms.example/key", "https://user:word@kms.example/key", "https://kms example"])
def test_an_address_in_clear_or_with_a_password_in_it_is_no_setting(url: str) -> None:
    with pytest.raises(ConfigurationError):
        validated(KeySettings, {"pseudonym": {"url": url}}, "settings.toml")
