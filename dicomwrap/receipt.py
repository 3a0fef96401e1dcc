"""The deletion receipt: proof that an archive vouches for an object, without which nothing is deleted.

Knows the receipt's JSON and the rule for deleting. Must not know DICOM's network or the clock. A receipt holds no
patient's data: UIDs, digests, times and the archive's address.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from dicomwrap.durable import Disk, reason_of, sync_folder
from dicomwrap.errors import ReceiptError

SCHEMA: Final = 1
SUFFIX: Final = ".receipt.json"
_MOST_NAMES: Final = 100
_TEXTS: Final = (
    "sop_class_uid", "sop_instance_uid", "sha256", "transaction_uid", "peer_aet", "peer_host", "sent_by", "version",
    "photograph_sha256",
)  # fmt: skip
_NUMBERS: Final = ("size", "peer_port")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the archive vouched for.

    Attributes:
        sop_class_uid: SOP class of the object.
        sop_instance_uid: the object.
        sha256: digest of the file that was sent.
        size: its bytes.
        transaction_uid: the storage commitment's transaction.
        peer_aet: who vouched for it.
        peer_host: where.
        peer_port: where.
        sent_by: ``C-STORE`` or ``STOW-RS``, with the address.
        sent_at: when it was sent.
        committed_at: when the archive's report came.
        version: dicomwrap's.
        photograph_sha256: digest of the photograph that the object was made from; "" when it isn't known.
    """

    sop_class_uid: str
    sop_instance_uid: str
    sha256: str
    size: int
    transaction_uid: str
    peer_aet: str
    peer_host: str
    peer_port: int
    sent_by: str
    sent_at: datetime
    committed_at: datetime
    version: str
    photograph_sha256: str = ""

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What makes two receipts say the same: the bytes and the archive."""
        return self.sha256, self.peer_aet, self.peer_host, self.peer_port


def text_of(receipt: Receipt) -> str:
    """Return a receipt as the text of its file."""
    found = asdict(receipt) | {name: getattr(receipt, name).isoformat() for name in ("sent_at", "committed_at")}
    return json.dumps({"schema": SCHEMA, **found}, indent=1) + "\n"


def read_receipt(path: Path) -> Receipt | None:
    """Read a receipt; None when the file holds none.

    Raises:
        OSError: the file can't be read.
    """
    try:
        found = json.loads(path.read_bytes())
        if not isinstance(found, dict) or found.pop("schema") != SCHEMA:
            return None
        times = {name: datetime.fromisoformat(found[name]) for name in ("sent_at", "committed_at")}
        typed = all(isinstance(found[name], str) for name in _TEXTS)
        typed = typed and all(isinstance(found[name], int) for name in _NUMBERS)
        return Receipt(**(found | times)) if typed else None
    except (KeyError, TypeError, ValueError, RecursionError):
        return None


def keep(receipt: Receipt, file: Path, folder: Path | None, disk: Disk) -> Path:
    """Write the receipt for ``file`` into ``folder`` (beside the file when None) and return where it is.

    It is on the disk when this returns. A receipt that says the same stays as it is; a different one is never replaced:
    the new one takes the next free name.

    Raises:
        ReceiptError: it can't be written, or an earlier receipt is for other bytes under the same UID.
    """
    place = file.parent if folder is None else folder
    try:
        place.mkdir(parents=True, exist_ok=True)
        for number in range(1, _MOST_NAMES + 1):
            path = place / f"{file.name}{'' if number == 1 else f'-{number}'}{SUFFIX}"
            if _is_at(path, receipt, disk):
                return path
    except (OSError, ValueError) as error:
        raise ReceiptError(f"The receipt can't be written ({reason_of(error)})") from error
    raise ReceiptError(f"There are {_MOST_NAMES} receipts of this name")


def delete(file: Path, receipt_path: Path, disk: Disk) -> bool:
    """Delete a file that was sent, if its bytes are still those of the receipt on the disk; tell whether it is gone.

    Raises:
        ReceiptError: there is no such receipt, or the file can't be read or removed.
    """
    try:
        receipt = read_receipt(receipt_path)
        if receipt is None:
            raise ReceiptError("The receipt on the disk can't be read")
        return disk.remove_if(file, receipt.sha256)
    except OSError as error:
        raise ReceiptError(f"The file can't be deleted ({reason_of(error)})", "Delete it yourself.") from error


def _is_at(path: Path, receipt: Receipt, disk: Disk) -> bool:
    """Make the receipt stand at ``path``, unless another stands there; tell whether it does."""
    try:
        disk.put_new(path, text_of(receipt).encode())
    except FileExistsError:
        return _says_the_same(path, receipt)
    return True


def _says_the_same(path: Path, receipt: Receipt) -> bool:
    found = read_receipt(path)
    if found is None:
        return False
    if found.sop_instance_uid == receipt.sop_instance_uid and found.sha256 != receipt.sha256:
        raise ReceiptError(
            "An earlier receipt says that this instance was sent with other content, so the archive may hold that",
            "Compare the file with the archive's; an object that was changed needs a new SOP instance UID.",
        )
    if found.key != receipt.key:
        return False
    sync_folder(path.parent)  # a crash may have come before
    return True
