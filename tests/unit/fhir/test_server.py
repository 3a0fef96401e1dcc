"""A FHIR server is asked: all pages of its answer are given, or an error that names the remedy."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orthanc_plugin.clock import elapsed
from orthanc_plugin.fhir.server import FhirServer, ServerError
from tests.fakes.fhirserver import MADE, SEARCH, SECOND, FhirSimulator, page, serving
from tests.unit.fhir.test_episodes import PATIENT, SEEN

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
TOKEN = "a token of the test"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FhirSimulator]:
    with serving(tmp_path_factory.mktemp("fhir")) as found:
        yield found


@pytest.fixture
def server(running: FhirSimulator) -> FhirSimulator:
    """Give the server with two pages to tell, and nothing that another test had it say."""
    running.answers.clear()
    running.headers.clear()
    running.asked.clear()
    running.says(SEARCH, page(PATIENT, following=SECOND))
    running.says(SECOND, page(SEEN))
    return running


def asking(server: FhirSimulator) -> FhirServer:
    return FhirServer(context=ssl.create_default_context(cafile=str(server.ca)), token=TOKEN, ticks=elapsed)


def test_the_pages_are_one_bundle_of_the_moment_that_the_server_names(server: FhirSimulator) -> None:
    found = asking(server).search(server.url + SEARCH, NOW)
    assert [each["resource"] for each in json.loads(found.bundle)["entry"]] == [PATIENT, SEEN]
    assert found.as_of == datetime.fromisoformat(MADE)
    assert server.asked == [(SEARCH, f"Bearer {TOKEN}"), (SECOND, f"Bearer {TOKEN}")]


def test_an_answer_of_a_moment_to_come_is_of_now(server: FhirSimulator) -> None:
    for path in (SEARCH, SECOND):
        server.says(path, page(PATIENT, meta={"lastUpdated": "2099-01-01T00:00:00Z"}))
    assert asking(server).search(server.url + SEARCH, NOW).as_of == NOW


def elsewhere(server: FhirSimulator) -> None:
    server.says(SEARCH, page(PATIENT, following="https://127.0.0.1:1/Patient?page=2"))


def of_no_address(server: FhirSimulator) -> None:
    server.says(SEARCH, page(PATIENT, following="https://[127.0.0.1/Patient"))


def of_no_letters(server: FhirSimulator) -> None:
    server.says(SEARCH, page(PATIENT, following=f"{server.url}/Patient?page=\x00"))


def in_the_clear(server: FhirSimulator) -> None:
    server.says(SEARCH, page(PATIENT, following=server.url.replace("https", "http") + SECOND))


def round_and_round(server: FhirSimulator) -> None:
    server.says(SECOND, page(SEEN, following=SEARCH))


def cut_off(server: FhirSimulator) -> None:
    server.answers[SECOND] = (200, b'{"resourceType": "Bun')


def too_few(server: FhirSimulator) -> None:
    server.says(SEARCH, page(PATIENT, following=SECOND, total=3))


def broken(server: FhirSimulator) -> None:
    server.says(SECOND, {}, 500)


def refused(server: FhirSimulator) -> None:
    server.says(SEARCH, {}, 401)


def moved(server: FhirSimulator) -> None:
    server.headers["Location"] = f"{server.url}{SECOND}"
    server.says(SEARCH, {}, 302)


def warned(server: FhirSimulator) -> None:
    issue = [{"severity": "warning", "code": "too-costly"}]
    server.says(SECOND, page(SEEN, {"resourceType": "OperationOutcome", "issue": issue}))


def of_no_moment(server: FhirSimulator) -> None:
    server.says(SECOND, page(SEEN, meta={"lastUpdated": "yesterday"}))


def nobody(server: FhirSimulator) -> None:
    server.says(SEARCH, page())


def no_search(server: FhirSimulator) -> None:
    server.says(SEARCH, {"resourceType": "Patient"})


OUTCOME = {
    "resourceType": "OperationOutcome",
    "issue": [
        {"severity": "error", "code": "too-costly", "diagnostics": "of P1"},
        {"severity": "error", "code": "P1 P1"},
    ],
}


def overloaded(server: FhirSimulator) -> None:
    server.says(SECOND, OUTCOME, 503)


def no_bundle(server: FhirSimulator) -> None:
    server.says(SECOND, OUTCOME)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (elsewhere, "on another server"),
        (of_no_address, "can't be read"),
        (of_no_letters, "can't be reached"),
        (in_the_clear, "on another server"),
        (round_and_round, "don't come to an end"),
        (cut_off, "no JSON"),
        (too_few, "counts 3 matches, and gave 2"),
        (broken, "answered 500"),
        (refused, "refuses us (401)"),
        (moved, "sends us elsewhere (302)"),
        (warned, "warns of its own answer"),
        (of_no_moment, "of no moment"),
        (nobody, "no patient at all"),
        (no_search, "no Bundle of a search"),
        (overloaded, "answered 503 (too-costly)."),
        (no_bundle, "no Bundle of a search (too-costly)."),
    ],
)
def test_half_an_answer_is_none(fault: Callable[[FhirSimulator], None], words: str, server: FhirSimulator) -> None:
    fault(server)
    with pytest.raises(ServerError) as refused:
        asking(server).search(server.url + SEARCH, NOW)
    assert words in str(refused.value)
    assert "P1" not in str(refused.value)


@pytest.mark.parametrize("bound", [{"most_bytes": 100}, {"most_pages": 1}, {"altogether": 0.0}], ids=str)
def test_an_answer_that_does_not_end_is_given_up(bound: dict[str, float], server: FhirSimulator) -> None:
    bounded = replace(asking(server), **bound)  # type: ignore[arg-type]
    with pytest.raises(ServerError, match=r"larger, or takes longer|come to an end"):
        bounded.search(server.url + SEARCH, NOW)


def test_a_server_that_nobody_vouches_for_is_not_told_the_token(server: FhirSimulator, tmp_path: Path) -> None:
    with serving(tmp_path) as stranger, pytest.raises(ServerError, match="certificate is not believed"):
        asking(server).search(stranger.url + SEARCH, NOW)
    assert stranger.asked == []


def test_a_token_is_in_no_words_about_the_server(server: FhirSimulator) -> None:
    assert TOKEN not in repr(asking(server))


ALSO = "Condition?_count=500"
DIAGNOSED = {"resourceType": "Condition"}


def test_further_searches_are_asked_first_and_all_is_of_the_earliest_moment(server: FhirSimulator) -> None:
    earlier = "2026-11-22T08:00:00+00:00"
    server.says(f"/{ALSO}", page(DIAGNOSED, meta={"lastUpdated": earlier}))
    found = asking(server).ask(server.url + SEARCH, (ALSO,), NOW)
    assert [path for path, _ in server.asked] == [f"/{ALSO}", SEARCH, SECOND]
    assert [each["resource"] for each in json.loads(found.bundle)["entry"]] == [DIAGNOSED, PATIENT, SEEN]
    assert found.as_of == datetime.fromisoformat(earlier)


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (page(), 200, "nothing, and counts nothing"),
        (page(total=4), 200, "nothing, and counts nothing"),
        (page(DIAGNOSED, total=2), 200, "counts 2 matches, and gave 1"),
        (OUTCOME, 500, "answered 500 (too-costly)"),
    ],
)
def test_half_an_answer_of_one_of_several_searches_is_none_of_all(
    answer: dict[str, object], status: int, words: str, server: FhirSimulator
) -> None:
    server.says(f"/{ALSO}", answer, status)
    with pytest.raises(ServerError) as refused:
        asking(server).ask(server.url + SEARCH, (ALSO,), NOW)
    assert words in str(refused.value)


def test_a_further_search_that_counts_none_has_found_none(server: FhirSimulator) -> None:
    server.says(f"/{ALSO}", page(total=0))
    found = asking(server).ask(server.url + SEARCH, (ALSO,), NOW)
    assert [each["resource"] for each in json.loads(found.bundle)["entry"]] == [PATIENT, SEEN]
