"""The value types that all other modules use. All of them are frozen.

A run has thousands of numbers. Nearly all have the same result and differ only in the ids of their records. So `Alike`
keeps each kind of value once ("dictionary encoding", as in Parquet and Arrow), and each decision is made once for
each kind.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import repeat
from typing import Final, Generic, NamedTuple, Protocol, Self, TypeVar, overload

from bulk_remove.language import one_line

RecordId = int | str
Ids = RecordId | tuple[RecordId, ...]  # one id without a tuple, since most numbers have one record


class Kind(Protocol):
    """A named tuple that is kept once; its `record_ids` are empty, because they are kept elsewhere."""

    @property
    def record_ids(self) -> tuple[RecordId, ...]: ...  # noqa: D102 - the name says it
    def _replace(self, *, record_ids: tuple[RecordId, ...]) -> Self: ...


_NONE: list[Ids] = [()]

K = TypeVar("K", bound=Kind)
B = TypeVar("B", bound=Kind)


@dataclass(frozen=True, slots=True, eq=False)
class Alike(Sequence[K], Generic[K]):
    """A sequence of values: the i-th is `kinds[which[i]]` with the record ids `ids[i]`; `ids` may be None."""

    kinds: tuple[K, ...]
    which: Sequence[int]
    ids: Sequence[Ids] | None = None

    @classmethod
    def of(cls, values: Iterable[K]) -> "Alike[K]":
        """Return values as such a sequence."""
        if isinstance(values, Alike):
            return values
        places: dict[K, int] = {}
        which: list[int] = []
        ids: list[Ids] = []
        for value in values:
            which.append(places.setdefault(value._replace(record_ids=()), len(places)))
            ids.append(_short(value.record_ids))
        return cls(tuple(places), which, ids if any(found != () for found in ids) else None)

    @classmethod
    def chained(cls, parts: Iterable["Alike[K]"]) -> "Alike[K]":
        """Return the values of one sequence after the other."""
        kinds: list[K] = []
        which: list[int] = []
        ids: list[Ids] = []
        for part in parts:
            before = len(kinds)
            kinds += part.kinds
            which += [before + place for place in part.which] if before else part.which
            ids += _NONE * len(part) if part.ids is None else part.ids
        return cls(tuple(kinds), which, ids)

    @classmethod
    def placed(cls, size: int, parts: Iterable[tuple[Sequence[int], "Alike[K]"]]) -> "Alike[K]":
        """Return `size` values; each part has its rising positions, and together the parts fill all positions."""
        kinds: list[K] = []
        which, ids = [-1] * size, _NONE * size
        for places, part in parts:
            if len(part) == size:
                return part
            before = len(kinds)
            kinds += part.kinds
            for place, kind in zip(places, part.which, strict=True):
                which[place] = before + kind
            for place, found in zip(places, part.ids or (), strict=part.ids is not None):
                ids[place] = found
        return cls(tuple(kinds), which, ids)

    def __len__(self) -> int:
        return len(self.which)

    def __iter__(self) -> Iterator[K]:
        if self.ids is None:
            return map(self.kinds.__getitem__, self.which)
        return map(self._value, self.which, self.ids)

    @overload
    def __getitem__(self, place: int) -> K: ...
    @overload
    def __getitem__(self, place: slice) -> "Alike[K]": ...
    def __getitem__(self, place: int | slice) -> "K | Alike[K]":
        if isinstance(place, slice):
            return Alike(self.kinds, self.which[place], None if self.ids is None else self.ids[place])
        return self._value(self.which[place], () if self.ids is None else self.ids[place])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and [*self] == [*other]

    def __hash__(self) -> int:
        return hash(tuple(self))

    def _value(self, which: int, ids: Ids) -> K:
        kind = self.kinds[which]
        return kind if ids == () else kind._replace(record_ids=long_form(ids))

    def counted(self) -> Iterator[tuple[K, int]]:
        """Yield each kind that occurs, with its count."""
        if len(self.kinds) == 1 and self.which:
            return iter([(self.kinds[0], len(self.which))])
        return ((self.kinds[which], count) for which, count in Counter(self.which).items())

    def where(self, wanted: Callable[[K], object]) -> list[int]:
        """Return the positions of the values whose kind is wanted."""
        found = {which for which, kind in enumerate(self.kinds) if wanted(kind)}
        return [place for place, which in enumerate(self.which) if which in found] if found else []

    def each(self, change: Callable[[K], K]) -> "Alike[K]":
        """Return the values after a change that keeps the record ids; it is made once for each kind."""
        return Alike(tuple(map(change, self.kinds)), self.which, self.ids)

    def but(self, at: Mapping[int, K]) -> "Alike[K]":
        """Return the values, with those at the given positions replaced."""
        if not at:
            return self
        kinds, which = [*self.kinds], [*self.which]
        ids = _NONE * len(which) if self.ids is None else [*self.ids]
        new: dict[K, int] = {}
        for place, value in at.items():
            kind = value._replace(record_ids=())
            if kind not in new:
                new[kind] = len(kinds)
                kinds.append(kind)
            which[place], ids[place] = new[kind], _short(value.record_ids)
        return Alike(tuple(kinds), which, ids)

    def joined(self, other: "Alike[B]", join: Callable[[K, B], K]) -> "Alike[K]":
        """Return `join` of each value and its counterpart, made once for each pair of kinds; record ids are added."""
        if len(self.kinds) == 1 and len(self) == len(other):
            mine = self.kinds[0]
            return Alike(tuple(join(mine, theirs) for theirs in other.kinds), other.which, _added(self.ids, other.ids))
        wide = len(other.kinds)
        pairs = [mine * wide + theirs for mine, theirs in zip(self.which, other.which, strict=True)]
        places = {pair: place for place, pair in enumerate(dict.fromkeys(pairs))}
        kinds = tuple(join(self.kinds[pair // wide], other.kinds[pair % wide]) for pair in places)
        return Alike(kinds, [places[pair] for pair in pairs], _added(self.ids, other.ids))


def long_form(ids: Ids) -> tuple[RecordId, ...]:
    """Return record ids as a tuple."""
    return ids if isinstance(ids, tuple) else (ids,)


def _short(ids: tuple[RecordId, ...]) -> Ids:
    return ids[0] if len(ids) == 1 else ids


def _added(mine: Sequence[Ids] | None, more: Sequence[Ids] | None) -> Sequence[Ids] | None:
    if mine is None or more is None:
        return more if mine is None else mine
    return [_short(long_form(a) + long_form(b)) for a, b in zip(mine, more, strict=True)]


class Status(StrEnum):
    """The status of a number in the report."""

    REMOVED = "REMOVED"
    NOT_EXIST = "NOT_EXIST"
    PRESUMED_REMOVED = "PRESUMED_REMOVED"
    CALL_IN_PROGRESS = "CALL_IN_PROGRESS"
    IN_DOUBT = "IN_DOUBT"
    FAILED = "FAILED"
    UNRECOGNISED = "UNRECOGNISED"
    UNSENT = "UNSENT"
    INVALID = "INVALID"
    KEPT = "KEPT"


FINAL_STATUSES = frozenset({Status.REMOVED, Status.NOT_EXIST, Status.PRESUMED_REMOVED})
"""Asking again can bring no other answer."""

NEVER_SENT = frozenset({Status.INVALID, Status.KEPT})  # rows without a number to send: nothing is open there

OPEN_STATUSES = frozenset(set(Status) - FINAL_STATUSES - NEVER_SENT)
"""A run that leaves one of these ends with exit code 3 or worse."""


REPORT_COLUMNS = (
    "file",
    "row",
    "input",
    "number",
    "campaign",
    "status",
    "removed_records",
    "record_ids",
    "attempts",
    "busy_rounds",
    "detail",
    "answered_at",
    "duplicate_of_row",
)
"""The columns of the report, in order; the columns of the input may come before them."""


class Rehearsal(StrEnum):
    """Why a run's result is not proof: the server says that it is a stand-in, or it is this machine."""

    NONE = ""
    STAND_IN = "stand-in"
    LOOPBACK = "loopback"

    @classmethod
    def of(cls, host: str, *, stand_in: bool) -> Self:
        """Return whether a run against a host is a rehearsal; `stand_in`: the server itself says so."""
        if stand_in:
            return cls("stand-in")
        return cls("loopback" if host.startswith(_THIS_MACHINE) else "")


