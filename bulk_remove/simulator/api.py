"""What can go wrong with a request, and what the API does with one that reached it. No server and no clock.

Faults come on demand: which, how often, and the seeded draw. The API checks permission, campaign and format, then
removes. Replies, errors and pages are values. The request's target is read as the stack behind the API reads it: the
route, and PHP's view of the query.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import formatdate
from enum import Enum, StrEnum
from random import Random
from typing import Final
from urllib.parse import unquote, unquote_plus

import orjson

from bulk_remove.simulator.world import Campaign, Removal, World


class SimulatedFault(StrEnum):
    """What can go wrong with one request. *Before* and *after* refer to the act, the removal of the records."""

    RATE_LIMITED = "rate_limited"  # 429, before the act; decided by the limiter, not drawn
    UNAVAILABLE = "unavailable"  # 503 with Retry-After, at once and before the act
    REFUSED_BEFORE = "refused_before"  # any status, at once and before the act
    REFUSED_AFTER = "refused_after"  # the same status, after the act and perhaps much later
    REFUSED_MIDWAY = "refused_midway"  # the same, after the act on the first half of the numbers
    ERROR_500_BEFORE = "error_500_before"
    ERROR_502_BEFORE = "error_502_before"
    ERROR_504_BEFORE = "error_504_before"
    ERROR_500_AFTER = "error_500_after"
    ERROR_502_AFTER = "error_502_after"
    ERROR_504_AFTER = "error_504_after"
    DROPPED_BEFORE = "dropped_before"  # the connection is closed without a byte of reply
    DROPPED_AFTER = "dropped_after"
    STALLED_AFTER = "stalled_after"  # no byte of reply for `stall_s`, then the connection is closed
    CUT_SHORT = "cut_short"
    """After the act: half of the body that Content-Length promised, then the connection is closed."""
    HTML_BEFORE = "html_before"  # A maintenance page with status 200
    HTML_AFTER = "html_after"  # PHP's page of a fatal error, with status 200
    REDIRECTED = "redirected"  # before the act: to the login page
    GARBAGE_BODY = "garbage_body"  # after the act: status 200, said to be JSON, and random bytes
    GARBAGE_WIRE = "garbage_wire"  # after the act: bytes that are not HTTP at all
    MISSING_NUMBERS = "missing_numbers"
    """After the act: up to a tenth of the numbers, at least one, are not in the reply."""
    UNKNOWN_STATUS = "unknown_status"  # after the act: as many have an undocumented status
    EXTRA_NUMBERS = "extra_numbers"  # after the act: numbers that nobody asked for are in the reply, as not there
    STRAY_401 = "stray_401"  # before the act, like the next two: one server of many with a wrong configuration
    STRAY_403 = "stray_403"
    STRAY_404 = "stray_404"
    ERRORS_IN_200 = "errors_in_200"  # before the act: the envelope for errors with status 200
    BYTE_ORDER_MARK = "byte_order_mark"  # after the act, like all that follow: before the JSON
    NOTICES = "notices"  # PHP's notices, before and after the JSON
    BARE_OBJECTS = "bare_objects"  # numbers with one record have an object instead of a list of one
    WITHOUT_STATUS = "without_status"
    """Some of the numbers that do not exist have an entry with a message instead of a status."""
    CONTRADICTIONS = "contradictions"  # some of the numbers have an `http_status` that contradicts their status
    REPEATED_KEYS = "repeated_keys"  # some of the numbers are repeated at the end, as not there
    RESPELT_KEYS = "respelt_keys"  # the numbers of nine digits get the country code 48 in one spelling or another
    FOREIGN_KEYS = "foreign_keys"  # some of the numbers get the country code 49, which makes them other numbers

    @property
    def before_the_act(self) -> bool:
        """Whether the request ends before anything is removed."""
        return self in _BEFORE

    @property
    def at_the_door(self) -> bool:
        """Whether the request ends at once."""
        return self in _AT_THE_DOOR


def faults_named(names: str) -> frozenset[SimulatedFault]:
    """Return the faults of these names, which are separated by spaces."""
    return frozenset(map(SimulatedFault, names.split()))


_BEFORE: Final = faults_named(
    "rate_limited unavailable refused_before error_500_before error_502_before error_504_before dropped_before "
    "html_before redirected stray_401 stray_403 stray_404 errors_in_200"
)
_AT_THE_DOOR: Final = faults_named("rate_limited unavailable refused_before")
REFUSED_LATE: Final = faults_named("refused_after refused_midway")
REFUSED: Final = REFUSED_LATE | faults_named("refused_before")
# Faults with a field for their rate in `Faults`, under the same name.
RATED: Final = tuple(fault for fault in SimulatedFault if fault is not SimulatedFault.RATE_LIMITED)


class RetryAfter(StrEnum):
    """How a 429 or 503 says when to come back."""

    NONE = "none"
    SECONDS = "seconds"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong, and how often."""

    unavailable: float = 0.0
    refused_before: float = 0.0
    refused_after: float = 0.0
    refused_midway: float = 0.0
    error_500_before: float = 0.0
    error_502_before: float = 0.0
    error_504_before: float = 0.0
    error_500_after: float = 0.0
    error_502_after: float = 0.0
    error_504_after: float = 0.0
    dropped_before: float = 0.0
    dropped_after: float = 0.0
    stalled_after: float = 0.0
    cut_short: float = 0.0
    html_before: float = 0.0
    html_after: float = 0.0
    redirected: float = 0.0
    garbage_body: float = 0.0
    garbage_wire: float = 0.0
    missing_numbers: float = 0.0
    unknown_status: float = 0.0
    extra_numbers: float = 0.0
    stray_401: float = 0.0
    stray_403: float = 0.0
    stray_404: float = 0.0
    errors_in_200: float = 0.0
    byte_order_mark: float = 0.0
    notices: float = 0.0
    bare_objects: float = 0.0
    without_status: float = 0.0
    contradictions: float = 0.0
    repeated_keys: float = 0.0
    respelt_keys: float = 0.0
    foreign_keys: float = 0.0
    script: tuple[SimulatedFault | None, ...] = ()
    reads_too: bool = False
    rate_limit_per_s: float = 0.0
    rate_limit_burst: int = 0
    retry_after: RetryAfter = RetryAfter.SECONDS
    retry_after_s: int = 1
    refused_status: int = 503
    refused_late_s: float = 0.0
    redirect_status: int = 302
    redirect_to: str = "/login"
    latency_s: float = 0.0
    jitter_s: float = 0.0
    stall_s: float = 60.0
    seed: int = 0

    def __post_init__(self) -> None:
        rates = {fault.value: self.rate(fault) for fault in RATED}
        for name, rate in rates.items():
            if not 0.0 <= rate <= 1.0:
                raise ValueError(f"{name} must be between 0 and 1")
        if sum(rates.values()) > 1.0 + 1e-9:
            raise ValueError("the rates of all faults must add up to 1 at most")
        for name in self.__slots__:
            if name.endswith(("_s", "_burst")) and getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative")

    def rate(self, fault: SimulatedFault) -> float:
        """The share of requests with a fault that has a rate."""
        rate: float = getattr(self, fault.value)
        return rate


