"""A workbook looked over before calamine sees it: whole, not too large, and what the operator must be told of it."""

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import BinaryIO

from bulk_remove.adapters.reader.archive import Archive, part_name
from bulk_remove.adapters.reader.damage import damaged
from bulk_remove.adapters.reader.facts import SheetFacts
from bulk_remove.adapters.reader.parsing import parse
from bulk_remove.adapters.reader.reach import check_reach
from bulk_remove.adapters.reader.scan_ods import scan_content
from bulk_remove.adapters.reader.scan_xls import scan_workbook
from bulk_remove.adapters.reader.scan_xlsb import scan_part, sheet_places
from bulk_remove.adapters.reader.scan_xlsx import XlsxScan

_MOST_INDEX_BYTES = 16 << 20
_STRINGS = re.compile(rb'<(?:\w+:)?sst\b[^>]*\buniqueCount="([0-9]+)"')


def look_inside(path: str, family: str, file: BinaryIO) -> dict[str, SheetFacts]:
    """Read the whole workbook without keeping it and return what is known of its sheets by name.

    `family` is .xlsx, .xlsb, .xls or .ods. Raises InputError when it is damaged, protected, or would take more
    memory than a list of numbers can need.
    """
    if family == ".xls":
        file.seek(0)
        return scan_workbook(path, file.read())
    archive = Archive(path, file)
    scans = {".xlsx": _look_inside_xlsx, ".xlsb": _look_inside_xlsb, ".ods": _look_inside_ods}
    return scans[family](path, archive)


def _look_inside_xlsx(path: str, archive: Archive) -> dict[str, SheetFacts]:
    names = _sheets_by_part(path, archive, "workbook.xml", _sheets_of_xml)
    facts = {}
    for part in archive.parts:
        name = part_name(part)
        if name.endswith("sharedstrings.xml") and name not in names:
            _check_strings(path, archive.pieces(part), part.file_size)
            continue
        scan = XlsxScan(path)
        for piece in archive.pieces(part):
            scan.add(piece)
        found = scan.end()
        if name in names:
            facts[names[name]] = found
        if scan.odd and (name in names or name.endswith(".xml")):
            check_reach(path, partial(archive.pieces, part))
    return facts


def _look_inside_xlsb(path: str, archive: Archive) -> dict[str, SheetFacts]:
    names = _sheets_by_part(path, archive, "workbook.bin", sheet_places)
    facts = {}
    for part in archive.parts:
        name = part_name(part)
        if name in names or name.startswith("xl/worksheets/sheet") or name == "xl/sharedstrings.bin":
            found = scan_part(path, archive.pieces(part), part.file_size)
            facts[names.get(name, "")] = found
        else:
            _read_through(archive.pieces(part))
    return facts


def _look_inside_ods(path: str, archive: Archive) -> dict[str, SheetFacts]:
    facts: dict[str, SheetFacts] = {}
    for part in archive.parts:
        if part.filename == "content.xml":
            facts = scan_content(path, archive.pieces(part))
        else:
            _read_through(archive.pieces(part))
    return facts


def _read_through(pieces: Iterable[bytes]) -> None:
    for _ in pieces:
        pass


def _check_strings(path: str, pieces: Iterable[bytes], part_bytes: int) -> None:
    """Compare the number of strings that a part promises, for which calamine makes room at once, with its size."""
    for number, piece in enumerate(pieces):
        promised = _STRINGS.search(piece) if number == 0 else None
        if promised and int(promised[1][:20]) > part_bytes:
            raise damaged(path)


def _sheets_by_part(
    path: str, archive: Archive, workbook: str, sheets_of: Callable[[str, bytes], dict[str, str]]
) -> dict[str, str]:
    """Return the name of each sheet by the part that holds it, in small letters.

    The workbook's own part lies in `xl/` as a rule, but may lie anywhere; what it refers to is named from there.
    """
    own = next((name for name in map(part_name, archive.parts) if name.endswith(workbook)), "")
    folder = own.removesuffix(workbook)
    targets = {
        found["Id"]: found["Target"]
        for tag, found in _elements(path, archive.content(f"{folder}_rels/{workbook}.rels", _MOST_INDEX_BYTES))
        if tag == "Relationship" and {"Id", "Target"} <= set(found)
    }
    sheets = sheets_of(path, archive.content(own, _MOST_INDEX_BYTES))
    return {
        (target[1:] if target.startswith("/") else folder + target).casefold(): name
        for name, relationship in sheets.items()
        if (target := targets.get(relationship))
    }


def _sheets_of_xml(path: str, workbook: bytes) -> dict[str, str]:
    """Return the relationship id of each sheet by its name; its attribute has whatever prefix, mostly `r:`."""
    return {
        found["name"]: next((value for key, value in found.items() if key.endswith(":id")), "")
        for tag, found in _elements(path, workbook)
        if tag == "sheet" and "name" in found
    }


def _elements(path: str, text: bytes) -> list[tuple[str, dict[str, str]]]:
    """Return the elements of a small XML text, without their prefixes, with their attributes."""
    found: list[tuple[str, dict[str, str]]] = []
    if text:
        parse(path, [text], lambda tag, attributes: found.append((tag.rpartition(":")[2], attributes)))
    return found
