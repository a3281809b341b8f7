"""A whole run in its world: planned, sent, killed, resumed from its ledger alone until it ends by itself."""

import asyncio
import csv
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bulk_remove.core.model import NumberFormat, NumberState, Status
from bulk_remove.core.plan import ApprovedPlan, Consent, Plan, approve
from bulk_remove.core.summary import Ending
from bulk_remove.core.timeline import Snapshot
from bulk_remove.errors import GuardStop, StorageError
from bulk_remove.ledger import opened_for_reading, store, verify
from bulk_remove.reader import open_table
from bulk_remove.run.again import earlier_run, reopened
from bulk_remove.run.finish import Finished, finish
from bulk_remove.run.folders import LEDGER_FILE
from bulk_remove.run.job import Operator, Sent, carry_out
from bulk_remove.run.preflight import Findings, Glance, inspect_campaigns
from bulk_remove.run.prepare import Prepared, Sight, prepare, reading_of
from bulk_remove.settings import Address, Login
from tests.simulation.audit import Audit, Session
from tests.simulation.process import Killed, Process, rows_of
from tests.simulation.scenario import Kind, Scenario, Trouble
from tests.simulation.world import World
from tests.support.virtual_time import BEGAN_S, VirtualLoop, run_virtually

_ADDRESS = Address.parse("https://demo.thulium.com")
_LOGIN = Login("robot", "made-up")
_UNTROUBLED = Trouble(Kind.NONE)
_PRAGMAS = tuple(pragma.replace("FULL", "OFF") for pragma in store._PRAGMAS)
_SECOND_SIGNAL_S = 0.05
_DECLINED = 1 / 3
"""How often the operator does not let the rest follow the canary at once."""
_PATIENCE_SESSIONS = 4
"""How often a run without further troubles is taken up again in a world that is not calm: it may never be answered."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A row of the ledger's attempts, with the campaign and the numbers of its chunk."""

    attempt_id: int
    campaign: str
    numbers: tuple[str, ...]
    result: str
    strangers: int


@dataclass(frozen=True, slots=True)
class Result:
    """What a session left: the report, the summary, the ledger's attempts; with what the checkers go by.

    `looked` tells whether the run saw in the campaigns' records how they hold their numbers.
    `sessions` are those that ended since the last result, this one included; `before` is the report of that one.
    """

    scenario: Scenario
    audit: Audit
    world: World
    before: list[dict[str, str]]
    report: list[dict[str, str]]
    summary: dict[str, Any]
    attempts: list[Attempt]
    snapshot: Snapshot
    sessions: range
    looked: bool

    @property
    def session(self) -> Session:
        """The session that ended just now."""
        return self.audit.sessions[-1]


