"""The request's target as the stack behind the API reads it: the route, and PHP's view of the query."""

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote, unquote_plus

_KEYS = ("phone_number%5B%5D=", "phone_number[]=")


class Operation(StrEnum):
    """The API methods that there are; a user's permission is given for each."""

    REMOVE_RECORDS = "remove_records"
    STATS = "stats"
    CAMPAIGNS = "campaigns"
    RECORDS = "records"
    LOGIN_PAGE = "login_page"
    """Not of the API: where a redirect leads to."""


_ROUTES = (
    (Operation.REMOVE_RECORDS, "DELETE", re.compile(r"/api/batch/outbounds/([^/]+)/records/?")),
    (Operation.STATS, "GET", re.compile(r"/api/outbounds/stats/?()")),
    (Operation.CAMPAIGNS, "GET", re.compile(r"/api/outbounds/?()")),
    (Operation.RECORDS, "GET", re.compile(r"/api/outbounds/([^/]+)/records/?")),
    (Operation.LOGIN_PAGE, "GET", re.compile(r"/login()")),
)


@dataclass(frozen=True, slots=True)
class Query:
    """The variables that PHP keeps, and how many it dropped beyond `max_input_vars` without a word."""

    numbers: tuple[str, ...]
    variables: dict[str, str]
    dropped: int


def route(method: str, path: str) -> tuple[Operation | None, str]:
    """The operation and the campaign that a request names; no operation where there is no such method or path."""
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
    """The numbers of a query that holds nothing but digits under one spelling of the key, by one split."""
    for key in _KEYS:
        if query.startswith(key):
            numbers = query[len(key) :].split("&" + key)
            return numbers if all(map(str.isdecimal, numbers)) else None
    return None
