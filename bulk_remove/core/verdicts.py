"""What a reply says about one number: its entries, one for each record found, become one verdict.

An entry has a documented `status` and an `http_status` that agrees with it. An entry without a status refuses only this
number. Anything else is reported in the server's own words.

A removal that nobody asked for is a removed record under a number that was not sent. A proxy causes this when it cuts
a long URL in the middle of a number: the rest is another number.

PHP writes notices before or after the JSON, and some files begin with a byte order mark. The JSON is read only if it
is one whole value and everything around it is such text.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from bulk_remove.core.lifecycle import Event
from bulk_remove.core.model import Alike, RecordId, harmless, mask
from bulk_remove.errors import GuardStop
from bulk_remove.language import Phrase, counted, joined, ours, phrase

_MOST = 100  # the limit on stored removals of one reply, and on records of each: a hostile reply must not fill the disk
_KEY_CHARS = 40
_SHOWN = 3


class Unasked(NamedTuple):
    """The key of the removal in a reply, and the ids of the records."""

    number: str
    record_ids: tuple[RecordId, ...]


class UnaskedRemoval(NamedTuple):
    """The same in the ledger: the campaign, the time (Unix seconds), and the number of the attempt."""

    number: str
    record_ids: tuple[RecordId, ...]
    campaign: str
    at_s: float
    attempt_id: int


def unasked_in(strangers: Iterable[tuple[str, Any]]) -> tuple[Unasked, ...]:
    """Return the removals among (key, its value) pairs of a reply that mean no requested number."""
    found: list[Unasked] = []
    for key, value in strangers:
        if (not key.strip() or any(map(str.isdigit, key))) and (gone := [*islice(_removals(value), _MOST)]):
            named = [each for each in gone if isinstance(each, int | str) and not isinstance(each, bool)]
            found.append(Unasked(_plain(key), tuple(_plain(each) if isinstance(each, str) else each for each in named)))
            if len(found) == _MOST:
                break
    return tuple(found)


def _removals(value: Any) -> Iterator[Any]:
    """Yield the record id, None without one, of each part of a value that says it was removed, in order."""
    left = [value]
    while left:  # not recursive, because a hostile reply may be nested too deeply
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
    """Return the detail of a number without a verdict in a reply with such removals, which may be the explanation."""
    told = [each._replace(number=mask(each.number)) if masked else each for each in removals[:_SHOWN]]
    shown = ", ".join(
        (each.number or '""') + (f" (record {_listed(each.record_ids)})" if each.record_ids else "") for each in told
    )
    more = f" and {len(removals) - _SHOWN} more" if len(removals) > _SHOWN else ""
    return f"The reply named a removal that nobody asked for: {shown}{more}."


def _listed(record_ids: Sequence[RecordId]) -> str:
    return ", ".join([*map(str, record_ids[:_SHOWN]), *["..."] * (len(record_ids) > _SHOWN)])


CAUSE = "A proxy that cuts long URLs is the likely cause: have it looked at, and put the record back."


def unasked_told(removals: Sequence[UnaskedRemoval]) -> Phrase:
    """Describe the removals that nobody asked for, for the screen and the page: the latest, with masked numbers."""
    latest = removals[-_SHOWN:]
    rest = len(removals) - len(latest)
    more = [counted(rest, "{count:,} more is in the summary.", "{count:,} more are in the summary.")] if rest else []
    told = (
        phrase(
            "The server says that it removed a number that nobody asked for: {number}{records} in campaign {campaign}.",
            number=mask(each.number),
            records=phrase(" (record {listed})", listed=_listed(each.record_ids)) if each.record_ids else "",
            campaign=each.campaign,
        )
        for each in latest
    )
    return joined(" ", [*told, *more])


def unasked_stop(removals: Sequence[UnaskedRemoval], run_id: str) -> GuardStop:
    """Return the stop of a run with such removals."""
    return GuardStop(
        unasked_told(removals),
        phrase("{cause} Then go on with: bulk-remove resume {run_id}.", cause=ours(CAUSE), run_id=run_id),
    )


DETAIL_MAX_CHARS = 300  # the kept length of a server's words; more of an HTML page would not help
_BEGINNING = re.compile(r'\{\s*["}]|\[\s*[\[{"\]]')
_NOTICE = re.compile(
    r"(?:PHP )?(?:[A-Z][a-z]+ )?(?:Notice|Warning|Deprecated|Standards|error): .* on line \d+"
    r"|(?:PHP )?Fatal error: +Uncaught .*:\d+|Stack trace:|#\d+ .*|thrown in .* on line \d+",
    re.IGNORECASE,
)
_TAGS = re.compile(r"<br ?/?>|</?b>", re.IGNORECASE)
_DECODER = json.JSONDecoder()


class Several(list[Any]):
    """The values of a key that occurs more than once in an object."""


def json_of(body: bytes) -> tuple[Any, bytes]:
    """Return the JSON of a body, decoded and as text. Raises ValueError if it is uncertain."""
    try:
        return orjson.loads(body), body
    except orjson.JSONDecodeError:
        text = _without_notices(body.decode(errors="surrogateescape")).encode(errors="surrogateescape")
        return orjson.loads(text), text


def _without_notices(text: str) -> str:
    found = _BEGINNING.search(text)
    if found is None:
        raise ValueError
    start = found.start()
    try:
        end = _DECODER.raw_decode(text, start)[1]
    except RecursionError:
        raise ValueError from None
    if not (_is_notices(text[:start]) and _is_notices(text[end:])):
        raise ValueError
    return text[start:end]


def _is_notices(text: str) -> bool:
    lines = (line.strip("\ufeff \t\r\0") for line in _TAGS.sub("", text).split("\n"))
    return all(not line or _NOTICE.fullmatch(line) for line in lines)


def may_repeat(text: bytes, document: Mapping[str, Any]) -> bool:
    """Return whether a key may occur twice in this object of lists of objects; False is certain."""
    try:
        keys = sum(map(len, chain.from_iterable(document.values())))
    except TypeError:  # some value is not a list of objects
        return True
    return text.count(b":") != keys + len(document)


def with_repeats(text: bytes) -> Any:
    """Decode JSON so that the values of a repeated key become `Several`. Raises ValueError."""
    try:
        return json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) < len(pairs):
        values: dict[str, Several] = {key: Several() for key in plain}
        for key, value in pairs:
            values[key].append(value)
        return {key: several if len(several) > 1 else several[0] for key, several in values.items()}
    return plain


def words_of(value: object) -> str:
    """Return a decoded value as JSON, in full."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # too deep for it, or too large a number
        return "..."


