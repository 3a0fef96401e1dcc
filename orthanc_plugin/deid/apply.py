"""Derive the copy: apply a profile to an original, clean its stream again, prove it, encode it.

Knows DICOM objects and the profile. Must not know who asked. What can't be parsed or proven doesn't leave. Source:
PS3.15 Annex E.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from dicomwrap.bitstream.outgoing import begun
from dicomwrap.bitstream.recipes import Recipes
from dicomwrap.bitstream.rewrite import rewritten
from dicomwrap.confidentiality import Option
from dicomwrap.errors import DicomwrapError
from dicomwrap.hostile import UNREADABLE
from dicomwrap.iodtables import SOP_CLASSES
from dicomwrap.judging.opening import UnfitFileError, read
from orthanc_plugin.deid.actions import Needs
from orthanc_plugin.deid.crops import Crop, cropped
from orthanc_plugin.deid.elements import elements_of, every_element
from orthanc_plugin.deid.encoding import with_head
from orthanc_plugin.deid.engine import Engine, check
from orthanc_plugin.deid.leakcheck import leaks_among
from orthanc_plugin.deid.privateblocks import keep_safe
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import Pseudonyms
from orthanc_plugin.deid.regions import Region, redacted
from orthanc_plugin.deid.streams import clean_pixels, impurities, syntax_of
from orthanc_plugin.deid.values import texts
from orthanc_plugin.deid.vault import Vault
from orthanc_plugin.errors import DeidentificationError

IMPLEMENTATION_UID: Final = UID("2.25.217380364514827196011475313512091237004")
DOCUMENTS: Final = "1.2.840.10008.5.1.4.1.1.104."
# Parts of the outermost data set that must be pictures or nothing.
OTHER_PIXELS: Final = ("FloatPixelData", "DoubleFloatPixelData", "PixelDataProviderURL")
SHORTEST_HIDDEN: Final = 4  # characters
UIDS: Final = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
_DEFLATED: Final = DeflatedExplicitVRLittleEndian.encode()
PIXELS: Final = 0x7FE00010
# What stands about fragments (PS3.5 A.4 and table A.4-1): encapsulated syntaxes are all explicit and little endian.
_FRAGMENTS: Final = bytes.fromhex("e07f1000") + b"OB\0\0" + bytes.fromhex("ffffffff")
_END_OF_FRAGMENTS: Final = bytes.fromhex("feffdde000000000")
DATES: Final = {Option.RETAIN_FULL_DATES: "UNMODIFIED", Option.RETAIN_MODIFIED_DATES: "MODIFIED"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """A copy that may leave: its bytes, its own SOP Instance UID, and how many attributes were changed or removed."""

    content: bytes
    sop_instance_uid: str
    actions: int = 0


def _read(content: bytes) -> Dataset:
    """Return the object; one that is deflated is never inflated without end."""
    if _DEFLATED not in content:
        return pydicom.dcmread(BytesIO(content))
    try:
        return read(BytesIO(content))
    except UnfitFileError as error:
        raise DeidentificationError(f"The object can't be anonymised: it {error}.") from error


def _opened(content: bytes) -> Dataset:
    """Return the object.

    Raises:
        DeidentificationError: it is no picture that can be anonymised.
    """
    original = _read(content)
    if "SOPClassUID" not in original or "TransferSyntaxUID" not in original.file_meta:
        raise DeidentificationError("The object doesn't say what it is: it has no SOP class or no transfer syntax.")
    sop_class = str(original.SOPClassUID)
    if sop_class.startswith(DOCUMENTS) or "EncapsulatedDocument" in original:
        raise DeidentificationError("Documents, such as signed consent forms, are never anonymised.")
    if "PixelData" not in original or any(keyword in original for keyword in OTHER_PIXELS):
        raise DeidentificationError("The object has no pixel data that can be anonymised.")
    if UID(sop_class).type != "SOP Class":
        raise DeidentificationError("SOPClassUID has a value outside its vocabulary.")
    known = SOP_CLASSES.get(sop_class)
    if known is not None and known.modality not in ("", original.get("Modality")):
        raise DeidentificationError("Modality has a value outside its vocabulary.")
    if any(original[keyword].VM > 1 for keyword in UIDS if keyword in original) or not original.get("SOPInstanceUID"):
        raise DeidentificationError("The object hasn't one SOP Instance UID, in one study and series.")
    check(original)
    return original


def _patient(original: Dataset) -> tuple[str, str]:
    """Return whose picture it is; one that has no number is of nobody but its own study."""
    number = str(original.get("PatientID") or "").strip()  # blanks before it say nothing (PS3.5 6.2)
    if number:
        return number, str(original.get("IssuerOfPatientID") or "").strip()
    if not original.get("StudyInstanceUID"):
        raise DeidentificationError("The object is of no patient and of no study.")
    return str(original.StudyInstanceUID), "no patient ID"


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _declare(copy: Dataset, original: Dataset, profile: Profile, *, confirmed: bool) -> None:
    """Write truthfully what was done (PS3.3 C.7.1.1, C.12.1); of the picture only what a person has confirmed."""
    copy.SpecificCharacterSet = "ISO_IR 192"
    copy.PatientIdentityRemoved = "YES" if confirmed else "NO"
    copy.DeidentificationMethod = f"Consentgate profile {profile.name}"
    copy.DeidentificationMethodCodeSequence = [_code(*method) for method in profile.methods(confirmed=confirmed)]
    kept = (words for option, words in DATES.items() if option in profile.options)
    copy.LongitudinalTemporalInformationModified = next(kept, "REMOVED")
    for keyword in ("BurnedInAnnotation", "RecognizableVisualFeatures"):
        said = "NO" if confirmed else original.get(keyword)
        if said in ("YES", "NO"):
            setattr(copy, keyword, said)
    equipment = Dataset()
    equipment.PurposeOfReferenceCodeSequence = [_code("109104", "De-identifying Equipment")]
    equipment.Manufacturer = "Consentgate"
    copy.ContributingEquipmentSequence = [equipment]


def _lock(copy: Dataset, original: Dataset, profile: Profile, vault: Vault | None) -> None:
    """Lock what re-identification needs into the copy, where the profile has custodians for it."""
    if not profile.custodians:
        return
    if vault is None:
        raise DeidentificationError("The profile has custodians, and nobody knows their certificates here.")
    copy.EncryptedAttributesSequence = [vault.locked(original, profile.custodians)]


def _identified(copy: Dataset, syntax: str) -> None:
    """Write the file meta information anew: nothing of the original's is in it."""
    copy.file_meta = FileMetaDataset()
    copy.file_meta.MediaStorageSOPClassUID = copy.SOPClassUID
    copy.file_meta.MediaStorageSOPInstanceUID = copy.SOPInstanceUID
    copy.file_meta.TransferSyntaxUID = UID(syntax)
    copy.file_meta.ImplementationClassUID = IMPLEMENTATION_UID


