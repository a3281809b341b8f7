"""How long a request line may be, found out from what becomes of requests. Lengths in bytes.

A server says that a line is too long with HTTP 413, 414 or 431. Proxies on the way answer 400, 403, 404 or 500 instead,
or break the connection. From a refused number, or an accident, such a failure is told by the parts of the request: if
it had more numbers than any that was answered, and all its parts go through, it was the length. An accident befalls
one request, so two failures must be explained in this way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

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
