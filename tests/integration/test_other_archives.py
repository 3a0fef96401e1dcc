"""A real second Orthanc takes pictures as a peer and by STOW-RS, a folder holds the same: once, however often sent."""

from __future__ import annotations

import subprocess
from pathlib import Path

from orthanc_plugin.archive.storescu import Parcel
from tests.endurance.scene import BRANCH, MEDIUM, RECIPIENTS, ROUTE, WEB
from tests.integration.couriers import digests, filed, trial, verified
from tests.integration.stock import PASSWORD, USER, orthanc

PURPOSE = "DIRECT_CARE"
COUNT = 4


def data_sets(files: dict[str, bytes], folder: Path) -> dict[str, str]:
    """Return the digest of each data set, whichever header a recipient wrote before it."""
    folder.mkdir(exist_ok=True)
    for uid, content in files.items():
        (folder / uid).write_bytes(content)
    return digests({uid: folder / uid for uid in files})


def test_a_second_orthanc_and_a_folder_hold_what_was_filed_bit_for_bit_and_once(tmp_path: Path) -> None:
    medium, password = tmp_path / "medium", tmp_path / "password"
    for folder in (medium, tmp_path / "theirs", tmp_path / "ours"):
        folder.mkdir()
    password.write_text(PASSWORD)
    with orthanc(tmp_path / "theirs") as stock:
        policy = RECIPIENTS.format(branch=stock.url, web=stock.url, user=USER, password=password, medium=medium)
        routes = [ROUTE.format(recipient=name, purpose=PURPOSE) for name in (BRANCH, WEB, MEDIUM)]
        policy += "".join(f'{each}triggers = ["KEY_OBJECT"]\n' for each in routes)  # what is queued the test queues
        with trial(tmp_path / "ours", COUNT, policy) as ward:
            theirs = filed(ward.archive, "B", tmp_path, COUNT)
            for _ in range(2):
                ward.empty()
                ward.queue(tuple(ward.files), *((f"to-{name}", name, PURPOSE) for name in (BRANCH, MEDIUM)))
                ward.queue(tuple(theirs), (f"to-{WEB}", WEB, PURPOSE), letter="B")
                ward.once()
                for name in (BRANCH, MEDIUM, WEB):
                    assert set(ward.states(f"to-{name}").values()) == {"DELIVERED"}
            held = {uid: stock.file(uid) for uid in stock.instances()}
            assert data_sets(held, tmp_path / "held") == digests({**ward.files, **theirs})
            exported = {Parcel.of(each.read_bytes()).sop_instance_uid: each for each in medium.glob("*.dcm")}
            assert digests(exported) == digests(ward.files)
            assert len(list(medium.glob("*.dcm"))) == COUNT
            check = ["sha256sum", "--check", "--strict", "MANIFEST"]
            assert subprocess.run(check, cwd=medium, check=False, capture_output=True).returncode == 0
            assert verified(ward.archive)
