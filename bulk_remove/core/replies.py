"""A reply and the numbers that were asked for, brought together: one verdict for each number, or one fault.

A 200 is not success: it is a JSON object keyed by number, each value a list with one entry per record found. Replies
are joined by number, never by position. PHP may write an empty object as `[]`.

A fault is why there is no verdict. Faults are sorted by one question: could the server have acted?
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from bulk_remove.core.alike import Alike, RecordId
from bulk_remove.core.lifecycle import Event
from bulk_remove.core.model import harmless, mask
from bulk_remove.core.quota import Quota
from bulk_remove.language import ours, phrase

DETAIL_MAX_CHARS = 300
"""How much of a server's own words is kept; its pages of HTML are not worth more."""


class Effect(StrEnum):
    """What a fault leaves behind."""

    UNTOUCHED = "untouched"  # the server cannot have acted: ask again
    IN_DOUBT = "in doubt"  # it may have acted: ask again, and remember
    REFUSED = "refused"  # it refused this request as a whole: split it
    DENIED = "denied"  # it refuses this user, campaign or address: end the run


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a request brought no verdicts.

    `kind` is a short stable label for logs and counts; `sentence` is for people. `throttled` marks the server's own
    request to slow down, `retry_after_s` (seconds) how long it asked us to wait. `request_id` is what the server's
    support asks for, empty where none was given, `quota` what the server said of its limit, if it did.
    """

    effect: Effect
    kind: str
    sentence: str
    http_status: int = 0
    throttled: bool = False
    retry_after_s: float | None = None
    request_id: str = ""
    quota: Quota | None = None

    @property
    def too_long(self) -> bool:
        """Whether the server found the request itself too long."""
        return self.http_status in _TOO_LONG

    @property
    def detail(self) -> str:
        """The sentence with the request id, for the report."""
        return (
            phrase("{problem} (request_id {request_id})", problem=ours(self.sentence), request_id=self.request_id)
            if self.request_id
            else self.sentence
        )


NOT_SENT = Fault(Effect.UNTOUCHED, "not sent", "The run was stopped before this request left.")
"""No attempt at all: the request was prepared, and then nobody wanted it sent."""


class Verdict(NamedTuple):
    """What one reply said of one number; `removed` and `record_ids` count what was removed in this attempt."""

    event: Event
    removed: int = 0
    record_ids: tuple[RecordId, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """A 200 that could be read: `verdicts[i]` belongs to the i-th number asked for.

    `strangers` counts numbers that the reply speaks of though they were not asked for; `stranger_sample` is one of
    them, masked. `quota` is what the server said of its limit, if it did.
    """

    verdicts: Alike[Verdict]
    strangers: int
    stranger_sample: str
    quota: Quota | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A readable reply to a read-only call: decoded JSON, and the server's clock (Unix seconds) if it told."""

    content: object
    server_time_s: float | None


_LOCAL_DIGITS = 7
"""Fewer digits in common are no sign that two spellings mean one number."""
_DOCUMENTED: dict[object, Verdict] = {
    "REMOVED": Verdict(Event.REMOVED, 1),
    "NOT_EXIST": Verdict(Event.NOT_EXIST),
    "CALL_IN_PROGRESS": Verdict(Event.BUSY),
}
_PLAIN_IDS = {int, str, type(None)}  # not bool, which is an int to Python
_STATUS, _RECORD_ID = itemgetter("status"), itemgetter("record_id")
_PASSED_OVER = Verdict(Event.PASSED_OVER, detail="The reply did not speak of this number.")
_UNREADABLE = phrase("The reply with HTTP 200 is not the documented JSON")


