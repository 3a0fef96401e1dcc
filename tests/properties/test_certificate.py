"""A certificate holds as it was issued, and in no other writing."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from orthanc_plugin.retention.certificate import CertificateError, Kind, issue, key_file, read_key_file, verify

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
CONTENT: dict[str, object] = {"number": "c-1", "records": [{"rule": "ADULT_GENERAL", "objects": 2}], "kept": [], "n": 1}
TEXT = issue(CONTENT, KEY).text.encode()
WRITTEN = {kind: issue(CONTENT, KEY, kind).text.encode() for kind in Kind}
kinds = st.sampled_from(Kind)
texts = st.text(max_size=20)
values = st.recursive(
    texts | st.integers() | st.booleans() | st.none(), lambda each: st.lists(each) | st.dictionaries(texts, each)
)


@given(content=st.dictionaries(texts, values), kind=kinds)
def test_what_was_issued_verifies_and_says_what_was_put_in(content: dict[str, object], kind: Kind) -> None:
    names = content.keys() - {"format", "public_key", "signature"}
    found = verify(issue(content, KEY, kind).text.encode(), KEY.public_key(), *Kind)
    assert {name: found[name] for name in names} == {name: content[name] for name in names}
    assert found["format"] == kind


@given(kind=kinds, at=st.integers(0, len(TEXT) - 1), byte=st.integers(0, 255))
def test_one_changed_byte_is_found_out_with_words_that_say_so(kind: Kind, at: int, byte: int) -> None:
    text = WRITTEN[kind]
    changed = text[: at % len(text)] + bytes([byte]) + text[at % len(text) + 1 :]
    if changed == text:
        verify(changed, KEY.public_key(), *Kind)
        return
    with pytest.raises(CertificateError) as caught:
        verify(changed, KEY.public_key(), *Kind)
    assert len(str(caught.value)) > len(caught.value.remedy) > 0


@given(kind=kinds, at=st.integers(0, len(TEXT)), more=st.binary(min_size=1, max_size=4))
def test_nothing_can_be_put_in_or_cut_off(kind: Kind, at: int, more: bytes) -> None:
    text = WRITTEN[kind]
    for changed in (text[:at] + more + text[at:], text[:at]):
        if changed != text:
            with pytest.raises(CertificateError):
                verify(changed, KEY.public_key(), *Kind)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("asked", list(Kind))
def test_a_certificate_of_one_kind_is_none_of_another(kind: Kind, asked: Kind) -> None:
    if asked is kind:
        assert verify(WRITTEN[kind], KEY.public_key(), asked)["number"] == "c-1"
        return
    with pytest.raises(CertificateError):
        verify(WRITTEN[kind], KEY.public_key(), asked)
    renamed = WRITTEN[kind].replace(kind.encode(), asked.encode())
    with pytest.raises(CertificateError):
        verify(renamed, KEY.public_key(), asked)


@pytest.mark.parametrize("kind", list(Kind))
def test_the_same_content_in_another_writing_is_refused(kind: Kind) -> None:
    one = json.dumps(json.loads(WRITTEN[kind]), sort_keys=True).encode() + b"\n"
    with pytest.raises(CertificateError, match="isn't written as a certificate is"):
        verify(one, KEY.public_key(), *Kind)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "can't be read as JSON"),
        (b"\xff\xfe", "can't be read as JSON"),
        (b"[" * 100_000, "can't be read as JSON"),
        (json.dumps(json.loads(TEXT)).encode(), "isn't written as a certificate is"),
        (b'{\n "format": "another"\n}\n', "no certificate of destruction"),
    ],
    ids=["empty", "not text", "deep", "written otherwise", "another format"],
)
def test_what_is_no_certificate_is_refused_with_the_reason(text: bytes, words: str) -> None:
    with pytest.raises(CertificateError, match=words):
        verify(text, KEY.public_key())


def test_another_s_certificate_is_refused_with_the_remedy() -> None:
    with pytest.raises(CertificateError, match="certificate key"):
        verify(TEXT, OTHER.public_key())


def test_the_key_goes_out_as_pem_and_comes_back() -> None:
    text = key_file(KEY.public_key())
    assert text.startswith("-----BEGIN PUBLIC KEY-----")
    assert verify(TEXT, read_key_file(text.encode()))["number"] == "c-1"


@pytest.mark.parametrize("text", [b"", b"nonsense", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_what_is_no_key_is_refused_with_the_remedy(text: bytes) -> None:
    with pytest.raises(CertificateError, match="certificate key"):
        read_key_file(text)
