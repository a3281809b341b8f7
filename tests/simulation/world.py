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
from tests.simulation.fates import ACTS, AT_THE_DOOR, LEAST_SHARE, MIDWAY, REFUSED_LATE, Fate, climate
from tests.simulation.forms import LOCAL_DIGITS
from tests.simulation.scenario import Scenario

_NEVER_S = 1e9
_DECIDABLE_S = 0.1
"""Where replies take less than this, nobody can tell from the time what was carried out."""
_SHOWN_BY = 4
"""So many replies show how fast the server is."""
_SLOW_DOWNS, _REFUSALS = (425, 429, 503), (400, 409, 422)
_UNDOCUMENTED: Entries = [{"http_status": 200, "status": "ARCHIVED"}]
_REFUSED: Entries = [{"http_status": 400, "message": "Agent not found."}]
_NONE: Entries = [{"http_status": 404, "status": "NOT_EXIST"}]
_STAND_BY = 0.3
"""The share of the beginnings of numbers that somebody else has for a number."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back over the wire; the body takes so much longer than the head."""

    status: int
    headers: dict[str, str]
    body: bytes
    body_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Oddities:
    """Numbers (in a certain form) that are treated in their own way, always: each fails in the way of its set."""

    poison: frozenset[str]
    tripping: frozenset[str]
    silent: frozenset[str]
    undocumented: frozenset[str]
    contradicted: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()