def read_reply(body: bytes, numbers: Sequence[str]) -> Reply | Fault:
    """Join a 200's body to the numbers asked for, by number; the order of either says nothing."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        shape = phrase("an HTML page") if body.lstrip()[:1] == b"<" else phrase("cut short or damaged")
        return _unreadable(phrase("{unreadable}: it is {shape}.", unreadable=_UNREADABLE, shape=shape))
    if document == []:
        document = {}
    if not isinstance(document, dict):
        return _unreadable(phrase("{unreadable}: it is no object keyed by number.", unreadable=_UNREADABLE))
    entries = [*map(document.get, numbers)]
    if len(document) == len(numbers) and None not in entries:
        return Reply(_verdicts(entries), 0, "")
    asked = {*numbers}
    left = {key: entry for key, entry in document.items() if key not in asked}
    if left:
        _take_respelt(numbers, entries, left)
    sample = mask(next(iter(left))) if left else ""
    return Reply(_verdicts(entries), len(left), sample)


def _take_respelt(numbers: Sequence[str], entries: list[Any], left: dict[str, Any]) -> None:
    """Find numbers that the reply spells otherwise: the server may have lost a plus, zeros or the country code.

    A key belongs to a number when the digits of one end in all the digits of the other (the shorter at least as long
    as a local number, or both the same), and no other key or number could be meant.
    """
    missing: defaultdict[str, list[int]] = defaultdict(list)
    for index, found in enumerate(entries):
        if found is None:
            missing[_bare(numbers[index])[-_LOCAL_DIGITS:]].append(index)
    pairs = [
        (index, key)
        for key in left
        for index in missing.get(_bare(key)[-_LOCAL_DIGITS:], ())
        if _same_number(numbers[index], key)
    ]
    by_index, by_key = Counter(index for index, _ in pairs), Counter(key for _, key in pairs)
    for index, key in pairs:
        if by_index[index] == by_key[key] == 1:
            entries[index] = left.pop(key)


def _same_number(number: str, key: str) -> bool:
    shorter, longer = sorted((_bare(number), _bare(key)), key=len)
    return shorter == longer or (len(shorter) >= _LOCAL_DIGITS and longer.endswith(shorter))


def _bare(number: str) -> str:
    return "".join(digit for digit in number if digit.isdigit()).lstrip("0")


def _unreadable(sentence: str) -> Fault:
    """A 200 that cannot be read came from a server that was asked to delete: it may have."""
    return Fault(Effect.IN_DOUBT, "unreadable reply", sentence, http_status=200)


def _verdicts(entries: Sequence[Any]) -> Alike[Verdict]:
    """Return the verdict of each number. Where each has one record with a documented status, they are few kinds."""
    try:
        records = [record for (record,) in entries]
        statuses = [*map(_STATUS, records)]
        found = _ids_of(records)
        kinds = {status: _DOCUMENTED[status] for status in {*statuses}}
    except (AttributeError, KeyError, TypeError, ValueError):
        return Alike.of(map(_verdict, entries))
    types = {*map(type, found)}
    if not types <= _PLAIN_IDS:
        return Alike.of(map(_verdict, entries))
    if [*kinds] == ["REMOVED"] and type(None) not in types:
        return Alike(tuple(kinds.values()), [0] * len(found), found)
    places = {status: place for place, status in enumerate(kinds)}
    ids = [
        record_id if status == "REMOVED" and record_id is not None else ()
        for status, record_id in zip(statuses, found, strict=True)
    ]
    return Alike(tuple(kinds.values()), [places[status] for status in statuses], ids)


def _ids_of(records: Sequence[Any]) -> list[Any]:
    try:
        return [*map(_RECORD_ID, records)]
    except KeyError:  # a record that is not there need not have one
        return [record.get("record_id") for record in records]


def _verdict(entries: object) -> Verdict:
    if not isinstance(entries, list) or not entries:
        return _PASSED_OVER
    if len(entries) == 1:
        return _entry_verdict(entries[0])
    each = [_entry_verdict(entry) for entry in entries]
    return Verdict(
        _governing([verdict.event for verdict in each]),
        sum(verdict.removed for verdict in each),
        tuple(record_id for verdict in each for record_id in verdict.record_ids),
        "; ".join(dict.fromkeys(verdict.detail for verdict in each if verdict.detail))[:DETAIL_MAX_CHARS],
    )


def _governing(events: Sequence[Event]) -> Event:
    """Of several records' events the one that decides: what is least settled comes first."""
    order = (Event.BUSY, Event.UNKNOWN, Event.PASSED_OVER, Event.REMOVED, Event.NOT_EXIST)
    return next(event for event in order if event in events)