class TokenBucket:
    """Admits `per_s` requests a second on average, `burst` at once."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._size = float(burst or max(1.0, per_s))
        self._tokens = self._size
        self._filled_at_s: float | None = None

    def admits(self, now_s: float) -> bool:
        """Whether a request at `now_s` (seconds, never decreasing) is accepted; if so, it uses a token."""
        passed_s = 0.0 if self._filled_at_s is None else max(0.0, now_s - self._filled_at_s)
        self._tokens = min(self._size, self._tokens + passed_s * self._per_s)
        self._filled_at_s = now_s
        # A hair less than one counts as one: the sum of many small refills is never exact.
        if self._tokens < 1.0 - 1e-9:
            return False
        self._tokens -= 1.0
        return True


class FaultSource:
    """Draws the faults of a `Faults`, in the order of requests."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.random = Random(faults.seed)
        self._rates = tuple((fault, faults.rate(fault)) for fault in RATED if faults.rate(fault))
        self._script = list(reversed(faults.script))
        self._bucket = TokenBucket(faults.rate_limit_per_s, faults.rate_limit_burst)

    def limited(self, now_s: float) -> bool:
        """Whether the rate limit refuses a request at `now_s`."""
        return bool(self.faults.rate_limit_per_s) and not self._bucket.admits(now_s)

    def delay_s(self) -> float:
        """The delay of the next request before the act."""
        jitter_s = self.faults.jitter_s
        return self.faults.latency_s + (self.random.uniform(0.0, jitter_s) if jitter_s else 0.0)

    def draw(self, *, reading: bool) -> SimulatedFault | None:
        """The fault of the next request, None if it has none."""
        if reading and not self.faults.reads_too:
            return None
        if self._script:
            return self._script.pop()
        if not self._rates:
            return None
        left = self.random.random()
        for fault, rate in self._rates:
            left -= rate
            if left < 0.0:
                return fault
        return None


