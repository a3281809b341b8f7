"""What other columns and the whole input say about the rows: codes, conditions, campaigns, and damaged numbers.

A number without its country or area code may be another number, so a column of codes is never ignored. Code and cell
are joined when they certainly make one whole number; otherwise the row is refused. A cell that already holds the whole
number, code included, is used unchanged if it does not contradict its code.

A file of all customers with a column `zgoda` is not a list of numbers to remove. The file does not say whether TAK or
NIE is meant. So such a column is reported with its counts, and the user chooses with `--where`.

Whether a cell is damaged may depend on the whole file (`WholeInput`). So the input is read once under the given
rules, and again if `WholeInput.rules` returns others.

A campaign's identifier is five letters or digits, as Thulium documents it. Leading zeros belong to it.
"""

import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple, Self

from bulk_remove.core.columns import fold, says_keep, says_remove
from bulk_remove.core.model import harmless
from bulk_remove.core.numbers import JudgedBlock, Normaliser, NumberRules
from bulk_remove.core.spelling import is_country_code, is_name_of, problem_in_plan, reading, region_of
from bulk_remove.errors import InputError, UsageError
from bulk_remove.language import counted, joined, phrase

_LEFT_OUT = "Left out by --where {conditions}."
_EXCEL_SHOWS = {"prawda": "true", "fałsz": "false", "wahr": "true", "falsch": "false"}
"""What spreadsheets in other languages show for a truth value."""
_YES_NO = """
tak nie yes no true false ja nein on off
usun usunac usuniety usunieta zostaw zostawic zachowaj zachowac pozostaw pozostawic delete deleted remove removed keep
kept leave retain loschen behalten
aktywny aktywna aktywne nieaktywny nieaktywna active inactive zgoda brakzgody sprzeciw odmowa udzielona cofnieta
wycofana optin optout optedin optedout subscribed unsubscribed zablokowany blocked nieaktualny
"""
_WORDS = frozenset(_YES_NO.split())  # folded words that say which rows are meant, whatever else is in the same column
_NOTHING = frozenset(["", "brak", "na", "nd", "niedotyczy", "null", "none", "unknown", "nieznany"])
_SIGNS = (("1", "0"), ("t", "n"), ("y", "n"), ("j", "n"), ("+", "-"), ("x", ""))
"""A sign may mean anything. So both must occur, or the column's name must be about consent."""
_FEW = 4
_MANY = 8  # a column of consent may have so many different answers, each of them in several rows
_ROWS_OF_AN_ANSWER = 3
_SHOWN = 3
_LONGEST = 40
_GIVEN_UP = 1000
_OPERATOR = re.compile(r"^\s*[!~<>^\-\u00ac]|[!~<>^]\s*$")
"""Signs at either end of a column's name that mean another comparison. The column's position still works."""
_OTHER_THAN = re.compile(r"\s*(?:[=~!]|<>)")
_OF_CONSENT = re.compile(
    "zgod|consent|agree|permi|activ|aktywn|subscri|newsletter|marketing|optin|dzwon|kontaktowac|rodo|gdpr|decyzj|decision"
    "|status|keep|zachow|zostaw"
)
_OF_CONSENT_ALONE = re.compile("(?!data|date)(?:.*(?:zgod|consent|permi|optin|optout|optedin|optedout|rodo|gdpr))")
"""Excludes columns of call results or of dates."""
_MOST_COLUMNS = 5


@dataclass(frozen=True, slots=True)
class Condition:
    """A column (its name, or its position from 1) and the value that its cells must have. Ignores capitals."""

    column: str
    value: str

    @classmethod
    def parse(cls, text: str) -> "Condition":
        """Read `COLUMN=VALUE`; an empty value means an empty cell. Raises UsageError."""
        column, sign, value = text.partition("=")
        if sign and (_OPERATOR.search(unicodedata.normalize("NFKC", column)) or _OTHER_THAN.match(value)):
            raise UsageError(
                "--where is '{text}', but it only accepts COLUMN=VALUE.",
                "Give the value of the rows that are meant, as zgoda=NIE, or with the column's place: 3=NIE.",
                text=harmless(text),
            )
        if not sign or not column.strip():
            raise UsageError(
                "--where is '{text}', which is not a column and a value.",
                "Give it as COLUMN=VALUE, for example zgoda=NIE.",
                text=harmless(text),
            )
        return cls(column.strip(), value)

    def holds(self, cell: str) -> bool:
        """Return whether a cell has the wanted value."""
        return _alike(cell) == _alike(self.value)


