"""What the API itself does with a request that reached it: permission, campaign, format, removal. Pure."""

import re
from base64 import b64encode
from dataclasses import dataclass
from enum import StrEnum

import orjson

from bulk_remove.simulator.answers import Answer, Problem, error, page
from bulk_remove.simulator.query import Operation, Query
from bulk_remove.simulator.world import Campaign, Record, Removal, World

DEMO_USER = "demo"
DEMO_PASSWORD = "demo-password"  # noqa: S105 - made up, and printed by the command that serves it

_PAGE_LIMIT = 100
"""Records a page at most, as documented."""

_NUMBER = re.compile(r"\+?[0-9]{3,15}")
"""Short internal numbers are documented; 15 digits are the most that E.164 allows."""


class LongLine(StrEnum):
    """What a proxy makes of a request line that is too long for it; the statuses are its own, with a page."""

    REFUSED_414 = "414"
    REFUSED_400 = "400"
    REFUSED_403 = "403"
    REFUSED_404 = "404"
    FAILED_500 = "500"
    RESET = "reset"
    """The connection is closed without a byte of reply."""
    CUT = "cut"
    """It goes on without its end, and nobody is told."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How the system is set up.

    `forbidden` are the methods that the user may not call (403). `poison` are numbers that fail a whole request, as
    malformed ones do. `max_line_bytes` is the longest request line, without its line end: 8190 fits a buffer of
    8 KiB (nginx, Apache); `long_line` is what becomes of a longer one. `max_input_vars` is PHP's. An idle connection is
    closed after `idle_close_s` (nginx 75, Apache 5), any connection after `requests_per_connection` (nginx 1000,
    Apache 100).
    """

    user: str = DEMO_USER
    password: str = DEMO_PASSWORD
    forbidden: frozenset[Operation] = frozenset()
    poison: frozenset[str] = frozenset()
    max_line_bytes: int = 8190
    long_line: LongLine = LongLine.REFUSED_414
    max_input_vars: int = 1000
    idle_close_s: float = 75.0
    requests_per_connection: int = 1000

    @property
    def authorization(self) -> str:
        """The header of the one user there is."""
        return "Basic " + b64encode(f"{self.user}:{self.password}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, the `seq`-th to come in. `line_bytes` is the length of its first line without the line end."""

    seq: int
    method: str
    operation: Operation | None
    campaign: str
    query: Query
    authorization: str
    polish: bool
    line_bytes: int
    request_id: str


def act(asked: Asked, world: World, rules: Rules, now_s: float) -> Removal | Answer:
    """Do what is asked at `now_s`. Only a `Removal` changed the world."""
    if asked.operation is Operation.LOGIN_PAGE:
        return page(200, "Log in")
    problem = _refusal(asked, rules)
    if problem is not None:
        return _error(asked, problem)
    if asked.operation in {Operation.STATS, Operation.CAMPAIGNS}:
        shown = _stats if asked.operation is Operation.STATS else _name
        return _json([shown(campaign) for campaign in world.campaigns])
    campaign = world.campaign(asked.campaign)
    if campaign is None:
        return _error(asked, Problem.NO_SUCH_CAMPAIGN)
    if asked.operation is Operation.RECORDS:
        return _records(asked, campaign)
    return _remove(asked, campaign, rules, now_s)


def _refusal(asked: Asked, rules: Rules) -> Problem | None:
    if asked.authorization != rules.authorization:
        return Problem.UNAUTHORISED
    if asked.operation is None:
        return Problem.NO_SUCH_METHOD
    return Problem.FORBIDDEN if asked.operation in rules.forbidden else None


def _remove(asked: Asked, campaign: Campaign, rules: Rules, now_s: float) -> Removal | Answer:
    numbers = asked.query.numbers
    if not numbers:
        return _error(asked, Problem.NO_NUMBER)
    if not all(map(_NUMBER.fullmatch, numbers)) or not rules.poison.isdisjoint(numbers):
        return _error(asked, Problem.WRONG_FORMAT)
    additional = asked.query.variables.get("search_in_additional_numbers") in {"true", "1"}
    return campaign.remove(tuple(dict.fromkeys(numbers)), now_s, additional=additional)


def _records(asked: Asked, campaign: Campaign) -> Answer:
    limit = asked.query.variables.get("limit", str(_PAGE_LIMIT))
    offset = asked.query.variables.get("offset", "0")
    if not (limit.isdecimal() and offset.isdecimal()):
        return _error(asked, Problem.WRONG_PAGE)
    records = campaign.page(min(int(limit), _PAGE_LIMIT), int(offset))
    return _json({"count": campaign.records_count, "result": [_record_json(record) for record in records]})


def _stats(campaign: Campaign) -> dict[str, object]:
    return {
        "id": campaign.campaign_id,
        "records_count": campaign.records_count,
        "completion_percent": campaign.completion_percent,
    }


def _name(campaign: Campaign) -> dict[str, object]:
    return {"id": campaign.campaign_id, "name": f"Stand-in {campaign.campaign_id.lstrip('0')}"}


def _record_json(record: Record) -> dict[str, object]:
    return {"record_id": record.record_id, "phone_number": record.phone_number, "system_status": "TO_CALL"}


def _json(body: object) -> Answer:
    return Answer(200, orjson.dumps(body))


def _error(asked: Asked, problem: Problem) -> Answer:
    return error(problem, asked.request_id, polish=asked.polish)
