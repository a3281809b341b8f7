"""Requests: how the numbers of one URL are written, how long the request line is, and how many numbers fit.

The limit is on the whole request line as sent, ` HTTP/1.1` included, because servers measure that: nginx answers
414 when the line does not fit one 8 KiB buffer, so above 8,190 bytes, and Apache one byte later. The default limit of
numbers is below PHP's `max_input_vars` of 1,000. PHP silently drops variables above that.

Raw brackets leave room for more numbers than encoded ones, but a proxy may refuse them, and a server may read nothing
in them. `Writing` finds out what a server reads.

`LineLength` learns how many bytes a server accepts. It reports a line that is too long with HTTP 413, 414 or 431. But
proxies answer 400, 403, 404 or 500 instead, or break the connection, and so do servers that refuse a number or have an
accident. The length is to blame if the failed request had more numbers than any that was answered, and all its parts
succeed. An accident hits one request, so two failures must look like this.

`RequestSize` follows the reply time, because PHP ends scripts that run too long: a reply slower than the limit halves
the size, each fast reply adds a tenth back. Planned requests are cut to it and never joined again.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from bulk_remove.core.model import Brackets
from bulk_remove.core.replies import Effect, Fault
from bulk_remove.core.spelling import POLAND, Region
from bulk_remove.errors import UsageError
from bulk_remove.language import phrase

MAX_REQUEST_LINE = 8190
CAREFUL_LINE = 8000
"""The length of the first request to a host that nobody has asked yet, and of all after a longer one was refused."""
SHORTEST_LINE = 500
"""In bytes. Every known server accepts more; the strictest proxies stop at 2 KiB. Below it, length is not to blame."""
MAX_NUMBERS_PER_REQUEST = 900
_ENCODED = "phone_number%5B%5D="
_KEY = {Brackets.AUTO: _ENCODED, Brackets.ENCODED: _ENCODED, Brackets.RAW: "phone_number[]="}
_ADDITIONAL = "search_in_additional_numbers=true"


@dataclass(frozen=True, slots=True)
class RequestShape:
    """How a request for one campaign is written. Raises UsageError when not even one number fits.

    `base_path` is the path of the server's address, usually empty. `max_request_line` (bytes) and `max_numbers` limit
    one request. With `additional_numbers` the server also searches the additional numbers of records. `region` is the
    numbering plan for the keys of a reply.
    """

    campaign: str
    base_path: str = ""
    brackets: Brackets = Brackets.ENCODED
    trailing_slash: bool = False
    max_request_line: int = MAX_REQUEST_LINE
    max_numbers: int = MAX_NUMBERS_PER_REQUEST
    additional_numbers: bool = False
    region: Region = POLAND

    def __post_init__(self) -> None:
        if self.line_bytes("0" * 16) > self.max_request_line:
            raise UsageError(
                phrase(
                    "--max-request-line {max_request_line} leaves no room for a single number.",
                    max_request_line=self.max_request_line,
                ),
                phrase("Give at least {line_bytes} bytes.", line_bytes=self.line_bytes("0" * 16)),
            )

    def target(self, numbers: Iterable[str]) -> str:
        """Return path and query as sent. A plus is written `%2B`: a raw plus means a space."""
        path = f"{self.base_path}/api/batch/outbounds/{self.campaign}/records{'/' if self.trailing_slash else ''}"
        key = _KEY[self.brackets]
        first = f"{_ADDITIONAL}&" if self.additional_numbers else ""  # PHP drops the last variables of too many
        return f"{path}?{first}{key}" + f"&{key}".join(numbers).replace("+", "%2B")

    def line_bytes(self, *numbers: str) -> int:
        """Return the length of the whole request line for these numbers, in bytes."""
        return len(f"DELETE {self.target(numbers)} HTTP/1.1")

    def number_bytes(self, number: str) -> int:
        """Return the bytes that one number adds to the request line, with its `&` (or `?`)."""
        return 1 + len(_KEY[self.brackets]) + len(number) + 2 * number.count("+")

    def limited(self, line: int) -> "RequestShape":
        """Return the shape with a request line of at most so many bytes, but with room for one number."""
        line = max(line, self.line_bytes("0" * 16))
        return self if line >= self.max_request_line else replace(self, max_request_line=line)


class Packer:
    """Cuts numbers, in order, into as few requests as possible: each is filled until the next number does not fit."""

    def __init__(self, shape: RequestShape) -> None:
        self.shape = shape
        self._held: list[str] = []

    def add(self, numbers: Iterable[str]) -> Iterator[tuple[str, ...]]:
        """Yield the full requests; the remaining numbers wait for more."""
        held = self._held
        held += numbers
        pluses = "+" in "".join(held)  # each is written %2B
        ends = list(accumulate([len(number) + 2 * (number[0] == "+") for number in held] if pluses else map(len, held)))
        start = before = 0

        def line_bytes(index: int) -> int:
            return ends[index] - before + key_bytes * (index + 1 - start)

        places = range(len(held))
        while True:
            shape = self.shape  # another one may be set between two requests
            key_bytes = shape.number_bytes("")
            room_bytes = shape.max_request_line - shape.line_bytes() + key_bytes
            cut = min(bisect_right(places, room_bytes, lo=start, key=line_bytes), start + shape.max_numbers)
            if cut >= len(held):
                break
            yield tuple(held[start:cut])
            start, before = cut, ends[cut - 1]
        self._held = held[start:]

    def rest(self) -> Iterator[tuple[str, ...]]:
        """Yield the last request, if any number is left."""
        if self._held:
            yield tuple(self._held)
            self._held = []


def in_requests(
    runs: Iterable[tuple[str, Iterable[str]]], shape_of: Callable[[str], RequestShape], writing: "Writing"
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Cut pairs of (campaign, numbers) into requests of one campaign each; the order in each campaign is kept."""
    packers: dict[str, Packer] = {}
    greets = writing.greets

    def shape(campaign: str) -> RequestShape:
        given = shape_of(campaign)
        if greets:
            return replace(given, brackets=Brackets.ENCODED).limited(CAREFUL_LINE)
        return replace(given, brackets=writing.planned)

    for campaign, numbers in runs:
        if campaign not in packers:
            packers[campaign] = Packer(shape(campaign))
        for request in packers[campaign].add(numbers):
            yield campaign, request
            if greets:
                greets = False
                for each, packer in packers.items():
                    packer.shape = shape(each)
    for campaign, packer in packers.items():
        for request in packer.rest():
            yield campaign, request