JSON = "application/json"
HTML = "text/html"

_NOT_EXIST: list[dict[str, object]] = [{"http_status": 404, "status": "NOT_EXIST"}]

_CALL_IN_PROGRESS_STATUS = 409
"""Our choice (conflict): the documentation shows no record in a call. It documents 200 and 404."""

_GONE = 404
_LEADS = ("48", "+48", "0048")
_LOCAL = 9
_NOTICE = b"<br />\n<b>Notice</b>:  Undefined index: agent in <b>/srv/api/batch.php</b> on line <b>12</b><br />\n"
_QUEUED: list[dict[str, object]] = [{"http_status": 202, "status": "QUEUED"}]
_MESSAGE: list[dict[str, object]] = [{"http_status": 400, "message": "Agent not found."}]
_PAGES = {
    SimulatedFault.ERROR_500_BEFORE: (500, "500 Internal Server Error"),
    SimulatedFault.ERROR_502_BEFORE: (502, "502 Bad Gateway"),
    SimulatedFault.ERROR_504_BEFORE: (504, "504 Gateway Time-out"),
    SimulatedFault.ERROR_500_AFTER: (500, "500 Internal Server Error"),
    SimulatedFault.ERROR_502_AFTER: (502, "502 Bad Gateway"),
    SimulatedFault.ERROR_504_AFTER: (504, "504 Gateway Time-out"),
    SimulatedFault.STRAY_401: (401, "401 Authorization Required"),
    SimulatedFault.STRAY_403: (403, "403 Forbidden"),
    SimulatedFault.STRAY_404: (404, "404 Not Found"),
}

