"""Joins a reply to the requested numbers: one verdict for each number, or one fault.

A 200 is not success: its body is a JSON object with numbers as keys, and each value is a list with one entry for each
record found. PHP writes an object with the keys 0, 1, 2 ... as a list, and an empty one as `[]`. Replies are joined by
number, never by position.

A key means a number if it is that number, with or without the region's country code, its international prefix, a plus
or zeros. With another country's code it is another number. Each key is read once, so a reply with a million keys takes
linear time.

A fault says why there is no verdict. No status says whether the server acted nevertheless: `doubt_us` measures that.

Retry-After and quotas say how long a server wants no requests. Two kinds of quota headers are read: both forms of
the IETF draft "RateLimit header fields for HTTP", and the `X-RateLimit-*` of GitHub and many others. Times are by the
server's clock. Values that make no sense are ignored.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from enum import StrEnum
from itertools import islice
from math import ceil
from typing import Any, NamedTuple

from bulk_remove.core.lifecycle import EVER_US
from bulk_remove.core.model import Alike, harmless
from bulk_remove.core.spelling import POLAND, Region
from bulk_remove.core.verdicts import (
    DETAIL_MAX_CHARS,
    SEVERAL_KEYS,
    Several,
    Unasked,
    Verdict,
    json_of,
    may_repeat,
    plain_verdicts,
    put_together,
    unasked_in,
    verdict_of,
    with_repeats,
)
from bulk_remove.language import ours, phrase

_KEY = re.compile(r"([+ ]?)([0-9][0-9 ()./-]{0,39})")
"""A leading space is a decoded plus. Longer texts are not phone numbers."""
_FORMATTING = str.maketrans("", "", " ()./-")
_LOCAL_DIGITS = 7  # shorter numbers are internal and have no country code
AMBIGUOUS = -1  # instead of a number's index: the key may mean several numbers


def meant(keys: Iterable[str], numbers: Sequence[str], region: Region) -> dict[str, int]:
    """Return, by key, the index of the number that it means, or AMBIGUOUS; keys that mean no number are left out."""
    owners: defaultdict[str, set[int]] = defaultdict(set)
    for index, number in enumerate(numbers):
        for reading in _readings(number, region):
            owners[reading].add(index)
    found: dict[str, int] = {}
    for key in keys:
        meanings: set[int] = set().union(*(owners.get(reading, ()) for reading in _readings(key, region)))
        if meanings:
            found[key] = meanings.pop() if len(meanings) == 1 else AMBIGUOUS
    return found


def _readings(text: str, region: Region) -> Sequence[str]:
    """Return what a spelling may mean; two spellings of one number share a reading."""
    digits, has_code = digits_of(text, region)
    if not digits:
        return ()
    if has_code:
        return f"={digits}", f"+{digits}"
    code, readings = region.country_code, [f"={digits}"]
    if len(digits) >= _LOCAL_DIGITS:
        readings.append(f"+{code}{digits}")
    if digits.startswith(code) and len(digits) - len(code) in region.full_lengths:
        readings.append(f"+{digits}")
    return readings


def digits_of(text: str, region: Region) -> tuple[str, bool]:
    """Return a number's digits without prefix and leading zeros, and whether a plus or a prefix announces a code."""
    found = _KEY.fullmatch(text)
    if found is None:
        return "", False
    sign, digits = found[1], found[2].translate(_FORMATTING)
    prefix = region.international_prefix
    prefixed = bool(prefix) and not sign and digits.startswith(prefix)
    return digits[len(prefix) if prefixed else 0 :].lstrip("0"), bool(sign) or prefixed


PAUSE_MAX_S = 3600.0  # the longest accepted wait, one hour; then the server is asked again
FEW_S = 60.0  # a quota that lasts no longer than this at the present rate is few, and is spread
_LONGEST_S = 366 * 86_400.0  # longer waits are mistakes; the value only has to be a number that can be shown
_UNIX_FROM = 1_000_000_000  # from here on a reset is a moment (2001 in Unix seconds), not a wait (thirty years)
_DECIMAL = r"\"?(\d{1,18}(?:\.\d{0,18})?)\"?"
_NUMBER = re.compile(rf"\s*{_DECIMAL}\s*(?:;.*)?", re.ASCII)
_PARAMETER = re.compile(rf"\b(?:(remaining|r)|reset|t)\s*=\s*{_DECIMAL}", re.ASCII | re.IGNORECASE)
_WEEKDAY = re.compile(r"\s*[A-Za-z]+\s*")


