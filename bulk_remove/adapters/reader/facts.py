"""What is known of a sheet without reading its rows, and the sentences that it makes."""

from collections.abc import Iterator
from dataclasses import dataclass


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
        if self.hidden_rows:
            yield f"{_counted(self.hidden_rows, 'row')} hidden or filtered out in the sheet; they are read like the others."
        if phone_column in self.hidden_columns:
            yield "The phone column is hidden in the sheet."
        if self.errors:
            yield f"{_counted(self.errors, 'cell')} an error such as #N/A instead of a value; they read as empty."
        if self.no_results:
            yield (
                f"{_counted(self.no_results, 'formula')} no stored result and read as empty; "
                "open the workbook in Excel and save it to store them."
            )


def _counted(count: int, noun: str) -> str:
    verb = {"row": ("is", "are"), "cell": ("holds", "hold"), "formula": ("has", "have")}[noun]
    return f"{count} {noun}{'s' * (count != 1)} {verb[count != 1]}"
