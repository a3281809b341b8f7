"""A reply and the numbers that were asked for, brought together: one verdict for each number, or one fault.

A 200 is not success: it is a JSON object keyed by number, each value a list with one entry per record found. Replies
are joined by number, never by position. PHP writes an object with the keys 0, 1, 2 ... as a list, an empty one as `[]`.

A fault is why there is no verdict. Its effect says what follows. Whether the server has acted nevertheless is another
question, for no status tells: `doubt_us` measures it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, NamedTuple

from bulk_remove.core.alike import Alike
from bulk_remove.core.lifecycle import EVER_US
from bulk_remove.core.model import harmless, mask
from bulk_remove.core.quota import Quota
from bulk_remove.core.regions import POLAND, Region
from bulk_remove.core.reply_text import DETAIL_MAX_CHARS, Several, json_of, masked_words, may_repeat, with_repeats
from bulk_remove.core.respelling import AMBIGUOUS, digits_of, meant
from bulk_remove.core.unasked import Unasked, unasked_in
from bulk_remove.core.verdicts import SEVERAL_KEYS, Verdict, plain_verdicts, put_together, verdicts_of
from bulk_remove.language import ours, phrase


class Effect(StrEnum):
    """What follows a fault."""

    UNTOUCHED = "untouched"  # nobody took the request up, or not now: ask again, which costs no try
    IN_DOUBT = "in doubt"  # no answer, or none to rely on: ask again until the tries are used up
    REFUSED = "refused"  # this request was refused as a whole: split it
    DENIED = "denied"  # this user, campaign or address was refused: end the run


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
    def may_be_length(self) -> bool:
        """Whether a limit on the URL may be behind it: some proxies answer so, or break the connection.

        What has a request id is the server's own answer, for which the URL was short enough.
        """
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


CONNECTION_LOST = "connection lost"
"""The kind of fault when the connection broke before the reply."""
_SERVER_ERROR = 500
_ABOUT_THE_USER = frozenset({401, 407})

NOT_SENT = Fault(Effect.UNTOUCHED, "not sent", "The run was stopped before this request left.")
"""No attempt at all: the request was prepared, and then nobody wanted it sent."""


def doubt_us(fault: Fault, took_us: int | None) -> int:
    """Return how much doubt a fault leaves about the numbers of its request, as `lifecycle.Fastest` weighs it.

    A refusal, whatever its status, may come before the request is carried out or after it: that shows in the time
    that it took, in microseconds from the departure. Of no answer, and of a failure, no time tells. No doubt is left
    by what never departed (`took_us` is None), nor by what is decided before any request is carried out.
    """
    if took_us is None:
        return 0
    if fault.effect is Effect.IN_DOUBT:
        return EVER_US
    return 0 if fault.http_status in _NOT_CARRIED_OUT else took_us


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply that could be read: `verdicts[i]` belongs to the i-th number asked for.

    `strangers` counts keys that mean no number asked for, or more than one; `stranger_sample` is one of them, masked.
    `unasked` are those that were removed though nobody asked for it. Where the URL was cut on its way, `cut_at` is the
    index of the number in which that happened. `quota` is what the server said of its limit, if it did.
    """

    verdicts: Alike[Verdict]
    strangers: int
    stranger_sample: str
    quota: Quota | None = None
    unasked: tuple[Unasked, ...] = ()
    cut_at: int | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A readable reply to a read-only call: decoded JSON, and the server's clock (Unix seconds) if it told.

    `stand_in` says that the server is none of Thulium's, by its own word.
    """

    content: object
    server_time_s: float | None
    stand_in: bool = False


OK = 200
WITH_VERDICTS = frozenset({OK, 201, 203, 207})
"""The HTTP statuses whose body may be the documented one."""
_MOST_ERRORS = 20


def read_reply(body: bytes, numbers: Sequence[str], region: Region = POLAND, http_status: int = OK) -> Reply | Fault:
    """Join a reply's body to the numbers asked for, by number; the order of either says nothing.

    `region` tells which other spellings mean the same number.
    """
    try:
        document, text = json_of(body)
        if isinstance(document, list):
            document = {str(place): entry for place, entry in enumerate(document)}
        if not isinstance(document, dict):
            return _unreadable(http_status, "it is no object keyed by number")
        plain = plain_verdicts([*map(document.get, numbers)]) if len(document) == len(numbers) else None
        # Each key has a colon: as many as there are keys leave room for no other, see `may_repeat`.
        if plain and text.count(b":") == len(document) + plain.keys:
            return Reply(plain.verdicts, 0, "")
        if may_repeat(text, document) and isinstance(repeated := with_repeats(text), dict):
            document = repeated
    except ValueError:
        is_page = body.lstrip()[:1] == b"<"
        return _unreadable(http_status, "it is an HTML page" if is_page else "it is cut short or damaged")
    if _is_envelope(document):
        return _refused_inside(document, http_status)
    return _joined(document, numbers, region)


def _unreadable(http_status: int, problem: str) -> Fault:
    """A success that cannot be read came from a server that was asked to delete: it may have."""
    sentence = phrase(
        "The reply with HTTP {http_status} is not the documented JSON: {problem}.",
        http_status=http_status,
        problem=ours(problem),
    )
    return Fault(Effect.IN_DOUBT, "unreadable reply", sentence, http_status)


def _joined(document: Mapping[str, Any], numbers: Sequence[str], region: Region) -> Reply:
    """Join a reply that is not one plain list for each number: bring together all that it says of each."""
    asked = {number: index for index, number in enumerate(numbers)}
    others = [key for key in document if key not in asked]
    owners = {**asked, **meant(others, numbers, region)} if others else asked
    found: dict[int, list[Any]] = {}
    for key, value in document.items():
        found.setdefault(owners.get(key, AMBIGUOUS), []).extend(value if isinstance(value, Several) else [value])
    strangers = [key for key in others if owners.get(key, AMBIGUOUS) == AMBIGUOUS]
    found.pop(AMBIGUOUS, None)
    verdicts = verdicts_of([_together(found.get(index, ())) for index in range(len(numbers))])
    several = [index for index, values in found.items() if len(values) > 1]
    return Reply(
        verdicts.but({index: _of_several(verdicts[index]) for index in several}),
        len(strangers),
        mask(strangers[0]) if strangers else "",
        unasked=unasked_in((key, document[key]) for key in strangers if key not in owners),
        cut_at=_cut_at(numbers, found, strangers, region),
    )


def _together(values: Sequence[Any]) -> Any:
    """Return all that stands under a number's keys as one value; None where there is nothing."""
    if len(values) > 1:
        return put_together(values)
    return values[0] if values else None


