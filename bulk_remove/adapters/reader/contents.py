"""Opens a workbook as what it really is: one under another kind's name is refused, not guessed at."""

from collections.abc import Sequence
from typing import BinaryIO

from bulk_remove.adapters.reader.cells import DamagedError, Given, ProtectedError, Sheet
from bulk_remove.adapters.reader.ods import sheets_of_ods
from bulk_remove.adapters.reader.package import Package
from bulk_remove.adapters.reader.xls import sheets_of_xls
from bulk_remove.adapters.reader.xlsb import sheets_of_xlsb
from bulk_remove.adapters.reader.xlsx import sheets_of_xlsx
from bulk_remove.errors import InputError
from bulk_remove.language import ours, phrase

_LOOKED_AT_BYTES = 4096
_MOST_SHEETS = 1000
_ZIP_START, _OLE_START = b"PK", bytes.fromhex("D0CF11E0A1B11AE1")
_MANIFEST, _ENCRYPTED = "meta-inf/manifest.xml", b"encryption-data"  # OpenDocument 1.3, part 2
_FAMILIES = {".xlsx": ".xlsx", ".xlsm": ".xlsx", ".xlsb": ".xlsb", ".xls": ".xls", ".ods": ".ods"}
_NAMES = {
    ".xlsx": "an Excel workbook (.xlsx)",
    ".xlsb": "an Excel binary workbook (.xlsb)",
    ".xls": "an old Excel workbook (.xls)",
    ".ods": "an OpenDocument spreadsheet (.ods)",
}
_STARTS = (
    (b"\x1f\x8b", "a file packed with gzip"),
    (b"%PDF", "a PDF document"),
    (b"{\\rtf", "a text document (RTF)"),
    *((start, "a workbook of Excel 4 or before") for start in (b"\t\0\4\0", b"\t\2\6\0", b"\t\4\6\0")),
)
_HTML = (b"<html", b"<!doctype html", b"<table", b"<head", b"<body", b"<meta")
_FLAT_OPENDOCUMENT = b"urn:oasis:names:tc:opendocument"
_EXCEL_2003 = b"urn:schemas-microsoft-com:office:spreadsheet"


def open_sheets(given: Given, file: BinaryIO) -> Sequence[Sheet]:
    """Return the sheets of a workbook that is what its suffix says; an empty one says nothing.

    Raises InputError that says what it is instead, ProtectedError, or DamagedError.
    """
    start = file.read(_LOOKED_AT_BYTES)
    file.seek(0)
    if start.startswith(_OLE_START):
        found, stream = _in_compound_file(file)
    elif start.startswith(_ZIP_START):
        package = Package(given.path, file)
        found = _in_package(package)
    else:
        found = _elsewhere(start)
    if found != _FAMILIES.get(given.kind, found) or found not in _NAMES:
        raise _is_something_else(given, found)
    if found == ".xls":
        sheets: Sequence[Sheet] = sheets_of_xls(stream)
    elif found == ".ods":
        sheets = sheets_of_ods(package, given.sampled_rows)
    else:
        sheets = sheets_of_xlsx(package) if found == ".xlsx" else sheets_of_xlsb(package)
    if len(sheets) > _MOST_SHEETS:
        raise InputError(
            phrase("{path} has more than {count:,} sheets.", path=given.path, count=_MOST_SHEETS),
            "Save the sheet with the numbers as CSV.",
        )
    return sheets


def _is_something_else(given: Given, found: str) -> InputError:
    return InputError(
        phrase(
            "{path} is not what {expected}: it is {kind}.",
            path=given.path,
            expected=phrase("its name says") if given.kind else phrase("is read"),
            kind=ours(_NAMES.get(found, found)),
        ),
        phrase("Give it the name that it should have, ending in {found}.", found=found)
        if found in _NAMES
        else "Open it in the program that it belongs to and save it as an Excel workbook (.xlsx) or as CSV.",
    )


def _in_compound_file(file: BinaryIO) -> tuple[str, bytes]:
    """Return what a compound file is, and the stream of a workbook."""
    import olefile  # noqa: PLC0415 - only an old workbook should pay for it

    with olefile.OleFileIO(file) as streams:
        names = {name[0].casefold(): name for name in streams.listdir() if len(name) == 1}
        if "encryptedpackage" in names:
            raise ProtectedError
        name = names.get("workbook") or names.get("book")
        if not name:
            return "a document of another program", b""
        stream = streams.openstream(name).read()
        if len(stream) < streams.get_size(name):
            raise DamagedError
        return ".xls", stream


def _in_package(package: Package) -> str:
    if _ENCRYPTED in package.index(_MANIFEST):
        raise ProtectedError
    if package.ending_with("workbook.xml"):
        return ".xlsx"
    if package.ending_with("workbook.bin"):
        return ".xlsb"
    if "content.xml" in package:
        return ".ods"
    return "a zip archive without a workbook in it"


def _elsewhere(start: bytes) -> str:
    small = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for beginning, name in _STARTS:
        if start.startswith(beginning):
            return name
    if small.startswith(_HTML):
        return "a web page (HTML)"
    if _EXCEL_2003 in small:
        return "a spreadsheet in XML of Excel 2003"
    if small.startswith((b"<?xml", b"<")):
        return "a flat OpenDocument file" if _FLAT_OPENDOCUMENT in small else "an XML file"
    if b"\0" not in start and _is_text(start):
        return "text, such as CSV"
    raise DamagedError


def _is_text(start: bytes) -> bool:
    control = sum(byte < ord(" ") and byte not in b"\t\r\n\f" for byte in start)
    return not control and len(start.decode("utf-8", "ignore").encode()) > len(start) - 4
