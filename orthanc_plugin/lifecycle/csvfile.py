"""A spreadsheet's CSV file, line by line, and the file that takes the lines which can't be used.

Knows encodings, separators, headers and digests of lines. Must not know what a line means. A file is read in one
stream, however long; nothing of it is kept but a few bytes a line while it is looked through for repeated keys.

Source: RFC 4180; spreadsheets of countries with a decimal comma write ';' where others write ','.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Final

from orthanc_plugin.errors import ConfigurationError, ConsentgateError

VERDICT: Final = ("line", "field", "remedy")  # what the errors file adds; a corrected one may be imported as it is
READABLE: Final = "utf-8-sig"
SAVE_AS_UTF8: Final = "Save it as 'CSV UTF-8' (with or without byte order mark), then import it; nothing was imported."


class SheetError(ConfigurationError):
    """A CSV file can't be read as a whole; nothing of it was imported."""

    remedy = "Correct the file as said, then import it again; nothing of it was imported."


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with one field of a line, and what to write instead."""

    field: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: its number, its cells by column without the empty ones, and as they came."""

    number: int
    cells: Mapping[str, str]
    raw: tuple[str, ...]
    fault: Fault | None = None

    def digest(self, kind: str) -> str:
        """Return the SHA-256 of what the line says, whatever the order of its columns."""
        said = json.dumps([kind, sorted(self.cells.items())], ensure_ascii=False)
        return hashlib.sha256(said.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A file whose header is in order."""

    path: Path
    separator: str
    header: tuple[str, ...]

    def lines(self) -> Iterator[Line]:
        """Give the lines that aren't empty.

        Raises:
            SheetError: the file is no UTF-8, or its quotes don't close.
        """
        number = 1
        try:
            with self.path.open(encoding=READABLE, newline="") as file:
                reader = csv.reader(file, delimiter=self.separator, strict=True)
                for row in reader:
                    started, number = number, reader.line_num + 1
                    if started > 1 and any(cell.strip() for cell in row):
                        yield self._line(started, tuple(row))
        except UnicodeDecodeError as error:
            raise SheetError(f"{self.path.name} is not in UTF-8.", remedy=SAVE_AS_UTF8) from error
        except csv.Error as error:
            raise SheetError(
                f"{self.path.name}, line {number}: the quotes don't close, or a text is too long ({error})."
            ) from error
        except OSError as error:
            raise SheetError(f"{self.path.name} can't be read ({error.strerror}).") from error

    def _line(self, number: int, row: tuple[str, ...]) -> Line:
        cells = {name: cell.strip() for name, cell in zip(self.header, row, strict=False) if cell.strip()}
        said = {name: cell for name, cell in cells.items() if name not in VERDICT}
        remedy = self._fault(row)
        fault = Fault(field="line", remedy=remedy) if remedy else None
        return Line(number=number, cells=said, raw=row, fault=fault)

    def _fault(self, row: tuple[str, ...]) -> str | None:
        if len(row) != len(self.header):
            return f"has {len(row)} cells, the header has {len(self.header)}; put quotes around a text with separators"
        if any("\0" in cell for cell in row):
            return "holds a NUL character; export the file again"
        return None


def open_sheet(path: Path, columns: Iterable[str], required: Iterable[str]) -> Sheet:
    """Return the file at ``path``, whose header names some of ``columns`` and all ``required``.

    Raises:
        SheetError: with everything that is wrong with the header, or why the file can't be read.
    """
    # A pipe gives what is in it once, and would be waited for.
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise SheetError(f"{path.name} is no file.", remedy="Save it as a file: it is read more than once.")
    try:
        with path.open(encoding=READABLE, newline="") as file:
            first = file.readline()
    except OSError as error:
        raise SheetError(f"{path.name} can't be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise SheetError(f"{path.name} is not in UTF-8.", remedy=SAVE_AS_UTF8) from error
    separator = ";" if ";" in first else ","
    header = tuple(name.strip() for name in next(csv.reader([first], delimiter=separator), []))
    if problems := tuple(_header_faults(header, tuple(columns), tuple(required))):
        raise SheetError(f"The header of {path.name} can't be used.", problems=problems)
    return Sheet(path=path, separator=separator, header=header)


def _header_faults(header: tuple[str, ...], columns: tuple[str, ...], required: tuple[str, ...]) -> Iterator[str]:
    known = (*columns, *VERDICT)
    for name in dict.fromkeys(header):
        if name not in known:
            yield f"column {name[:40]!r} is unknown; the columns are {', '.join(columns)}"
        elif header.count(name) > 1:
            yield f"column {name} is there {header.count(name)} times"
    yield from (f"column {name} is missing" for name in required if name not in header)


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """Lines that can't be used because of other lines: exact repeats, and keys with two different stories."""

    repeats: frozenset[int]
    contradicted: frozenset[int]

    def fault(self, line: Line, key: str, field_name: str) -> Fault | None:
        """Say what stands against ``line`` because of the others."""
        if line.number in self.repeats:
            return Fault(field=field_name, remedy="a line above says the very same; take this one out")
        if _short(key) in self.contradicted:
            return Fault(field=field_name, remedy="other lines say something else of it; leave the true one alone here")
        return None


def census(sheet: Sheet, kind: str, key: Callable[[Line], str]) -> Census:
    """Look the whole file through, before anything of it is used.

    Raises:
        SheetError: the file can't be read to its end.
    """
    seen: dict[int, int] = {}
    repeats: set[int] = set()
    contradicted: set[int] = set()
    for line in sheet.lines():
        name, said = _short(key(line)), _short(line.digest(kind))
        if name not in seen:
            seen[name] = said
        elif seen[name] == said:
            repeats.add(line.number)
        else:
            contradicted.add(name)
    return Census(repeats=frozenset(repeats), contradicted=frozenset(contradicted))


def _short(text: str) -> int:
    """Return 64 bits of a digest, so that millions of lines can be remembered."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


class Rejects:
    """The file of lines that can't be used, readable by its owner alone; it takes its name when it is complete."""

    def __init__(self, sheet: Sheet) -> None:
        """Begin the file beside the sheet.

        Raises:
            ConsentgateError: it can't be written, so nothing may be imported.
        """
        self.path = sheet.path.with_name(f"{sheet.path.stem}.errors.csv")
        self.count = 0
        self._part = sheet.path.with_name(f"{sheet.path.stem}.errors.csv.part")
        self._kept = tuple(at for at, name in enumerate(sheet.header) if name not in VERDICT)
        self._file = self._opened()
        self._writer = csv.writer(self._file, delimiter=sheet.separator)
        self._writer.writerow([*(sheet.header[at] for at in self._kept), *VERDICT])

    def _opened(self) -> IO[str]:
        try:
            descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            os.fchmod(descriptor, 0o600)
            file = os.fdopen(descriptor, "w", encoding=READABLE, newline="")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.truncate(0)
            return file
        except BlockingIOError as error:
            raise ConsentgateError(
                "Another import of this file is running.", remedy="Wait for its end; nothing was imported twice."
            ) from error
        except OSError as error:
            raise ConsentgateError(
                f"The file for lines that can't be used can't be written ({error.strerror}).",
                remedy="Put the CSV file into a folder that you may write to; nothing was imported.",
            ) from error

    def take(self, line: Line, faults: Iterable[Fault]) -> None:
        """Write a line down with what is wrong with it."""
        found = tuple(faults)
        cells = [line.raw[at] if at < len(line.raw) else "" for at in self._kept]
        said = ("; ".join(dict.fromkeys(fault.field for fault in found)), " | ".join(_sentence(each) for each in found))
        self._writer.writerow([*cells, line.number, *said])
        self.count += 1

    def __enter__(self) -> Rejects:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the file its name; without any line there is none, and one of an earlier run is taken away.

        One that isn't complete is taken away too: it has patients' details, and the next run writes it anew.
        """
        self._file.flush()
        if kind is None and self.count:
            self._part.replace(self.path)
        else:
            self._part.unlink()
        if kind is None and not self.count:
            self.path.unlink(missing_ok=True)
        self._file.close()  # lets go of the lock


def _sentence(fault: Fault) -> str:
    return f"{fault.field}: {fault.remedy}"
