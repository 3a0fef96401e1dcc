"""Where the DICOM objects lie in the body of an upload: POST /instances has one, STOW-RS (PS3.18 section 10.5) several.

Knows media types and multipart bodies (RFC 2046), and reads them more strictly than any server has to: a body in which
two readers could see different objects is refused, because the other reader is Orthanc. Archives and compressed bodies
are refused: a small one can be made to unpack without end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from email.message import Message
from email.parser import Parser
from mmap import mmap
from typing import Final

from orthanc_plugin.enforcement.nesting import StructureError, require_shallow
from orthanc_plugin.errors import ConsentgateError

BAD: Final = 400
UNSUPPORTED: Final = 415
UNPROCESSABLE: Final = 422
DICOM: Final = "application/dicom"
PLAIN: Final = frozenset({DICOM, "application/octet-stream"})
PART_HEADERS: Final = frozenset({"content-type", "content-length", "content-location", "content-id", "mime-version"})
ARCHIVES: Final = (b"PK", b"\x1f\x8b")  # zip and gzip: Orthanc looks at what a body begins with, not what it is called
MOST_PARTS: Final = 1000
MOST_PART_HEADERS: Final = 4096  # bytes
# Every reader must find the same divider, so the media type is taken in its plainest forms only.
_TYPE: Final = r'; ?type="?application/dicom"?'
_BOUNDARY: Final = r'; ?boundary=("?)(?P<boundary>[A-Za-z0-9_.\-]{1,70})\1'
_MULTIPART: Final = re.compile(f"multipart/related(?:{_TYPE})?{_BOUNDARY}(?:{_TYPE})?", re.IGNORECASE)
_LINE: Final = b"\r\n"

Span = tuple[int, int]


class UploadError(ConsentgateError):
    """The upload is not passed on; ``status`` is the HTTP status that says so."""

    remedy = "Send DICOM objects as they are, by STOW-RS or one at a time; larger or odder ones by C-STORE."

    def __init__(self, message: str, status: int, *, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status


def require_harmless(headers: Mapping[str, str], content: mmap, *, multipart: bool) -> None:
    """Check every object in ``content``; header names in lower case, ``multipart`` where STOW-RS is spoken.

    Raises:
        UploadError: the body isn't one that is let near Orthanc.
    """
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise UploadError("A compressed body is not taken.", UNSUPPORTED)
    try:
        for start, end in objects(headers.get("content-type", DICOM), content, multipart=multipart):
            if content[start : start + 2] in ARCHIVES:
                raise UploadError("An archive is not taken, nor an object that begins like one.", UNSUPPORTED)
            require_shallow(content, start, end)
    except StructureError as error:
        raise UploadError(str(error.args[0]), UNPROCESSABLE, remedy=error.remedy) from error


def objects(content_type: str, content: mmap, *, multipart: bool) -> Iterator[Span]:
    """Give where each object begins and ends.

    Raises:
        UploadError: the media type isn't one that is taken here, or the body doesn't keep to it.
    """
    message = Message()
    message["Content-Type"] = content_type
    # Orthanc's core takes a multipart body for one object, and DICOMweb takes nothing else.
    wanted = {"multipart/related"} if multipart else PLAIN
    if message.get_content_type() not in wanted or (multipart and message.get_param("type", DICOM) != DICOM):
        raise UploadError("Only DICOM objects are taken: no archives, no forms, no JSON or XML.", UNSUPPORTED)
    if not multipart:
        yield 0, len(content)
        return
    found = _MULTIPART.fullmatch(content_type)
    if found is None:
        raise UploadError("The multipart body does not plainly say what divides it.", BAD)
    yield from _parts(content, b"--" + found["boundary"].encode("ascii"))


def _parts(content: mmap, divider: bytes) -> Iterator[Span]:
    """Give the parts. The divider may stand nowhere but between them, however a reader looks for it."""
    at = content.find(divider)
    if at not in (0, len(_LINE)) or content[:at] not in (b"", _LINE):
        raise UploadError("The multipart body does not begin with a part.", BAD)
    for _ in range(MOST_PARTS):
        after = at + len(divider)
        if content[after : after + 2] == b"--":
            if content[after + 2 :].strip():
                raise UploadError("Something follows the end of the multipart body.", BAD)
            return
        begins = _begins(content, after)
        at = content.find(divider, begins)
        ends = at - len(_LINE)
        if ends < begins or content[ends:at] != _LINE:
            raise UploadError("The multipart body is not divided as it says.", BAD)
        _require_length(content, after, begins, ends)
        yield begins, ends
    raise UploadError(f"The multipart body has more than {MOST_PARTS} parts.", BAD)


def _begins(content: mmap, after: int) -> int:
    """Return where the object of the part begins whose divider ends at ``after``."""
    blank = content.find(_LINE + _LINE, after, after + MOST_PART_HEADERS)
    if content[after : after + 2] != _LINE or blank < 0:
        raise UploadError("A part has no headers, or too many.", BAD)
    return blank + 2 * len(_LINE)


def _require_length(content: mmap, after: int, begins: int, ends: int) -> None:
    """Check that the part's headers claim nothing but a DICOM object of this length."""
    try:
        headers = Parser().parsestr(content[after + len(_LINE) : begins].decode("ascii"), headersonly=True)
    except UnicodeDecodeError as error:
        raise UploadError("A part's headers can't be read.", BAD) from error
    names = [name.lower() for name in headers]
    if not set(names) <= PART_HEADERS or len(names) != len(set(names)) or headers.get_payload():
        raise UploadError("A part has headers that are not taken.", BAD)
    if headers.get_content_type() != DICOM:
        raise UploadError("A part is no DICOM object.", UNSUPPORTED)
    if headers.get("content-length", str(ends - begins)).strip() != str(ends - begins):
        raise UploadError("A part is not as long as it says.", BAD)
