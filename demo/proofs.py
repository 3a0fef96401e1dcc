"""What the demonstration checks a step by: bits, pixels, traces of the patient, one byte of the trail.

Knows files and objects. Must not know the order of the steps.
"""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path

import pydicom
from PIL import Image, ImageOps
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from demo.consents import Person
from demo.photographs import TRACES
from dicomwrap.bitstream.clean import entropy_coded, hidden


def identifiers_left(person: Person, wrapped: Path, uids: tuple[str, ...], arrived: list[Dataset]) -> list[str]:
    """Say what is wrong with a copy that should be anonymous; empty when nothing is."""
    if len(arrived) != 1:
        return [f"{len(arrived)} copies"]
    copy = arrived[0]
    buffer = io.BytesIO()
    copy.save_as(buffer, enforce_file_format=True)
    names = [person.patient_id, *person.name.split("^"), *uids]
    names += [person.birth_date.replace("-", ""), person.consent]
    found = [name for name in names if name.encode() in buffer.getvalue()]
    if copy.get("PatientIdentityRemoved") != "YES" or "DeidentificationMethodCodeSequence" not in copy:
        found.append("not declared")
    if pixels(copy) != wrapped_pixels(wrapped):
        found.append("other pixels")
    return found


def change_one_byte(registry: Path, copy: Path) -> int:
    """Copy the registry, change one byte of one entry of its trail, and return that entry's number."""
    with sqlite3.connect(registry) as source, sqlite3.connect(copy) as target:
        source.backup(target)
        seq, event_id = target.execute("SELECT seq, event_id FROM trail ORDER BY seq LIMIT 1 OFFSET 5").fetchone()
        target.execute("PRAGMA journal_mode=DELETE")
    content = bytearray(copy.read_bytes())
    at = content.index(b'"id":"' + str(event_id).encode()) + len(b'"id":"')
    content[at] = ord("0") if content[at] != ord("0") else ord("1")
    copy.write_bytes(content)
    return int(seq)


def words(person: Person) -> list[str]:
    """Return what the person agreed to."""
    named = {"DIRECT_CARE": "care", "TEACHING": "teaching anonymised"}
    return [named[str(scope["purpose"])] for scope in person.scopes]


def frame(dataset: Dataset) -> bytes:
    """Return the compressed picture of an object with one frame."""
    return next(generate_frames(dataset.PixelData, number_of_frames=1))


def pixels(dataset: Dataset) -> bytes:
    """Return the decoded pixels of an object."""
    with Image.open(io.BytesIO(frame(dataset))) as image:
        return image.tobytes()


def decoded(photo: Path) -> bytes:
    """Return the decoded pixels of a photograph, upright."""
    with Image.open(photo) as image:
        return ImageOps.exif_transpose(image).tobytes()


def wrapped_pixels(file: Path) -> bytes:
    """Return the decoded pixels of the object in a file."""
    return pixels(pydicom.dcmread(file))


def what_was_kept(photo: Path, file: Path) -> str:
    """Say what of the photograph is in the object, exactly; "" when it is neither its bits nor its pixels.

    A photograph that can't be turned upright without loss is compressed again, and the object says so.
    """
    dataset = pydicom.dcmread(file)
    if entropy_coded(frame(dataset)) == entropy_coded(photo.read_bytes()):
        return "bits exact"
    if pixels(dataset) == decoded(photo):
        return "pixels exact"
    return "compressed again, on record" if dataset.ImageType[0] == "DERIVED" else ""


def no_trace(file: Path, own_photos: tuple[Path, ...]) -> bool:
    """Tell whether nothing that a camera hides is left in the object."""
    content = file.read_bytes()
    generated = own_photos or not any(trace in content for trace in TRACES[1:])
    return bool(generated) and not hidden(frame(pydicom.dcmread(file)))


def first_part(content: bytes) -> Dataset:
    """Return the first object of a multipart/related answer (PS3.18 section 10.4)."""
    start = content.index(b"\r\n\r\n") + 4
    end = content.rindex(b"\r\n--")
    return pydicom.dcmread(io.BytesIO(content[start:end]))