@dataclass(frozen=True, slots=True)
class Quota:
    """The remaining quota: `remaining` requests within the next `reset_s` seconds (greater than 0)."""

    remaining: int
    reset_s: float

    def is_few_at(self, requests_per_second: float) -> bool:
        """Whether this rate would soon use it up, before the reset."""
        lasts_s = self.remaining / requests_per_second
        return lasts_s < min(FEW_S, self.reset_s)


def read_retry_after(headers: Mapping[str, str], now_s: float) -> float | None:
    """Return the whole seconds of Retry-After, a number or an HTTP date (RFC 9110, 10.2.3); None if there is none."""
    waits_s = [_seconds(value, headers, now_s) for value in _values(headers.get("Retry-After", ""))]
    return max((wait_s for wait_s in waits_s if wait_s is not None), default=None)


def read_quota(headers: Mapping[str, str], now_s: float) -> Quota | None:
    """Read the remaining quota; of several, the one that is used up first. None if there is none."""
    if "rate" not in " ".join(headers).lower():
        return None
    pairs = [*_parameters(headers.get("RateLimit", ""))]
    for prefix in ("RateLimit", "X-RateLimit", "X-Rate-Limit"):
        remaining, resets = (_values(headers.get(f"{prefix}-{what}", "")) for what in ("Remaining", "Reset"))
        pairs += zip(remaining, resets, strict=False)
    found = ((_NUMBER.fullmatch(remaining), _seconds(reset, headers, now_s)) for remaining, reset in pairs)
    left = [Quota(int(float(count[1])), reset_s) for count, reset_s in found if count and reset_s]
    return min(left, key=lambda quota: (quota.remaining / quota.reset_s, -quota.reset_s), default=None)


def parse_date(value: str | None) -> float | None:
    """Read an HTTP date (RFC 9110, 5.6.7); returns Unix seconds, None if there is none."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - costs each command 10 ms, and few replies have a date

    try:
        moment = parsedate_to_datetime(value or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _seconds(value: str, headers: Mapping[str, str], now_s: float) -> float | None:
    """Read a wait, or a moment as a date or in Unix seconds; returns whole seconds from the time of the reply."""
    number = _NUMBER.fullmatch(value)
    moment_s = float(number[1]) if number else parse_date(value)
    if moment_s is None:
        return None
    if not number or moment_s >= _UNIX_FROM:
        sent_s = parse_date(headers.get("Date"))
        moment_s -= now_s if sent_s is None else sent_s
    return float(ceil(min(max(0.0, moment_s), _LONGEST_S)))


def _values(field: str) -> Iterator[str]:
    """Yield the values of a list. A date has its own comma, after the day of the week."""
    weekday = ""
    for part in field.split(","):
        if weekday or not _WEEKDAY.fullmatch(part):
            yield weekday + part
            weekday = ""
        else:
            weekday = f"{part},"


def _parameters(field: str) -> Iterator[tuple[str, str]]:
    """Yield (remaining, reset) of each quota in a field of parameters; they come in pairs."""
    remaining = reset = ""
    for found in _PARAMETER.finditer(field):
        if found[1]:
            remaining = found[2]
        else:
            reset = found[2]
        if remaining and reset:
            yield remaining, reset
            remaining = reset = ""


class Effect(StrEnum):
    """The consequence of a fault."""

    UNTOUCHED = "untouched"  # the request was not taken up, or not now: ask again, which does not count as a try
    IN_DOUBT = "in doubt"  # no answer, or an unreliable one: ask again until the tries are used up
    REFUSED = "refused"  # this request was refused as a whole: split it
    DENIED = "denied"  # this user, campaign or address was refused: end the run


@dataclass(frozen=True, slots=True)
class Fault:
    """The reason why a request brought no verdicts."""

    effect: Effect
    kind: str  # a short stable label for logs and counts
    sentence: str
    http_status: int = 0
    throttled: bool = False  # the server asked for a slower pace
    retry_after_s: float | None = None
    request_id: str = ""
    quota: Quota | None = None
    campaign: str = field(default="", compare=False)  # of the request that ended the run

    @property
    def too_long(self) -> bool:
        """Whether the server found the request too long."""
        return self.http_status in _TOO_LONG

    @property
    def may_be_length(self) -> bool:
        """Whether a limit on the URL may be the cause: some proxies answer like this, or break the connection."""
        if self.request_id:
            return False
        if self.effect is Effect.IN_DOUBT:
            return self.kind == CONNECTION_LOST or self.http_status >= _SERVER_ERROR
        return self.kind == f"HTTP {self.http_status}" and self.http_status not in _ABOUT_THE_USER

    @property
    def detail(self) -> str:
        """The sentence with the request id, for the report."""
        return (
            phrase("{problem} (request_id {request_id})", problem=ours(self.sentence), request_id=self.request_id)
            if self.request_id
            else self.sentence
        )


CONNECTION_LOST = "connection lost"  # the kind of fault when the connection broke before the reply
_SERVER_ERROR = 500
_ABOUT_THE_USER = frozenset({401, 407})

NOT_SENT = Fault(Effect.UNTOUCHED, "not sent", "The run was stopped before this request left.")
"""No attempt at all: the run stopped before the prepared request was sent."""


def doubt_us(fault: Fault, took_us: int | None) -> int:
    """Return how much doubt a fault leaves about its request's numbers, in the measure of `lifecycle.Fastest`."""
    if took_us is None:
        return 0
    if fault.effect is Effect.IN_DOUBT:
        return EVER_US
    return 0 if fault.http_status in _NOT_CARRIED_OUT else took_us


