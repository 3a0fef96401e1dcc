"""What a running Orthanc says of itself, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from orthanc_plugin.archive.remote import Credentials, RemoteControl
from orthanc_plugin.errors import ArchiveError
from tests.fakes.guarded import Answers, orthanc


@contextmanager
def control(answers: Answers) -> Iterator[RemoteControl]:
    with orthanc(answers) as port:
        credentials = Credentials(user="consentgate", password="p", secret="s")
        made = RemoteControl(f"http://127.0.0.1:{port}", credentials)
        yield made
        made.close()


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("1.12.7", (1, 12, 7)),
        ("1.10.1+dfsg", (1, 10, 1)),
        ("1.13.0~rc1", (1, 13, 0)),
        ("mainline", (0, 0, 0)),
        (None, (0, 0, 0)),
    ],
)
def test_the_version_is_compared_by_its_numbers(said: str | None, version: tuple[int, int, int]) -> None:
    with control({"/system": (200, {"Version": said})}) as running:
        assert running.version() == version


def test_what_is_in_effect_is_asked_in_full() -> None:
    answers: Answers = {
        "/modalities?expand": (200, {"camera": {"AET": "DERMCAM"}}),
        "/peers?expand": (200, {}),
        "/plugins": (200, ["dicom-web", "python"]),
    }
    with control(answers) as running:
        assert running.modalities() == {"camera": {"AET": "DERMCAM"}}
        assert running.peers() == {}
        assert running.plugins() == ("dicom-web", "python")


def test_an_answer_that_is_none_is_an_error() -> None:
    with control({"/system": (403, "")}) as running, pytest.raises(ArchiveError, match="403"):
        running.version()
