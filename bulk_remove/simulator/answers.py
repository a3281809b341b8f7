"""What is sent back: replies, errors and pages, as values. Pure."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import formatdate
from enum import Enum
from random import Random

import orjson

from bulk_remove.simulator.faults import REFUSED, Fault, Faults, RetryAfter
from bulk_remove.simulator.world import Removal

JSON = "application/json"
HTML = "text/html"

_NOT_EXIST: list[dict[str, object]] = [{"http_status": 404, "status": "NOT_EXIST"}]

_CALL_IN_PROGRESS_STATUS = 409
"""Our choice (conflict): the documentation shows no record in a call. 200 and 404 are documented."""

_GONE = 404
_LEADS = ("48", "+48", "0048")
_LOCAL = 9
_NOTICE = b"<br />\n<b>Notice</b>:  Undefined index: agent in <b>/srv/api/batch.php</b> on line <b>12</b><br />\n"
_QUEUED: list[dict[str, object]] = [{"http_status": 202, "status": "QUEUED"}]
_MESSAGE: list[dict[str, object]] = [{"http_status": 400, "message": "Agent not found."}]
_PAGES = {
    Fault.ERROR_500_BEFORE: (500, "500 Internal Server Error"),
    Fault.ERROR_502_BEFORE: (502, "502 Bad Gateway"),
    Fault.ERROR_504_BEFORE: (504, "504 Gateway Time-out"),
    Fault.ERROR_500_AFTER: (500, "500 Internal Server Error"),
    Fault.ERROR_502_AFTER: (502, "502 Bad Gateway"),
    Fault.ERROR_504_AFTER: (504, "504 Gateway Time-out"),
    Fault.STRAY_401: (401, "401 Authorization Required"),
    Fault.STRAY_403: (403, "403 Forbidden"),
    Fault.STRAY_404: (404, "404 Not Found"),
}

Entries = Sequence[Mapping[str, object]] | Mapping[str, object]
Reply = Mapping[str, Entries]
"""The body of a removal: for each number, an object for each record found; of one record perhaps that object alone."""


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


def reply_of(removal: Removal) -> Reply:
    """The documented form of what happened to each number."""
    return {number: _entries(removal, number) for number in removal.numbers}


def answer_of(reply: Reply, fault: Fault | None, random: Random) -> Answer:
    """The answer to a removal, in the form in which a fault puts it. PHP writes an empty map as an empty list."""
    body = orjson.dumps(reply) if reply else b"[]"
    if fault is Fault.BYTE_ORDER_MARK:
        body = b"\xef\xbb\xbf" + body
    elif fault is Fault.NOTICES:
        body = _NOTICE + body + _NOTICE
    elif fault is Fault.REPEATED_KEYS and reply:
        again = b",".join(orjson.dumps(number) + b":" + orjson.dumps(_NOT_EXIST) for number in _some(reply, random))
        body = body[:-1] + b"," + again + b"}"
    return Answer(200, body)


def faulty_page(fault: Fault, faults: Faults, now_s: float) -> Answer:
    """The answer for a fault that answers by itself, whatever the request was; of a dropped one nothing is sent."""
    refusal = (faults.refused_status, f"{faults.refused_status} Refused")
    if shown := refusal if fault in REFUSED else _PAGES.get(fault):
        return page(*shown)
    if fault is Fault.ERRORS_IN_200:
        return replace(error(Problem.WRONG_FORMAT, "53678450401cf", polish=False), status=200)
    if fault is Fault.RATE_LIMITED:
        return page(429, "429 Too Many Requests", _come_back(faults, now_s))
    if fault is Fault.UNAVAILABLE:
        return page(503, "503 Service Temporarily Unavailable", _come_back(faults, now_s))
    if fault is Fault.REDIRECTED:
        status = faults.redirect_status
        return page(status, f"{status} Redirect", (("Location", faults.redirect_to),))
    return _FATAL if fault is Fault.HTML_AFTER else page(200, "Maintenance")


def reshaped(reply: Reply, fault: Fault | None, random: Random) -> Reply:
    """The reply as a fault leaves it: numbers missing, unknown or added. Other faults leave it as it is."""
    change = _CHANGES.get(fault)
    return change(reply, random) if change else reply


def _missing(reply: Reply, random: Random) -> Reply:
    hit = _some(reply, random)
    return {number: entries for number, entries in reply.items() if number not in hit}


def _unknown(reply: Reply, random: Random) -> Reply:
    return {**reply, **dict.fromkeys(_some(reply, random), _QUEUED)}


def _with_others(reply: Reply, random: Random) -> Reply:
    return {**dict.fromkeys([f"999{random.randrange(10**9):09}" for _ in _some(reply, random)], _NOT_EXIST), **reply}


def _without_status(reply: Reply, random: Random) -> Reply:
    absent = {number: entries for number, entries in reply.items() if entries == _NOT_EXIST}
    return {**reply, **dict.fromkeys(_some(absent, random), _MESSAGE)}


def _contradicting(reply: Reply, random: Random) -> Reply:
    return {**reply, **{number: _contradicted(reply[number]) for number in _some(reply, random)}}


def _bare(reply: Reply, _random: Random) -> Reply:
    return {
        number: entries[0] if not isinstance(entries, Mapping) and len(entries) == 1 else entries
        for number, entries in reply.items()
    }


def _respelt(reply: Reply, random: Random) -> Reply:
    return {_LEADS[random.randrange(3)] * (len(key) == _LOCAL) + key: entries for key, entries in reply.items()}


def _foreign(reply: Reply, random: Random) -> Reply:
    hit = _some(reply, random)
    return {f"49{key}" if key in hit else key: entries for key, entries in reply.items()}


_CHANGES: Mapping[Fault | None, Callable[[Reply, Random], Reply]] = {
    Fault.MISSING_NUMBERS: _missing,
    Fault.UNKNOWN_STATUS: _unknown,
    Fault.EXTRA_NUMBERS: _with_others,
    Fault.WITHOUT_STATUS: _without_status,
    Fault.CONTRADICTIONS: _contradicting,
    Fault.BARE_OBJECTS: _bare,
    Fault.RESPELT_KEYS: _respelt,
    Fault.FOREIGN_KEYS: _foreign,
}


def _contradicted(entries: Entries) -> list[Mapping[str, object]]:
    each = [entries] if isinstance(entries, Mapping) else entries
    return [{**entry, "http_status": 200 if entry["http_status"] == _GONE else _GONE} for entry in each]


def garbage(answer: Answer, random: Random) -> Answer:
    """The answer with random bytes for its body, which no JSON can begin with."""
    return replace(answer, body=b"\xff" + random.randbytes(64))


def _entries(removal: Removal, number: str) -> list[dict[str, object]]:
    entries: list[dict[str, object]] = [_removed(record_id) for record_id in removal.removed.get(number, ())]
    for record_id in removal.in_call.get(number, ()):
        status = {"http_status": _CALL_IN_PROGRESS_STATUS, "record_id": record_id, "status": "CALL_IN_PROGRESS"}
        entries.append(status)
    return entries or _NOT_EXIST


def _removed(record_id: int) -> dict[str, object]:
    return {"http_status": 200, "record_id": record_id, "status": "REMOVED"}


def _some(reply: Collection[str], random: Random) -> list[str]:
    """Up to a tenth of the numbers, at least one where there is one."""
    return random.sample(list(reply), min(len(reply), random.randint(1, max(1, len(reply) // 10))))


def _come_back(faults: Faults, now_s: float) -> tuple[tuple[str, str], ...]:
    if faults.retry_after is RetryAfter.NONE:
        return ()
    if faults.retry_after is RetryAfter.SECONDS:
        return (("Retry-After", str(faults.retry_after_s)),)
    # A date has whole seconds: rounded up, so that it never asks for less than was meant.
    return (("Retry-After", formatdate(-(-(now_s + faults.retry_after_s) // 1), usegmt=True)),)