def _entry_verdict(entry: object) -> Verdict:
    if not isinstance(entry, dict):
        return Verdict(Event.UNKNOWN, detail="The server's entry for this number is not an object.")
    status = entry.get("status")
    verdict = _DOCUMENTED.get(status) if isinstance(status, str) else None
    if verdict is None:
        return Verdict(Event.UNKNOWN, detail=f"The server said: {status!r:.{DETAIL_MAX_CHARS}}")
    record_id = entry.get("record_id")
    if verdict.removed and isinstance(record_id, int | str) and not isinstance(record_id, bool):
        return verdict._replace(record_ids=(record_id,))
    return verdict


class ErrorEnvelope(NamedTuple):
    """The server's own words about a request that failed; both empty where the body is something else."""

    message: str
    request_id: str


def read_envelope(body: bytes) -> ErrorEnvelope:
    """Read `{"request_id": ..., "errors": [{"message", "code"}]}` as far as it is there."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ErrorEnvelope("", "")
    if not isinstance(document, dict):
        return ErrorEnvelope("", "")
    errors = document.get("errors")
    messages = [
        str(error.get("message", ""))
        for error in (errors if isinstance(errors, list) else [])
        if isinstance(error, dict)
    ]
    return ErrorEnvelope(harmless("; ".join(messages)), harmless(str(document.get("request_id", ""))))


_DENIED = {
    401: "The server does not accept this user and password (HTTP 401).",
    403: "The server forbids this call: the API user lacks the permission (HTTP 403).",
    404: "The server knows no such campaign (HTTP 404).",
    405: "The server does not know this call (HTTP 405): is the address right?",
    407: "The proxy wants credentials (HTTP 407).",
}
_UNTOUCHED = {
    425: "The server would not begin yet (HTTP 425).",
    429: "The server asked us to slow down (HTTP 429).",
    503: "The server is overloaded or down for a while (HTTP 503).",
}
SLOW_DOWNS = frozenset(f"HTTP {http_status}" for http_status in _UNTOUCHED)
"""The kinds of fault by which a server asks for a slower pace."""
_TOO_LONG = {413, 414, 431}
_MAY_HAVE_ACTED = {408}


def fault_of_status(http_status: int, body: bytes, retry_after_s: float | None) -> Fault:
    """Say what a reply with any HTTP status but 200 means. `retry_after_s` is the server's wish in seconds."""
    envelope = read_envelope(body)
    effect, sentence = _effect_of(http_status)
    said = phrase(" The server said: {message}", message=envelope.message) if envelope.message else ""
    return Fault(
        effect,
        f"HTTP {http_status}",
        phrase("{sentence}{said}", sentence=ours(sentence), said=said),
        http_status,
        throttled=http_status in _UNTOUCHED,
        retry_after_s=retry_after_s if http_status in _UNTOUCHED else None,
        request_id=envelope.request_id,
    )


def _effect_of(http_status: int) -> tuple[Effect, str]:
    if http_status in _DENIED:
        return Effect.DENIED, _DENIED[http_status]
    if http_status in _UNTOUCHED:
        return Effect.UNTOUCHED, _UNTOUCHED[http_status]
    if http_status in _TOO_LONG:
        return Effect.REFUSED, phrase(
            "The request is too long for the server (HTTP {http_status}).", http_status=http_status
        )
    if 300 <= http_status < 400:  # noqa: PLR2004 - the class of redirects
        return Effect.DENIED, phrase(
            "The server sends us to another address (HTTP {http_status}).", http_status=http_status
        )
    if 400 <= http_status < 500 and http_status not in _MAY_HAVE_ACTED:  # noqa: PLR2004 - the client's faults
        return Effect.REFUSED, phrase("The server refused the request (HTTP {http_status}).", http_status=http_status)
    return Effect.IN_DOUBT, phrase(
        "The server failed or answered strangely (HTTP {http_status}).", http_status=http_status
    )
