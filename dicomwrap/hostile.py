"""What pydicom raises when an object isn't what it says it is.

Knows pydicom's exceptions, and those that its decoding of elements lets through. Must not know what anyone does about
them: for every reader of a stranger's object they mean "this can't be read".
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

from pydicom.errors import BytesLengthException, InvalidDicomError

UNREADABLE: Final = (
    ArithmeticError, AttributeError, BytesLengthException, EOFError, InvalidDicomError, LookupError, MemoryError,
    NotImplementedError, OSError, RecursionError, TypeError, ValueError, struct.error, zlib.error,
)  # fmt: skip