def _with_pixels(copy: Dataset, original: Dataset) -> None:
    pixels = original["PixelData"]
    copy["PixelData"] = DataElement(pixels.tag, pixels.VR, pixels.value)
    copy["PixelData"].is_undefined_length = pixels.is_undefined_length


def _encoded(copy: Dataset) -> bytes:
    """Return the copy's bytes; fragments that come last, as they do, are put behind the rest and not copied about."""
    pixels = copy["PixelData"]
    syntax = copy.file_meta.TransferSyntaxUID
    last = syntax.is_encapsulated and pixels.is_undefined_length and pixels.tag == max(copy.keys())
    if not last:
        buffer = BytesIO()
        copy.save_as(buffer, enforce_file_format=True)
        return buffer.getvalue()
    del copy["PixelData"]
    head = with_head(copy)
    copy[pixels.tag] = pixels
    return b"".join((head, _FRAGMENTS, pixels.value, _END_OF_FRAGMENTS))


def _kept_days(original: Dataset, engine: Engine) -> str:
    """Return the dates that the profile keeps as they are, one after the other."""
    kept = (each for each in elements_of(original) if each.tag in engine.retained and each.VR in ("DA", "DT"))
    return "\\".join(text for element in kept for text in texts(element))


def _secrets(original: Dataset, engine: Engine, days: str) -> Iterator[DataElement]:
    """Yield what of the original the profile doesn't expressly keep, at any depth: it must not be in the copy.

    A number that is nothing but a date that is kept, as a study's often is, says no more than the date.
    """
    for element in every_element(original):
        kept = element.tag in engine.retained or element.tag == PIXELS
        if element.VR != "SQ" and not kept and not _is_said_by(element, days):
            yield element


