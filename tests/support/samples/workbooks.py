"""The samples that are workbooks, as sheets of cells; text stays text, figures are stored as figures."""

from collections.abc import Iterator, Mapping, Sequence

from tests.support.samples.tables import HEADER, INVALID, Cell, Cells, Expected, Person, Sample, all_sent, people

NOTES: tuple[Cells, ...] = (("uwagi",), ("Lista jest zmyślona.",))


def workbooks() -> Iterator[Sample]:
    """Yield the samples that are workbooks."""
    for name, first in (
        ("workbooks/with_macros.xlsm", 241),
        ("workbooks/binary.xlsb", 261),
        ("workbooks/excel_97.xls", 281),
        ("workbooks/open_document.ods", 301),
    ):
        persons = people(first)
        sheets = {"Notatki": NOTES, "Klienci": [HEADER, *map(cells_of, persons)]}
        yield Sample(name, sheets, tuple(map(as_stored, all_sent(persons), persons)))
    yield _titles_above()
    yield _without_header()
    yield _kinds_of_cells()
    yield _two_lists()
    yield _campaigns()


def cells_of(person: Person) -> tuple[Cell, ...]:
    """Return a person's cells: every third phone number, spelt with digits alone, is stored as a figure."""
    return (person.place, person.name, stored_as(person), person.town)


def stored_as(person: Person) -> Cell:
    """Return the phone cell: a whole figure, one with a decimal point, or text."""
    if person.place % 3:
        return person.phone
    return int(person.number) if person.place % 2 else float("48" + person.number)


def as_stored(row: Expected, person: Person) -> Expected:
    """Return the expected row with the text that the reader must make of the cell."""
    cell = stored_as(person)
    return row if isinstance(cell, str) else row._replace(input=f"{cell:.0f}")


def _titles_above() -> Sample:
    """A table that begins in C6, with a blank row in it."""
    persons = people(321)
    rows: list[Cells] = [("Sprzeciwy za marzec",), (), (None, "utworzył: Jan Testowy"), (), ()]
    rows += [(None, None, *cells) for cells in (HEADER, *map(cells_of, persons[:10]))]
    rows += [(), *((None, None, *cells_of(person)) for person in persons[10:])]
    expected = [*all_sent(persons[:10], 7), *all_sent(persons[10:], 18)]
    return Sample("workbooks/titles_above.xlsx", {"Arkusz1": rows}, tuple(map(as_stored, expected, persons)))


def _without_header() -> Sample:
    persons = people(341)
    rows: list[Cells] = [(int(person.number),) for person in persons]
    expected = tuple(Expected(row, person.number, person.number) for row, person in enumerate(persons, start=1))
    return Sample("workbooks/numbers_without_header.xlsx", {"Arkusz1": rows}, expected)


def _kinds_of_cells() -> Sample:
    """What a cell may hold besides a number: each kind once."""
    empty = "The cell is empty."
    decimal = "A decimal number, not a phone number."
    damage: tuple[tuple[Cell, str, str], ...] = (
        (None, "", empty),
        (600_000_361.5, "600000361.5", decimal),
        (6e20, "6.000000000000000e+20", "Scientific notation: a spreadsheet has lost digits."),
        (-600_000_363, "-600000363", "A minus in front."),
        ("6.00E+08", "6.00E+08", "Scientific notation: a spreadsheet has lost digits."),
        ("=1/0", "(formula)", "A formula without a stored result: open and save it in Excel."),
        ("=600000364+1", "(formula)", "A formula without a stored result: open and save it in Excel."),
        ("600000366.0", "600000366.0", ""),  # nothing is lost
    )
    persons = people(701)
    rows: list[Cells] = [("telefon", "klient"), *((cell, "Anna Przykładowa") for cell, _, _ in damage)]
    rows += [(stored_as(person), person.name) for person in persons]
    expected = [
        Expected(row, text, INVALID if why else text.removesuffix(".0"), "", why)
        for row, (_, text, why) in enumerate(damage, start=2)
    ]
    expected += map(as_stored, all_sent(persons, len(damage) + 2), persons)
    return Sample("damaged/kinds_of_cells.xlsx", {"Arkusz1": rows}, tuple(expected))


def _two_lists() -> Sample:
    persons, others = people(381), people(901)
    sheets: Mapping[str, Sequence[Cells]] = {
        "Klienci": [HEADER, *map(cells_of, others)],
        "Sprzeciwy": [HEADER, *map(cells_of, persons)],
        "Notatki": NOTES,
    }
    return Sample("options/two_lists.xlsx", sheets, tuple(map(as_stored, all_sent(persons), persons)))


def _campaigns() -> Sample:
    """Campaigns as figures and as text: a figure gets its zeros back, text does not."""
    campaigns: tuple[tuple[Cell, str], ...] = ((1, "00001"), (2.0, "00002"), ("00003", "00003"), (12345, "12345"))
    wrong: tuple[tuple[Cell, str], ...] = (
        ("1", "The campaign is not five letters or digits."),
        (1.5, "The campaign is not five letters or digits."),
        (123456, "The campaign is not five letters or digits."),
        (None, "No campaign in the row."),
    )
    persons = people(921, 24)
    rows: list[Cells] = [("kampania", "telefon", "klient")]
    expected = []
    for row, person in zip(all_sent(persons), persons, strict=True):
        kinds = campaigns if person.place <= 20 else wrong
        campaign, became = kinds[person.place % 4]
        rows.append((campaign, stored_as(person), person.name))
        seen = as_stored(row, person)
        sent = kinds is campaigns
        expected.append(seen._replace(campaign=became) if sent else seen._replace(becomes=INVALID, detail=became))
    return Sample("options/campaigns.xlsx", {"Arkusz1": rows}, tuple(expected))
