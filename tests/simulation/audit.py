"""What the server saw, did and said, kept by the server's side; and what went on around it."""

from dataclasses import dataclass, field

from bulk_remove.core.summary import Ending
from tests.simulation.scenario import Trouble

Entries = list[dict[str, object]]
"""What a reply says of one number."""


@dataclass(slots=True)
class Request:
    """One request as the server's side knows it. Times are virtual seconds.

    `attempts` are the ledger's open attempts with just these numbers at the moment of sending, `clock_ahead_s` is how
    far the clock of the client's session is ahead of virtual time. `fate` is what the server made of it, `arrived` are
    the numbers as they reached it, `removed` the records that it removed at `acted_s`, looking for `acts_on` alone,
    `bystanders` those of numbers that nobody asked for, and `unasked` those that the reply says were removed though
    nobody asked for it. `told` names what the client was told at `told_s` ("verdicts", or what went wrong) and `said`
    what a reply said of each number asked for. `at_once` marks a refusal that came so much faster than any reply can
    that it must leave no doubt. The brackets of a `raw` request are not encoded.
    """

    session: int
    sent_s: float
    campaign: str
    numbers: tuple[str, ...]
    attempts: tuple[int, ...]
    clock_ahead_s: float = 0.0
    fate: str = ""
    acts_on: tuple[str, ...] = ()
    at_once: bool = False
    acted_s: float | None = None
    found: dict[str, Entries] = field(default_factory=dict)
    removed: dict[str, list[int]] = field(default_factory=dict)
    told: str = ""
    told_s: float | None = None
    said: dict[str, Entries] = field(default_factory=dict)
    strangers: int = 0
    arrived: tuple[str, ...] = ()
    bystanders: dict[str, list[int]] = field(default_factory=dict)
    unasked: dict[str, list[int]] = field(default_factory=dict)
    pause_until_s: float = 0.0
    raw: bool = False


@dataclass(slots=True)
class Session:
    """One time of sending: `trouble` is what was to disturb it, `how` what ended it, `ending` what the run says.

    `settled` are the numbers, each with its phase, that the run told who listened to it. `until_s` is its deadline by
    our clock, Unix seconds.
    """

    began_s: float
    trouble: Trouble
    ended_s: float = 0.0
    how: str = ""
    ending: Ending | None = None
    until_s: float | None = None
    settled: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Audit:
    """Everything that the checkers go by besides the report and the ledger.

    `canary_passed_s` is when the operator let the rest follow the canary, None before that.
    """

    requests: list[Request] = field(default_factory=list)
    canary_passed_s: float | None = None
    sessions: list[Session] = field(default_factory=list)

    def ended_s(self, request: Request) -> float:
        """Return when the client no longer waited for an answer."""
        return self.sessions[request.session].ended_s if request.told_s is None else request.told_s