def pack(numbers: Iterable[str], shape: RequestShape) -> Iterator[tuple[str, ...]]:
    """Cut the numbers, in order, into as few requests as possible."""
    packer = Packer(shape)
    yield from packer.add(numbers)
    yield from packer.rest()


_LOOKS = 3
"""So many requests may fail to show how a server reads brackets before they stay encoded for the session.

Fewer than the denials that end a run, so that one encoded request is tried before.
"""
_ABOUT_THE_USER = frozenset({401, 407})


@dataclass(frozen=True, slots=True)
class Writing:
    """How brackets are written, and what is known about how the server reads them.

    While it is not settled, one request at a time is sent: encoded ones until one is answered, then a raw one. Only a
    reply about each of its numbers, of which there are several, and no others shows that the server reads raw brackets:
    a server that takes them for one value reads the last number. If it fails, the same numbers are sent encoded, and a
    reply to those shows that the brackets were to blame.

    `brackets` are those of the next request, `known` is what later runs may rely on. `suspected`: raw ones just failed.
    """

    brackets: Brackets = Brackets.ENCODED
    known: Brackets | None = None
    settled: bool = True
    suspected: bool = False
    looks: int = _LOOKS

    @property
    def greets(self) -> bool:
        """Whether the first request of all is written carefully."""
        return not self.settled and self.brackets is Brackets.ENCODED

    @property
    def tries_raw(self) -> bool:
        """Whether the next request is to show that the server reads raw brackets."""
        return not self.settled and self.brackets is Brackets.RAW

    @property
    def planned(self) -> Brackets:
        """The brackets of most requests, if the server reads what most servers read."""
        return self.brackets if self.settled else Brackets.RAW

    def answered(self, numbers: int, *, whole: bool) -> "Writing":
        """Return the state after a reply to `numbers`; it is `whole` if it is about each of them and no others."""
        if self.settled:
            return self
        if self.tries_raw and whole and numbers == 1:
            return self._looked(self.known, suspected=False)
        if self.tries_raw or self.suspected:
            read = Brackets.RAW if whole and not self.suspected else Brackets.ENCODED
            return Writing(read, known=read)
        return replace(self, brackets=Brackets.RAW) if whole else self._looked(self.known, suspected=False)

    def faulted(self, fault: Fault) -> "Writing":
        """Return the state after a request without a reply."""
        if self.settled:
            return self
        if fault.effect is Effect.UNTOUCHED or fault.http_status in _ABOUT_THE_USER:
            return self._looked(self.known, suspected=self.suspected)
        if self.greets:  # if raw ones failed before, encoded ones do as well
            return self._looked(None, suspected=False)
        return replace(self, brackets=Brackets.ENCODED, suspected=True)

    def _looked(self, known: Brackets | None, *, suspected: bool) -> "Writing":
        if self.looks > 1:
            return replace(self, known=known, suspected=suspected, looks=self.looks - 1)
        return Writing(Brackets.ENCODED, known)


