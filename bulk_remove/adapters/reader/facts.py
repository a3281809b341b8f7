"""What is known of a sheet without reading its rows, and the sentences that it makes."""

from collections.abc import Iterator
from dataclasses import dataclass

from bulk_remove.language import counted


@dataclass(frozen=True, slots=True)
class SheetFacts:
    """What the operator must be told of a sheet.

    `hidden_rows` counts those with cells that are hidden or filtered out; `hidden_columns` are indices from 0;
    `errors` counts cells such as #N/A, `no_results` formulas without a stored value: both read as empty.
    """

    hidden_rows: int = 0
    hidden_columns: frozenset[int] = frozenset()
    errors: int = 0
    no_results: int = 0

    def notes(self, phone_column: int) -> Iterator[str]:
        """Yield a sentence for each thing that is not plain."""
        rows, errors, formulas = self.hidden_rows, self.errors, self.no_results
        if rows:
            yield counted(
                rows,
                "{count} row is hidden or filtered out in the sheet; it is read like the others.",
                "{count} rows are hidden or filtered out in the sheet; they are read like the others.",
            )
        if phone_column in self.hidden_columns:
            yield "The phone column is hidden in the sheet."
        if errors:
            yield counted(
                errors,
                "{count} cell holds an error such as #N/A instead of a value; that is read as empty.",
                "{count} cells hold an error such as #N/A instead of a value; that is read as empty.",
            )
        if formulas:
            yield counted(
                formulas,
                "{count} formula has no stored result, which is read as empty; "
                "opened and saved in Excel, it is stored.",
                "{count} formulas have no stored result, which is read as empty; "
                "opened and saved in Excel, it is stored.",
            )