_THIS_MACHINE = ("127.", "[::1]", "localhost")
REHEARSED: Final[Mapping[Rehearsal, str]] = {
    Rehearsal.NONE: "",
    Rehearsal.STAND_IN: "Rehearsal on a stand-in.",
    Rehearsal.LOOPBACK: "Sent to this machine, perhaps a rehearsal.",
}
"""The sentence about it beside every result."""


class Brackets(StrEnum):
    """How the `[]` of `phone_number[]` is written: RFC 3986 asks for `encoded`, Thulium's page shows `raw`.

    `auto`: encoded, and raw once the server has shown that it reads that.
    """

    AUTO = "auto"
    ENCODED = "encoded"
    RAW = "raw"


class ReportFormat(StrEnum):
    """The formats of a report; `csv` is the proof, the others are for people and programs."""

    CSV = "csv"
    XLSX = "xlsx"
    HTML = "html"
    JSON = "json"


class CsvFor(StrEnum):
    """The format of report.csv: for programs, or for a double click where Excel is set to Polish."""

    PROGRAMS = "programs"
    EXCEL_PL = "excel-pl"


class NumberFormat(StrEnum):
    """The form in which the campaign holds its numbers; `auto` until its own records show the form."""

    AUTO = "auto"
    NATIONAL = "national"
    DIGITS = "digits"
    E164 = "e164"
    AS_IS = "as-is"


