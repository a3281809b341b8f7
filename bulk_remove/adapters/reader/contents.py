"""What a file really is, whatever its name says: a workbook under another kind's name is refused, not guessed at."""

import struct
import zipfile
import zlib
from typing import BinaryIO

from bulk_remove.adapters.reader.compound import OLE_START, CompoundFile
from bulk_remove.adapters.reader.damage import damaged, protected, too_large
from bulk_remove.errors import InputError
from bulk_remove.language import ours, phrase

_LOOKED_AT_BYTES = 4096
_ZIP_START = b"PK"
_MANIFEST, _MANIFEST_BYTES, _ENCRYPTED = (
    "META-INF/manifest.xml",
    1 << 20,
    b"encryption-data",
)  # OpenDocument 1.3, part 2
_MOST_BYTES = 512 << 20  # of a compound file, which is held in memory; Excel's greatest .xls is far smaller
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
)
_HTML = (b"<html", b"<!doctype html", b"<table", b"<head", b"<body", b"<meta")
_FLAT_OPENDOCUMENT = b"urn:oasis:names:tc:opendocument"
_EXCEL_2003 = b"urn:schemas-microsoft-com:office:spreadsheet"


def check_contents(path: str, kind: str, file: BinaryIO) -> str:
    """Return the family of the workbook (.xlsx, .xlsb, .xls or .ods) if it is what `kind`, its suffix, says.

    An empty `kind` says nothing. Raises InputError that says what it is instead: protected with a password, another
    kind, or damaged.
    """
    start = file.read(_LOOKED_AT_BYTES)
    file.seek(0)
    if start.startswith(OLE_START):
        found = _in_compound_file(path, file)
    elif start.startswith(_ZIP_START):
        found = _in_zip(path, file)
    else:
        found = _elsewhere(path, start)
    file.seek(0)
    if found == _FAMILIES.get(kind, found) and found in _NAMES:
        return found
    raise InputError(
        phrase(
            "{path} is not what {expected}: it is {kind}.",
            path=path,
            expected=phrase("its name says") if kind else phrase("is read"),
            kind=ours(_NAMES.get(found, found)),
        ),
        phrase("Give it the name that it should have, ending in {found}.", found=found)
        if found in _NAMES
        else "Open it in the program that it belongs to and save it as an Excel workbook (.xlsx) or as CSV.",
    )


def _in_compound_file(path: str, file: BinaryIO) -> str:
    content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise too_large(path, phrase("has more than {size} MB, which no list of numbers has", size=_MOST_BYTES >> 20))
    names = {name.casefold() for name in CompoundFile(path, content).names()}
    if "encryptedpackage" in names:
        raise protected(path)
    if names & {"workbook", "book"}:
        return ".xls"
    return "a document of another program"


def _in_zip(path: str, file: BinaryIO) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            names = {name.casefold() for name in archive.namelist()}
            encrypted = _MANIFEST in archive.namelist() and _ENCRYPTED in archive.open(_MANIFEST).read(_MANIFEST_BYTES)
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, EOFError, zlib.error, struct.error):
        raise damaged(path) from None
    if encrypted:
        raise protected(path)
    if any(name.endswith("workbook.xml") for name in names):
        return ".xlsx"
    if any(name.endswith("workbook.bin") for name in names):
        return ".xlsb"
    if "content.xml" in names:
        return ".ods"
    return "a zip archive without a workbook in it"


def _elsewhere(path: str, start: bytes) -> str:
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
    raise damaged(path)


def _is_text(start: bytes) -> bool:
    control = sum(byte < ord(" ") and byte not in b"\t\r\n\f" for byte in start)
    return not control and len(start.decode("utf-8", "ignore").encode()) > len(start) - 4