def left_out(conditions: Sequence[str]) -> str:
    """Return the reason for not sending a row that does not meet all of these conditions."""
    return phrase(_LEFT_OUT, conditions=harmless(" --where ".join(conditions)))


def is_left_out(reason: str) -> bool:
    """Return whether this reason says that a condition left the row out."""
    return reason.startswith(_LEFT_OUT.partition("{")[0])


def telling_columns(
    header: Sequence[str], samples: Sequence[Sequence[str]], others: Collection[int | None]
) -> Sequence[int]:
    """Return the indexes of the columns that may say which rows are meant, judged by the first rows."""
    certain, possible = [], []
    for index, name in enumerate(header):
        counts = CellCounts()
        counts.add(row[index] if index < len(row) else "" for row in samples)
        if index not in others and counts.tells(name):
            certain.append(index)
        elif index not in others and name.strip() and counts.may_tell():
            possible.append(index)
    return [*certain, *possible][:_MOST_COLUMNS]


class CellCounts:
    """Counts the values of a column. Its size does not grow with the rows."""

    def __init__(self) -> None:
        self._counts = Counter[str]()
        self._shown: dict[str, str] = {}
        self._more = 0

    def add(self, cells: Iterable[str]) -> None:
        """Add cells. A column that holds mostly other things is not counted to its end."""
        if self._more > max(_GIVEN_UP, self._counts.total()):
            return
        for cell, count in Counter(cells).items():
            value = _alike(cell)
            if value in self._shown or len(self._shown) <= _MANY or _is_word(value):
                self._counts[value] += count
                self._shown.setdefault(value, cell.strip())
            else:
                self._more += count

    def tells(self, name: str) -> bool:
        """Return whether the column says which rows are meant: by its name, or by a word for yes or no."""
        values = self._shown.keys()
        filled = values - {""}
        words = [value for value in values if _is_word(value)]
        # A text or a number says neither, and must not be shown either.
        if not filled or any(len(text) > _LONGEST or harmless(text) != text for text in self._shown.values()):
            return False
        if len(values) > _FEW or self._more:
            rows = self._counts.total() - self._counts[""]
            several = not self._more and len(filled) <= _MANY and rows >= _ROWS_OF_AN_ANSWER * len(filled)
            if several and _OF_CONSENT_ALONE.match(fold(name)):
                return True
            return 2 * sum(self._counts[word] for word in words) > self._counts.total() + self._more - self._counts[""]
        if _OF_CONSENT.search(fold(name)) or says_remove(name) or says_keep(name):
            return True
        return len(values) > 1 and (bool(words) or any(values - {""} == {*pair} - {""} for pair in _SIGNS))

    def may_tell(self) -> bool:
        """Return whether all cells so far give the same answer: the other answer may come later."""
        values = self._shown.keys()
        known = any(values <= {*pair, ""} for pair in _SIGNS)
        return not self._more and (known or all(_is_word(value) or fold(value) in _NOTHING for value in values))

    def told(self, name: str, *, chosen: bool) -> str:
        """Return a sentence about the column; empty if it does not say which rows are meant after all."""
        if not self.tells(name):
            return ""
        counts = [(self._shown[value] or phrase("empty"), count) for value, count in self._counts.most_common()]
        shown = len(counts) if len(counts) <= _FEW + 1 else _SHOWN
        more = self._more + sum(count for _, count in counts[shown:])
        counts = [*counts[:shown], *([(phrase("something else"), more)] if more else [])]
        told = joined(", ", (phrase("{count:,} x {value}", count=count, value=value) for value, count in counts))
        if chosen:
            return phrase("Column '{name}' may say which rows are meant: {counts}.", name=harmless(name), counts=told)
        return phrase(
            "Column '{name}' may say which rows are meant: {counts}. All rows are used; to use only some, add --where "
            "COLUMN=VALUE.",
            name=harmless(name),
            counts=told,
        )