@dataclass(frozen=True, slots=True)
class Source:
    """One table of the input (a CSV file, or one sheet of a workbook), and the column chosen in it."""

    file: str  # as the user gave it
    sheet: str  # empty for CSV
    header: tuple[str, ...]  # made up if the table has none
    column: int  # the index of the phone column
    column_reason: str
    encoding: str  # empty for workbooks, and so is the delimiter
    delimiter: str
    sha256: str
    size_bytes: int
    header_row: int = 1  # 0 for a file without a header
    campaign_column: int | None = None
    code_column: int | None = None
    notes: tuple[str, ...] = ()  # sentences for the operator
    beside: tuple[int, ...] = ()  # other columns to read: for conditions, or because they may say which rows are meant


@dataclass(frozen=True, slots=True)
class RowBlock:
    """Up to a few thousand consecutive rows of one source, by column."""

    source: Source
    rows: Sequence[int]  # as a spreadsheet counts them: the first line is 1
    cells: Sequence[str]  # the phone cells
    others: Sequence[tuple[str, ...]]  # all cells if the report keeps them, else empty
    campaigns: Sequence[str] = ()  # empty if the file has no such column; so are the codes
    problems: Mapping[int, str] = field(default_factory=dict)  # by index, why a row must not be sent
    codes: Sequence[str] = ()  # the cells with country or area codes
    shown: Mapping[int, str] = field(default_factory=dict)  # by index, what a spreadsheet shows instead of the cell
    beside: Sequence[Sequence[str]] = ()  # the columns that `Source.beside` names
    titles: Mapping[int, str] = field(default_factory=dict)  # by index, the only text of a row, if it is like a title


class NumberedBlock(NamedTuple):
    """Rows, and the number or problem of each."""

    rows: RowBlock
    numbers: Sequence[str]
    campaigns: Sequence[str]
    problems: Mapping[int, str]


NO_NUMBER = ""  # instead of a phase: the row has no number, or one on a keep list
ON_KEEP_LIST = "It is on a --keep list, so it was never sent."
"""Instead of a problem with the cell: the cell is good, but its number must stay."""


def unsent_status(problem: str) -> Status:
    """Return the status of a row without a number to send, from the reason for that."""
    return Status.KEPT if problem == ON_KEEP_LIST else Status.INVALID