ENCODED = Writing()


def writing_of(chosen: Brackets, known: Brackets | None) -> Writing:
    """Return the state at the start, from the operator's choice and what earlier runs know about the host."""
    if chosen is not Brackets.AUTO:
        return Writing(chosen)
    if known is Brackets.ENCODED:
        return Writing(Brackets.ENCODED, known)
    return Writing(known or Brackets.ENCODED, known, settled=False)


FAILURES_OF_LENGTH = 2  # so many requests must fail, and all their parts succeed, before the length is blamed


@dataclass(frozen=True, slots=True)
class Split:
    """A failed request of `numbers` numbers."""

    numbers: int
    failures: int  # of it and its parts
    parts: frozenset[int]  # the ids of its chunks that have no answer yet
    line: int = 0  # the longest line of those that were answered


@dataclass(frozen=True, slots=True)
class LineLength:
    """What is known about the line length."""

    longest: int | None = None  # the limit, None while no limit is known
    most_answered: int = 0  # the largest count of numbers in an answered request
    splits: Mapping[int, Split] = field(default_factory=dict)  # by the ids of the parts
    failures: int = 0

    def told_apart(self, chunk_id: int) -> bool:
        """Return whether another part of the same failed request was answered."""
        split = self.splits.get(chunk_id)
        return split is not None and split.line > 0

    def at_most(self, line: int) -> "LineLength":
        """Return the state with a limit on the line."""
        return self if self.longest is not None and self.longest <= line else replace(self, longest=line)

    def answered(self, chunk_id: int, numbers: int, line: int) -> "LineLength":
        """Return the state after a request with such a line was answered."""
        split = self.splits.get(chunk_id)
        known = self if numbers <= self.most_answered else replace(self, most_answered=numbers)
        if split is None:
            return known
        parts = split.parts - {chunk_id}
        split = replace(split, parts=parts, line=max(split.line, line))
        known = replace(known, splits=self._without(chunk_id) | dict.fromkeys(parts, split))
        # One number less is the same length in practice: the first number was tried by itself, then the rest.
        if parts or known.most_answered + 1 >= split.numbers:
            return known
        known = replace(known, failures=self.failures + split.failures)
        return known.at_most(split.line) if known.failures >= FAILURES_OF_LENGTH else known

    def parted(self, chunk_id: int, parts: Sequence[int], numbers: int, *, suspect: bool) -> "LineLength":
        """Return the state after a request was split; `suspect` if it failed like one whose line is too long."""
        split = self.splits.get(chunk_id)
        if split is None and suspect and numbers > self.most_answered:
            split = Split(numbers, 0, frozenset())
        if split is None:
            return self
        split = replace(split, failures=split.failures + suspect, parts=split.parts - {chunk_id} | {*parts})
        return replace(self, splits=self._without(chunk_id) | dict.fromkeys(split.parts, split))

    def blamed(self, chunk_id: int) -> "LineLength":
        """Return the state after a part was given up: one of its numbers made the server fail, not the length."""
        guilty = self.splits.get(chunk_id)
        if guilty is None:
            return self
        return replace(self, splits={part: split for part, split in self.splits.items() if part not in guilty.parts})

    def _without(self, chunk_id: int) -> dict[int, Split]:
        return {part: split for part, split in self.splits.items() if part != chunk_id}


LEAST = 10  # smaller requests would cost the server more than they save
FAST_SHARE = 0.25  # a reply within this share of the limit is fast: more numbers may be sent
GROWTH = 10  # a fast reply to a request of the present size adds one part in so many


@dataclass(frozen=True, slots=True)
class RequestSize:
    """The most numbers in a request: at any time (`ceiling`) and now (`most`). A reply is slow from `slow_us` on."""

    ceiling: int
    slow_us: int
    most: int


def timed(size: RequestSize, numbers: int, took_us: int, *, answered: bool) -> RequestSize:
    """Return the state after a request of so many numbers, and whether the server answered it."""
    if took_us > size.slow_us:
        return replace(size, most=min(size.most, max(LEAST, numbers // 2)))
    grown = min(size.ceiling, size.most + max(1, size.most // GROWTH))
    if answered and took_us <= FAST_SHARE * size.slow_us and 2 * numbers > size.most:
        return replace(size, most=grown)
    return size
