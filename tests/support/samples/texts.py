"""The samples that are text: each kind of CSV, damaged numbers, and what needs an option."""

import codecs
from collections.abc import Iterator
from itertools import islice

from tests.support.samples.tables import (
    BLOCK,
    HEADER,
    INVALID,
    Expected,
    Person,
    Sample,
    all_sent,
    delimited,
    people,
    spelt,
)

TOO_WIDE = "The row has more cells than the header: the phone cell may have shifted."
FORMS = (
    *("{a}{b}{c}", "{a} {b} {c}", "{a}-{b}-{c}", "{a}.{b}.{c}", "{a}\u00a0{b}\u00a0{c}", "{a}\u202f{b}\u202f{c}"),
    *("{a}\u2013{b}\u2013{c}", "{a}\u2011{b}\u2011{c}", "({a}) {b} {c}", "({a}){b}-{c}", "  {a} {b} {c}  "),
    *("'{a}{b}{c}", "\ufeff{a}{b}{c}", "{a}\u200b{b}\u200b{c}", "+48{a}{b}{c}", "+48 {a} {b} {c}", "+48-{a}-{b}-{c}"),
    *("+48.{a}.{b}.{c}", "+ 48 {a}{b}{c}", "(+48){a}{b}{c}", "(+48) {a}-{b}-{c}", "'+48{a}{b}{c}", "0048{a}{b}{c}"),
    *("0048 {a} {b} {c}", "(0048) {a} {b} {c}", "48{a}{b}{c}", "48 {a} {b} {c}"),
    *('="{a}{b}{c}"', "48{a}{b}{c}.0", "{a[0]}.{a[1]}{a[2]}{b}{c}E+08", "p:+48{a}{b}{c}"),
)
DAMAGE = (
    ("", "The cell is empty."),
    ("brak", "A word that says there is no number."),
    ("---", "A mark that says there is no number."),
    ("jan.testowy@example.com", "An e-mail address."),
    ("6.00E+08", "Scientific notation: a spreadsheet has lost digits."),
    ("6,00E+08", "Scientific notation: a spreadsheet has lost digits."),
    ("600000401.5", "A decimal number, not a phone number."),
    ("600000402,05", "A decimal number, not a phone number."),
    ("6000004030000000", "More than fifteen digits, zeros at the end: a spreadsheet has lost digits."),
    ("########", "A spreadsheet's sign that the column was too narrow for its value."),
    ("#N/D!", "The error of a formula in a spreadsheet."),
    ("600 000 404 / 600 000 405", "Perhaps more than one number."),
    ("600000406 600000407", "Perhaps more than one number."),
    ("600 000 408 w. 12", "An extension, which cannot be sent."),
    ("6OO000409", "A letter O that may be a zero."),
    ("60000041l", "A letter l or I that may be a one."),
    ("tel. 600000411", "Letters in the cell."),
    ("+48 (0) 600 000 412", "A zero in parentheses: nobody can tell whether it belongs to the number."),
    ("+48+600000413", "More than one plus."),
    ("600+000414", "A plus that is not in front."),
    ("-600000415", "A minus in front."),
    ("600-000-416-", "A dot or a dash at an end: perhaps a part is missing."),
    ("(600 000 417", "Parentheses that do not match."),
    ("600_000_418", "A character that is not part of a phone number."),
    ("3. 600000419", "A number in a list, it seems: digits, a dot and a space in front."),
    ("\uff16\uff10\uff10000420", "Digits of another script."),
    ("600\t000\t421", "Control characters in the cell."),
    ("2025-03-01", "A date."),
    ("12:30", "A time of day."),
    ("600,00 zł", "An amount of money."),
    ("000000000", "Only zeros: a placeholder."),
    ("60", "Fewer than three digits."),
    ("proszę nie dzwonić", "No digits in the cell."),
)
"""A cell of each kind of damage, and the sentence that the report says of it."""


def texts() -> Iterator[Sample]:
    """Yield the samples that are plain text files."""
    yield from _encodings()
    yield from _shapes()
    yield from _damaged()
    yield from _with_options()
    yield from _campaigns_and_parts()


