"""Request-line-safe chunks: how the numbers of one URL are written, how long that is, how many fit.

The limit is on the whole request line as it stands on the wire, ` HTTP/1.1` included, because that is what servers
measure: nginx answers 414 when the line does not fit one 8 KiB buffer, Apache at 8,190 bytes. The default number
limit stays under PHP's `max_input_vars` of 1,000, past which PHP drops variables silently.

How long a request line may be, found out from what becomes of requests. Lengths in bytes.

A server says that a line is too long with HTTP 413, 414 or 431. Proxies on the way answer 400, 403, 404 or 500 instead,
or break the connection. From a refused number, or an accident, such a failure is told by the parts of the request: if
it had more numbers than any that was answered, and all its parts go through, it was the length. An accident befalls
one request, so two failures must be explained in this way.

How many numbers one request may hold, by how long its reply takes: PHP ends those that run too long.

A reply slower than the limit halves the size; replies well under it win a tenth back each. What was planned is cut to
that size and never put together again, so that the size comes back up to what was planned.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from bulk_remove.core.model import Brackets
from bulk_remove.core.spelling import POLAND, Region
from bulk_remove.errors import UsageError
from bulk_remove.language import phrase

MAX_REQUEST_LINE = 8000
MAX_NUMBERS_PER_REQUEST = 900
_KEY = {Brackets.ENCODED: "phone_number%5B%5D=", Brackets.RAW: "phone_number[]="}
_ADDITIONAL = "search_in_additional_numbers=true"
_METHOD = "DELETE "
_VERSION = " HTTP/1.1"


@dataclass(frozen=True, slots=True)
class RequestShape:
    """How a request for one campaign is written.

    `base_path` is the path of the server's address, usually empty. `max_request_line` is in bytes, `max_numbers` the
    most numbers in one request; both are at least 1. With `additional_numbers` the server looks for each number among
    the records' additional ones, too. `region` is whose numbering a reply's keys are read by. Raises UsageError when
    not even one number fits.
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

    @property
    def path(self) -> str:
        """The path of the call, without the query."""
        return f"{self.base_path}/api/batch/outbounds/{self.campaign}/records{'/' if self.trailing_slash else ''}"

    @property
    def _start(self) -> str:
        """The target up to the first number. The flag comes first: PHP drops what is last when there is too much."""
        return f"{self.path}?{_ADDITIONAL}&" if self.additional_numbers else f"{self.path}?"

    def target(self, numbers: Iterable[str]) -> str:
        """Return path and query as they stand in the request line. A plus is written `%2B`: raw, it means a space."""
        key = _KEY[self.brackets]
        return f"{self._start}{key}" + f"&{key}".join(numbers).replace("+", "%2B")

    def line_bytes(self, *numbers: str) -> int:
        """Return the length of the whole request line for these numbers, in bytes."""
        return len(_METHOD) + len(self.target(numbers)) + len(_VERSION)

    def number_bytes(self, number: str) -> int:
        """Return what one number adds to the request line, its `&` (or `?`) included, in bytes."""
        return 1 + len(_KEY[self.brackets]) + len(number) + 2 * number.count("+")

    @property
    def room_bytes(self) -> int:
        """The bytes that all numbers of one request may add together."""
        return self.max_request_line - len(_METHOD) - len(self._start) + 1 - len(_VERSION)


class Packer:
    """Cuts numbers, in order, into the fewest runs that fit a request each.

    Filling each request until the next number does not fit is optimal for runs in order: no cut can come later.
    """

    def __init__(self, shape: RequestShape) -> None:
        self._key_bytes = shape.number_bytes("")
        self._room = shape.room_bytes
        self._most = shape.max_numbers
        self._held: list[str] = []

    def add(self, numbers: Iterable[str]) -> Iterator[tuple[str, ...]]:
        """Yield the requests that are full; what is left waits for more."""
        held = self._held
        held += numbers
        pluses = "+" in "".join(held)  # each is written %2B
        ends = list(accumulate([len(number) + 2 * (number[0] == "+") for number in held] if pluses else map(len, held)))
        start = before = 0

        def line_bytes(index: int) -> int:
            return ends[index] - before + self._key_bytes * (index + 1 - start)

        places = range(len(held))
        while True:
            cut = min(bisect_right(places, self._room, lo=start, key=line_bytes), start + self._most)
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
    runs: Iterable[tuple[str, Iterable[str]]], shape_of: Callable[[str], RequestShape]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Cut numbers that come as (campaign, numbers) into requests of one campaign each, each campaign's in order."""
    packers: dict[str, Packer] = {}
    for campaign, numbers in runs:
        if campaign not in packers:
            packers[campaign] = Packer(shape_of(campaign))
        for request in packers[campaign].add(numbers):
            yield campaign, request
    for campaign, packer in packers.items():
        for request in packer.rest():
            yield campaign, request