def _is_said_by(element: DataElement, days: str) -> bool:
    return bool(days) and all(text in days for text in texts(element))


def _hidden_in_uids(original: Dataset, again: Dataset) -> bool:
    """Tell whether a UID that is kept as it is has the patient's number or birth date in it."""
    said = (str(original.get(keyword) or "") for keyword in ("PatientID", "PatientBirthDate", "AccessionNumber"))
    secrets = [text for each in said if len(text := each.lstrip("0")) >= SHORTEST_HIDDEN]  # no UID has leading zeros
    uids = (str(element.value) for element in every_element(again) if element.VR == "UI")
    return any(secret in uid for uid in uids for secret in secrets)


def _proven(content: bytes, original: Dataset, engine: Engine) -> None:
    """Read the encoded copy back and refuse it when anything of the patient is still in it."""
    again = pydicom.dcmread(BytesIO(content))
    if found := impurities(again, syntax_of(again)):
        raise DeidentificationError(f"The copy's stream is not clean: {'; '.join(found)}.")
    if Option.RETAIN_UIDS in engine.profile.options and _hidden_in_uids(original, again):
        raise DeidentificationError("A UID that is kept has an identifier of the patient in it.")
    if found := leaks_among(_secrets(original, engine, _kept_days(original, engine)), content):
        raise DeidentificationError(f"The copy still carries identifiers in {', '.join(sorted(set(found)))}.")


def deidentify(
    content: bytes,
    profile: Profile,
    pseudonyms: Pseudonyms,
    *,
    confirmed: bool = False,
    regions: Sequence[Region] = (),
    crop: Crop | None = None,
    vault: Vault | None = None,
    known: Recipes | None = None,
) -> Derived:
    """Return the copy of ``content`` under ``profile``; the same input and key give the same copy.

    What is locked into it for custodians is encrypted anew each time.

    Args:
        content: the original's bytes.
        profile: what is done.
        pseudonyms: of the profile's domain.
        confirmed: whether a named person has looked at exactly this picture and found nothing identifying outside
            ``regions``.
        regions: what is blanked.
        crop: what is kept once regions are blanked, in pixels of the whole picture; all of it when not given.
        vault: where the profile's custodians' certificates are.
        known: remembers how a picture's stream came out when it was written anew; never asked where something of the
            picture is blanked or cut off.

    Raises:
        DeidentificationError: the object can't be parsed, is no picture that can be anonymised, or the copy could not
            be proven clean.
    """
    try:
        original = _opened(content)
        syntax = syntax_of(original)
        engine = Engine(profile, pseudonyms, _patient(original))
        with nullcontext(rewritten) if regions or crop else begun(original, known) as rewrite:
            copy = engine.copy(original, Needs.of_object(str(original.SOPClassUID)))
            _identified(copy, syntax.uid)
            _with_pixels(copy, original)
            if profile.retains_safe_private:
                keep_safe(original, copy)
            if regions:
                redacted(copy, regions)
            if crop:
                cropped(copy, crop)
            clean_pixels(copy, syntax, blanked=bool(regions or crop), rewrite=rewrite)
        _declare(copy, original, profile, confirmed=confirmed)
        _lock(copy, original, profile, vault)
        derived = Derived(content=_encoded(copy), sop_instance_uid=str(copy.SOPInstanceUID), actions=engine.changed)
        _proven(derived.content, original, engine)
    except DeidentificationError:
        raise
    except InvalidDicomError as error:
        raise DeidentificationError("The bytes are no DICOM object (PS3.10).") from error
    except DicomwrapError as error:
        raise DeidentificationError(f"The object can't be anonymised: {error.reason}.") from error
    except UNREADABLE as error:
        raise DeidentificationError(f"The object can't be anonymised ({type(error).__name__}).") from error
    return derived
