"""What is sent back: replies, errors and pages, as values. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import formatdate
from enum import Enum
from random import Random

import orjson

from bulk_remove.simulator.faults import ERROR_STATUS, REFUSED, Fault, Faults, RetryAfter
from bulk_remove.simulator.world import Removal

JSON = "application/json"
HTML = "text/html"

_NOT_EXIST: list[dict[str, object]] = [{"http_status": 404, "status": "NOT_EXIST"}]

_CALL_IN_PROGRESS_STATUS = 409
"""Our choice (conflict): the documentation shows no record in a call. 200 and 404 are documented."""

Reply = Mapping[str, Sequence[Mapping[str, object]]]
"""The body of a removal: for each number, an object for each record found."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP reply."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


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


def answer_of(reply: Reply) -> Answer:
    """The answer to a removal. PHP writes an empty map as an empty list."""
    return Answer(200, orjson.dumps(reply) if reply else b"[]")


def faulty_page(fault: Fault, faults: Faults, now_s: float) -> Answer:
    """The answer for a fault that answers by itself, whatever the request was; of a dropped one nothing is sent."""
    status = faults.refused_status if fault in REFUSED else ERROR_STATUS.get(fault)
    if status is not None:
        titles = {500: "500 Internal Server Error", 502: "502 Bad Gateway", 504: "504 Gateway Time-out"}
        return page(status, titles.get(status, f"{status} Refused"))
    if fault is Fault.RATE_LIMITED:
        return page(429, "429 Too Many Requests", _come_back(faults, now_s))
    if fault is Fault.UNAVAILABLE:
        return page(503, "503 Service Temporarily Unavailable", _come_back(faults, now_s))
    if fault is Fault.REDIRECTED:
        title = f"{faults.redirect_status} Redirect"
        return page(faults.redirect_status, title, (("Location", faults.redirect_to),))
    if fault is Fault.HTML_AFTER:
        return Answer(200, b"<br />\n<b>Fatal error</b>:  Maximum execution time exceeded<br />\n", HTML)
    return page(200, "Maintenance")


def reshaped(reply: Reply, fault: Fault | None, random: Random) -> Reply:
    """The reply as a fault leaves it: numbers missing, unknown or added. Other faults leave it as it is."""
    if fault is Fault.MISSING_NUMBERS:
        hit = _some(reply, random)
        return {number: entries for number, entries in reply.items() if number not in hit}
    if fault is Fault.UNKNOWN_STATUS:
        unknown = [{"http_status": 202, "status": "QUEUED"}]
        return {**reply, **dict.fromkeys(_some(reply, random), unknown)}
    if fault is Fault.EXTRA_NUMBERS:
        strangers = [f"999{random.randrange(10**9):09}" for _ in _some(reply, random)]
        return {**{number: [_removed(random.randrange(10**6))] for number in strangers}, **reply}
    return reply


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


def _some(reply: Reply, random: Random) -> list[str]:
    """Up to a tenth of the numbers, at least one where there is one."""
    return random.sample(list(reply), min(len(reply), random.randint(1, max(1, len(reply) // 10))))


def _come_back(faults: Faults, now_s: float) -> tuple[tuple[str, str], ...]:
    if faults.retry_after is RetryAfter.NONE:
        return ()
    if faults.retry_after is RetryAfter.SECONDS:
        return (("Retry-After", str(faults.retry_after_s)),)
    # A date has whole seconds: rounded up, so that it never asks for less than was meant.
    return (("Retry-After", formatdate(-(-(now_s + faults.retry_after_s) // 1), usegmt=True)),)