Entries = Sequence[Mapping[str, object]] | Mapping[str, object]
ReplyBody = Mapping[str, Entries]
"""For each number, an object for each removed record in a list; for one record perhaps only the object."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP reply."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


_FATAL = Answer(200, b"<br />\n<b>Fatal error</b>:  Maximum execution time exceeded<br />\n", HTML)


class Problem(Enum):
    """Status, code and message of an error. Only the code and message of WRONG_FORMAT are documented."""

    UNAUTHORISED = (401, 100401, "Unauthorized.", "Brak autoryzacji.")
    FORBIDDEN = (403, 100403, "No permission for this method.", "Brak uprawnień do tej metody.")
    NO_SUCH_CAMPAIGN = (404, 100404, "Campaign does not exist.", "Kampania nie istnieje.")
    NO_SUCH_METHOD = (404, 100405, "Method does not exist.", "Metoda nie istnieje.")
    NO_NUMBER = (400, 100400, "Parameter phone_number is required.", "Parametr phone_number jest wymagany.")
    WRONG_FORMAT = (400, 111111, "Wrong format of phone number.", "Niepoprawny format numeru telefonu.")
    WRONG_PAGE = (400, 100406, "Wrong value of limit or offset.", "Niepoprawna wartość limit lub offset.")


def error(problem: Problem, request_id: str, *, polish: bool) -> Answer:
    """The documented error envelope."""
    status, code, english, translated = problem.value
    message = translated if polish else english
    body = {"request_id": request_id, "errors": [{"message": message, "code": code}]}
    headers = (("WWW-Authenticate", 'Basic realm="Thulium API"'),) if problem is Problem.UNAUTHORISED else ()
    return Answer(status, orjson.dumps(body), headers=headers)


def page(status: int, title: str, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """An HTML page as nginx makes it."""
    text = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
    return Answer(status, text.encode(), HTML, headers)


def answer_of(removal: Removal, fault: SimulatedFault | None, random: Random) -> Answer:
    """The answer to a removal in its documented form, as a fault changes it. PHP writes an empty map as a list."""
    reply: ReplyBody = {number: _entries(removal, number) for number in removal.numbers}
    if change := _CHANGES.get(fault):
        reply = change(reply, random)
    body = orjson.dumps(reply) if reply else b"[]"
    if fault is SimulatedFault.BYTE_ORDER_MARK:
        body = b"\xef\xbb\xbf" + body
    elif fault is SimulatedFault.NOTICES:
        body = _NOTICE + body + _NOTICE
    elif fault is SimulatedFault.REPEATED_KEYS and reply:
        again = b",".join(orjson.dumps(number) + b":" + orjson.dumps(_NOT_EXIST) for number in _some(reply, random))
        body = body[:-1] + b"," + again + b"}"
    return Answer(200, body)


def faulty_page(fault: SimulatedFault, faults: Faults, now_s: float) -> Answer:
    """The answer of a fault that does not depend on the request; for a dropped one nothing is sent."""
    refusal = (faults.refused_status, f"{faults.refused_status} Refused")
    if shown := refusal if fault in REFUSED else _PAGES.get(fault):
        return page(*shown)
    if fault is SimulatedFault.ERRORS_IN_200:
        return replace(error(Problem.WRONG_FORMAT, "53678450401cf", polish=False), status=200)
    if fault is SimulatedFault.RATE_LIMITED:
        return page(429, "429 Too Many Requests", _come_back(faults, now_s))
    if fault is SimulatedFault.UNAVAILABLE:
        return page(503, "503 Service Temporarily Unavailable", _come_back(faults, now_s))
    if fault is SimulatedFault.REDIRECTED:
        status = faults.redirect_status
        return page(status, f"{status} Redirect", (("Location", faults.redirect_to),))
    return _FATAL if fault is SimulatedFault.HTML_AFTER else page(200, "Maintenance")


def _missing(reply: ReplyBody, random: Random) -> ReplyBody:
    hit = _some(reply, random)
    return {number: entries for number, entries in reply.items() if number not in hit}


def _without_status(reply: ReplyBody, random: Random) -> ReplyBody:
    absent = {number: entries for number, entries in reply.items() if entries == _NOT_EXIST}
    return {**reply, **dict.fromkeys(_some(absent, random), _MESSAGE)}


def _bare(reply: ReplyBody, _random: Random) -> ReplyBody:
    return {
        number: entries[0] if not isinstance(entries, Mapping) and len(entries) == 1 else entries
        for number, entries in reply.items()
    }


def _respelt(reply: ReplyBody, random: Random) -> ReplyBody:
    return {_LEADS[random.randrange(3)] * (len(key) == _LOCAL) + key: entries for key, entries in reply.items()}


def _foreign(reply: ReplyBody, random: Random) -> ReplyBody:
    hit = _some(reply, random)
    return {f"49{key}" if key in hit else key: entries for key, entries in reply.items()}


_CHANGES: Mapping[SimulatedFault | None, Callable[[ReplyBody, Random], ReplyBody]] = {
    SimulatedFault.MISSING_NUMBERS: _missing,
    SimulatedFault.UNKNOWN_STATUS: lambda reply, random: {**reply, **dict.fromkeys(_some(reply, random), _QUEUED)},
    SimulatedFault.EXTRA_NUMBERS: lambda reply, random: {
        **dict.fromkeys([f"999{random.randrange(10**9):09}" for _ in _some(reply, random)], _NOT_EXIST),
        **reply,
    },
    SimulatedFault.WITHOUT_STATUS: _without_status,
    SimulatedFault.CONTRADICTIONS: lambda reply, random: {
        **reply,
        **{number: _contradicted(reply[number]) for number in _some(reply, random)},
    },
    SimulatedFault.BARE_OBJECTS: _bare,
    SimulatedFault.RESPELT_KEYS: _respelt,
    SimulatedFault.FOREIGN_KEYS: _foreign,
}


def _contradicted(entries: Entries) -> list[Mapping[str, object]]:
    each = [entries] if isinstance(entries, Mapping) else entries
    return [{**entry, "http_status": 200 if entry["http_status"] == _GONE else _GONE} for entry in each]


def _entries(removal: Removal, number: str) -> list[dict[str, object]]:
    results = ((200, "REMOVED", removal.removed), (_CALL_IN_PROGRESS_STATUS, "CALL_IN_PROGRESS", removal.in_call))
    entries: list[dict[str, object]] = [
        {"http_status": code, "record_id": record_id, "status": status}
        for code, status, ids in results
        for record_id in ids.get(number, ())
    ]
    return entries or _NOT_EXIST


def _some(reply: Collection[str], random: Random) -> list[str]:
    """Up to a tenth of the numbers, but at least one if there are any."""
    return random.sample(list(reply), min(len(reply), random.randint(1, max(1, len(reply) // 10))))


def _come_back(faults: Faults, now_s: float) -> tuple[tuple[str, str], ...]:
    if faults.retry_after is RetryAfter.NONE:
        return ()
    if faults.retry_after is RetryAfter.SECONDS:
        return (("Retry-After", str(faults.retry_after_s)),)
    # A date has whole seconds: rounded up, so that it never asks for too short a wait.
    return (("Retry-After", formatdate(-(-(now_s + faults.retry_after_s) // 1), usegmt=True)),)


_KEYS = ("phone_number%5B%5D=", "phone_number[]=")


class Operation(StrEnum):
    """The methods of the API; a user has a permission for each."""

    REMOVE_RECORDS = "remove_records"
    STATS = "stats"
    CAMPAIGNS = "campaigns"
    RECORDS = "records"
    LOGIN_PAGE = "login_page"  # not part of the API: where a redirect leads


_ROUTES = (
    (Operation.REMOVE_RECORDS, "DELETE", re.compile(r"/api/batch/outbounds/([^/]+)/records/?")),
    (Operation.STATS, "GET", re.compile(r"/api/outbounds/stats/?()")),
    (Operation.CAMPAIGNS, "GET", re.compile(r"/api/outbounds/?()")),
    (Operation.RECORDS, "GET", re.compile(r"/api/outbounds/([^/]+)/records/?")),
    (Operation.LOGIN_PAGE, "GET", re.compile(r"/login()")),
)


@dataclass(frozen=True, slots=True)
class Query:
    """The variables that PHP keeps, and how many it silently dropped beyond `max_input_vars`."""

    numbers: tuple[str, ...]
    variables: dict[str, str]
    dropped: int


def route(method: str, path: str) -> tuple[Operation | None, str]:
    """The operation and the campaign of a request; None if there is no such method or path."""
    for operation, verb, pattern in _ROUTES:
        if verb == method and (match := pattern.fullmatch(path)):
            return operation, unquote(match.group(1))
    return None, ""


def read_query(query: str, max_input_vars: int) -> Query:
    """Read a query as PHP does: in order, `+` is a space, at most `max_input_vars` variables."""
    numbers = _plain_numbers(query)
    if numbers is not None:
        return Query(tuple(numbers[:max_input_vars]), {}, max(0, len(numbers) - max_input_vars))
    pieces = [piece for piece in query.split("&") if piece]
    found: list[str] = []
    variables: dict[str, str] = {}
    for piece in pieces[:max_input_vars]:
        key, _, value = piece.partition("=")
        name = unquote_plus(key)
        if name == "phone_number[]":
            found.append(unquote_plus(value))
        else:
            variables[name] = unquote_plus(value)
    return Query(tuple(found), variables, max(0, len(pieces) - max_input_vars))


def _plain_numbers(query: str) -> list[str] | None:
    """The numbers of a query that has only digits under one spelling of the key, by one split."""
    for key in _KEYS:
        if query.startswith(key):
            numbers = query[len(key) :].split("&" + key)
            return numbers if all(map(str.isdecimal, numbers)) else None
    return None


DEMO_USER = "demo"
DEMO_PASSWORD = "demo-password"  # noqa: S105 - made up, and printed by the command that serves it

_PAGE_LIMIT = 100  # the documented limit of records a page

_NUMBER = re.compile(r"\+?[0-9]{3,15}")  # short internal numbers are documented; E.164 allows at most 15 digits


class LongLine(StrEnum):
    """What a proxy does with a request line that is too long; the statuses are its own, with a page."""

    REFUSED_414 = "414"
    REFUSED_400 = "400"
    REFUSED_403 = "403"
    REFUSED_404 = "404"
    FAILED_500 = "500"
    RESET = "reset"  # the connection is closed without a byte of reply
    CUT = "cut"  # the end of the line is lost, and nobody notices


class RawBrackets(StrEnum):
    """What the system does with the raw brackets of `phone_number[]`; the statuses are a proxy's, with a page."""

    READ = "read"
    REFUSED_400 = "400"
    REFUSED_403 = "403"
    REFUSED_404 = "404"
    REFUSED_414 = "414"
    RESET = "reset"  # the connection is closed without a byte of reply
    UNREAD = "unread"  # no number is seen, and the reply is empty
    LAST = "last"  # only the last number is seen