@dataclass(frozen=True, slots=True)
class Reply:
    """A readable reply: `verdicts[i]` belongs to the i-th requested number."""

    verdicts: Alike[Verdict]
    strangers: int  # keys that mean no requested number, or several
    quota: Quota | None = None
    unasked: tuple[Unasked, ...] = ()  # removed although not requested
    cut_at: int | None = None  # the index of the number at which a proxy cut the URL


@dataclass(frozen=True, slots=True)
class Document:
    """A readable reply to a read-only call: decoded JSON, and the server's clock (Unix seconds) if it was given."""

    content: object
    server_time_s: float | None
    stand_in: bool = False  # the server says that it is not Thulium's


OK = 200
WITH_VERDICTS = frozenset({OK, 201, 203, 207})  # the HTTP statuses whose body may be the documented one
_MOST_ERRORS = 20


def read_reply(body: bytes, numbers: Sequence[str], region: Region = POLAND, http_status: int = OK) -> Reply | Fault:
    """Join a reply's body to the requested numbers, by number; their order means nothing."""
    try:
        document, text = json_of(body)
        if isinstance(document, list):
            document = {str(place): entry for place, entry in enumerate(document)}
        if not isinstance(document, dict):
            return _unreadable(http_status, "it is not an object keyed by number")
        plain = plain_verdicts([*map(document.get, numbers)]) if len(document) == len(numbers) else None
        # Each key has a colon. If there are as many colons as keys, no key can repeat; see `may_repeat`.
        if plain and text.count(b":") == len(document) + plain.keys:
            return Reply(plain.verdicts, 0)
        if may_repeat(text, document) and isinstance(repeated := with_repeats(text), dict):
            document = repeated
    except ValueError:
        is_page = body.lstrip()[:1] == b"<"
        return _unreadable(http_status, "it is an HTML page" if is_page else "it is cut short or damaged")
    if _is_envelope(document):
        envelope = _envelope(document)
        refusal = phrase(
            "The server refused the request, although it answered HTTP {http_status}.{said}",
            http_status=http_status,
            said=_said(envelope),
        )
        return Fault(Effect.REFUSED, "errors in a success", refusal, http_status, request_id=envelope.request_id)
    return _joined(document, numbers, region)


def _unreadable(http_status: int, problem: str) -> Fault:
    """Return the fault of an unreadable success: the server was asked to delete, and may have done so."""
    sentence = phrase(
        "The reply with HTTP {http_status} is not the documented JSON: {problem}.",
        http_status=http_status,
        problem=ours(problem),
    )
    return Fault(Effect.IN_DOUBT, "unreadable reply", sentence, http_status)


def _joined(document: Mapping[str, Any], numbers: Sequence[str], region: Region) -> Reply:
    """Join a reply that is not one plain list for each number: collect all that it says about each."""
    asked = {number: index for index, number in enumerate(numbers)}
    others = [key for key in document if key not in asked]
    owners = {**asked, **meant(others, numbers, region)} if others else asked
    found: dict[int, list[Any]] = {}
    for key, value in document.items():
        found.setdefault(owners.get(key, AMBIGUOUS), []).extend(value if isinstance(value, Several) else [value])
    strangers = [key for key in others if owners.get(key, AMBIGUOUS) == AMBIGUOUS]
    found.pop(AMBIGUOUS, None)
    each = [found.get(index, []) for index in range(len(numbers))]
    values = [put_together(said) if len(said) > 1 else next(iter(said), None) for said in each]
    plain = plain_verdicts(values)
    verdicts = plain.verdicts if plain else Alike.of(map(verdict_of, values))
    several = {
        index: verdicts[index]._replace(detail=" ".join(filter(None, (verdicts[index].detail, SEVERAL_KEYS))))
        for index, said in found.items()
        if len(said) > 1
    }
    return Reply(
        verdicts.but(several),
        len(strangers),
        unasked=unasked_in((key, document[key]) for key in strangers if key not in owners),
        cut_at=_cut_at(numbers, found, strangers, region),
    )


