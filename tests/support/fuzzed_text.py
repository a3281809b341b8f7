"""Fuzzed CSV files: delimiters, quotes, encodings, line ends, titles, ragged and blank rows, each as it comes."""

import csv
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hypothesis import strategies as st

from bulk_remove.reader import ReadOptions
from tests.support.fuzzed import (
    CAMPAIGNS,
    DAMAGED,
    GOOD,
    NASTY,
    OTHER_NAMES,
    PHONE_NAMES,
    PHONES,
    WORDS,
    Fuzzed,
    Row,
    blank,
    campaign_places,
)

DELIMITERS = (",", ";", "\t", "|")
TITLES = ("Raport sprzeciwów", "Wygenerowano 2024-01-05", "Firma Przykładowa, Łódź", "", " ", "str. 1")
ONE_BYTE = {"cp1250", "iso8859_2"}
ENCODINGS = ("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1250", "iso8859_2")
_C1_CONTROLS = dict.fromkeys(range(0x80, 0xA0))

Rows = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Manner:
    """How a table is written. `quoting` is the share of cells that are quoted without need."""

    delimiter: str
    line_end: str
    encoding: str
    quoting: float
    ends_with_line_end: bool
    seed: int

    def cell(self, text: str, dice: random.Random) -> str:
        """Write a cell."""
        needed = any(sign in text for sign in (*DELIMITERS, self.delimiter, '"', "\r", "\n"))
        return f'"{text.replace(chr(34), chr(34) * 2)}"' if needed or dice.random() < self.quoting else text

    def written(self, rows: Rows, above: str = "") -> bytes:
        """Write the rows below a first line as it stands."""
        dice = random.Random(self.seed)
        lines = [self.delimiter.join(self.cell(text, dice) for text in cells) for cells in rows]
        text = above + self.line_end.join(lines) + self.line_end * self.ends_with_line_end
        return text.encode(self.encoding)

    def written_by_csv(self, rows: Rows) -> bytes:
        """Let Python's csv module write the rows, with all cells quoted or those that need it."""
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self.delimiter, lineterminator=self.line_end, quoting=self._quoting(rows)).writerows(
            rows
        )
        return text.getvalue().encode(self.encoding)

    def written_by_pandas(self, header: Sequence[str], rows: Rows) -> bytes:
        """Let pandas write the table."""
        import pandas as pd  # noqa: PLC0415 - as in the reader

        text = pd.DataFrame(list(rows), columns=list(header), dtype=object).to_csv(
            index=False, sep=self.delimiter, lineterminator=self.line_end, quoting=self._quoting([header, *rows])
        )
        return text.encode(self.encoding)

    def _quoting(self, rows: Rows) -> Literal[0, 1]:
        # In a single column the delimiter cannot be known, and line ends of another kind are not quoted by themselves.
        text = "".join(map("".join, rows))
        needed = "\r" in text or "\n" in text or max(map(len, rows)) == 1
        return csv.QUOTE_ALL if self.quoting or needed else csv.QUOTE_MINIMAL


MANNERS = st.builds(
    Manner,
    st.sampled_from(DELIMITERS),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(ENCODINGS),
    st.sampled_from([0.0, 0.0, 0.3, 1.0]),
    st.booleans(),
    st.integers(0, 1 << 16),
)


def encodable(text: str, encoding: str) -> str:
    """Leave out what the encoding has no letters for."""
    if encoding not in ONE_BYTE:
        return text
    return text.translate(_C1_CONTROLS).encode(encoding, "ignore").decode(encoding)


@st.composite
def fuzzed_tables(draw: st.DrawFn) -> tuple[Fuzzed, bytes]:
    """Make up a table with a header, and its file."""
    manner = draw(MANNERS)
    width = draw(st.integers(1, 5))
    phone = draw(st.integers(0, width - 1))
    campaign = draw(campaign_places(width, phone))
    header = [encodable(draw(st.sampled_from(OTHER_NAMES)), manner.encoding) for _ in range(width)]
    header[phone] = encodable(draw(st.sampled_from(PHONE_NAMES)), manner.encoding)
    if campaign is not None:
        header[campaign] = "Kampania"
    said = draw(st.sampled_from(["all", "some", "nothing"]))
    encoding = manner.encoding if said == "all" or (said == "some" and draw(st.booleans())) else None
    texts = st.sampled_from(WORDS) if encoding is None and manner.encoding in ONE_BYTE | {"utf-16-le"} else NASTY
    columns = [texts] * width
    columns[phone] = PHONES
    if campaign is not None:
        columns[campaign] = CAMPAIGNS
    rows = [[encodable(draw(column), manner.encoding) for column in columns] for _ in range(draw(st.integers(1, 8)))]
    rows[draw(st.integers(0, len(rows) - 1))][phone] = draw(st.sampled_from(GOOD[:9]))
    rows = [_misshapen(draw, cells) for cells in rows] if draw(st.booleans()) else rows
    times = draw(st.sampled_from([1, 1, 1, 1, 1, 1, 1, 40]))  # longer than what is looked at to find things out
    rows *= times
    above = [[draw(st.sampled_from(TITLES))] for _ in range(draw(st.integers(0, 3)) if said == "nothing" else 0)]
    above = [[encodable(title, manner.encoding)] for (title,) in above]
    options = ReadOptions(
        column=_column(draw, header, phone, said),
        keep_columns=draw(st.booleans()),
        block_rows=draw(st.sampled_from([2, 3, 5, 5000])) * times,
        campaign_column=None if campaign is None else draw(st.sampled_from(["Kampania", str(campaign + 1)])),
        encoding=encoding,
        delimiter=manner.delimiter if said == "all" else None,
        has_header=True if said == "all" else None,
        trust_column=said == "all" or draw(st.booleans()),
    )
    content = _content(draw, manner, above, header, rows)
    fuzzed = Fuzzed(
        name="numbers.csv",
        options=options,
        header_row=len(above) + 1,
        phone=phone,
        campaign=campaign,
        header=tuple(header),
        rows=expected(rows, len(above) + 2, width, phone, campaign, keep=options.keep_columns),
        certain=said == "all" and any(not blank(row) for row in rows),
    )
    return fuzzed, content


