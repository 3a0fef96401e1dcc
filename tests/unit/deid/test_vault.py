"""What a copy has locked into it: for its custodians alone, in others' tools too, and refused when it was changed."""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from pydicom import dcmread
from pydicom.config import IGNORE
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from orthanc_plugin.deid.apply import deidentify
from orthanc_plugin.deid.leakcheck import leaks_in
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import Pseudonyms
from orthanc_plugin.deid.vault import Vault
from orthanc_plugin.deid.vaultopen import UnopenedError, attributes_in, certificate_of, private_key, restored
from orthanc_plugin.errors import DeidentificationError
from tests.fakes.custodians import SIGNING_ONLY, YEAR, Custodian, certificate, custodian, key_pem, rsa_key
from tests.fakes.pictures import encoded, photograph, photograph_bytes
from tests.fakes.world import START
from tests.unit.dicomwrap.validators import complaints

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

DOMAIN = Pseudonyms(key=bytes(range(32)), domain="study")
WHO = {"PatientName": "Doe^Jane", "PatientID": "P1", "IssuerOfPatientID": "HOSP", "PatientBirthDate": "19800615"}


def vault(*custodians: Custodian) -> Vault:
    return Vault({each.name: each.certificate for each in custodians}, lambda: START)


def copied(
    *custodians: Custodian, original: bytes | None = None, profile: Profile | None = None, named: str = ""
) -> bytes:
    names = (named,) if named else tuple(each.name for each in custodians)
    chosen = profile or Profile(name="study", pseudonym_domain="study", custodians=names)
    content = photograph_bytes() if original is None else original
    return deidentify(content, chosen, DOMAIN, confirmed=True, vault=vault(*custodians)).content


def opened(content: bytes, by: Custodian) -> Dataset:
    key = private_key(by.key)
    candidates = x509.load_pem_x509_certificates(by.certificate.read_bytes())
    return attributes_in(dcmread(BytesIO(content)), key, certificate_of(key, candidates))


def said(item: Dataset) -> dict[str, str]:
    return {keyword: str(item[keyword].value) for keyword in WHO}


def envelope(content: bytes) -> bytes:
    return bytes(dcmread(BytesIO(content)).EncryptedAttributesSequence[0].EncryptedContent)


def with_envelope(content: bytes, changed: bytes, syntax: str = ExplicitVRLittleEndian) -> bytes:
    copy = dcmread(BytesIO(content))
    copy.EncryptedAttributesSequence[0].EncryptedContent = changed + b"\0" * (len(changed) % 2)
    copy.EncryptedAttributesSequence[0].EncryptedContentTransferSyntaxUID = syntax
    return encoded(copy)


def openssl(*arguments: str | Path, given: bytes) -> bytes:
    return subprocess.run(["openssl", "cms", *map(str, arguments)], input=given, capture_output=True, check=True).stdout


def test_a_custodian_finds_again_whose_copy_it_is_and_what_else_was_replaced(tmp_path: Path) -> None:
    records = custodian(tmp_path)
    original, copy = photograph(), copied(records)
    item = opened(copy, records)
    assert said(item) == WHO
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "StudyDate", "AcquisitionDateTime"):
        assert str(item[keyword].value) == str(original[keyword].value)
        assert str(dcmread(BytesIO(copy)).get(keyword)) != str(original[keyword].value)


def test_nothing_is_locked_into_a_copy_whose_profile_has_no_custodian(tmp_path: Path) -> None:
    bare = Profile(name="teaching", pseudonym_domain="teaching")
    copy = copied(custodian(tmp_path), profile=bare)
    assert "EncryptedAttributesSequence" not in dcmread(BytesIO(copy))


def test_each_of_several_custodians_can_open_it_and_nobody_else(tmp_path: Path) -> None:
    records, guardian, stranger = (custodian(tmp_path, name) for name in ("records", "guardian", "stranger"))
    copy = copied(records, guardian)
    assert said(opened(copy, records)) == said(opened(copy, guardian)) == WHO
    with pytest.raises(UnopenedError, match="not for the holder of this key"):
        opened(copy, stranger)


@pytest.mark.parametrize(
    "name",
    ["Müller^Søren", "Иванова^Анна", "山田^太郎", "Doe^Jane^^Dr=Ωμέγα"],
    ids=["latin", "cyrillic", "kanji", "groups"],
)
def test_names_in_any_writing_come_back_whole(name: str, tmp_path: Path) -> None:
    original = photograph()
    original.SpecificCharacterSet, original.PatientName = "ISO_IR 192", name
    records = custodian(tmp_path)
    assert str(opened(copied(records, original=encoded(original)), records).PatientName) == name


@pytest.mark.parametrize("serial", range(1 << 126, (1 << 126) + 4))
def test_it_is_of_even_length_and_opens_whatever_length_the_envelope_has(serial: int, tmp_path: Path) -> None:
    records = custodian(tmp_path, serial=serial >> (8 * (serial % 4)))
    copy = copied(records)
    assert len(envelope(copy)) % 2 == 0
    assert said(opened(copy, records)) == WHO