def _is_word(value: str) -> bool:
    return _folded(value) in _WORDS or (value != "" and (says_remove(value) or says_keep(value)))


_folded = lru_cache(maxsize=1 << 12)(fold)


@lru_cache(maxsize=1 << 12)
def _alike(cell: str) -> str:
    """Return a cell without the differences that a comparison ignores."""
    text = " ".join(unicodedata.normalize("NFKC", cell).casefold().split())
    return _EXCEL_SHOWS.get(text, text)


_SAME_ROUNDED = 5  # so many rows with one number that ends in six zeros are as suspicious as two different numbers
_ONE_ROUNDED_IN = 200_000  # By chance, one number in a million ends like this. Five times as many are not chance.


class WholeInput:
    """Collects what the blocks of an input show together. Its size does not grow with the rows."""

    def __init__(self) -> None:
        self._numbers = 0
        self._internal = 0
        self._coded = 0
        self._in_doubt = 0
        self._rounded = 0
        self._ends_in_zeros = set[str]()

    def add(self, block: JudgedBlock) -> None:
        """Add the next block."""
        self._numbers += len(block.numbers) - len(block.problems)
        self._internal += block.internal
        self._coded += block.coded
        self._in_doubt += block.in_doubt
        self._rounded += len(block.rounded)
        if len(self._ends_in_zeros) <= 1:
            self._ends_in_zeros.update(block.rounded)

    def rules(self, rules: NumberRules, *, internal_numbers: bool | None, trusted: bool) -> NumberRules:
        """Return the rules for reading the input, given the rules under which its blocks were added."""
        several = len(self._ends_in_zeros) > 1 or self._rounded >= _SAME_ROUNDED
        too_many = self._rounded * _ONE_ROUNDED_IN > self._numbers
        whole = self._numbers - self._internal * rules.internal_numbers
        mostly = self._internal > whole
        return replace(
            rules,
            internal_numbers=mostly if internal_numbers is None else internal_numbers,
            mostly_internal=mostly and internal_numbers is not False,
            coded=bool(self._in_doubt) and 2 * self._coded > self._numbers,
            rounded=several and too_many and not trusted,
        )


_STEPS = frozenset({1, 2, 3, 5, 10, -1, -2, -3, -5, -10})
_RUN = 10  # so many numbers in equal steps are not chance
_SHORTEST = 7  # shorter, internal numbers do count up
_DIGITS = 10