def _misshapen(draw: st.DrawFn, cells: list[str]) -> list[str]:
    """Cut a row short, blank it or make it too wide, or leave it as it is."""
    shape = draw(st.sampled_from(["as it is", "short", "blank", "empty cells more", "wide", "far too wide"]))
    return {
        "as it is": cells,
        "short": cells[: draw(st.integers(1, len(cells)))],
        "blank": draw(st.sampled_from([[""], [" "], [""] * len(cells), ["\u00a0"] * len(cells)])),
        "empty cells more": [*cells, *draw(st.sampled_from([[""], ["", " "], [""] * 70]))],
        "wide": [*cells, "", "600000555"],
        "far too wide": [*cells, *[""] * 80, "x"],
    }[shape]


def _column(draw: st.DrawFn, header: Sequence[str], phone: int, said: str) -> str | None:
    """Return --column: nothing, or the name where it is the only one, or the position below no titles."""
    if said == "all":
        return str(phone + 1)
    named = said == "some" and header.count(header[phone]) == 1
    return draw(st.sampled_from([None, header[phone]])) if named else None


def _content(draw: st.DrawFn, manner: Manner, above: Rows, header: list[str], rows: list[list[str]]) -> bytes:
    rectangular = all(len(cells) == len(header) for cells in rows) and not above
    writer = draw(st.sampled_from(["own", "own", "csv", "pandas" if rectangular else "own", "sep"]))
    if writer == "csv":
        return manner.written_by_csv([*above, header, *rows])
    if writer == "pandas":
        return manner.written_by_pandas(header, rows)
    first = f"sep={manner.delimiter}{manner.line_end}" if writer == "sep" else ""
    return manner.written([*above, header, *rows], first)


def expected(rows: Rows, first: int, width: int, phone: int, campaign: int | None, *, keep: bool) -> tuple[Row, ...]:
    """Say what rows must be read as, of which the first has that number."""
    return tuple(
        Row(
            number,
            whole[phone],
            None if campaign is None else whole[campaign],
            tuple(whole[:width]) if keep else None,
            not blank(cells[width:]),
            len(cells) < width or cells is rows[-1],
        )
        for number, cells in enumerate(rows, start=first)
        if not blank(cells)
        for whole in [[*cells, *[""] * width]]
    )


@st.composite
def fuzzed_lists(draw: st.DrawFn) -> tuple[Fuzzed, bytes]:
    """Make up a file without a header: numbers alone, or a table of which this is said."""
    manner = draw(MANNERS)
    said = draw(st.booleans())
    width = draw(st.integers(1, 4)) if said else 1
    phone = draw(st.integers(0, width - 1))
    columns = [st.sampled_from(WORDS) if manner.encoding in ONE_BYTE | {"utf-16-le"} else NASTY] * width
    columns[phone] = st.sampled_from(GOOD[:9]) if draw(st.booleans()) else PHONES
    rows = [[encodable(draw(column), manner.encoding) for column in columns] for _ in range(draw(st.integers(1, 8)))]
    rows[0][-1] = "x"  # empty columns past the phone column are none at all
    rows[0][phone] = draw(st.sampled_from(GOOD[:9]))
    times = draw(st.sampled_from([1, 1, 1, 1, 1, 30]))
    rows *= times
    if not said and draw(st.booleans()):
        rows.append([encodable(draw(st.sampled_from(DAMAGED)), manner.encoding)])
    options = ReadOptions(
        column=str(phone + 1) if said else None,
        keep_columns=draw(st.booleans()),
        block_rows=draw(st.sampled_from([2, 3, 5000])) * times,
        encoding=manner.encoding if said else None,
        delimiter=manner.delimiter if said else None,
        has_header=False if said else None,
        trust_column=said,
    )
    header = tuple(f"column {place}" for place in range(1, width + 1))
    rows_read = expected(rows, 1, width, phone, None, keep=options.keep_columns)
    return Fuzzed("numbers.txt", options, 0, phone, None, header, rows_read, certain=said), manner.written(rows)