class Verdict(NamedTuple):
    """What one reply said about one number; `removed` and `record_ids` count the removals of this attempt."""

    event: Event
    removed: int = 0
    record_ids: tuple[RecordId, ...] = ()
    detail: str = ""


SEVERAL_KEYS = "The reply contained it more than once: at least these records."
"""The detail of a number that is in the reply more than once; each time may name the same record."""
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
_PASSED_OVER = Verdict(Event.PASSED_OVER, detail="The reply did not contain this number.")


class Plain(NamedTuple):
    """The verdicts of numbers with one documented record each; `keys` counts the keys of these records."""

    verdicts: Alike[Verdict]
    keys: int


def plain_verdicts(values: Sequence[Any]) -> Plain | None:
    """Return the verdicts on numbers from the values of their keys; None unless each has one documented record."""
    try:
        records = [record for (record,) in values]
        statuses, codes = [*map(_STATUS, records)], [*map(_HTTP_STATUS, records)]
        found = _ids_of(records)
        kinds = {status: _DOCUMENTED[status] for status in {*statuses}}
        as_documented = (
            (len(kinds) == 1 and codes.count(_USUAL[statuses[0]]) == len(codes))
            or codes == [_USUAL[status] for status in statuses]
            or all(_agree(code, status) for code, status in {*zip(codes, statuses, strict=True)})
        )
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


def _ids_of(records: Sequence[Any]) -> list[Any]:
    try:
        return [*map(_RECORD_ID, records)]
    except KeyError:  # a record that is not there may have none
        return [record.get("record_id") for record in records]


def entries_of(value: object) -> list[Any]:
    """Return the value of a key as a list: the list may be an object with the keys 0, 1, 2 ..., or its one entry."""
    if isinstance(value, dict):
        is_list = all(key.isdecimal() and isinstance(entry, dict) for key, entry in value.items())
        return [*value.values()] if is_list else [value]
    return value if isinstance(value, list) else []


def plain_id(text: str) -> str:
    """Return a record's id from a text of one short word, which the report can list and read back."""
    if text.isascii() and text.isalnum() and len(text) <= _ID_CHARS:
        return text
    return "".join(char if char.isprintable() and not char.isspace() else "?" for char in text[:_ID_CHARS])


def put_together(values: Sequence[Any]) -> list[Any]:
    """Return the entries of a number that is in the reply more than once; equal texts are the same record."""
    return [*{words_of(entry): entry for value in values for entry in entries_of(value)}.values()]


def verdict_of(value: object) -> Verdict:
    """Return the verdict on a number from the value of its key."""
    entries = value if type(value) is list else entries_of(value)
    if not entries:
        return _PASSED_OVER
    if len(entries) == 1:
        return _of_entry(entries[0])
    # Each removed record counts once: by its id, if it has one.
    by_record: dict[object, Verdict] = {}
    for place, verdict in enumerate(map(_of_entry, entries)):
        by_record.setdefault(tuple(map(str, verdict.record_ids)) or place, verdict)
    each = [*by_record.values()]
    return Verdict(
        min((verdict.event for verdict in each), key=_ORDER.index),
        sum(verdict.removed for verdict in each),
        tuple(record_id for verdict in each for record_id in verdict.record_ids),
        "; ".join(dict.fromkeys(verdict.detail for verdict in each if verdict.detail))[:DETAIL_MAX_CHARS],
    )


# Of several records' events, the least settled one decides.
_ORDER = (Event.BUSY, Event.UNKNOWN, Event.PASSED_OVER, Event.REFUSED, Event.REMOVED, Event.NOT_EXIST)


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
    """Return the verdict of an entry that only reports a problem. If it may have acted, the number stays open."""
    code, message = _whole(entry.get("http_status")), entry.get("message")
    if code is None or not 400 <= code < 600:  # noqa: PLR2004 - the classes of failures
        return Verdict(Event.UNKNOWN, detail=f"The server said: {words_of(entry):.{DETAIL_MAX_CHARS}}")
    said = f" It said: {harmless(message, DETAIL_MAX_CHARS)}" if isinstance(message, str) and message.strip() else ""
    if code in _ASK_AGAIN or code >= 500:  # noqa: PLR2004 - the server's failures
        return Verdict(Event.PASSED_OVER, detail=f"The server failed over this number (http_status {code}).{said}")
    return Verdict(Event.REFUSED, detail=f"The server refused this number (http_status {code}).{said}")


def _agree(http_status: object, status: str) -> bool:
    """Return whether an entry's two statuses agree; a missing `http_status` agrees with any."""
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
    """Return a number that PHP may have written as text; None if it is not a number."""
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value[:_MOST_DIGITS])
    return value if isinstance(value, int) and not isinstance(value, bool) else None