class NumberState(NamedTuple):
    """What is known about one number so far. A tuple, because a run makes one or more for each number."""

    phase: str  # a letter of `lifecycle.Phase`
    removed: int = 0  # records that the server said it removed, over all attempts
    record_ids: tuple[RecordId, ...] = ()
    attempts: int = 0  # requests that were sent with this number
    busy_rounds: int = 0  # how many of these found it in a call
    busy_since_s: float = 0.0  # when the first of these did so in this session, 0.0 for never
    answered_at_s: float = 0.0  # when the last reply about it came, Unix seconds
    detail: str = ""
    doubt_us: int = 0  # the duration of the longest request without a verdict that may have been carried out
    doubt_each_ns: int = 0  # the same for each number of its request: a small request is carried out sooner


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one number, as in the report."""

    number: str  # as it was sent; the cell's text if it is not a phone number
    status: Status  # what the server did, as far as that is known
    removed_records: int  # how many records it said it removed
    record_ids: tuple[int | str, ...]  # their ids, if the server named them
    attempts: int  # how many requests were sent with this number
    busy_rounds: int  # how many of these found it in a call
    detail: str  # an explanation if the status needs one, else empty
    answered_at_s: float  # when the last reply about it came, in Unix seconds; 0.0 for never
    at_least: bool = False
    """Whether `removed_records` is a lower bound: a request that brought no verdict may have removed more."""


class RowOutcome(NamedTuple):
    """A row of the input and its result."""

    source: Source
    row: int
    cell: str
    others: tuple[str, ...]
    number: str  # empty for a cell without a number: then `problem` says why
    campaign: str
    state: NumberState | None
    problem: str
    duplicate_of: str  # the row that had the number first, `file:row` if in another file


@dataclass(frozen=True, slots=True)
class OutcomeBlock:
    """Rows of one source and their results, by column; `outcomes` gives them one by one."""

    source: Source
    rows: Sequence[int]
    cells: Sequence[str]
    others: Sequence[tuple[str, ...]]
    numbers: Sequence[str]
    campaigns: Sequence[str]
    states: Alike[NumberState]  # the phase of a row without a number is NO_NUMBER
    duplicate_of: Mapping[int, str]  # by index

    def outcomes(self) -> Iterator[RowOutcome]:
        """Yield the rows in their order."""
        columns = zip(
            self.rows,
            self.cells,
            self.others or repeat(()),
            self.numbers,
            self.campaigns,
            self.states,
            strict=False,  # the default value of a missing column repeats forever
        )
        for place, (row, cell, others, number, campaign, state) in enumerate(columns):
            found, problem = (None, state.detail) if state.phase == NO_NUMBER else (state, "")
            duplicate_of = self.duplicate_of.get(place, "")
            yield RowOutcome(self.source, row, cell, others, number, campaign, found, problem, duplicate_of)


@dataclass(frozen=True, slots=True)
class Chunk:
    """The numbers of one URL."""

    chunk_id: int
    campaign: str
    numbers: tuple[str, ...]
    ordinals: Sequence[int]  # the positions of the numbers among the distinct numbers of the run
    states: Alike[NumberState]
    first: bool  # planned, not packed later from numbers that are sent again
    form: int = 0  # the rank of their form (`forms.Forms.rank`), 0 for the planned one


class Again(NamedTuple):
    """When (Unix seconds) and how to send a number again: `number` in its form, `form` the rank of that form."""

    due_s: float
    number: str
    form: int


def mask(number: str) -> str:
    """Hide the middle of a phone number, at least five characters: `48601234555` becomes `48*****4555`."""
    if len(number) < 7:  # noqa: PLR2004 - two digits in front and five hidden; an internal number hides whole
        return "*" * len(number)
    hidden = max(5, len(number) - 6)
    return one_line(f"{number[:2]}{'*' * hidden}{number[2 + hidden :]}")


SHOWN_CHARACTERS = 300  # the shown length of a text from outside; more of a server's HTML page would not help
_BETWEEN_DIGITS = "[ \u00a0.\\-\u2010-\u2015/()]{0,2}"
_LIKE_A_NUMBER = re.compile(
    r"(?P<other>(?<![0-9A-Za-z])(?:"
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # a UUID
    r"|(?=[0-9]*[a-f])[0-9a-f]{12,64}"  # a request_id or a digest
    r"|(?:19|20)[0-9]{2}(?P<in_date>[-./_]?)(?:0[1-9]|1[0-2])(?P=in_date)(?:0[1-9]|[12][0-9]|3[01])"  # a date
    r"(?:[T_ -]?[0-2][0-9](?P<in_time>:?)[0-5][0-9](?:(?P=in_time)[0-5][0-9])?)?"  # and perhaps a time
    r")(?![0-9A-Za-z]))"
    rf"|\+?\d(?:{_BETWEEN_DIGITS}\d){{4,}}"
)
_FEWEST_DIGITS = 7
_FEWEST_TOGETHER = re.compile(r"\d{5}")


def harmless(text: str, most: int = SHOWN_CHARACTERS) -> str:
    """Return a text from outside, safe for a screen, a log, a note or a message."""
    shown = _LIKE_A_NUMBER.sub(_masked, one_line(text[: 4 * most]))
    return shown if len(shown) <= most else f"{shown[: most - 3]}..."


def _masked(found: re.Match[str]) -> str:
    digits = "".join(letter for letter in found[0] if letter.isdigit())
    like_one = len(digits) >= _FEWEST_DIGITS or _FEWEST_TOGETHER.search(found[0])
    return mask(digits) if like_one and not found["other"] else found[0]
