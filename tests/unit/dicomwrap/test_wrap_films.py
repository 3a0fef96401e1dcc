"""Films among the photographs of a call."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicomwrap.consenttags import SealState, seal_state
from tests.unit.dicomwrap import films, photos
from tests.unit.dicomwrap.calls import PATIENT, PDF, left_behind, objects, put, run_json, statuses
from tests.unit.dicomwrap.validators import complaints, is_part_10

SOP_CLASS_UID = "1.2.840.10008.5.1.4.1.1.77.1.4.1"
KEY = b"0123456789abcdef"


@pytest.fixture(scope="module")
def film() -> bytes:
    return films.camera_film()


def wrapped(folder: Path, data: bytes, *said: str | Path) -> tuple[int, list[dict[str, object]]]:
    return run_json(put(folder / "in" / "a.mp4", data), "--out", folder / "out", *PATIENT, *said)


def test_a_film_becomes_an_object_with_its_consent(film: bytes, tmp_path: Path) -> None:
    code, rows = wrapped(tmp_path, film, "--stamp-key", put(tmp_path / "key", KEY))
    assert (code, statuses(rows), rows[0]["lossless"]) == (0, ["wrapped"], True)
    (dataset,) = objects(rows)
    assert (dataset.SOPClassUID, dataset.NumberOfFrames) == (SOP_CLASS_UID, films.FRAMES)
    assert (dataset.PatientID, dataset.ImageLaterality) == ("P1", "L")
    assert rows[0]["transfer_syntax"] == dataset.file_meta.TransferSyntaxUID
    assert (rows[0]["rows"], rows[0]["columns"]) == (films.HEIGHT, films.WIDTH)
    assert seal_state(dataset, KEY) is SealState.HOLDS


def test_a_stamped_film_passes_the_validators_and_tells_no_secret(film: bytes, tmp_path: Path) -> None:
    wrapped(tmp_path, film)
    path = tmp_path / "out" / "a.dcm"
    assert complaints(path) == []
    assert is_part_10(path)
    data = path.read_bytes()
    assert [secret for secret in (*films.SECRETS, *films.OURS) if secret in data] == []


def test_a_film_with_sound_needs_a_word(tmp_path: Path) -> None:
    loud = films.encoded(sound=True)
    code, rows = wrapped(tmp_path, loud)
    assert (code, statuses(rows)) == (1, ["refused"])
    assert "--drop-audio" in str(rows[0]["remedy"])
    assert not (tmp_path / "out").exists()
    code, rows = wrapped(tmp_path, loud, "--drop-audio")
    assert (code, statuses(rows)) == (0, ["wrapped"])


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_films_and_photographs_of_one_call_are_one_study(jobs: str, film: bytes, tmp_path: Path) -> None:
    files = [put(tmp_path / "a.mp4", film), put(tmp_path / "a.jpg", photos.camera_photo())]
    form = put(tmp_path / "f.pdf", PDF)
    code, rows = run_json(*files, "--out", tmp_path / "out", *PATIENT, "--consent-form", form, "--jobs", jobs)
    assert (code, left_behind(tmp_path / "out")) == (0, ["a-2.dcm", "a.dcm", "consent-form.dcm"])
    made = objects(rows)
    assert len({each.StudyInstanceUID for each in made}) == len({each.StudyTime for each in made}) == 1
    assert [each.Modality for each in made] == ["XC", "XC", "DOC"]
    for each in made[:2]:
        assert each.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == made[2].SOPInstanceUID


def test_a_film_in_a_manifest_is_wrapped(film: bytes, tmp_path: Path) -> None:
    put(tmp_path / "a.mp4", film)
    manifest = put(tmp_path / "m.csv", "photo,patient_id\na.mp4,P1\n")
    for _ in range(2):
        code, rows = run_json("--manifest", manifest, "--out", tmp_path / "out")
        assert code == 0
    assert rows == []


def test_half_a_film_is_refused(film: bytes, tmp_path: Path) -> None:
    code, rows = wrapped(tmp_path, film[: len(film) // 2])
    assert (code, statuses(rows)) == (1, ["refused"])
    assert not (tmp_path / "out").exists()


def test_a_dermoscopic_film_is_told_or_refused(film: bytes, tmp_path: Path) -> None:
    """There is no dermoscopic film in DICOM: what was said of the dermatoscope must not be lost without a word."""
    code, rows = wrapped(tmp_path, film, "--dermoscopy", "--immersion", "WATER")
    told = [str(rows[0].get("reason"))] if code else rows[0]["warnings"]
    assert any("dermoscop" in str(each).lower() for each in told)  # type: ignore[union-attr]
