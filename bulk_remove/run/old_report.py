"""A report read back: each of its rows with what is known of its number."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime

from bulk_remove.adapters.reader.table import not_a_report
from bulk_remove.core.forms import AlsoTry, Forms
from bulk_remove.core.lifecycle import read_back
from bulk_remove.core.model import (
    FINAL_STATUSES,
    NEVER_SENT,
    ON_KEEP_LIST,
    REPORT_COLUMNS,
    NumberFormat,
    NumberState,
    RowOutcome,
    Source,
    Status,
    harmless,
)
from bulk_remove.core.numbers import Normaliser, NumberRules
from bulk_remove.core.spreadsheet_text import read_as_text
from bulk_remove.errors import InputError
from bulk_remove.language import ours, phrase
from bulk_remove.run.prepare import Table

_NEEDED = ("row", "input", "number", "campaign", "status", "detail")
_NUMBER = re.compile(r"\+?[0-9]{3,18}")
"""What a number looks like that nothing has reformatted; `RowKeys` takes no longer one."""


class OldReport:
    """A report.csv (or a copy saved by a spreadsheet) as the rows of a run.

    Columns are found by name, in any order; others are kept. Raises InputError for a file that is no report.
    """

    def __init__(self, table: Table, rules: NumberRules) -> None:
        self._table = table
        self._normalise = Normaliser(rules)
        every_form = () if rules.number_format is NumberFormat.AS_IS else tuple(AlsoTry)
        self._planned = Forms(rules, every_form).planned
        header = table.source.header
        self._places = {name: header.index(name) for name in REPORT_COLUMNS if name in header}
        missing = [name for name in _NEEDED if name not in self._places]
        if missing:
            raise not_a_report(harmless(table.source.file), ", ".join(missing))
        self._kept = [index for index, name in enumerate(header) if name not in REPORT_COLUMNS]
        self.kept = tuple(header[index] for index in self._kept)

    def campaign(self) -> str:
        """Return the campaign of the first number."""
        return next((row.campaign for row in self.rows() if row.number), "")

    def rows(self) -> Iterator[RowOutcome]:
        """Yield every row of the report in order. Raises InputError for a row that cannot be trusted."""
        sources: dict[str, Source] = {}
        for block in self._table.blocks():
            if block.problems:
                index, problem = min(block.problems.items())
                raise InputError(
                    phrase(
                        "{file}, row {row}: {problem}",
                        file=harmless(self._table.source.file),
                        row=block.rows[index],
                        problem=ours(problem),
                    ),
                    "Take the report as it was written.",
                )
            for place, cells in zip(block.rows, block.others, strict=True):
                values = {name: read_as_text(cells[index]) for name, index in self._places.items()}
                file = values.get("file", "") or self._table.source.file
                source = sources.setdefault(file, self._source(file))
                yield self._row(place, source, values, tuple(read_as_text(cells[index]) for index in self._kept))

    def _source(self, file: str) -> Source:
        own = self._table.source
        header = (*self.kept, "number")
        reason = phrase("read back from {file}", file=harmless(own.file))
        return Source(file, "", header, len(self.kept), reason, "", "", own.sha256, own.size_bytes)

    def _row(self, place: int, source: Source, values: Mapping[str, str], others: tuple[str, ...]) -> RowOutcome:
        where = phrase("{file}, row {place}", file=harmless(self._table.source.file), place=place)
        try:
            status = Status(values["status"].strip())
            row = int(values["row"])
            state = None if status in NEVER_SENT else _state(status, values)
        except ValueError:
            raise InputError(
                phrase("{where}: a row, a status or a count is not what a report holds.", where=where),
                "Take the report as it was written.",
            ) from None
        number = values["number"].strip()
        if state is None:
            problem = ON_KEEP_LIST if status is Status.KEPT else values["detail"]
            return RowOutcome(source, row, values["input"], others, "", "", None, problem, "")
        # It may stand in another form of the same number, the one in which it was found. Digits that are the input's
        # own were sent so, whatever is thought of such a number now.
        cell = values["input"]
        same = number and (number == cell.strip() or self._planned(number) == self._normalise(cell).number)
        if not _NUMBER.fullmatch(number) or not (same or status in FINAL_STATUSES):
            raise InputError(
                phrase("{where}: the number no longer fits the input beside it.", where=where),
                "Take the report as it was written, or give the --number-format and --region of its run.",
            )
        duplicate_of = values.get("duplicate_of_row", "")
        return RowOutcome(source, row, values["input"], others, number, values["campaign"], state, "", duplicate_of)


def _state(status: Status, values: Mapping[str, str]) -> NumberState:
    """Return what a report's row knows of its number. Raises ValueError."""
    ids = values.get("record_ids", "").split()
    answered = values.get("answered_at", "").strip()
    attempts, busy_rounds = (int(values.get(column) or 0) for column in ("attempts", "busy_rounds"))
    known = read_back(status, values["detail"], attempts, answered=bool(answered) and not busy_rounds)
    return known._replace(
        removed=int(values.get("removed_records") or 0),
        record_ids=tuple(int(record_id) if record_id.isdecimal() else record_id for record_id in ids),
        attempts=attempts,
        busy_rounds=busy_rounds,
        answered_at_s=datetime.fromisoformat(answered).timestamp() if answered else 0.0,
    )
