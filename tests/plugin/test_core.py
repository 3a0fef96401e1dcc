"""Orthanc's own REST API, asked from inside."""

from __future__ import annotations

import pytest

from orthanc_plugin.archive.embedded import EmbeddedCore
from orthanc_plugin.archive.port import CoreApi
from orthanc_plugin.errors import ArchiveError
from tests.fakes import orthanc

CORE: CoreApi = EmbeddedCore()


@pytest.fixture(autouse=True)
def _fresh() -> None:
    orthanc.reset()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_core_s_own_answer_comes_back(method: str) -> None:
    orthanc.answers["/tools/find"] = b"[]"
    assert CORE.ask(method, "/tools/find", b"{}") == b"[]"
    assert orthanc.log == (["POST /tools/find 2"] if method == "POST" else [])


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_the_core_says_of_a_failure_stays_inside(method: str) -> None:
    orthanc.answers["/tools/find"] = orthanc.OrthancException("Bad value: DEMO-1001")  # type: ignore[assignment]
    with pytest.raises(ArchiveError) as raised:
        CORE.ask(method, "/tools/find", b"{}")
    assert "DEMO" not in str(raised.value)
    assert raised.value.__cause__ is None