class MadeUp:
    """Counts numbers that a person or a spreadsheet may have made up. Its size does not grow with the rows."""

    def __init__(self, region: str) -> None:
        own = region_of(region)
        leads = ("", own.country_code, f"+{own.country_code}", f"{own.international_prefix}{own.country_code}")
        self._placeholders = frozenset(
            lead + "".join(str((first + step * place) % _DIGITS) for place in range(length))
            for length in own.full_lengths
            for first in range(1, _DIGITS)
            for step in (-1, 0, 1)
            for lead in leads
        )
        self._like_one = self._first_like_one = 0
        self._in_runs = self._first_in_run = self._last_in_run = self._step = 0
        self._before: tuple[list[int], list[str]] = [], []

    def add(self, rows: Sequence[int], numbers: Sequence[str]) -> None:
        """Add the next numbers with their rows; empty numbers do not count."""
        if found := self._placeholders.intersection(numbers):
            places = [place for place, number in enumerate(numbers) if number in found]
            self._like_one += len(places)
            self._first_like_one = self._first_like_one or rows[places[0]]
        filled = [*rows], [*numbers]
        if "" in numbers:
            kept = [place for place, number in enumerate(numbers) if number]
            filled = [rows[place] for place in kept], [numbers[place] for place in kept]
        rows, numbers = self._before[0] + filled[0], self._before[1] + filled[1]
        self._find_runs(rows, numbers)
        self._before = rows[1 - _RUN :], numbers[1 - _RUN :]

    def _find_runs(self, rows: Sequence[int], numbers: Sequence[str]) -> None:
        """Find runs by one step in nine: a run of ten numbers has nine steps."""
        apart, end = _RUN - 1, 0
        pairs = zip(map(int, numbers[::apart]), map(int, numbers[1::apart]), strict=False)
        hits = [apart * pair for pair, (first, second) in enumerate(pairs) if second - first in _STEPS]
        values = [*map(int, numbers)] if hits else []
        last = len(values) - 1
        for place in hits:
            if place < end or len(numbers[place]) < _SHORTEST:
                continue
            step = values[place + 1] - values[place]
            start, end = place, place + 1
            while start and values[start] - values[start - 1] == step:
                start -= 1
            while end < last and values[end + 1] - values[end] == step:
                end += 1
            if end - start >= apart:
                self._in_runs += end + 1 - bisect_right(rows, self._last_in_run, start, end + 1)
                self._last_in_run = rows[end]
                self._step = self._step or step
                self._first_in_run = self._first_in_run or rows[start]

    def notes(self, *, all_count_up: bool) -> Iterator[str]:
        """Yield sentences about these numbers; `all_count_up` says that one of them was reported already."""
        if self._like_one:
            yield counted(
                self._like_one,
                "{count:,} number (row {row}) looks made up: one repeated digit, or digits in order.",
                "{count:,} numbers (the first in row {row}) look made up: one repeated digit, or digits in order.",
                row=self._first_like_one,
            )
        if self._in_runs and not all_count_up:
            yield counted(
                self._in_runs,
                "{count:,} number follows the one before in equal steps, the first ones by {step} from row {row} on: "
                "a spreadsheet may have made them up.",
                "{count:,} numbers follow each other in equal steps, the first ones by {step} from row {row} on: "
                "a spreadsheet may have made them up.",
                step=self._step,
                row=self._first_in_run,
            )


_CAMPAIGN = re.compile(r"[0-9A-Za-z]{5}")
_LENGTH = 5
_BESIDE = "id|nr|no|num|numer|number|kod|code|thulium|nazwa|nazwy|names?|tytul|title"
_NAME = re.compile(f"(?:{_BESIDE})*(?:kampani[aei]|campaigns?|kampagne|outbounds?)+(?:{_BESIDE})*")


def is_campaign(text: str) -> bool:
    """Return whether the text is exactly a campaign's identifier."""
    return bool(_CAMPAIGN.fullmatch(text))


def read_campaign(cell: str) -> tuple[str, str]:
    """Return the campaign's identifier in a cell, or the problem with it; exactly one is non-empty."""
    text = cell.strip().removeprefix("'").strip()  # the mark with which a spreadsheet keeps text
    if not text:
        return "", "No campaign in the row."
    return (text, "") if is_campaign(text) else ("", "The campaign is not five letters or digits.")


def names_campaigns(name: str) -> bool:
    """Return whether a column of this name holds the campaign of each row, as identifier or name."""
    return bool(_NAME.fullmatch(fold(name)))


def other_campaigns(cells: Collection[str], campaign: str) -> list[str]:
    """Return the cells, sorted, that are the identifier of a campaign other than `campaign`."""
    return sorted(text for text in _named_beside(cells, campaign) if _is_identifier(text, campaign))


def campaign_names(cells: Collection[str], campaign: str) -> list[str]:
    """Return the cells, sorted, that may be names of campaigns. A zero means no."""
    named = _named_beside(cells, campaign)
    return sorted(text for text in named if text.strip("0") and not _is_identifier(text, campaign))


def _named_beside(cells: Collection[str], campaign: str) -> set[str]:
    """Return the cells that do not name this campaign, without what a program put around them."""
    texts = {reading(cell).text for cell in cells}
    return {text for text in texts if text and text.zfill(_LENGTH) != campaign}


def _is_identifier(text: str, campaign: str) -> bool:
    if is_campaign(text):
        return campaign.isalpha() or not text.isalpha()
    return text.isascii() and text.isdigit() and len(text) < _LENGTH and int(text) > 0