def _of_several(verdict: Verdict) -> Verdict:
    return verdict._replace(detail=" ".join(filter(None, (verdict.detail, SEVERAL_KEYS))))


def _cut_at(numbers: Sequence[str], found: Collection[int], strangers: Iterable[str], region: Region) -> int | None:
    """Return where the URL was cut on its way, None where nothing points to that.

    Then the reply speaks of none of the last numbers, but of a beginning of the first of them.
    """
    place = max(found, default=-1) + 1
    if place == len(numbers):
        return None
    digits, _ = digits_of(numbers[place], region)
    beginnings = {digits[:length] for length in range(1, len(digits))}
    return place if any(not key.strip() or digits_of(key, region)[0] in beginnings for key in strangers) else None


class ErrorEnvelope(NamedTuple):
    """The server's own words about a request that failed; both empty where the body is something else."""

    message: str
    request_id: str


def read_envelope(body: bytes) -> ErrorEnvelope:
    """Read `{"request_id": ..., "errors": [{"message", "code"}]}` as far as it is there."""
    try:
        document, _ = json_of(body)
    except ValueError:
        return ErrorEnvelope("", "")
    return _envelope(document) if isinstance(document, dict) else ErrorEnvelope("", "")


def _envelope(document: Mapping[str, Any]) -> ErrorEnvelope:
    errors, request_id = document.get("errors"), document.get("request_id")
    messages = [
        masked_words(str(error.get("message", "")))
        for error in islice(errors if isinstance(errors, list) else (), _MOST_ERRORS)
        if isinstance(error, dict)
    ]
    named = harmless(str(request_id)) if isinstance(request_id, str | int) else ""
    return ErrorEnvelope("; ".join(messages)[:DETAIL_MAX_CHARS], named)


def _is_envelope(document: Mapping[str, Any]) -> bool:
    """Tell whether an object is the server's envelope for errors: no key of it can be a number."""
    return isinstance(document.get("errors"), list) and not any(char.isdigit() for key in document for char in key)


def _refused_inside(document: Mapping[str, Any], http_status: int) -> Fault:
    """Return the refusal that the server put into a success."""
    envelope = _envelope(document)
    sentence = phrase(
        "The server refused the request, though with HTTP {http_status}.{said}",
        http_status=http_status,
        said=_said(envelope),
    )
    return Fault(Effect.REFUSED, "errors in a success", sentence, http_status, request_id=envelope.request_id)


def _said(envelope: ErrorEnvelope) -> str:
    return phrase(" The server said: {message}", message=envelope.message) if envelope.message else ""


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
_NOT_CARRIED_OUT = {0, *_TOO_LONG}  # 0: no server was reached
_NO_ANSWER = {408}


def fault_of_status(http_status: int, body: bytes, retry_after_s: float | None) -> Fault:
    """Say what a reply with any HTTP status but 200 means. `retry_after_s` is the server's wish in seconds."""
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
        return Effect.REFUSED, phrase(
            "The request is too long for the server (HTTP {http_status}).", http_status=http_status
        )
    if 300 <= http_status < 400:  # noqa: PLR2004 - the class of redirects
        return Effect.DENIED, phrase(
            "The server sends us to another address (HTTP {http_status}).", http_status=http_status
        )
    if 400 <= http_status < 500 and http_status not in _NO_ANSWER:  # noqa: PLR2004 - the client's faults
        return Effect.REFUSED, phrase("The server refused the request (HTTP {http_status}).", http_status=http_status)
    return Effect.IN_DOUBT, phrase(
        "The server failed or answered strangely (HTTP {http_status}).", http_status=http_status
    )
