"""The seeded world: a server with a truth of its own, whose time goes on while the client is dead."""

import asyncio
import heapq
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import count

import aiohttp

from bulk_remove.core.model import NumberFormat
from bulk_remove.core.replies import Document
from tests.simulation import wording
from tests.simulation.audit import Audit, Entries, Request
from tests.simulation.campaign import Campaign
from tests.simulation.fates import ACTS, CALM, Fate, climate
from tests.simulation.scenario import Scenario
from tests.support.virtual_time import BEGAN_S

_NEVER_S = 1e9
_UNDOCUMENTED: Entries = [{"http_status": 200, "status": "ARCHIVED"}]


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Oddities:
    """Numbers (in a certain form) that are treated in their own way, always: each fails in the way of its set."""

    poison: frozenset[str]
    tripping: frozenset[str]
    silent: frozenset[str]
    undocumented: frozenset[str]


class World:
    """The server's side. `audit` is what it knows of each request, `refused_rank` the form that it takes no number in.

    Each campaign has a truth of its own.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._dice = random.Random(f"world {scenario.seed}")
        self.audit = Audit()
        self.campaigns = self._campaigns(scenario, self._dice.choice((0.0, 0.1, 0.4)))
        self.climate = self.began_as = climate(self._dice)
        self.odd = Oddities(*(self._some(scenario.forms.planned) for _ in range(4)))
        self.refused_rank = self._refuse_a_form(scenario.forms.rank)
        if scenario.elsewhere:
            for campaign in self.campaigns.values():
                campaign.holds_none_of(scenario.forms.planned)
        self._denials = self.climate.denials
        self._tokens, self._tokens_at_s = 1.0, 0.0
        self._to_do: list[tuple[float, int, Request]] = []
        self._order = count()

    @property
    def is_calm(self) -> bool:
        """Whether every request is answered by now."""
        return self.climate is CALM

    def pause_s(self) -> float:
        """Draw how long it takes until a run is taken up again."""
        return self._dice.choice((1.0, 60.0, 600.0)) * self._dice.random()

    def calm(self) -> None:
        """Let all calls end and every request be answered from now on; odd numbers stay odd, but trip nobody."""
        self.climate = CALM
        self._denials = 0
        for campaign in self.campaigns.values():
            campaign.end_calls()
        self.odd = replace(self.odd, tripping=frozenset())

    def advance(self, now_s: float) -> None:
        """Do what was to be done by now, in the order of its time."""
        while self._to_do and self._to_do[0][0] <= now_s:
            acts_s, _, request = heapq.heappop(self._to_do)
            self._act(request, acts_s)

    def shows(self, number_format: NumberFormat) -> bool:
        """Tell whether somebody who looks at the records sees in which form they hold numbers."""
        listed = [number for campaign in self.campaigns.values() for number in campaign.listed()]
        return number_format is NumberFormat.NATIONAL or any(number.startswith("+") for number in listed)

    async def get(self, target: str, _now_s: float) -> Document:
        """Answer a read-only call: a page of a campaign's records."""
        path, _, query = target.partition("?")
        (limit, offset) = (int(pair.partition("=")[2]) for pair in query.split("&"))
        listed = self.campaigns[path.split("/")[-2]].listed()
        page = [{"phone_number": number} for number in listed[offset : offset + min(100, limit)]]
        return Document({"count": len(listed), "result": page}, None)

    async def answer(self, request: Request) -> Answer:
        """Take a request in and answer it in its time. Raises what aiohttp would when no answer comes."""
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        self.advance(now_s)
        self.audit.requests.append(request)
        fate = self._fate(request.numbers, now_s)
        request.fate = fate
        acts_s = now_s + self._dice.uniform(0.0, 2 * self.climate.latency_s)
        if fate is Fate.LATE:
            acts_s = now_s + self._dice.uniform(0.0, 150.0)
        if fate in ACTS:
            heapq.heappush(self._to_do, (acts_s, next(self._order), request))
        if fate in {Fate.LATE, Fate.SWALLOWED}:
            await asyncio.sleep(_NEVER_S)
        await asyncio.sleep(acts_s + self._dice.uniform(0.0, self.climate.latency_s) - now_s)
        self.advance(max(acts_s, loop.time()))
        return self._told(request, fate, loop.time())

    def _campaigns(self, scenario: Scenario, busy: float) -> dict[str, Campaign]:
        forms = scenario.forms.of
        return {
            campaign: Campaign(
                [forms[number] for mine, number in scenario.targets if mine == campaign],
                self._dice,
                busy,
                place * 10**6,
            )
            for place, campaign in enumerate(dict.fromkeys(target.campaign for target in scenario.targets))
        }

    def _refuse_a_form(self, rank_of: Mapping[str, int]) -> int:
        """Draw a form other than the planned one in which every number is refused; returns its rank, 0 for none.

        What is refused in another form is in no campaign in that form.
        """
        ranks = sorted({*rank_of.values()} - {0})
        refused_rank = self._dice.choice((0, self._dice.choice(ranks))) if ranks else 0
        refused = {form for form, rank in rank_of.items() if refused_rank == rank > 0}
        self.odd = replace(self.odd, poison=self.odd.poison | refused)
        for campaign in self.campaigns.values():
            campaign.holds_none_of(form for form in self.odd.poison if rank_of[form])
        return refused_rank

    def _some(self, numbers: Iterable[str]) -> frozenset[str]:
        share = self._dice.choice((0.0, 0.0, 0.0, 0.0, 0.02, 0.08))
        return frozenset(number for number in numbers if self._dice.random() < share)

    def _fate(self, numbers: tuple[str, ...], now_s: float) -> Fate:
        at_the_door = self.climate.weather(now_s) or self._turned_away(now_s)
        if at_the_door:
            return at_the_door
        if len(numbers) > self.climate.most_numbers:
            return Fate.TOO_LONG
        if self._dice.random() < self.climate.mishaps:
            return self._dice.choice(self.climate.kinds)
        if not self.odd.poison.isdisjoint(numbers):
            return Fate.POISONED
        return Fate.ANSWERED if self.odd.tripping.isdisjoint(numbers) else Fate.TRIPPED

    def _turned_away(self, now_s: float) -> Fate | None:
        if self._denials and self._dice.random() < 0.1:
            self._denials -= 1
            return Fate.DENIED
        return None if self._token(now_s) else Fate.THROTTLED

    def _token(self, now_s: float) -> bool:
        """Take a token from the limiter's bucket, which holds a second's worth."""
        per_s = self.climate.tokens_per_s
        if not per_s:
            return True
        self._tokens = min(max(1.0, per_s), self._tokens + (now_s - self._tokens_at_s) * per_s)
        self._tokens_at_s = now_s
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def _act(self, request: Request, now_s: float) -> None:
        request.acted_s = now_s
        campaign = self.campaigns[request.campaign]
        for number in request.numbers:
            if number in self.odd.undocumented:
                request.found[number] = _UNDOCUMENTED
                continue
            request.found[number], removed = campaign.remove(number, now_s)
            if removed:
                request.removed[number] = removed

    def _told(self, request: Request, fate: Fate, now_s: float) -> Answer:
        match fate:
            case Fate.ANSWERED:
                return self._verdicts(request)
            case Fate.CUT:
                return self._cut(request)
            case Fate.HTML_BEFORE | Fate.HTML_AFTER:
                request.told = "unreadable reply"
                return Answer(200, {}, wording.PAGE)
            case Fate.DROPPED_BEFORE | Fate.DROPPED_AFTER:
                request.told = "connection lost"
                raise aiohttp.ServerDisconnectedError
            case Fate.UNREACHED:
                request.told = "connect timeout"
                raise aiohttp.ConnectionTimeoutError
            case Fate.THROTTLED:
                return self._slow_down(request, 429, now_s)
            case Fate.OVERLOADED:
                return self._slow_down(request, 503, now_s)
            case _:
                return self._refused(request, fate)

    def _verdicts(self, request: Request) -> Answer:
        request.said = {number: found for number, found in request.found.items() if number not in self.odd.silent}
        body, request.strangers = wording.reply_body(request.said, self.climate, self._dice)
        request.told = "verdicts"
        return Answer(200, {}, body)

    def _cut(self, request: Request) -> Answer:
        if self._dice.random() < 0.5:
            request.told = "reply cut short"
            raise aiohttp.ClientPayloadError
        body, _ = wording.reply_body(request.found, self.climate, self._dice)
        request.told = "unreadable reply"
        return Answer(200, {}, wording.cut(body, self._dice))

    def _slow_down(self, request: Request, status: int, now_s: float) -> Answer:
        request.told = f"HTTP {status}"
        pause_s = self._dice.choice((0, 0, 1, 5, 30, 100))
        if not pause_s:
            return Answer(status, {}, b"")
        request.pause_until_s = now_s + pause_s
        header = str(pause_s)
        if self._dice.random() < 0.3:
            until = datetime.fromtimestamp(int(BEGAN_S + request.pause_until_s), UTC)
            request.pause_until_s = until.timestamp() - BEGAN_S
            header = format_datetime(until, usegmt=True)
        return Answer(status, {"Retry-After": header}, b"")

    def _refused(self, request: Request, fate: Fate) -> Answer:
        status = {Fate.DENIED: 401, Fate.TOO_LONG: 414, Fate.POISONED: 400, Fate.TRIPPED: 500}.get(fate)
        status = status or self._dice.choice((500, 502, 504))
        request.told = f"HTTP {status}"
        if fate is Fate.POISONED:
            return Answer(status, {}, wording.envelope("Wrong format of phone number.", request_id_of(request)))
        return Answer(status, {}, wording.PAGE)


def request_id_of(request: Request) -> str:
    """Return the id under which the server's support would find a refusal."""
    return f"{round(request.sent_s * 1000):013x}"
