"""Which sheet of a workbook holds the phone numbers: the one that was named, or the only one that certainly does."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from bulk_remove.adapters.reader.dialect import Cut
from bulk_remove.adapters.reader.heading import Heading, check_is_list, find_heading
from bulk_remove.adapters.reader.table import ReadOptions
from bulk_remove.core.columns import is_report_header, may_be_number, phone_columns, says_remove
from bulk_remove.core.model import harmless
from bulk_remove.errors import InputError, OwnReportError
from bulk_remove.language import Phrase, joined, phrase

_POSITION = re.compile(r"[1-9][0-9]{0,3}")


class Samples(Protocol):
    """A workbook that is open somewhere."""

    def sample(self, sheet: int) -> list[tuple[int, tuple[str, ...]]]:
        """Return the first rows that are not blank of a sheet, with their numbers, all as wide as the widest."""


@dataclass(frozen=True, slots=True)
class FoundSheet:
    """A sheet whose phone column is certain; `place` is its index among all."""

    place: int
    name: str
    hidden: bool
    heading: Heading
    notes: tuple[str, ...] = ()


_WHICH = "Name the sheet that is meant with --sheet and its name, or its position counted from 1."
_Sheets = Sequence[tuple[str, bool]]
"""The sheets that can hold rows: their names, and whether each is hidden."""


def find_sheet(path: str, workbook: Samples, sheets: _Sheets, options: ReadOptions) -> FoundSheet:
    """Return the sheet that was asked for, or the one visible sheet with a certain phone column.

    Raises InputError when there is no such sheet, or not exactly one.
    """
    if options.sheet is None:
        return _only_sheet(path, workbook, sheets, options)
    place = _wanted(path, sheets, options.sheet)
    found = _candidate(path, workbook, sheets, place, options)
    if found is None:
        raise InputError(
            phrase("{path}, sheet '{name}' holds no text.", path=path, name=harmless(sheets[place][0])),
            phrase("Its sheets are {listed}.", listed=_listed(sheets)),
        )
    notes = (phrase("Sheet '{name}' is hidden.", name=harmless(found.name)),) if found.hidden else ()
    return replace(found, notes=(*notes, *_others(workbook, sheets, found, options.region)))


def _others(workbook: Samples, sheets: _Sheets, found: FoundSheet, region: str) -> Iterator[str]:
    """Yield a note on each other sheet with phone numbers than the one that was named."""
    for place, (name, _) in enumerate(sheets):
        if place == found.place:
            continue
        try:
            rows = [cells for _, cells in workbook.sample(place)]
        except InputError:  # it is not asked for, and may be damaged
            continue
        if rows and not is_report_header(rows[0]) and phone_columns(rows[0], rows[1:] or rows, region):
            yield phrase(
                "Sheet '{name}' holds phone numbers, too; '{found}' was chosen with --sheet.",
                name=harmless(name),
                found=harmless(found.name),
            )


def _wanted(path: str, sheets: _Sheets, wanted: str) -> int:
    """Return the place of the sheet of that name, exact or but for small and capital letters, else of that position."""
    by_name = {name: place for place, (name, _) in enumerate(sheets)}
    folded = [name for name in by_name if name.strip().casefold() == wanted.strip().casefold()]
    if wanted in by_name:
        return by_name[wanted]
    if len(folded) == 1:
        return by_name[folded[0]]
    if _POSITION.fullmatch(wanted) and int(wanted) <= len(sheets):
        return int(wanted) - 1
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


def _only_sheet(path: str, workbook: Samples, sheets: _Sheets, options: ReadOptions) -> FoundSheet:
    certain: list[FoundSheet] = []
    refused: dict[int, InputError] = {}
    for place in range(len(sheets)):
        try:
            found = _candidate(path, workbook, sheets, place, options)
        except InputError as error:
            refused[place] = error
        else:
            certain += [found] if found else []
    if len(certain) == 1 and not certain[0].hidden:
        return _beside(path, workbook, sheets, certain[0], refused, options.region)
    reports = [error for error in refused.values() if isinstance(error, OwnReportError)]
    if not certain and (reports or len(refused) == 1):
        raise next(iter(reports or refused.values()))
    if not certain and not refused:
        raise InputError(
            phrase("{path} holds no text.", path=path),
            "Put a row with the names of the columns on top, then the numbers.",
        )
    names = [found.name for found in certain]
    raise InputError(
        phrase(
            "{path} does not have exactly one visible sheet whose phone column is certain; its sheets are {listed}.",
            path=path,
            listed=_listed(sheets, names),
        ),
        _WHICH,
    )


def _beside(
    path: str, workbook: Samples, sheets: _Sheets, found: FoundSheet, refused: Mapping[int, InputError], region: str
) -> FoundSheet:
    """Return the only certain sheet with a note on each one passed over that holds phone numbers.

    Raises InputError when the name of one says that its numbers are those to be removed.
    """
    notes = []
    for place, error in refused.items():
        name = harmless(sheets[place][0])
        if isinstance(error, OwnReportError):
            notes.append(phrase("Sheet '{name}' is a report of this tool; it is left out.", name=name))
            continue
        rows = [cells for _, cells in workbook.sample(place)]
        if says_remove(sheets[place][0]) and any(may_be_number(cell) for cells in rows for cell in cells):
            raise InputError(
                phrase(
                    "{path}: the phone column of sheet '{found}' is certain, but sheet '{name}' holds phone numbers, "
                    "too, and its name says that they are to be removed; the sheets are {listed}.",
                    path=path,
                    found=harmless(found.name),
                    name=name,
                    listed=_listed(sheets, [found.name]),
                ),
                _WHICH,
            )
        if phone_columns(rows[0], rows[1:] or rows, region):
            notes.append(
                phrase(
                    "Sheet '{name}' holds phone numbers, too, but is not read: its phone column is not certain.",
                    name=name,
                )
            )
    return replace(found, notes=tuple(notes))


def _candidate(path: str, workbook: Samples, sheets: _Sheets, place: int, options: ReadOptions) -> FoundSheet | None:
    """Return the sheet with its column, None for a blank sheet. Raises InputError when no column is certain."""
    first = workbook.sample(place)
    if not first:
        return None
    name, hidden = sheets[place]
    cut = Cut("", tuple(first))
    check_is_list(path, cut, options)
    where = phrase("{path}, sheet '{name}'", path=path, name=harmless(name))
    return FoundSheet(place, name, hidden, find_heading(where, [cut], options))


def _listed(sheets: _Sheets, certain: Sequence[str] = ()) -> Phrase:
    return joined(", ", (_told(name, hidden=hidden, certain=name in certain) for name, hidden in sheets))


def _told(name: str, *, hidden: bool, certain: bool) -> Phrase:
    state = phrase(" (hidden)") if hidden else ""
    use = phrase(": phone column") if certain else ""
    return phrase("'{name}'{state}{use}", name=harmless(name), state=state, use=use)