def test_openssl_opens_what_is_locked_here(tmp_path: Path) -> None:
    records = custodian(tmp_path)
    plain = openssl(
        "-decrypt",
        "-inform",
        "DER",
        "-inkey",
        records.key,
        "-recip",
        records.certificate,
        given=envelope(copied(records)),
    )
    (item,) = read_dataset(BytesIO(plain), is_implicit_VR=False, is_little_endian=True).ModifiedAttributesSequence
    assert said(item) == WHO


@pytest.mark.parametrize("cipher", ["-aes-128-cbc", "-aes-256-cbc"])
@pytest.mark.parametrize("implicit", [True, False], ids=["implicit VR", "explicit VR"])
@pytest.mark.parametrize("undefined", [True, False], ids=["undefined lengths", "lengths"])
def test_what_openssl_locked_opens_here(cipher: str, implicit: bool, undefined: bool, tmp_path: Path) -> None:
    records = custodian(tmp_path)
    item = Dataset()
    for keyword, value in WHO.items():
        setattr(item, keyword, value)
    item.PatientAddress = "1 High Street\r\nTown"
    item.is_undefined_length_sequence_item = undefined
    whole = Dataset()
    whole.SpecificCharacterSet = "ISO_IR 192"
    whole.ModifiedAttributesSequence = [item]
    whole["ModifiedAttributesSequence"].is_undefined_length = undefined
    buffer = BytesIO()
    whole.save_as(buffer, implicit_vr=implicit, little_endian=True)
    arguments = ("-encrypt", "-binary", "-outform", "DER", cipher, records.certificate)
    made = openssl(*arguments, given=buffer.getvalue())
    syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    assert said(opened(with_envelope(copied(records), made, syntax), records)) == WHO


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 0x15]) + content[at + 1 :]


def attempt(content: bytes, by: Custodian) -> Dataset | str:
    try:
        return opened(content, by)
    except UnopenedError as error:
        return f"{error} {error.__cause__}"


def test_wherever_the_content_was_changed_nothing_false_comes_out(tmp_path: Path) -> None:
    records = custodian(tmp_path)
    copy = copied(records)
    locked, true = envelope(copy), opened(copy, records)
    refused = 0
    for at in range(0, len(locked) - 2, 31):
        found = attempt(with_envelope(copy, flipped(locked, at)), records)
        if isinstance(found, str):
            refused += 1
            assert found.endswith("None")
            assert not [value for value in WHO.values() if value in found]
        else:
            assert found == true
    assert refused > len(locked) // 62


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (lambda locked: locked[: len(locked) // 2], "can't be opened"),
        (lambda locked: flipped(locked, len(locked) - 40), "can't be opened"),
        (lambda locked: b"", "not for the holder"),
        (lambda locked: b"no envelope at all, but quite some text", "not for the holder"),
    ],
    ids=["cut off", "a byte of the cipher", "empty", "another thing"],
)
def test_what_was_changed_is_refused(changed: Callable[[bytes], bytes], words: str, tmp_path: Path) -> None:
    records = custodian(tmp_path)
    copy = copied(records)
    with pytest.raises(UnopenedError, match=words):
        opened(with_envelope(copy, changed(envelope(copy))), records)


def test_a_transfer_syntax_that_can_t_be_read_is_refused(tmp_path: Path) -> None:
    records = custodian(tmp_path)
    copy = copied(records)
    with pytest.raises(UnopenedError, match="transfer syntax"):
        opened(with_envelope(copy, envelope(copy), "1.2.840.10008.1.2.2"), records)


def test_a_file_with_nothing_locked_in_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnopenedError, match="no Encrypted Attributes Sequence"):
        opened(photograph_bytes(), custodian(tmp_path))