_OF_A_COUNTRY = (
    r"country|calling|isd|idd|intl|international|miedzynarodow[ay]|krajow[ay]|kraju|landes|laender|lander|statu"
)
_OF_A_PHONE = r"phone|telephone|tel|telefon|telefonu|telefoniczny|mobile|cell|gsm|dial|dialing|dialling"
_NEUTRAL = r"nr|numer|numeru|number|no|do"
_A_CODE = r"codes?|kod|prefix|prefiks|kierunkow[ya]|kier|vorwahl|predvolba|predcisli"
# Folded names: what the code belongs to, perhaps in several words, before and after the word for code.
_CODE_NAME = re.compile(
    rf"(?=.*(?:{_A_CODE}))(?P<words>(?:{_OF_A_COUNTRY}|{_OF_A_PHONE}|{_NEUTRAL}|area|stref[ay]|orts|{_A_CODE})+)[0-9]*"
)
_WITHOUT_MORE = re.compile(r".*(?:prefix|prefiks|kierunkow[ya]|kier|vorwahl|predvolba|predcisli)")
"""A column named only "code" or "kod" may hold codes of anything."""
_ISO = "(?:alpha)?(?:[23]|31661)?"
_COUNTRY_OF_A_PHONE = re.compile(
    rf"(?:{_OF_A_PHONE})(?:country|kraj)|isd|idd|(?:country|kraju?)?(?:codes?|kod)?iso{_ISO}"
    rf"(?:codes?|kod)?(?:country|kraju?)?(?:codes?|kod)?{_ISO}"
)
_A_COUNTRY = re.compile(r"(?:country|countries|kraj|panstwo|land|staat|nation|zeme)(?:name|nazwa|of.*|klienta|tel.*)?")
"""Where somebody lives, or the country of the number: usually the same."""
_PERHAPS_CODES = re.compile(r"|codes?|kod")
_OF_FIGURES = re.compile(
    r"(?:age|wiek|lat|lata|qty|quantity|ilosc|szt|sztuk|liczba|count|id|lp|nr|no|num|number|numer|rank|score|rok|year|month|"
    r"miesiac|dzien|day|poz|pozycja|row|wiersz|index|proby|attempts?|kwota|amount|cena|price|suma|sum|total)"
)
_COUNTRY, _PHONE, _AREA = (
    re.compile(f".*(?:{words})") for words in (_OF_A_COUNTRY, _OF_A_PHONE, "area|stref[ay]|orts")
)

_FIGURES = re.compile(r"\(? *(\+|00)? *([1-9][0-9]{0,3}) *\)?")
_BEHIND_A_NAME = re.compile(r"[^\W\d_][^0-9+]*\(?(\+)([1-9][0-9]{0,2})\)?")
_PLAIN_CODE = re.compile(r"\(?(?:\+|00)[1-9][0-9]{1,2}\)?")
"""At least two digits: `+1` may be the offset of a time zone."""
_LONGEST_CODE = 3
_MANY_CODES = 10  # by chance, two thirds of the figures from 1 to 66 are codes of countries, but not so many different
_LONGEST_NAME = 40

_CONTRADICTS = "The number does not begin with the code in the code column."
_UNCERTAIN = "Together with the code column it is not certainly one whole number."
_MISSING = "The country or area code that other rows have is missing."
_NO_CODE = "The cell of the code column does not hold a country or area code."
_ABROAD = "The code column names another country: write the number with its country code."


class _Code(NamedTuple):
    """A cell of the column: the digits of a code (of a country if `country`), or the letters of a country."""

    digits: str = ""
    letters: str = ""
    country: bool = False


@dataclass(frozen=True, slots=True)
class CodeKind:
    """What a column's codes may belong to, by its name: countries, areas of the region, or either."""

    country: bool = False
    area: bool = False

    @classmethod
    def named(cls, folded: str) -> Self | None:
        """Return the kind of a column by its folded name (see `columns.fold`); None for any other column."""
        if _COUNTRY_OF_A_PHONE.fullmatch(folded):
            return cls(country=True)
        found = _CODE_NAME.fullmatch(folded)
        words = found["words"] if found else ""
        country, area = bool(_COUNTRY.match(words)), bool(_AREA.match(words))
        if country or area:
            return cls(country, area)
        return cls(country=True, area=True) if _PHONE.match(words) or _WITHOUT_MORE.match(words) else None


