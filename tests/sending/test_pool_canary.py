"""The canary in the pool, in virtual time: what goes alone, and what follows."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from bulk_remove.core.chunker import RequestShape, RequestSize
from bulk_remove.core.lifecycle import Event, Phase
from bulk_remove.core.model import Alike, NumberState
from bulk_remove.core.numbers import Forms, NumberRules
from bulk_remove.core.plan import ApprovedPlan, CampaignPlan, Consent, Plan, SourcePlan, approve
from bulk_remove.core.replies import Effect, Fault, Reply
from bulk_remove.core.summary import Ending
from bulk_remove.core.throttle import BusyPolicy, Ceilings, RetryPolicy
from bulk_remove.core.verdicts import Verdict
from bulk_remove.sending import Outside, Pool, PoolSettings
from tests.support.inline_journal import SOURCE, InlineJournal, planned
from tests.support.pool_run import Alone, Answer, FakeServer
from tests.support.virtual_time import VirtualClock, run_virtually

NUMBERS = [f"{500_000_000 + index}" for index in range(60)]


def removed(_now_s: float, numbers: Sequence[str]) -> Reply:
    return Reply(Alike.of(Verdict(Event.REMOVED, 1, (int(number),)) for number in numbers), 0)


class Trial:
    """A canary, a look at the ledger, and the rest; `rate` is in requests a second."""

    def __init__(self, folder: Path, answer: Answer, rate: float = 5.0) -> None:
        self.server = FakeServer(answer, latency_s=0.1, fault_s=0.01)
        shape = RequestShape("00001", max_numbers=10)
        plan = Plan("r1", "h", (SourcePlan(SOURCE, 60, 0, ()),), (CampaignPlan("00001", 60, 6),), rate)
        ceilings = Ceilings(rate, 4, rate, 4)
        size = RequestSize(10, 10_000_000, 10)
        settings = PoolSettings(ceilings, RetryPolicy(tries=4), BusyPolicy(1800.0), Forms(NumberRules(), ()), size)
        with closing(planned(folder, NUMBERS, shape)) as store:
            run_virtually(self._run(InlineJournal(store), approve(plan, Consent.CODE), settings, shape))

    async def _run(
        self, journal: InlineJournal, approved: ApprovedPlan, settings: PoolSettings, shape: RequestShape
    ) -> None:
        outside = Outside(journal, self.server, VirtualClock(), Alone())
        pool = Pool(approved, settings, lambda _: shape, outside, _unheard)
        self.first_ending = await pool.try_canary()
        self.first = [*self.server.asked]
        self.mix = await journal.write(lambda steps: steps.canary_phases())
        self.passed = (await journal.write(lambda steps: steps.canary())).passed
        if self.first_ending is Ending.DONE:
            await pool.drain()
        self.snapshot = pool.snapshot()


def _unheard(_numbers: Sequence[str], _states: Sequence[NumberState]) -> None:
    return


def test_one_chunk_goes_alone_and_the_rest_follows_once(tmp_path: Path) -> None:
    trial = Trial(tmp_path, removed)
    assert trial.first == [tuple(NUMBERS[:10])]
    assert (trial.mix, trial.passed) == ({Phase.REMOVED: 10}, False)
    assert sorted(number for numbers in trial.server.asked for number in numbers) == NUMBERS
    assert trial.snapshot.phases == {Phase.REMOVED: 60}


def test_the_ceiling_holds_across_the_canary_and_the_rest(tmp_path: Path) -> None:
    moments_s = Trial(tmp_path, removed, rate=2.0).server.moments_s
    assert all(later - earlier >= 1.0 for earlier, later in zip(moments_s, moments_s[2:], strict=False))


def test_numbers_in_a_call_are_not_waited_for_and_asked_again_with_the_rest(tmp_path: Path) -> None:
    def busy_at_first(now_s: float, numbers: Sequence[str]) -> Reply:
        busy = now_s < 20 and NUMBERS[3] in numbers
        return Reply(
            Alike.of(
                Verdict(Event.BUSY) if busy and number == NUMBERS[3] else Verdict(Event.REMOVED, 1)
                for number in numbers
            ),
            0,
        )

    trial = Trial(tmp_path, busy_at_first)
    assert trial.mix == {Phase.REMOVED: 9, Phase.BUSY: 1}
    assert len(trial.first) == 1
    assert trial.snapshot.phases == {Phase.REMOVED: 60}
    assert trial.snapshot.waiting == 0


def test_a_canary_that_must_be_split_is_sent_whole_before_the_rest(tmp_path: Path) -> None:
    def stumbling(now_s: float, numbers: Sequence[str]) -> Reply | Fault:
        if NUMBERS[2] in numbers:
            return Fault(Effect.REFUSED, "HTTP 400", "Wrong format.", 400)
        return removed(now_s, numbers)

    trial = Trial(tmp_path, stumbling)
    assert {number for numbers in trial.first for number in numbers} == {*NUMBERS[:10]}
    assert trial.mix == {Phase.REMOVED: 9, Phase.FAILED_IN_DOUBT: 1}  # one number takes no time of its own


@pytest.mark.parametrize(
    ("fault", "ending"),
    [
        (Fault(Effect.DENIED, "HTTP 401", "Wrong password.", 401), Ending.DENIED),
        (Fault(Effect.UNTOUCHED, "no connection", "Nobody there."), Ending.UNAVAILABLE),
    ],
)
def test_a_canary_that_the_server_does_not_answer_ends_the_run_as_any_request(
    tmp_path: Path, fault: Fault, ending: Ending
) -> None:
    trial = Trial(tmp_path, lambda _now_s, _numbers: fault)
    assert trial.first_ending is ending
    assert {*trial.server.asked} == {tuple(NUMBERS[:10])}
