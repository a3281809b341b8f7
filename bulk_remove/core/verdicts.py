"""What a reply says of one number: its entries, one for each record found, become one verdict.

An entry has a documented `status`, and an `http_status` that agrees with it. An entry without a status refuses this
number alone. Whatever else it is, it is reported in the server's own words, and nothing is read into it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from bulk_remove.core.alike import Alike, RecordId
from bulk_remove.core.lifecycle import Event
from bulk_remove.core.reply_text import DETAIL_MAX_CHARS, masked_words, words_of


class Verdict(NamedTuple):
    """What one reply said of one number; `removed` and `record_ids` count what was removed in this attempt."""

    event: Event
    removed: int = 0
    record_ids: tuple[RecordId, ...] = ()
    detail: str = ""


SEVERAL_KEYS = "The reply spoke of it more than once: at least these records."
"""The detail of a number that stands in the reply more than once; one record may be named each time."""
_DOCUMENTED: dict[object, Verdict] = {
    "REMOVED": Verdict(Event.REMOVED, 1),
    "NOT_EXIST": Verdict(Event.NOT_EXIST),
    "CALL_IN_PROGRESS": Verdict(Event.BUSY),
}
_PLAIN_IDS = {int, str, type(None)}  # not bool, which is an int to Python
_STATUS, _HTTP_STATUS, _RECORD_ID = map(itemgetter, ("status", "http_status", "record_id"))
_USUAL = {"REMOVED": 200, "NOT_EXIST": 404, "CALL_IN_PROGRESS": 409}
_GONE = frozenset({404, 410})
_ASK_AGAIN = frozenset({408, 425, 429})
_MOST_DIGITS = 9
_ID_CHARS = 64
_PASSED_OVER = Verdict(Event.PASSED_OVER, detail="The reply did not speak of this number.")


class Plain(NamedTuple):
    """The verdicts of numbers with one documented record each; `keys` is how many keys these records have together."""

    verdicts: Alike[Verdict]
    keys: int


def verdicts_of(values: Sequence[Any]) -> Alike[Verdict]:
    """Return the verdict of each number by what stands under its key."""
    plain = plain_verdicts(values)
    return plain.verdicts if plain else Alike.of(map(verdict_of, values))


def plain_verdicts(values: Sequence[Any]) -> Plain | None:
    """Return the same, as few kinds, where each number has one record as documented; None where one has not."""
    try:
        records = [record for (record,) in values]
        statuses, codes = [*map(_STATUS, records)], [*map(_HTTP_STATUS, records)]
        found = _ids_of(records)
        kinds = {status: _DOCUMENTED[status] for status in {*statuses}}
        as_documented = _are_documented(statuses, codes, kinds)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    types = {*map(type, found)}
    if not (as_documented and types <= _PLAIN_IDS):
        return None
    if str in types:
        found = [plain_id(record_id) if isinstance(record_id, str) else record_id for record_id in found]
    keys = sum(map(len, records))
    if [*kinds] == ["REMOVED"] and type(None) not in types:
        return Plain(Alike(tuple(kinds.values()), [0] * len(found), found), keys)
    places = {status: place for place, status in enumerate(kinds)}
    ids = [
        record_id if status == "REMOVED" and record_id is not None else ()
        for status, record_id in zip(statuses, found, strict=True)
    ]
    return Plain(Alike(tuple(kinds.values()), [places[status] for status in statuses], ids), keys)


def _are_documented(statuses: list[str], codes: list[object], kinds: Collection[str]) -> bool:
    """Tell whether each `http_status` agrees with its status; the usual ones are looked at all at once."""
    if len(kinds) == 1 and codes.count(_USUAL[statuses[0]]) == len(codes):
        return True
    if codes == [_USUAL[status] for status in statuses]:
        return True
    return all(_agree(code, status) for code, status in {*zip(codes, statuses, strict=True)})


def _ids_of(records: Sequence[Any]) -> list[Any]:
    try:
        return [*map(_RECORD_ID, records)]
    except KeyError:  # a record that is not there need not have one
        return [record.get("record_id") for record in records]


def entries_of(value: object) -> list[Any]:
    """Return what stands under a key as a list: a list may be an object with the keys 0, 1, 2 ..., or its one entry."""
    if isinstance(value, dict):
        is_list = all(key.isdecimal() and isinstance(entry, dict) for key, entry in value.items())
        return [*value.values()] if is_list else [value]
    return value if isinstance(value, list) else []


def plain_id(text: str) -> str:
    """Return a record's id that came as a text as one short word, which the report can list and be read back from."""
    if text.isascii() and text.isalnum() and len(text) <= _ID_CHARS:
        return text
    return "".join(char if char.isprintable() and not char.isspace() else "?" for char in text[:_ID_CHARS])