@pytest.mark.parametrize(
    ("pem", "words"),
    [
        (lambda: certificate("c", until=START - timedelta(days=1)), "has expired"),
        (lambda: certificate("c", since=START + timedelta(days=1)), "not yet valid"),
        (lambda: certificate("c", key=rsa_key("weak", 1024)), "too weak: 1024 bits"),
        (lambda: certificate("c", key=ec.generate_private_key(ec.SECP256R1())), "no RSA key"),
        (lambda: certificate("c", usage=SIGNING_ONLY), "not for encipherment"),
        (lambda: b"no certificate", "can't be read"),
        (None, "can't be read"),
    ],
    ids=["expired", "not yet", "weak", "elliptic", "signing", "another thing", "missing"],
)
def test_a_certificate_that_can_t_be_used_stops_the_copy(
    pem: Callable[[], bytes] | None, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "c.pem"
    if pem is not None:
        path.write_bytes(pem())
    broken = Custodian(name="c", key=path, certificate=path)
    with pytest.raises(DeidentificationError, match=words) as caught:
        copied(broken)
    assert "settings.toml" in str(caught.value)


def test_a_custodian_that_nobody_knows_stops_the_copy(tmp_path: Path) -> None:
    with pytest.raises(DeidentificationError, match="no custodian nobody"):
        copied(custodian(tmp_path), named="nobody")
    profile = Profile(name="study", pseudonym_domain="study", custodians=("records",))
    with pytest.raises(DeidentificationError, match="nobody knows their certificates"):
        deidentify(photograph_bytes(), profile, DOMAIN, confirmed=True)


def test_a_certificate_that_is_replaced_counts_at_once(tmp_path: Path) -> None:
    records = custodian(tmp_path)
    records.certificate.write_bytes(certificate("records", until=START - YEAR / 2))
    with pytest.raises(DeidentificationError, match="expired"):
        copied(records)
    records.certificate.write_bytes(certificate("records"))
    assert said(opened(copied(records), records)) == WHO


def test_the_leak_check_takes_the_cipher_for_no_leak_and_plain_text_in_its_place_for_one(tmp_path: Path) -> None:
    records = custodian(tmp_path)
    original = photograph()
    for _ in range(20):  # encrypted anew each time: it isn't luck
        assert leaks_in(original, copied(records)) == ()
    copy = copied(records)
    locked = envelope(copy)
    plain = b"\x30\x82\x02\xc0" + locked[4:30] + b"Doe^Jane 2.25.1 19800615" + locked[30:]
    assert "PatientName" in leaks_in(original, with_envelope(copy, plain))
    assert "EncryptedAttributesSequence" in leaks_in(original, with_envelope(copy, b"\x04\x10" + bytes(16)))


def test_a_certificate_that_names_the_hospital_is_a_leak(tmp_path: Path) -> None:
    original = photograph()
    original.InstitutionName = "St Elsewhere Infirmary"
    named = custodian(tmp_path, "St Elsewhere Infirmary")
    with pytest.raises(DeidentificationError, match="InstitutionName"):
        copied(named, original=encoded(original))


def test_dciodvfy_finds_nothing_in_it_that_it_does_not_find_without(tmp_path: Path) -> None:
    path, without = tmp_path / "copy.dcm", tmp_path / "without.dcm"
    path.write_bytes(copied(custodian(tmp_path)))
    without.write_bytes(copied(profile=Profile(name="study", pseudonym_domain="study")))
    assert complaints(path) == complaints(without)


def test_the_restored_file_says_whose_it_is_and_no_longer_that_it_is_a_copy(tmp_path: Path) -> None:
    records = custodian(tmp_path)
    copy = copied(records)
    again = dcmread(BytesIO(restored(copy, opened(copy, records))))
    assert said(again) == WHO
    assert again.PatientIdentityRemoved == "NO"
    assert "DeidentificationMethodCodeSequence" not in again
    assert "EncryptedAttributesSequence" not in again
    assert again.file_meta.MediaStorageSOPInstanceUID == again.SOPInstanceUID == photograph().SOPInstanceUID
    assert again.PixelData == dcmread(BytesIO(copy)).PixelData


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (b"no key", 0o600, "can't be read"),
        (key_pem("records"), 0o644, "chmod 600"),
        (key_pem("records", b"secret"), 0o600, "passphrase"),
    ],
)
def test_a_private_key_that_can_t_be_used_says_why(content: bytes, mode: int, words: str, tmp_path: Path) -> None:
    path = tmp_path / "k.pem"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(UnopenedError, match=words):
        private_key(path)


def test_a_key_with_a_passphrase_opens_with_it(tmp_path: Path) -> None:
    path = tmp_path / "k.pem"
    path.write_bytes(key_pem("records", b"secret"))
    path.chmod(0o600)
    assert private_key(path, "secret").key_size == 2048
    with pytest.raises(UnopenedError):
        private_key(path, "another")


def test_a_certificate_of_another_key_is_not_taken(tmp_path: Path) -> None:
    records, other = custodian(tmp_path), custodian(tmp_path, "other")
    with pytest.raises(UnopenedError, match="No certificate belongs"):
        certificate_of(private_key(records.key), x509.load_pem_x509_certificates(other.certificate.read_bytes()))


@pytest.mark.filterwarnings("error")
def test_a_value_that_the_standard_does_not_allow_is_locked_as_it_is_and_told_to_nobody(tmp_path: Path) -> None:
    original = photograph()
    with warnings.catch_warnings(action="ignore"):
        original.add(DataElement(0x00080020, "DA", "1st of May, Doe", validation_mode=IGNORE))
        content = encoded(original)
    item = dcmread(BytesIO(content))
    records = custodian(tmp_path)
    copy = Dataset()
    copy.EncryptedAttributesSequence = [vault(records).locked(item, ("records",))]
    key, candidates = private_key(records.key), x509.load_pem_x509_certificates(records.certificate.read_bytes())
    found = attributes_in(copy, key, candidates)
    with warnings.catch_warnings(action="ignore"):
        assert found.StudyDate == "1st of May, Doe"


def test_a_profile_says_who_can_open_its_copies() -> None:
    said = Profile(name="s", pseudonym_domain="s", custodians=("records", "guardian")).describe()
    assert "records, guardian" in said["EncryptedAttributesSequence"]
