"""A FHIR file is one resource or a collection; what is a trap is refused."""

from __future__ import annotations

import json

import pytest

from orthanc_plugin.fhir.document import DEEPEST, LARGEST, read_document
from orthanc_plugin.fhir.elements import FhirError

ONE = {"resourceType": "Consent", "status": "active"}


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


def test_a_file_of_one_resource_is_that() -> None:
    assert read_document(json.dumps(ONE).encode()) == (ONE,)


def test_a_collection_gives_its_resources_in_order() -> None:
    two = {**ONE, "status": "inactive"}
    entries = [{"fullUrl": "urn:x", "resource": ONE}, {"resource": two}]
    bundle = {"resourceType": "Bundle", "id": "b", "type": "collection", "entry": entries}
    assert read_document(json.dumps(bundle).encode()) == (ONE, two)


@pytest.mark.parametrize(
    ("bundle", "fault"),
    [
        ({"type": "transaction", "entry": [{"resource": ONE}]}, "Bundle.type: must be collection"),
        ({"type": "collection"}, "Bundle.entry: is missing"),
        ({"type": "collection", "entry": []}, "Bundle.entry: must be an array of at least one object"),
        ({"type": "collection", "entry": [{"fullUrl": "urn:x"}]}, "Bundle.entry[0].resource: is missing"),
        ({"type": "collection", "entry": [{"resource": ONE, "request": {}}]}, "Bundle.entry[0].request: is not known"),
        ({"type": "collection", "entry": [{"resource": ONE}], "total": 1}, "Bundle.total: is not known here"),
    ],
)
def test_a_bundle_of_another_kind_is_refused(bundle: dict[str, object], fault: str) -> None:
    with pytest.raises(FhirError) as refused:
        read_document(json.dumps({"resourceType": "Bundle", **bundle}).encode())
    assert any(each.startswith(fault) for each in refused.value.problems)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "line 1, column 1: is no JSON"),
        (b"{", "line 1, column 2: is no JSON"),
        (b"\xff", "is not written in UTF-8"),
        (b'{"status": "active", "status": "inactive"}', "'status' is written twice in one object"),
        (b'{"a": 1234567890123456789}', "holds a number of more than 18 digits"),
        (b'{"a": NaN}', "holds NaN, which is no JSON"),
        (b" " * (LARGEST + 1), "is larger than 256 KiB"),
        (nested(DEEPEST + 2), "is nested more than 32 deep"),
        (nested(100_000), "is nested more than 32 deep"),
    ],
)
def test_a_trap_is_refused(data: bytes, fault: str) -> None:
    with pytest.raises(FhirError) as refused:
        read_document(data)
    assert refused.value.problems[0].startswith(fault)


def test_as_deep_as_is_allowed_is_read() -> None:
    assert read_document(nested(DEEPEST + 1))