def table(persons: list[Person], delimiter: str = ",", line_end: str = "\n") -> str:
    """Return people under `HEADER` as CSV."""
    return delimited([HEADER, *(person.cells for person in persons)], delimiter, line_end)


def _encodings() -> Iterator[Sample]:
    for name, first, delimiter, line_end, encoding in (
        ("csv/utf8_bom_commas.csv", 231, ",", "\r\n", "utf-8-sig"),
        ("csv/utf16_without_mark.csv", 271, ";", "\r\n", "utf-16-le"),
        ("csv/cp1250_semicolons.csv", 291, ";", "\r\n", "cp1250"),
        ("csv/iso8859_2_commas.csv", 311, ",", "\n", "iso8859_2"),
        ("csv/pipes.csv", 331, "|", "\n", "utf-8"),
        ("csv/cr_line_ends.csv", 351, ";", "\r", "utf-8"),
    ):
        persons = people(first)
        yield Sample(name, table(persons, delimiter, line_end).encode(encoding), all_sent(persons))
    persons = people(251)
    text = codecs.BOM_UTF16_LE + table(persons, "\t", "\r\n").encode("utf-16-le")
    yield Sample("csv/utf16_tabs.txt", text, all_sent(persons))
    persons = people(371)
    yield Sample("csv/sep_line.csv", ("sep=;\r\n" + table(persons, ";", "\r\n")).encode(), all_sent(persons))


def _shapes() -> Iterator[Sample]:
    forms = people(501, len(FORMS), FORMS)
    yield Sample("csv/many_forms.csv", table(forms).encode(), all_sent(forms))

    persons = people(531)
    notes = ("dwie\nlinie", 'powiedział "nie"', "a, b; c\td|e", "\r\n", "=1+1", "600 000 999", "")
    rows = [(person.phone, notes[index % len(notes)], person.name) for index, person in enumerate(persons)]
    text = delimited([("telefon", "uwagi", "klient"), *rows], ",", "\r\n")
    yield Sample("csv/newlines_in_cells.csv", text.encode(), all_sent(persons))

    persons = people(551)
    titles = "Raport sprzeciwów;;;\r\nwygenerowano 2025-03-01;;;\r\n;;;\r\n"
    yield Sample("csv/titles_above.csv", (titles + table(persons, ";", "\r\n")).encode(), all_sent(persons, 5))

    persons = people(571)
    lines = "".join(f"{person.phone.strip()}\n" for person in persons)
    stripped = tuple(row._replace(input=row.input.strip()) for row in all_sent(persons, 1))
    yield Sample("csv/numbers_without_header.txt", lines.encode(), stripped)
    yield _ragged()


def _ragged() -> Sample:
    persons = people(591, 63)
    lines = [",".join(person.cells) for person in persons]
    expected = list(all_sent(persons))
    lines[4] = ",".join(persons[4].cells[:3])  # the last cell is missing, not the phone's
    lines[9] += ",,,"  # empty cells past the header
    lines[14] = "15,Zmyślony,Jan,600 000 605,Żory"  # a comma too many, in front of the phone cell
    expected[14] = Expected(16, "Jan", INVALID, "", TOO_WIDE)
    lines[19] += ",koniec"
    expected[19] = expected[19]._replace(becomes=INVALID, detail=TOO_WIDE)
    lines[24] = "25"  # neither name nor phone
    expected[24] = Expected(26, "", INVALID, "", "The cell is empty.")
    lines[29] = lines[34] = ""  # blank lines count as rows, but are none
    lines[39] = " , , , "
    kept = [row for row in expected if row.row not in {31, 36, 41}]
    return Sample("csv/ragged_rows.csv", "\n".join([",".join(HEADER), *lines, ""]).encode(), tuple(kept))