def find_code_column(
    header: Sequence[str], samples: Sequence[Sequence[str]], phone: int, region: str = "PL", *, trust: bool = False
) -> int | None:
    """Return the index of the column that holds the codes of the phone column at `phone`, None if there is none."""
    seen: dict[int, list[_Code]] = {}
    for index, heading in enumerate(header):
        cells = [row[index] for row in samples if index < len(row) and row[index].strip()]
        name = fold(heading)
        kind = CodeKind.named(name)
        codes = [_read(cell) for cell in cells]
        if index == phone:
            continue
        letters_too = kind == CodeKind(country=True)
        if kind:
            if not cells or any(code.digits or (code.letters and letters_too) for code in codes):
                seen[index] = codes
        elif cells and (_are_plain_codes(cells) or _are_of_countries(name, codes)):
            seen[index] = codes
        elif not trust and _may_be_codes(index, name, samples, phone, region):
            raise InputError(
                "Column '{name}' may hold the country codes of the numbers.",
                "Name it 'country_code' if it does; if it does not, delete it, or add --trust-column.",
                name=harmless(heading.strip()) or str(index + 1),
            )
    # `country_code` with PL beside `phone_code` with 48: the digits are enough.
    found = [index for index, codes in seen.items() if any(code.digits for code in codes)] or [*seen]
    filled = [index for index in found if seen[index]] or found[:1]
    if len(filled) > 1:
        raise InputError(
            "Parts of the numbers are in several columns ({listed}).",
            "Put the whole number into one column, with a plus and the country code, and leave the others out.",
            listed=", ".join(f"'{header[index]}'" for index in filled),
        )
    return filled[0] if filled else None


def names_countries(name: str) -> bool:
    """Return whether a column's name means names of countries."""
    return bool(_A_COUNTRY.fullmatch(fold(name)))


