"""A process whose file system can do less: system calls that the kernel refuses, as a camera's card or old mount does.

Run as ``python poorer.py TMPFILE,LINK COMMAND...``: the calls that are named fail for the command and its children.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterator

# openat and linkat; the filter knows them by number
CALLS = {"x86_64": (257, 265), "aarch64": (56, 37)}
_O_TMPFILE = 0x400000
_LOAD, _EQUAL, _ANY_OF, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _THIRD_ARGUMENT = 0, 32
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2


def supported() -> bool:
    """Tell whether the numbers of the calls are known for this machine."""
    return sys.platform == "linux" and os.uname().machine in CALLS


def _filter(refused: frozenset[str]) -> Iterator[tuple[int, int, int, int]]:
    openat, linkat = CALLS[os.uname().machine]
    yield (_LOAD, 0, 0, _NUMBER)
    if "TMPFILE" in refused:
        yield (_EQUAL, 0, 4, openat)
        yield (_LOAD, 0, 0, _THIRD_ARGUMENT)
        yield (_ANY_OF, 0, 1, _O_TMPFILE)
        yield (_RETURN, 0, 0, _FAIL | errno.EOPNOTSUPP)
        yield (_RETURN, 0, 0, _ALLOW)
    if "LINK" in refused:
        yield (_EQUAL, 0, 1, linkat)
        yield (_RETURN, 0, 0, _FAIL | errno.EPERM)
    yield (_RETURN, 0, 0, _ALLOW)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def refuse(refused: frozenset[str]) -> None:
    """Let the calls that are named fail from now on."""
    code = b"".join(struct.pack("<HBBI", *step) for step in _filter(refused))
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(length=len(code) // 8, filter=ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    for call in ((_NO_NEW_PRIVILEGES, 1, 0, 0, 0), (_SECCOMP, _FILTER, ctypes.byref(program), 0, 0)):
        if libc.prctl(*call) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    refuse(frozenset(sys.argv[1].split(",")))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - the test's own command