@dataclass(frozen=True, slots=True)
class Rules:
    """The configuration of the system."""

    user: str = DEMO_USER
    password: str = DEMO_PASSWORD
    forbidden: frozenset[Operation] = frozenset()
    poison: frozenset[str] = frozenset()
    max_line_bytes: int = 8190
    long_line: LongLine = LongLine.REFUSED_414
    raw_brackets: RawBrackets = RawBrackets.READ
    max_input_vars: int = 1000
    idle_close_s: float = 75.0
    requests_per_connection: int = 1000

    @property
    def authorization(self) -> str:
        """The header of the only user."""
        return "Basic " + b64encode(f"{self.user}:{self.password}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, the `seq`-th. `line_bytes` is the length of its first line without the line end.

    `raw`: the brackets of its query are not encoded.
    """

    seq: int
    method: str
    operation: Operation | None
    campaign: str
    query: Query
    authorization: str
    polish: bool
    line_bytes: int
    request_id: str
    raw: bool = False

    def seen_by(self, rules: Rules) -> "Asked":
        """The request as the system reads its brackets."""
        kept = {RawBrackets.UNREAD: 0, RawBrackets.LAST: 1}.get(rules.raw_brackets)
        if not self.raw or kept is None:
            return self
        return replace(self, query=replace(self.query, numbers=self.query.numbers[-1:][:kept]))


def act(asked: Asked, world: World, rules: Rules, now_s: float) -> Removal | Answer:
    """Carry out the request at `now_s`. Only a `Removal` has changed the world."""
    if asked.operation is Operation.LOGIN_PAGE:
        return page(200, "Log in")
    problem = _refusal(asked, rules)
    if problem is not None:
        return _error(asked, problem)
    if asked.operation in {Operation.STATS, Operation.CAMPAIGNS}:
        shown = _stats if asked.operation is Operation.STATS else _name
        return Answer(200, orjson.dumps([shown(campaign) for campaign in world.campaigns]))
    campaign = world.campaign(asked.campaign)
    if campaign is None:
        return _error(asked, Problem.NO_SUCH_CAMPAIGN)
    if asked.operation is Operation.RECORDS:
        return _records(asked, campaign, now_s)
    return _remove(asked, campaign, rules, now_s)


def _refusal(asked: Asked, rules: Rules) -> Problem | None:
    if asked.authorization != rules.authorization:
        return Problem.UNAUTHORISED
    if asked.operation is None:
        return Problem.NO_SUCH_METHOD
    return Problem.FORBIDDEN if asked.operation in rules.forbidden else None


def _remove(asked: Asked, campaign: Campaign, rules: Rules, now_s: float) -> Removal | Answer:
    numbers = asked.query.numbers
    if not numbers and rules.raw_brackets is RawBrackets.UNREAD:
        return Answer(200, b"[]")
    if not numbers:
        return _error(asked, Problem.NO_NUMBER)
    if not all(map(_NUMBER.fullmatch, numbers)) or not rules.poison.isdisjoint(numbers):
        return _error(asked, Problem.WRONG_FORMAT)
    additional = asked.query.variables.get("search_in_additional_numbers") in {"true", "1"}
    return campaign.remove(tuple(dict.fromkeys(numbers)), now_s, additional=additional)


def _records(asked: Asked, campaign: Campaign, now_s: float) -> Answer:
    limit = asked.query.variables.get("limit", str(_PAGE_LIMIT))
    offset = asked.query.variables.get("offset", "0")
    if not (limit.isdecimal() and offset.isdecimal()):
        return _error(asked, Problem.WRONG_PAGE)
    records = campaign.page(min(int(limit), _PAGE_LIMIT), int(offset))
    result = [
        {
            "record_id": record.record_id,
            "phone_number": record.phone_number,
            "system_status": "IN_PROGRESS" if campaign.is_in_call(record, now_s) else "TO_CALL",
        }
        for record in records
    ]
    return Answer(200, orjson.dumps({"count": campaign.records_count, "result": result}))


def _stats(campaign: Campaign) -> dict[str, object]:
    return {
        "id": campaign.campaign_id,
        "records_count": campaign.records_count,
        "completion_percent": campaign.completion_percent,
    }


def _name(campaign: Campaign) -> dict[str, object]:
    return {"id": campaign.campaign_id, "name": f"Stand-in {campaign.campaign_id.lstrip('0')}"}


def _error(asked: Asked, problem: Problem) -> Answer:
    return error(problem, asked.request_id, polish=asked.polish)