def _cut_at(numbers: Sequence[str], found: Collection[int], strangers: Iterable[str], region: Region) -> int | None:
    """Return the index at which a proxy cut the URL, None if nothing points to that."""
    place = max(found, default=-1) + 1
    if place == len(numbers):
        return None
    digits, _ = digits_of(numbers[place], region)
    beginnings = {digits[:length] for length in range(1, len(digits))}
    return place if any(not key.strip() or digits_of(key, region)[0] in beginnings for key in strangers) else None


class ErrorEnvelope(NamedTuple):
    """The server's own words about a failed request; both are empty if the body is something else."""

    message: str
    request_id: str


def read_envelope(body: bytes) -> ErrorEnvelope:
    """Read `{"request_id": ..., "errors": [{"message", "code"}]}`, or the parts of it that are there."""
    try:
        document, _ = json_of(body)
    except ValueError:
        document = None
    return _envelope(document if isinstance(document, dict) else {})


def _envelope(document: Mapping[str, Any]) -> ErrorEnvelope:
    errors, request_id = document.get("errors"), document.get("request_id")
    messages = [
        harmless(str(error.get("message", "")), DETAIL_MAX_CHARS)
        for error in islice(errors if isinstance(errors, list) else (), _MOST_ERRORS)
        if isinstance(error, dict)
    ]
    named = harmless(str(request_id)) if isinstance(request_id, str | int) else ""
    return ErrorEnvelope("; ".join(messages)[:DETAIL_MAX_CHARS], named)


def _is_envelope(document: Mapping[str, Any]) -> bool:
    """Return whether an object is the server's envelope for errors: none of its keys can be a number."""
    return isinstance(document.get("errors"), list) and not any(char.isdigit() for key in document for char in key)


def _said(envelope: ErrorEnvelope) -> str:
    return phrase(" The server said: {message}", message=envelope.message) if envelope.message else ""


_DENIED = {
    401: "The server does not accept this user and password (HTTP 401).",
    403: "The server forbids this call: the API user lacks the permission (HTTP 403).",
    404: "The server does not know this campaign (HTTP 404).",
    405: "The server does not know this call (HTTP 405): is the address right?",
    407: "The proxy asks for a user and password (HTTP 407).",
}
_UNTOUCHED = {
    425: "The server does not accept the request yet (HTTP 425).",
    429: "The server asked us to slow down (HTTP 429).",
    503: "The server is overloaded or down for a while (HTTP 503).",
}
SLOW_DOWNS = frozenset(f"HTTP {http_status}" for http_status in _UNTOUCHED)
"""The kinds of fault by which a server asks for a slower pace."""
_TOO_LONG = {413, 414, 431}
_NOT_CARRIED_OUT = {0, *_TOO_LONG}  # 0: no server was reached
_NO_ANSWER = {408}


def fault_of_status(http_status: int, body: bytes, retry_after_s: float | None) -> Fault:
    """Return the fault of any HTTP status but 200. `retry_after_s` is the wait that the server asked for."""
    envelope = read_envelope(body)
    effect, sentence = _effect_of(http_status)
    return Fault(
        effect,
        f"HTTP {http_status}",
        phrase("{sentence}{said}", sentence=ours(sentence), said=_said(envelope)),
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
        effect, sentence = Effect.REFUSED, "The request is too long for the server (HTTP {http_status})."
    elif 300 <= http_status < 400:  # noqa: PLR2004 - the class of redirects
        effect, sentence = Effect.DENIED, "The server redirects to another address (HTTP {http_status})."
    elif 400 <= http_status < 500 and http_status not in _NO_ANSWER:  # noqa: PLR2004 - the client's faults
        effect, sentence = Effect.REFUSED, "The server refused the request (HTTP {http_status})."
    else:
        effect, sentence = Effect.IN_DOUBT, "The server failed or answered strangely (HTTP {http_status})."
    return effect, phrase(sentence, http_status=http_status)