def put_together(values: Sequence[Any]) -> list[Any]:
    """Return the entries of a number that stands in the reply more than once; the same words are the same record."""
    return [*{words_of(entry): entry for value in values for entry in entries_of(value)}.values()]


def verdict_of(value: object) -> Verdict:
    """Return the verdict on a number by what stands under its key."""
    entries = value if type(value) is list else entries_of(value)
    if not entries:
        return _PASSED_OVER
    if len(entries) == 1:
        return _of_entry(entries[0])
    each = _without_repeats(map(_of_entry, entries))
    return Verdict(
        _governing({verdict.event for verdict in each}),
        sum(verdict.removed for verdict in each),
        tuple(record_id for verdict in each for record_id in verdict.record_ids),
        "; ".join(dict.fromkeys(verdict.detail for verdict in each if verdict.detail))[:DETAIL_MAX_CHARS],
    )


def _without_repeats(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Return the verdicts on a number's records, each record that was removed once: by its id, where it has one."""
    each: dict[object, Verdict] = {}
    for place, verdict in enumerate(verdicts):
        each.setdefault(tuple(map(str, verdict.record_ids)) or place, verdict)
    return [*each.values()]


def _governing(events: set[Event]) -> Event:
    """Of several records' events the one that decides: what is least settled comes first."""
    order = (Event.BUSY, Event.UNKNOWN, Event.PASSED_OVER, Event.REFUSED, Event.REMOVED, Event.NOT_EXIST)
    return next(event for event in order if event in events)


def _of_entry(entry: object) -> Verdict:
    if not isinstance(entry, dict):
        return Verdict(Event.UNKNOWN, detail="The server's entry for this number is not an object.")
    status = entry.get("status")
    if status is None:
        return _without_status(entry)
    verdict = _DOCUMENTED.get(status) if isinstance(status, str) else None
    if verdict is None:
        said = repr(status) if isinstance(status, str) else words_of(status)
        return Verdict(Event.UNKNOWN, detail=f"The server said: {said:.{DETAIL_MAX_CHARS}}")
    if not _agree(entry.get("http_status"), status):
        return Verdict(Event.UNKNOWN, detail=f"The server contradicts itself: {words_of(entry):.{DETAIL_MAX_CHARS}}")
    record_id = entry.get("record_id")
    if verdict.removed and isinstance(record_id, int | str) and not isinstance(record_id, bool):
        return verdict._replace(record_ids=(plain_id(record_id) if isinstance(record_id, str) else record_id,))
    return verdict


def _without_status(entry: Mapping[str, object]) -> Verdict:
    """Return the verdict of an entry that only says what is wrong; what may have acted leaves the number open."""
    code, message = _whole(entry.get("http_status")), entry.get("message")
    if code is None or not 400 <= code < 600:  # noqa: PLR2004 - the classes of failures
        return Verdict(Event.UNKNOWN, detail=f"The server said: {words_of(entry):.{DETAIL_MAX_CHARS}}")
    said = f" It said: {masked_words(message)}" if isinstance(message, str) and message.strip() else ""
    if code in _ASK_AGAIN or code >= 500:  # noqa: PLR2004 - the server's failures
        return Verdict(Event.PASSED_OVER, detail=f"The server failed over this number (http_status {code}).{said}")
    return Verdict(Event.REFUSED, detail=f"The server refused this number (http_status {code}).{said}")


def _agree(http_status: object, status: str) -> bool:
    """Tell whether an entry's two statuses say the same; an `http_status` that is not there says nothing else."""
    if http_status is None or http_status == _USUAL[status]:
        return True
    code = _whole(http_status)
    if code is None:
        return False
    match status:
        case "REMOVED":
            return 200 <= code < 300  # noqa: PLR2004 - the class of successes
        case "NOT_EXIST":
            return code in _GONE
        case _:
            return code not in _GONE


def _whole(value: object) -> int | None:
    """Return a number that PHP may have written as a text; None for what is not a number."""
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value[:_MOST_DIGITS])
    return value if isinstance(value, int) and not isinstance(value, bool) else None