def pack(numbers: Iterable[str], shape: RequestShape) -> Iterator[tuple[str, ...]]:
    """Cut the numbers, in order, into the fewest runs that fit a request each."""
    packer = Packer(shape)
    yield from packer.add(numbers)
    yield from packer.rest()


FAILURES_OF_LENGTH = 2
"""So many requests must have failed whose parts all went through."""


@dataclass(frozen=True, slots=True)
class Split:
    """A request of so many `numbers` that failed: it or its parts `failures` times.

    `parts` are the chunks that it was split into and that have no answer yet. `line` is the longest that went through.
    """

    numbers: int
    failures: int
    parts: frozenset[int]
    line: int = 0


@dataclass(frozen=True, slots=True)
class LineLength:
    """What is known so far. Nothing longer than `longest` is to be sent; None while there is no limit.

    `most_answered` is how many numbers the largest request had that was answered. `splits` are by the ids of the parts.
    """

    longest: int | None = None
    most_answered: int = 0
    splits: Mapping[int, Split] = field(default_factory=dict)
    failures: int = 0

    def is_known_for(self, numbers: int) -> bool:
        """Tell whether a request of so many numbers, or more, was answered."""
        return numbers <= self.most_answered

    def told_apart(self, chunk_id: int) -> bool:
        """Tell whether another part of the request that a chunk was split from went through."""
        split = self.splits.get(chunk_id)
        return split is not None and split.line > 0

    def at_most(self, line: int) -> "LineLength":
        """Return the state once a line is known beyond which none is to be sent."""
        return self if self.longest is not None and self.longest <= line else replace(self, longest=line)

    def answered(self, chunk_id: int, numbers: int, line: int) -> "LineLength":
        """Return the state after the answer to a request with such a line."""
        split = self.splits.get(chunk_id)
        known = self if self.is_known_for(numbers) else replace(self, most_answered=numbers)
        if split is None:
            return known
        parts = split.parts - {chunk_id}
        split = replace(split, parts=parts, line=max(split.line, line))
        known = replace(known, splits=self._without(chunk_id) | dict.fromkeys(parts, split))
        # One number less is no other length: the first number alone was tried, then the rest.
        if parts or known.most_answered + 1 >= split.numbers:
            return known
        known = replace(known, failures=self.failures + split.failures)
        return known.at_most(split.line) if known.failures >= FAILURES_OF_LENGTH else known

    def parted(self, chunk_id: int, parts: Sequence[int], numbers: int, *, suspect: bool) -> "LineLength":
        """Return the state after a request of so many numbers was split, `suspect` if it failed as a long one may.

        One that was split before it was sent is not suspect.
        """
        split = self.splits.get(chunk_id)
        if split is None and suspect and not self.is_known_for(numbers):
            split = Split(numbers, 0, frozenset())
        if split is None:
            return self
        split = replace(split, failures=split.failures + suspect, parts=split.parts - {chunk_id} | {*parts})
        return replace(self, splits=self._without(chunk_id) | dict.fromkeys(split.parts, split))

    def blamed(self, chunk_id: int) -> "LineLength":
        """Return the state after a part was given up: a number of it was what the server failed over."""
        guilty = self.splits.get(chunk_id)
        if guilty is None:
            return self
        return replace(self, splits={part: split for part, split in self.splits.items() if part not in guilty.parts})

    def _without(self, chunk_id: int) -> dict[int, Split]:
        return {part: split for part, split in self.splits.items() if part != chunk_id}


LEAST = 10
"""Smaller requests would cost the server more than they spare it."""
FAST_SHARE = 0.25
"""A reply within this share of the limit leaves room for more numbers."""
GROWTH = 10
"""A fast reply to a request of the present size adds the tenth part."""


@dataclass(frozen=True, slots=True)
class RequestSize:
    """The most numbers in a request: ever (`ceiling`) and just now (`most`); `slow_us` is too long for a reply."""

    ceiling: int
    slow_us: int
    most: int


def size_from(ceiling: int, slow_us: int, start: int) -> RequestSize:
    """Return the state at the start."""
    return RequestSize(ceiling, slow_us, min(ceiling, start))


def timed(size: RequestSize, numbers: int, took_us: int, *, answered: bool) -> RequestSize:
    """Take note how long a request of so many numbers took, and whether it was answered at all."""
    if took_us > size.slow_us:
        return replace(size, most=min(size.most, max(LEAST, numbers // 2)))
    grown = min(size.ceiling, size.most + max(1, size.most // GROWTH))
    if answered and took_us <= FAST_SHARE * size.slow_us and 2 * numbers > size.most:
        return replace(size, most=grown)
    return size
