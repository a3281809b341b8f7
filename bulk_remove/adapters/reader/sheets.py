"""Which sheet of a workbook holds the phone numbers: the one that was named, or the only one that certainly does."""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from bulk_remove.adapters.reader.cells import Value, phone_text
from bulk_remove.adapters.reader.dialect import TITLE_ROWS, Cut
from bulk_remove.adapters.reader.heading import Heading, find_heading
from bulk_remove.adapters.reader.table import SAMPLE_ROWS, ReadOptions
from bulk_remove.core.model import harmless
from bulk_remove.errors import InputError
from bulk_remove.language import Phrase, joined, phrase

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

_POSITION = re.compile(r"[1-9][0-9]{0,3}")


@dataclass(frozen=True, slots=True)
class FoundSheet:
    """A sheet whose phone column is certain."""

    sheet: "CalamineSheet"
    hidden: bool
    heading: Heading
    notes: tuple[str, ...] = ()


def find_sheet(path: str, workbook: "CalamineWorkbook", options: ReadOptions) -> FoundSheet:
    """Return the sheet that was asked for, or the one visible sheet with a certain phone column.

    Raises InputError when there is no such sheet, or not exactly one.
    """
    sheets = _worksheets(workbook)
    if options.sheet is None:
        return _only_sheet(path, workbook, options)
    name, hidden = _wanted(path, sheets, options.sheet)
    found = _candidate(path, workbook.get_sheet_by_name(name), options, hidden=hidden)
    if found is None:
        raise InputError(
            phrase("{path}, sheet '{name}' holds no text.", path=path, name=harmless(name)),
            phrase("Its sheets are {listed}.", listed=_listed(sheets)),
        )
    return FoundSheet(
        found.sheet,
        hidden,
        found.heading,
        (phrase("Sheet '{name}' is hidden.", name=harmless(name)),) if hidden else (),
    )


def _wanted(path: str, sheets: Sequence[tuple[str, bool]], wanted: str) -> tuple[str, bool]:
    """Return the sheet of that name, exact or but for small and capital letters, else the one at that position."""
    by_name = {name: (name, hidden) for name, hidden in sheets}
    folded = [name for name in by_name if name.strip().casefold() == wanted.strip().casefold()]
    if wanted in by_name:
        return by_name[wanted]
    if len(folded) == 1:
        return by_name[folded[0]]
    if _POSITION.fullmatch(wanted) and int(wanted) <= len(sheets):
        return sheets[int(wanted) - 1]
    small = {name.casefold(): name for name in by_name}
    close = difflib.get_close_matches(wanted.casefold(), small, n=1)
    raise InputError(
        phrase(
            "{path} has no sheet '{wanted}'; its sheets are {listed}.", path=path, wanted=wanted, listed=_listed(sheets)
        ),
        phrase("Did you mean --sheet '{sheet}'?", sheet=harmless(small[close[0]]))
        if close
        else "Give --sheet one of these names, or a position counted from 1.",
    )


def _only_sheet(path: str, workbook: "CalamineWorkbook", options: ReadOptions) -> FoundSheet:
    certain: list[FoundSheet] = []
    refused: list[InputError] = []
    sheets = _worksheets(workbook)
    for name, hidden in sheets:
        try:
            found = _candidate(path, workbook.get_sheet_by_name(name), options, hidden=hidden)
        except InputError as error:
            refused.append(error)
        else:
            certain += [found] if found else []
    if len(certain) == 1 and not certain[0].hidden:
        return certain[0]
    if not certain and len(refused) == 1:
        raise refused[0]
    if not certain and not refused:
        raise InputError(
            phrase("{path} holds no text.", path=path),
            "Put a row with the names of the columns on top, then the numbers.",
        )
    names = [found.sheet.name for found in certain]
    raise InputError(
        phrase(
            "{path} does not have exactly one visible sheet whose phone column is certain; its sheets are {listed}.",
            path=path,
            listed=_listed(sheets, names),
        ),
        "Name the sheet that is meant with --sheet and its name, or its position counted from 1.",
    )


def _worksheets(workbook: "CalamineWorkbook") -> list[tuple[str, bool]]:
    """Return the names of the sheets that can hold rows, and whether each is hidden."""
    import python_calamine as calamine  # noqa: PLC0415 - only reading a workbook should pay for it

    return [
        (sheet.name, sheet.visible != calamine.SheetVisibleEnum.Visible)
        for sheet in workbook.sheets_metadata
        if sheet.typ == calamine.SheetTypeEnum.WorkSheet
    ]


def _candidate(path: str, sheet: "CalamineSheet", options: ReadOptions, *, hidden: bool) -> FoundSheet | None:
    """Return the sheet with its column, None for a blank sheet. Raises InputError when no column is certain."""
    first = list(islice(_rows(sheet), SAMPLE_ROWS + TITLE_ROWS))
    if not first:
        return None
    return FoundSheet(
        sheet,
        hidden,
        find_heading(
            phrase("{path}, sheet '{name}'", path=path, name=harmless(sheet.name)), [Cut("", tuple(first))], options
        ),
    )


def _rows(sheet: "CalamineSheet") -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield (row number as Excel shows it, cells from column A on as text) of the rows that are not blank."""
    # calamine leaves out the empty columns on the left but, when it iterates, not the empty rows above.
    left = ("",) * (sheet.start[1] if sheet.start else 0)
    for number, values in enumerate(sheet.iter_rows() if sheet.start else (), start=1):
        if not is_blank(values):
            yield number, (*left, *map(phone_text, values))


def is_blank(values: Sequence[Value]) -> bool:
    """Whether a row holds nothing but white space."""
    return all(isinstance(value, str) and not value.strip() for value in values)


def _listed(sheets: Sequence[tuple[str, bool]], certain: Sequence[str] = ()) -> Phrase:
    return joined(", ", (_told(name, hidden=hidden, certain=name in certain) for name, hidden in sheets))


def _told(name: str, *, hidden: bool, certain: bool) -> Phrase:
    state = phrase(" (hidden)") if hidden else ""
    use = phrase(": phone column") if certain else ""
    return phrase("'{name}'{state}{use}", name=harmless(name), state=state, use=use)
