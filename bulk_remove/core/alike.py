"""Values of which most are alike, each kind of them kept once ("dictionary encoding", as in Parquet and Arrow).

Of the thousands of numbers of a run nearly all share their fate with their neighbours: they differ in the ids of their
records alone. So what is decided of a number is decided once for each kind in its chunk, not once for each number,
and by the same functions; what is stored and reported is stored and written once for each kind.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar, overload

RecordId = int | str
Ids = RecordId | tuple[RecordId, ...]
"""One record's id stands for itself, since most numbers have one record."""


class Kind(Protocol):
    """What can be kept once: a named tuple whose `record_ids` are kept apart, and empty in the kind itself."""

    @property
    def record_ids(self) -> tuple[RecordId, ...]: ...  # noqa: D102 - the name says it
    def _replace(self, *, record_ids: tuple[RecordId, ...]) -> Self: ...


_NONE: list[Ids] = [()]

K = TypeVar("K", bound=Kind)
B = TypeVar("B", bound=Kind)


@dataclass(frozen=True, slots=True, eq=False)
class Alike(Sequence[K], Generic[K]):
    """A sequence of values: the i-th is `kinds[which[i]]` with the record ids `ids[i]`; no `ids` when none has any.

    It equals any sequence of the same values.
    """

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
        """Return so many values; each part stands at its places, which rise, and together they leave no gap."""
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
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(_same, self, other))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def _value(self, which: int, ids: Ids) -> K:
        kind = self.kinds[which]
        return kind if ids == () else kind._replace(record_ids=long_form(ids))

    def counted(self) -> Iterator[tuple[K, int]]:
        """Yield each kind that occurs, with how often it does."""
        if len(self.kinds) == 1 and self.which:
            return iter([(self.kinds[0], len(self.which))])
        return ((self.kinds[which], count) for which, count in Counter(self.which).items())

    def where(self, wanted: Callable[[K], object]) -> list[int]:
        """Return the places of the values whose kind is wanted."""
        found = {which for which, kind in enumerate(self.kinds) if wanted(kind)}
        return [place for place, which in enumerate(self.which) if which in found] if found else []

    def each(self, change: Callable[[K], K]) -> "Alike[K]":
        """Return the values after a change that leaves the record ids as they are; it is made once for each kind."""
        return Alike(tuple(map(change, self.kinds)), self.which, self.ids)

    def but(self, at: Mapping[int, K]) -> "Alike[K]":
        """Return the values, but for those given by their places."""
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
        """Return `join` of each value and its counterpart, made once for each pair of kinds; record ids add up.

        Raises ValueError when there are not as many.
        """
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


def _same(mine: Any, other: Any) -> bool:
    return bool(mine == other)