class World:
    """The server's side. `audit` is what it knows of each request, `refused_rank` the form that it takes no number in.

    Each campaign has a truth of its own. `is_calm` tells whether every request is answered by now.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._dice = random.Random(f"world {scenario.seed}")
        self.audit = Audit()
        self.clocks = scenario.clocks
        self.campaigns = self._campaigns(scenario, self._dice.choice((0.0, 0.1, 0.4)))
        self._more = random.Random(f"more of the world {scenario.seed}")
        self._latest = random.Random(f"latest of the world {scenario.seed}")
        brackets = random.Random(f"brackets of the world {scenario.seed}")
        self.climate = self.began_as = climate(self._dice, self._more, self._latest, brackets)
        self.odd = Oddities(*(self._some(scenario.forms.planned, self._dice) for _ in range(4)))
        self._make_odder(scenario)
        self.refused_rank = self._refuse_a_form(scenario.forms.rank)
        if scenario.elsewhere:
            for campaign in self.campaigns.values():
                campaign.holds_none_of(scenario.forms.planned)
        self._denials = self.climate.denials
        self._largest = scenario.settings.max_numbers_per_request
        self._tokens, self._tokens_at_s = 1.0, 0.0
        self._to_do: list[tuple[float, int, Request]] = []
        self._order = count()
        self._cold = True
        self._answered = 0
        self.is_calm = False

    def pause_s(self) -> float:
        """Draw how long it takes until a run is taken up again."""
        return self._dice.choice((1.0, 60.0, 600.0)) * self._dice.random()

    def calm(self) -> None:
        """Let all calls end and every request be answered from now on; odd numbers stay odd, but trip nobody."""
        self.is_calm, self.climate = True, self.climate.calmed()
        self._denials, self._cold = 0, False
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
        """Answer a read-only call: the names of the campaigns, or a page of a campaign's records."""
        path, _, query = target.partition("?")
        if not query:
            return Document([{"id": campaign, "name": f"Campaign {campaign}"} for campaign in self.campaigns], None)
        (limit, offset) = (int(pair.partition("=")[2]) for pair in query.split("&"))
        asked = self.campaigns.get(path.split("/")[-2])  # none: all its numbers are on a keep list
        listed = asked.listed() if asked else []
        page = [{"phone_number": number} for number in listed[offset : offset + min(100, limit)]]
        return Document({"count": len(listed), "result": page}, None)

    async def answer(self, request: Request) -> Answer:
        """Take a request in and answer it in its time. Raises what aiohttp would when no answer comes."""
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        self.advance(now_s)
        self.audit.requests.append(request)
        fate = self._fate(request, now_s)
        request.fate = fate
        request.arrived = self._arrived(request.numbers)
        if request.raw:
            request.arrived = request.arrived[max(0, len(request.arrived) - self.climate.raw_read) :]
        acts_s, answers_s = self._moments(request, fate, now_s)
        if fate in ACTS:
            most = len(request.arrived)
            request.acts_on = request.arrived[: self._dice.randint(0, most) if fate in MIDWAY else most]
            heapq.heappush(self._to_do, (acts_s, next(self._order), request))
        if fate in {Fate.LATE, Fate.SWALLOWED}:
            await asyncio.sleep(_NEVER_S)
        await asyncio.sleep(answers_s - now_s)
        self.advance(max(acts_s, loop.time()))
        return self._told(request, fate, loop.time())

    def _moments(self, request: Request, fate: Fate, now_s: float) -> tuple[float, float]:
        """Draw when a request is acted upon and when it is answered."""
        draw, latency_s = self._dice.uniform, self.climate.latency_s
        share = len(request.numbers) / self._largest
        surely = min(LEAST_SHARE, share)  # the client does not know whether the size counts here
        if fate in AT_THE_DOOR:
            hasty = self.is_calm or self._dice.random() < 0.75
            request.at_once = hasty and latency_s >= _DECIDABLE_S
            told_s = now_s + latency_s * (surely * draw(0.0, 0.1) if hasty else draw(0.3, 3.0))
            return told_s, told_s
        # Where the size counts, other things do, too: the same request takes longer another time.
        if self.climate.sized:
            slow = 1.0 if self.is_calm else self._latest.choice((1.0, 1.0, 4.0))
            # Of a server whose first replies are all slow nobody can know how fast it carries a request out.
            latency_s *= max(LEAST_SHARE, share) * (slow if self._answered >= _SHOWN_BY else 1.0)
        if fate is Fate.LATE:
            return now_s + draw(0.0, 150.0), _NEVER_S
        # The first request of all finds cold caches.
        cold, self._cold = draw(1.0, 4.0) if self._cold else 1.0, False
        self._answered += fate is Fate.ANSWERED
        acts_s = now_s + cold * latency_s * draw(0.4, 1.0)
        answers_s = acts_s + cold * latency_s * draw(0.6, 0.99)
        if fate in REFUSED_LATE and not self.is_calm and self._dice.random() < 0.3:
            answers_s += draw(0.0, 20.0)
        return acts_s, answers_s

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

    def _make_odder(self, scenario: Scenario) -> None:
        """Draw the numbers that came later, and those that stand by: beginnings of what is asked for."""
        forms = scenario.forms
        contradicted, refused = (self._some(forms.planned, self._more) - self.odd.undocumented for _ in range(2))
        self.odd = replace(self.odd, contradicted=contradicted - refused, refused=refused)
        for campaign in self.campaigns.values():
            campaign.holds_none_of(form for form in refused if forms.rank[form])
            beginnings = {number[:length] for number in forms.planned for length in range(1, len(number))}
            campaign.let_stand_by(
                number for number in sorted(beginnings - forms.planned.keys()) if self._more.random() < _STAND_BY
            )
        self._asked_for = frozenset(forms.planned)

    def _arrived(self, numbers: tuple[str, ...]) -> tuple[str, ...]:
        """Return what reaches the server: a long URL may be cut in the middle of a number."""
        uncut = self.climate.uncut
        if len(numbers) <= uncut:
            return numbers
        torn = numbers[uncut][: self._more.randrange(len(numbers[uncut]))]
        # A number of the input that is the beginning of another was asked for.
        known = torn == "+" or torn.lstrip("+0") in {form.lstrip("+0") for form in self._asked_for}
        return numbers[:uncut] if known else (*numbers[:uncut], torn)

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

    def _some(self, numbers: Iterable[str], dice: random.Random) -> frozenset[str]:
        share = dice.choice((0.0, 0.0, 0.0, 0.0, 0.02, 0.08))
        return frozenset(number for number in numbers if dice.random() < share)

    def _fate(self, request: Request, now_s: float) -> Fate:
        numbers = request.numbers
        at_the_door = self.climate.weather(now_s) or self._turned_away(now_s)
        if at_the_door:
            return at_the_door
        if len(numbers) > self.climate.most_numbers:
            return Fate.TOO_LONG
        if request.raw and self.climate.raw_as is not None:
            return Fate.RAW
        if self._dice.random() < self.climate.mishaps:
            return self._dice.choice(self.climate.kinds)
        if not self.odd.poison.isdisjoint(numbers):
            return self._dice.choice((Fate.POISONED, Fate.POISONED_MIDWAY))
        return Fate.ANSWERED if self.odd.tripping.isdisjoint(numbers) else Fate.TRIPPED

    def _turned_away(self, now_s: float) -> Fate | None:
        if self._denials and self._dice.random() < 0.1:
            self._denials -= 1
            return self._dice.choice((Fate.DENIED, Fate.DENIED_AFTER))
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
        for number in request.acts_on:
            if number not in request.numbers:
                request.bystanders[number] = campaign.remove_bystander(number)
                continue
            if number in self.odd.undocumented | self.odd.refused:
                request.found[number] = _UNDOCUMENTED if number in self.odd.undocumented else _REFUSED
                continue
            request.found[number], removed = campaign.remove(number, now_s)
            if removed:
                request.removed[number] = removed
            if number in self.odd.contradicted:
                request.found[number] = [_contradicted(entry) for entry in request.found[number]]

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
        others: dict[str, Entries] = {
            number: [{"http_status": 200, "record_id": record_id, "status": "REMOVED"} for record_id in ids] or _NONE
            for number, ids in request.bystanders.items()
        }
        local = [number for number in request.said if len(number) >= LOCAL_DIGITS]
        if local and self._more.random() < self.climate.misspelling:
            number = self._more.choice(local)
            others[self._misspelt(number)] = request.said.pop(number)
        request.unasked = {
            number: [int(str(entry["record_id"])) for entry in entries if entry.get("status") == "REMOVED"]
            for number, entries in others.items()
            if any(entry.get("status") == "REMOVED" for entry in entries)
        }
        body, request.strangers = wording.reply_body(request.said, others, self.climate, self._dice)
        request.told = "verdicts"
        trickles = self.climate.trickling and self._latest.random() < self.climate.trickling
        body_s = self._latest.uniform(0.0, 5.0) if trickles else 0.0
        return Answer(self._more.choice((200, 201, 203, 207)) if self.climate.dressing else 200, {}, body, body_s)

    def _misspelt(self, number: str) -> str:
        """Spell a number as another, of which the input does not speak."""
        local = {form[-LOCAL_DIGITS:] for form in self._asked_for}
        spellings = (wording.misspelt(number, self._more) for _ in count())
        return next(other for other in spellings if other[-LOCAL_DIGITS:] not in local - {number[-LOCAL_DIGITS:]})

    def _cut(self, request: Request) -> Answer:
        if self._dice.random() < 0.5:
            request.told = "reply cut short"
            raise aiohttp.ClientPayloadError
        body, _ = wording.reply_body(request.found, {}, replace(self.climate, dressing=0.0), self._dice)
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
            header = _http_date(self.clocks.server_s(request.pause_until_s))
            request.pause_until_s = int(request.pause_until_s)
        return Answer(status, {"Retry-After": header, "Date": _http_date(self.clocks.server_s(now_s))}, b"")

    def _refused(self, request: Request, fate: Fate) -> Answer:
        door = {Fate.TOO_LONG: self.climate.too_long_as, Fate.RAW: self.climate.raw_as}
        if door.get(fate) == 0:
            request.told = "connection lost"
            raise aiohttp.ServerDisconnectedError
        status = door.get(fate) or self._status(request, fate)
        request.told = f"HTTP {status}"
        if status in _REFUSALS and fate not in door:
            body = wording.envelope("Wrong format of phone number.", request_id_of(request))
            if fate is Fate.POISONED and self.climate.errors_in_200:
                request.told = "errors in a success"
                return Answer(200, {}, body)
            return Answer(status, {}, body)
        return Answer(status, {}, wording.PAGE)

    def _status(self, request: Request, fate: Fate) -> int:
        match fate:
            case Fate.DENIED | Fate.DENIED_AFTER:
                return self._more.choice(self.climate.denied_as)
            case Fate.POISONED | Fate.POISONED_MIDWAY:
                return 400
            case Fate.REFUSED_AFTER | Fate.REFUSED_MIDWAY:
                # A number alone is refused only where it is meant: else the innocent would have failed.
                return self._dice.choice(_SLOW_DOWNS + (_REFUSALS if len(request.numbers) > 1 else ()))
            case Fate.TRIPPED:
                return 500
            case _:
                return self._dice.choice((500, 502, 504))


def _http_date(moment_s: float) -> str:
    """Return a moment in whole seconds, as HTTP has it."""
    return format_datetime(datetime.fromtimestamp(int(moment_s), UTC), usegmt=True)


def _contradicted(entry: dict[str, object]) -> dict[str, object]:
    return {**entry, "http_status": 200 if entry["status"] == "NOT_EXIST" else 404}


def request_id_of(request: Request) -> str:
    """Return the id under which the server's support would find a refusal."""
    return f"{round(request.sent_s * 1000):013x}"