def _damaged() -> Iterator[Sample]:
    persons = people(701, 3)
    rows = [(cell, "do sprawdzenia") for cell, _ in DAMAGE] + [(person.phone, "w porządku") for person in persons]
    expected = [Expected(row, cell, INVALID, "", why) for row, (cell, why) in enumerate(DAMAGE, start=2)]
    text = delimited([("telefon", "uwagi"), *rows], ";")
    whole = (*expected, *all_sent(persons, len(DAMAGE) + 2))
    yield Sample("damaged/damaged_numbers.csv", text.encode(), whole)


def _with_options() -> Iterator[Sample]:
    persons = people(711)
    rows = [(person.name, person.phone, str(BLOCK[719 - person.place])) for person in persons]
    text = delimited([("klient", "telefon", "telefon 2"), *rows])
    yield Sample("options/two_phone_columns.csv", text.encode(), all_sent(persons))

    persons = people(731)
    text = delimited([person.cells for person in persons], ";")
    yield Sample("options/columns_without_header.csv", text.encode(), all_sent(persons, 1))

    persons = people(751)
    yield Sample("options/hash_signs.txt", table(persons, "#").encode(), all_sent(persons))

    persons = people(771)
    clients = ["Łucja Testowa", *["Jan Testowy"] * 19]
    text = delimited([("klient", "telefon"), *zip(clients, [person.phone for person in persons], strict=True)], ";")
    yield Sample("options/dos_cp852.csv", text.encode("cp852"), all_sent(persons))

    regon = [number for number in BLOCK if _ends_like_a_regon(number)][:25]
    expected = tuple(Expected(row, str(number), str(number)) for row, number in enumerate(regon, start=2))
    text = delimited([("telefon", "klient"), *((str(number), "Firma Przykładowa") for number in regon)])
    yield Sample("options/regon_by_chance.csv", text.encode(), expected)


def _ends_like_a_regon(number: int) -> bool:
    digits = [int(digit) for digit in str(number)]
    weighted = zip(digits, (8, 9, 2, 3, 4, 5, 6, 7), strict=False)
    return sum(digit * weight for digit, weight in weighted) % 11 % 10 == digits[8]


def _campaigns_and_parts() -> Iterator[Sample]:
    persons = people(791)
    campaigns = ("00001", "00002", "AB12c", " 00001 ", "'00002")
    rows, expected = [], []
    for row, person in enumerate(persons, start=2):
        campaign = campaigns[row % len(campaigns)]
        rows.append((person.phone, campaign, person.name))
        expected.append(Expected(row, person.phone, person.number, campaign.strip(" '")))
    for row, (campaign, why) in enumerate(
        (("1", "The campaign is not five letters or digits."), ("", "No campaign in the row.")), start=22
    ):
        rows.append((str(BLOCK[row + 789]), campaign, "Jan Testowy"))
        expected.append(Expected(row, str(BLOCK[row + 789]), INVALID, "", why))
    text = delimited([("telefon", "Kampania", "klient"), *rows], ";")
    yield Sample("options/campaigns.csv", text.encode(), tuple(expected))

    yield _two_in_a_cell()


def _two_in_a_cell() -> Sample:
    numbers = iter(BLOCK[820:900])
    rows, expected = [], []
    joints = (" / ", ", ", ";", "\n", " lub ", " i ", " oraz ", " | ", "; ; ", "")
    for row, joint in enumerate(joints * 2, start=2):
        spelling = "{a} {b} {c}" if row % 2 else "+48{a}{b}{c}"
        parts = [(spelt(spelling, number), str(number)) for number in islice(numbers, 2 if joint else 1)]
        rows.append((f"Testowy {row}", joint.join(cell for cell, _ in parts)))
        expected += [Expected(row, cell, number) for cell, number in parts]
    for row, cell in enumerate(("22 000 00 01/02", "600 000 991, 117"), start=22):  # not certain, so not taken apart
        rows.append((f"Testowy {row}", cell))
        expected.append(Expected(row, cell, INVALID, "", "Perhaps more than one number."))
    return Sample("options/two_in_a_cell.csv", delimited([("klient", "telefon"), *rows], ",").encode(), tuple(expected))
