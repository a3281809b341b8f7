"""A removal that nobody asked for: the reply names a record as removed under a number that was not sent.

A proxy that cuts a long URL in the middle of a number makes another number of it, and the server removes that one.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from bulk_remove.core.alike import RecordId
from bulk_remove.core.model import mask
from bulk_remove.errors import GuardStop
from bulk_remove.language import Phrase, counted, joined, ours, phrase

_MOST = 100
"""So many removals of one reply, and so many records of each, are kept: a hostile reply must not fill the disk."""
_KEY_CHARS = 40
_SHOWN = 3


class Unasked(NamedTuple):
    """The key under which a reply names the removal, and the ids of the records."""

    number: str
    record_ids: tuple[RecordId, ...]


class UnaskedRemoval(NamedTuple):
    """The same, as the ledger has it: in which campaign, when (Unix seconds), and which attempt it was."""

    number: str
    record_ids: tuple[RecordId, ...]
    campaign: str
    at_s: float
    attempt_id: int


def unasked_in(strangers: Iterable[tuple[str, Any]]) -> tuple[Unasked, ...]:
    """Return the removals among (key, what stands under it) of a reply that mean no number asked for.

    A key with no digit is a word of another kind of reply; one without any character may be a number cut to nothing.
    The reply need not be as documented: that something was removed is heard however it is said.
    """
    found: list[Unasked] = []
    for key, value in strangers:
        if (not key.strip() or any(map(str.isdigit, key))) and (gone := [*islice(_removals(value), _MOST)]):
            named = [each for each in gone if isinstance(each, int | str) and not isinstance(each, bool)]
            found.append(Unasked(_plain(key), tuple(_plain(each) if isinstance(each, str) else each for each in named)))
            if len(found) == _MOST:
                break
    return tuple(found)


def _removals(value: Any) -> Iterator[Any]:
    """Yield the record id, None without one, of whatever in a value says that it was removed, in its order."""
    left = [value]
    while left:  # a hostile reply is nested more deeply than calls may be
        each = left.pop()
        if isinstance(each, dict):
            if _is_removed(each.get("status")):
                yield each.get("record_id")
            else:
                left += reversed([inner for inner in each.values() if isinstance(inner, dict | list)])
        elif isinstance(each, list):
            left += reversed(each)
        elif _is_removed(each):
            yield None


def _is_removed(status: object) -> bool:
    if isinstance(status, list):
        return any(isinstance(each, str) and _is_removed(each) for each in status)
    return isinstance(status, str) and status.strip().upper() == "REMOVED"


def _plain(key: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in key[:_KEY_CHARS])


def unasked_detail(removals: Sequence[Unasked], *, masked: bool = False) -> str:
    """Return the detail of a number that got no verdict in a reply with such removals, which it may explain.

    For the log the numbers are masked.
    """
    told = [each._replace(number=mask(each.number)) if masked else each for each in removals[:_SHOWN]]
    shown = ", ".join(map(_in_detail, told))
    more = f" and {len(removals) - _SHOWN} more" if len(removals) > _SHOWN else ""
    return f"The reply named a removal that nobody asked for: {shown}{more}."


def _in_detail(removal: Unasked) -> str:
    number = removal.number or '""'
    return f"{number} (record {_listed(removal.record_ids)})" if removal.record_ids else number


def _listed(record_ids: Sequence[RecordId]) -> str:
    return ", ".join([*map(str, record_ids[:_SHOWN]), *["..."] * (len(record_ids) > _SHOWN)])


CAUSE = "A proxy that cuts long URLs is the likely cause: have it looked at, and put the record back."


def unasked_told(removals: Sequence[UnaskedRemoval]) -> Phrase:
    """Say what was removed though nobody asked for it, for the screen and the page: the latest, with masked numbers."""
    latest = removals[-_SHOWN:]
    rest = len(removals) - len(latest)
    more = [counted(rest, "{count:,} more is in the summary.", "{count:,} more are in the summary.")] if rest else []
    return joined(" ", [*map(_sentence, latest), *more])


def _sentence(removal: UnaskedRemoval) -> Phrase:
    return phrase(
        "The server says that it removed a number that nobody asked for: {number}{records} in campaign {campaign}.",
        number=mask(removal.number),
        records=phrase(" (record {listed})", listed=_listed(removal.record_ids)) if removal.record_ids else "",
        campaign=removal.campaign,
    )


def unasked_stop(removals: Sequence[UnaskedRemoval], run_id: str) -> GuardStop:
    """Return how a run ends in which that happened."""
    return GuardStop(
        unasked_told(removals),
        phrase("{cause} Then go on with: bulk-remove resume {run_id}.", cause=ours(CAUSE), run_id=run_id),
    )
