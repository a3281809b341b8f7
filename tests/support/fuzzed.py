"""What fuzzed files are made of, what they must be read as, and how a reading is held against it.

Nothing here asks the reader how it reads: a table is made up first, then written, and what was made up is expected.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hypothesis import event
from hypothesis import strategies as st

from bulk_remove.errors import InputError
from bulk_remove.reader import ReadOptions, open_table

PHONE_NAMES = (
    *("phone", "Phone", "PHONE NUMBER", "phone_number", " phone ", "Mobile", "msisdn", "GSM", "Cell phone"),
    *(
        "telefon",
        "Telefon",
        "NR TELEFONU",
        "Nr telefonu",
        "nr_telefonu",
        "Numer telefonu",
        "Komórka",
        "tel.",
        "Tel. kom.",
    ),
    *("Telefon kontaktowy", "telefon komórkowy", "Telefon\nkontaktowy", "(telefon)"),
)
OTHER_NAMES = (
    *("id", "Lp.", "Imię i nazwisko", "uwagi", "Uwagi, różne", "a;b", "x|y", 'rura 5"', "miasto\nzamieszkania", ""),
    *("PESEL", "kwota", "e-mail", "data", "2024", "=1+1", "Kod\tpocztowy", "źródło", "ulica", "klient"),
)
GOOD = (
    *("600000001", "600 000 002", "600-000-003", "+48600000004", "+48 600 000 005", "0048600000006", "48600000007"),
    *("(+48) 600 000 008", " 600000009 ", "600\u00a0000\u00a0010", "'600000011", "600.000.012", "600000013\n"),
)
DAMAGED = (
    *("", " ", "brak", "6.00E+08", "600000021.0", "600000022,0", "600 000 023 / 600 000 024", "600000025, 600000026"),
    *("600000027;600000028", "600000029|600000030", "600000031\n600000032", '"600000033"', "=600000034", "6OO000035"),
    *("-600000036", "NA", "NULL", "nan", "#N/A", "tel. 600000037", "600000038 w. 3", "0", "117", "600\t000\t039"),
    *("600000040000000000", "True", "\u200b600000041", "600000042\r\n", "\ufeff600000043", "600000044 \U0001f4de"),
)
"""What stands in phone columns besides numbers; the reader must hand all of it over as it is."""
WORDS = (
    "",
    "Łódź",
    "Święty Józef",
    "żółw",
    "Gdańsk",
    "próba",
    "ćma",
    "koń",
    "Jan",
    "brak",
    "2024-01-05",
    "600 000 999",
)
PIECES = (
    *(",", ";", "\t", "|", '"', '""', "'", "\n", "\r\n", "\r", "=", "+", "-", "@", "\\", "#", " ", "600000999", "NA"),
    *("+48 600 000 998", "ł", "Ż", "ę", "\U0001f4de", "\u2028", "\x1c", "\x0b", "\x0c", "\u0085", "\u00a0", "\ufeff"),
    *("null", "1e5", "x" * 40, " " * 8, "0", "sep=;", "日本", "\u0301", "<b>&amp;", "_x000D_", "]]>", "01"),
)
NASTY = st.lists(st.sampled_from(PIECES), max_size=5).map("".join)
PHONES = st.one_of(*[st.sampled_from(GOOD)] * 3, st.sampled_from(DAMAGED))
CAMPAIGNS = st.sampled_from(["00001", "00002", "AB12c", "1", "", " 00003 ", "0,5", "12345"])


class Row(NamedTuple):
    """A row as it must be read; `campaign` is None without such a column, `kept` where no cells are kept."""

    number: int
    phone: str
    campaign: str | None
    kept: tuple[str, ...] | None
    too_wide: bool = False
    doubtful: bool = False
    """It is shorter than the header, or the last of a file that may be cut off: it may be refused as it may be sent."""


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """A file and what it must be read as. `certain` says that nothing is left to find out, so it must be read."""

    name: str
    options: ReadOptions
    header_row: int
    phone: int
    campaign: int | None
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    certain: bool


class Tally:
    """Counts what was read and what was refused, so that a reader that refuses everything does not pass."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def add(self, outcome: str) -> None:
        """Count an example."""
        self._seen[outcome] += 1
        event(outcome)

    def check(self, least_share: float) -> None:
        """Fail when too small a share of the examples was read."""
        read, total = self._seen["read"], self._seen.total()
        assert read >= least_share * total > 0, self._seen


def campaign_places(width: int, phone: int) -> st.SearchStrategy[int | None]:
    """Draw the place of a column of campaigns, or that there is none."""
    others = [place for place in range(width) if place != phone]
    return st.none() | st.sampled_from(others) if others else st.none()


def blank(cells: Sequence[str]) -> bool:
    """Whether no cell holds more than white space."""
    return not any(cell.strip() for cell in cells)


def without_blanks_at_the_end(cells: Sequence[str]) -> tuple[str, ...]:
    """Leave out the empty cells on the right, of which a workbook keeps no count."""
    width = max((place for place, cell in enumerate(cells, start=1) if cell), default=0)
    return tuple(cells[:width])


def held_against(fuzzed: Fuzzed, path: Path, tally: Tally, *, exact_width: bool) -> None:
    """Read the file, and fail unless it is read as it was made up, or refused in words that name it."""
    refusal: InputError | None = None
    try:
        table = open_table(str(path), fuzzed.options)
        blocks = list(table.blocks())
    except InputError as error:
        refusal = error
    tally.add("refused" if refusal else "read")
    if refusal:
        assert str(path) in refusal.sentence
        assert refusal.hint
        assert not fuzzed.certain, refusal.sentence
        return
    shape = tuple if exact_width else without_blanks_at_the_end
    source = table.source
    found = (source.header_row, source.column, source.campaign_column, shape(source.header))
    assert found == (fuzzed.header_row, fuzzed.phone, fuzzed.campaign, shape(fuzzed.header))
    read = [
        Row(
            row,
            block.cells[index],
            block.campaigns[index] if block.campaigns else None,
            shape(block.others[index]) if block.others else None,
            index in block.problems,
        )
        for block in blocks
        for index, row in enumerate(block.rows)
    ]
    may_be_refused = {row.number for row in fuzzed.rows if row.doubtful and not row.too_wide}
    assert [row._replace(too_wide=row.too_wide and row.number not in may_be_refused) for row in read] == [
        row._replace(kept=row.kept if row.kept is None else shape(row.kept), doubtful=False) for row in fuzzed.rows
    ]
    assert all(len(block.rows) == len(block.cells) <= fuzzed.options.block_rows for block in blocks)
