"""Every kind of object that ``dicomwrap wrap`` makes, in a real Orthanc: stored as it is, and shown."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from PIL import Image, ImageChops, ImageStat
from pydicom import dcmread

from demo.consents import PEOPLE, consent_file
from demo.peers import CALLED_AET, HOST
from dicomwrap.cli.main import Tools, main
from dicomwrap.sending.node import Caller, Node
from dicomwrap.sending.parcel import parcel
from dicomwrap.sending.storescu import store
from dicomwrap.uids import fresh_uid
from tests.integration.archive import Archive
from tests.integration.stock import PASSWORD, USER, Stock, orthanc
from tests.unit.dicomwrap import calls, films, photos, rasterfiles
from tests.unit.dicomwrap.objects import NOW

WIDTH, HEIGHT = 64, 48


def turned(orientation: int, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    return photos.jpeg(photos.picture(width, height), exif=photos.exif(orientation=orientation))


KINDS: dict[str, tuple[str, Callable[[], bytes], tuple[str, ...]]] = {
    "baseline JPEG": ("a.jpg", photos.camera_photo, ()),
    "grey JPEG": ("b.jpg", lambda: photos.jpeg(photos.picture(mode="L")), ()),
    "turned without loss": ("c.jpg", lambda: turned(6), ()),
    "turned and compressed again": ("d.jpg", lambda: turned(6, 50, 41), ()),
    "progressive JPEG": ("e.jpg", lambda: photos.jpeg(progressive=True), ()),
    "CMYK JPEG": ("f.jpg", lambda: photos.jpeg(photos.picture(mode="CMYK")), ()),
    "PNG": ("g.png", lambda: rasterfiles.saved(photos.picture(), "PNG"), ()),
    "grey TIFF": ("h.tif", lambda: rasterfiles.saved(photos.picture(mode="L"), "TIFF"), ()),
    "WebP": ("i.webp", lambda: rasterfiles.saved(photos.picture(), "WEBP"), ()),
    "HEIC": ("j.heic", lambda: rasterfiles.heic(photos.picture()), ()),
    "dermoscopy": ("k.jpg", photos.camera_photo, ("--dermoscopy", "--polarised", "--lesion", "L1")),
}
FILM = ("film.mp4", films.camera_film, ("--drop-audio",))


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stock]:
    with orthanc(tmp_path_factory.mktemp("stock")) as running:
        yield running


def stored(stock: Stock, content: bytes) -> tuple[httpx.Client, str]:
    client = httpx.Client(base_url=stock.url, auth=(USER, PASSWORD), trust_env=False, timeout=60)
    answer = client.post("/instances", content=content)
    assert answer.is_success, answer.text
    return client, str(answer.json()["ID"])


def wrapped(*arguments: str | Path) -> list[Path]:
    """Wrap with UIDs that nobody else has, and return the objects."""
    tools = Tools(now=lambda: NOW, new_uid=fresh_uid)
    result = CliRunner().invoke(main, ["wrap", "--json", *map(str, arguments)], obj=tools, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return [Path(json.loads(line)["output"]) for line in result.stdout.splitlines()]


def made(folder: Path, name: str, data: bytes, *options: str) -> Path:
    (file,) = wrapped(calls.put(folder / name, data), *calls.PATIENT, *options, "--out", folder / "out")
    return file


@pytest.mark.parametrize(("name", "source", "options"), KINDS.values(), ids=list(KINDS))
def test_orthanc_stores_it_as_it_is_and_shows_it(
    stock: Stock, tmp_path: Path, name: str, source: Callable[[], bytes], options: tuple[str, ...]
) -> None:
    file = made(tmp_path, name, source(), *options)
    client, instance = stored(stock, file.read_bytes())
    assert client.get(f"/instances/{instance}/file").content == file.read_bytes()
    shown = client.get(f"/instances/{instance}/preview", headers={"Accept": "image/png"})
    assert shown.is_success, shown.text
    assert_looks_like(shown.content, picture_of(file))


def picture_of(file: Path) -> Image.Image:
    dataset = dcmread(file)
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        from pydicom.encaps import generate_frames

        return Image.open(io.BytesIO(next(generate_frames(dataset.PixelData, number_of_frames=1))))
    mode = "L" if dataset.SamplesPerPixel == 1 else "RGB"
    length = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel
    return Image.frombytes(mode, (dataset.Columns, dataset.Rows), dataset.PixelData[:length])


def assert_looks_like(png: bytes, wanted: Image.Image) -> None:
    with Image.open(io.BytesIO(png)) as seen:
        assert seen.size == wanted.size
        difference = ImageChops.difference(seen.convert("RGB"), wanted.convert("RGB"))
        assert max(ImageStat.Stat(difference).mean) < 2  # decoders round differently


def test_orthanc_stores_a_film_and_a_consent_form(stock: Stock, tmp_path: Path) -> None:
    name, source, options = FILM
    file = made(tmp_path, name, source(), *options)
    client, instance = stored(stock, file.read_bytes())
    assert client.get(f"/instances/{instance}/file").content == file.read_bytes()
    form = calls.put(tmp_path / "form.pdf", calls.PDF)
    photo = calls.put(tmp_path / "p.jpg", photos.jpeg())
    files = wrapped(photo, "--out", tmp_path / "two", "--consent-form", form, *calls.PATIENT)
    assert len(files) == 2
    for each in files:
        client, instance = stored(stock, each.read_bytes())
    assert client.get(f"/instances/{instance}/pdf").content.rstrip(b"\0") == calls.PDF


@pytest.mark.parametrize("kind", ["PNG", "turned and compressed again", "HEIC", "dermoscopy"])
def test_the_guarded_archive_files_it_under_the_patients_consent(archive: Archive, tmp_path: Path, kind: str) -> None:
    name, source, options = KINDS[kind]
    person = PEOPLE[0]
    who = ("--issuer", "HOSPITAL", "--patient-name", person.name, "--birth-date", person.birth_date)
    consent = consent_file(person, tmp_path)
    photo = calls.put(tmp_path / name, source())
    form = calls.put(tmp_path / "form.pdf", calls.PDF)
    files = wrapped(
        photo, "--out", tmp_path / "out", "--consent", consent, "--sex", person.sex, "--laterality", "L",
        "--consent-form", form, *who, *options,
    )  # fmt: skip
    # our own sender, because Debian 12's storescu doesn't know dermoscopic images
    node = Node(aet=CALLED_AET, host=HOST, port=archive.server.ports.dicom)
    answers = store([parcel(file) for file in files], node, Caller(aet="DERMCAM"))
    assert [answer.stored for answer in answers] == [True, True], answers
    uids = [str(dcmread(file).SOPInstanceUID) for file in files]
    held = json.loads(archive.server.consentgate("quarantine", "list", "--json").stdout)
    reasons = {each["sop_instance_uid"]: each["reasons"] for each in held}
    assert [reasons.get(uid) for uid in uids] == [None, None]
    with sqlite3.connect(archive.server.folder / "registry.db") as registry:
        known = {row[0] for row in registry.execute("SELECT sop_instance_uid FROM images")}
    assert set(uids) <= known