class Life:
    """The life of one run. `check` is told the result of every session that wrote a report."""

    def __init__(self, scenario: Scenario, folder: Path, check: Callable[[Result], None]) -> None:
        self._scenario = scenario
        self._folder = folder
        self._check = check
        self._now_s = 0.0
        self._checked = 0
        self._report: list[dict[str, str]] = []
        self.world = World(scenario)
        self._looking = scenario.looking and self.world.shows(scenario.settings.number_format)

    def live(self) -> None:
        """Run from the input to the end, then once more in a calm world."""
        with patch.object(store, "_PRAGMAS", _PRAGMAS), patch.object(os, "fsync", lambda _: None):
            for trouble in self._scenario.troubles:
                self._next(trouble)
            for _ in range(_PATIENCE_SESSIONS):
                if self._next(_UNTROUBLED) is Ending.DONE:
                    break
            self.world.calm()
            self._next(_UNTROUBLED)

    def _next(self, trouble: Trouble) -> Ending | None:
        """Start the run, or take it up again once its plan was approved."""
        folders = [*self._folder.glob("runs/*")]
        return self._resume(folders[0], trouble) if folders else self._first(trouble)

    def _first(self, trouble: Trouble) -> Ending | None:
        path = self._folder / "numbers.csv"
        path.write_text("\n".join(self._scenario.lines()) + "\n", encoding="utf-8")
        assert not self.world.audit.requests, "sent before its plan was approved"
        table = open_table(str(path), reading_of(self._scenario.settings, self._folder))
        destination = _ADDRESS.destination(_LOGIN.user)
        settings, sight = self._scenario.settings, Sight()
        if self._scenario.keep:
            keep = self._folder / "keep.csv"
            keep.write_text("\n".join(("telefon", *self._scenario.keep, "")), encoding="utf-8")
            settings = replace(settings, keep=(str(keep),), keep_skips=True)
        if self._looking:
            settings, sight = replace(settings, number_format=NumberFormat.AUTO), Sight(self._look)
        with prepare([table], settings, destination, self._folder, BEGAN_S, sight) as ready:
            for file in (path, *map(Path, settings.keep)):
                file.unlink()
            return self._session(ready, approve(ready.plan, Consent.FLAG), trouble)

    def _look(self, campaigns: Sequence[str]) -> Findings:
        asking = inspect_campaigns(self.world, "", campaigns, lambda: BEGAN_S, Glance(self._scenario.settings.region))
        return run_virtually(asking)

    def _resume(self, folder: Path, trouble: Trouble) -> Ending | None:
        self._now_s += 1.0 + self.world.pause_s()
        with opened_for_reading(folder / LEDGER_FILE) as store:
            verify(store)
        with earlier_run(folder, {}) as run:
            ready = reopened(run, self.world.clocks.shown_s(self._now_s))
            return self._session(ready, approve(ready.plan, run.consent), trouble)

    def _session(self, ready: Prepared, approved: ApprovedPlan, trouble: Trouble) -> Ending | None:
        audit = self.world.audit
        session = Session(self._now_s, trouble)
        audit.sessions.append(session)
        ledger = ready.folder / LEDGER_FILE
        process = Process(self.world, len(audit.sessions) - 1, trouble, self._scenario.seed, ledger)
        sent = self._sent(ready, approved, process, session)
        if sent is None or trouble.kind is Kind.KILL_UNREPORTED:
            return None
        session.ending = sent.ending
        finished = finish(ready, sent.ending, None)
        self._check_ledger(ledger, finished.ledger_head)
        self._check(self._result(finished, sent.snapshot, ledger))
        self._checked = len(audit.sessions)
        return sent.ending

    def _sent(self, ready: Prepared, approved: ApprovedPlan, process: Process, session: Session) -> Sent | None:
        """Send until it ends, one way or the other; None when there is nobody left to write a report."""
        loop = VirtualLoop(self._now_s, process.turn)

        if process.trouble.kind is Kind.DEADLINE:
            session.until_s = self.world.clocks.shown_s(session.began_s) + process.trouble.at
        operator = _Operator(self.world.audit, session, process, loop)
        try:
            with patch.multiple(
                "bulk_remove.run.job", Client=process.line, Journal=process.journal, SystemClock=process.clock
            ):
                job = carry_out(ready, approved, _ADDRESS, _LOGIN, operator)
                sent = run_virtually(process.living(job), loop)
        except (Killed, StorageError, asyncio.CancelledError) as error:
            session.how = type(error).__name__
            return None
        finally:
            session.ended_s = self._now_s = loop.time()
            self.world.advance(self._now_s)
        session.how = sent.ending.value
        return sent

    def _check_ledger(self, ledger: Path, head: str) -> None:
        with opened_for_reading(ledger) as store:
            verified = verify(store, [head])
        assert (verified.later, verified.unended, verified.unproved) == (0, 0, 0)

    def _result(self, finished: Finished, snapshot: Snapshot, ledger: Path) -> Result:
        before = self._report
        with finished.report.open(encoding="utf-8", newline="") as file:
            self._report = list(csv.DictReader(file))
        attempts = rows_of(
            ledger,
            "SELECT attempt_id, campaign, numbers, ifnull(result, ''), strangers FROM attempt JOIN chunk"
            " USING (chunk_id) ORDER BY attempt_id",
        )
        return Result(
            self._scenario,
            self.world.audit,
            self.world,
            before,
            self._report,
            json.loads(finished.summary.read_text(encoding="utf-8")),
            [
                Attempt(number, campaign, tuple(numbers.split("\n")), result, strange)
                for number, campaign, numbers, result, strange in attempts
            ],
            snapshot,
            range(self._checked, len(self.world.audit.sessions)),
            self._looking,
        )


class _Operator(Operator):
    """Notes what is settled, judges the canary, and stops as the operator would: once safely, twice at once."""

    def __init__(self, audit: Audit, session: Session, process: Process, loop: VirtualLoop) -> None:
        self.until_s = session.until_s
        self._audit = audit
        self._session = session
        self._process = process
        self._loop = loop

    def settled(self, numbers: Sequence[str], states: Sequence[NumberState]) -> None:
        self._session.settled += [(number, state.phase) for number, state in zip(numbers, states, strict=True)]

    def judge_canary(self, plan: Plan, mix: Mapping[Status, int], stop: GuardStop | None) -> Ending:
        assert stop is None, "stopped by a limit that lets everything through"
        assert mix, f"a canary without numbers, of {plan.numbers}"
        if self._process.dice.random() < _DECLINED and len(self._audit.sessions) == 1:
            return Ending.GUARD
        self._audit.canary_passed_s = self._loop.time()
        return Ending.DONE

    def stopping(self, stop: Callable[[Ending], None]) -> AbstractContextManager[None]:
        return _stopping(stop, self._process.trouble)


@contextmanager
def _stopping(stop: Callable[[Ending], None], trouble: Trouble) -> Iterator[None]:
    """Stop as the operator would: once safely, twice at once."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    timers = []
    if trouble.kind in {Kind.STOP, Kind.STOP_TWICE}:
        timers.append(loop.call_later(trouble.at, stop, Ending.INTERRUPTED))
    if trouble.kind is Kind.STOP_TWICE:
        timers.append(loop.call_later(trouble.at + _SECOND_SIGNAL_S, task.cancel))
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()