class Countries:
    """Counts the rows of other countries by a column of country names. Its size does not grow with the rows."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._abroad = self._rows = 0

    def add(self, cells: Iterable[str]) -> None:
        """Add cells."""
        for cell, count in Counter(cells).items():
            letters = _read(cell).letters
            self._rows += count
            self._abroad += count if letters and not is_name_of(self._region, letters) else 0

    def told(self, name: str, *, chosen: bool) -> str:
        """Return a sentence about the column; empty if all rows are of the region, or the rows were `chosen` by it."""
        if chosen or not self._abroad:
            return ""
        return counted(
            self._rows,
            "Column '{name}' names another country in {abroad:,} of {count:,} row: "
            "a number without a country code is read as one of {region} all the same.",
            "Column '{name}' names another country in {abroad:,} of {count:,} rows: "
            "a number without a country code is read as one of {region} all the same.",
            name=harmless(name),
            abroad=self._abroad,
            region=self._region.upper(),
        )


def _are_plain_codes(cells: Sequence[str]) -> bool:
    texts = [reading(cell).text for cell in cells]
    return all(_PLAIN_CODE.fullmatch(text) and is_country_code(text.strip("(+)").removeprefix("00")) for text in texts)


def _are_of_countries(name: str, codes: "Sequence[_Code]") -> bool:
    """Return whether a column named after countries, or `cc`, holds only country codes."""
    named = name == "cc" or bool(_A_COUNTRY.fullmatch(name))
    return named and _are_codes(codes) and any(len(code.digits) > 1 for code in codes)


def _are_codes(codes: Sequence[_Code]) -> bool:
    return all(0 < len(code.digits) <= _LONGEST_CODE and is_country_code(code.digits) for code in codes)


def _may_be_codes(index: int, name: str, samples: Sequence[Sequence[str]], phone: int, region: str) -> bool:
    """Return whether a column with any other name holds only codes, and makes whole numbers with the phone cells."""
    perhaps = bool(_PERHAPS_CODES.fullmatch(name))
    if not perhaps and (abs(index - phone) > 1 or _OF_FIGURES.match(name) or name.endswith("id")):
        return False
    pairs = [(_read(row[index]), row[phone]) for row in samples if max(index, phone) < len(row) and row[index].strip()]
    if not pairs or not _are_codes([code for code, _ in pairs]):
        return False
    own = region_of(region).country_code
    foreign = {code.digits for code, _ in pairs} - {own}
    if not foreign or not (perhaps or len(pairs) >= _MANY_CODES or any(len(code) == _LONGEST_CODE for code in foreign)):
        return False
    normalise = Normaliser(NumberRules(region=region))
    digits = [(code.digits, normalise.spelt(cell)) for code, cell in pairs]
    fits = [
        (code, rest)
        for code, rest in digits
        if rest and (normalise.is_whole(rest) if code == own else not problem_in_plan(code + rest, certain=True))
    ]
    return 2 * len(fits) > len(pairs) and any(code != own for code, _ in fits)


@lru_cache(maxsize=1024)
def _read(cell: str) -> _Code:
    text = reading(cell).text
    if figures := _FIGURES.fullmatch(text) or _BEHIND_A_NAME.fullmatch(text):
        return _Code(figures[2], country=bool(figures[1]))
    is_name = len(text) <= _LONGEST_NAME and bool(text) and all(sign.isalpha() or sign in " .-'()" for sign in text)
    return _Code(letters=text.upper()) if is_name and any(map(str.isalpha, text)) else _Code()


class Joined(NamedTuple):
    """The cells of a block with their codes, and by row index the reason why a row has no number."""

    cells: Sequence[str]
    problems: Mapping[int, str]


class CodeColumn:
    """Joins the cells of two columns. `name` is the folded name of the codes' column."""

    def __init__(self, name: str, rules: NumberRules) -> None:
        kind = CodeKind.named(name) or CodeKind(country=True)
        self._country, self._area = kind.country, kind.area
        self._normalise = Normaliser(rules)
        self._region = rules.region
        self._own = region_of(rules.region).country_code
        self._blank_is_own: bool | None = None

    def joined(self, codes: Sequence[str], cells: Sequence[str]) -> Joined:
        """Return the cells of a block with their codes. If the first block has few codes, none is required."""
        if self._blank_is_own is None:
            self._blank_is_own = 2 * sum(not code.strip() for code in codes) > len(codes)
        whole, problems = [*cells], {}
        for index, (code, cell) in enumerate(zip(codes, cells, strict=True)):
            whole[index], problem = self._one(code, cell)
            if problem:
                problems[index] = problem
        return Joined(whole, problems)

    def _one(self, code_cell: str, cell: str) -> tuple[str, str]:
        """Return the whole number of a row as a cell, or the problem with it."""
        digits = self._normalise.spelt(cell)
        if not digits:
            return cell, ""  # reading the cell reports the problem
        explicit = self._normalise.from_country_code(digits)
        code = _read(code_cell)
        if code.digits:
            country = self._country and explicit.startswith(code.digits)
            area = self._area and not code.country and explicit.startswith(self._own + code.digits)
            return (cell, "" if country or area else _CONTRADICTS) if explicit else self._together(code, digits, cell)
        if explicit or (self._blank_is_own and not code_cell.strip()):
            return cell, ""
        if not code_cell.strip():
            return cell, _MISSING
        if not (code.letters and self._country):
            return cell, _NO_CODE
        return cell, "" if is_name_of(self._region, code.letters) else _ABROAD

    def _together(self, code: _Code, digits: str, cell: str) -> tuple[str, str]:
        """Return the digits with their code, if there is exactly one way to make a whole number."""
        found: dict[str, str] = {}
        if self._country and code.digits == self._own:
            if self._normalise.is_whole(digits):
                found[self._own + digits] = cell
        elif self._country and is_country_code(code.digits):
            for number in (code.digits + digits, digits if digits.startswith(code.digits) else ""):
                if number and not problem_in_plan(number, certain=True):
                    found[number] = f"+{code.digits} {number.removeprefix(code.digits)}"
        if self._area and not code.country:
            national = code.digits + digits
            if self._normalise.is_whole(national) and not problem_in_plan(self._own + national, certain=True):
                found[self._own + national] = f"{code.digits} {digits}"
            elif digits.startswith(code.digits) and self._normalise.is_whole(digits):
                found[self._own + digits] = cell
        return (next(iter(found.values())), "") if len(found) == 1 else (cell, _UNCERTAIN)
