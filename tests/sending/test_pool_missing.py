"""--stop-when-missing in the pool, in virtual time: when it ends a run, and what a later session knows of it."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bulk_remove.core.lifecycle import Event
from bulk_remove.core.model import Alike, Status
from bulk_remove.core.replies import Effect, Fault, Reply
from bulk_remove.core.summary import Ending
from bulk_remove.core.verdicts import Verdict
from bulk_remove.ledger import Sending
from bulk_remove.ledger.store import open_existing
from tests.support.pool_run import Answer, FakeServer, Run


def holding(there: int) -> Answer:
    """Answer for a campaign that holds the first numbers of the list."""

    def answer(_now_s: float, numbers: Sequence[str]) -> Reply:
        return Reply(Alike.of(_verdict(int(number) - 500_000_000 < there) for number in numbers), 0)

    return answer


def _verdict(there: bool) -> Verdict:
    return Verdict(Event.REMOVED, 1) if there else Verdict(Event.NOT_EXIST)


def run(folder: Path, answer: Answer, *, numbers: int = 900, limit: float | None = 0.5, per_request: int = 10) -> Run:
    return Run(
        folder, FakeServer(answer, latency_s=0.1), numbers=numbers, per_request=per_request, stop_when_missing=limit
    )


def test_a_list_that_turns_wrong_ends_as_soon_as_the_share_is_reached(tmp_path: Path) -> None:
    stopped = run(tmp_path, holding(300))
    assert stopped.ending is Ending.MISSING
    assert stopped.statuses[Status.REMOVED] == 300
    assert 300 <= stopped.statuses[Status.NOT_EXIST] <= 300 + 4 * 10  # those under way are finished
    assert stopped.statuses.total() == 900


@pytest.mark.parametrize(("there", "limit"), [(300, None), (300, 1.0), (600, 0.5), (0, None)])
def test_a_list_within_its_limit_is_sent_whole(tmp_path: Path, there: int, limit: float | None) -> None:
    whole = run(tmp_path, holding(there), limit=limit)
    assert whole.ending is Ending.DONE
    assert whole.statuses == {Status.REMOVED: there, Status.NOT_EXIST: 900 - there} or not there


def test_a_list_that_is_finished_has_nothing_to_stop(tmp_path: Path) -> None:
    assert run(tmp_path, holding(0), numbers=200, per_request=200).ending is Ending.DONE


def test_numbers_that_a_lost_request_may_have_removed_do_not_end_a_run(tmp_path: Path) -> None:
    lost: set[Sequence[str]] = set()

    def answer(_now_s: float, numbers: Sequence[str]) -> Reply | Fault:
        if numbers not in lost:
            lost.add(numbers)
            return Fault(Effect.IN_DOUBT, "HTTP 504", "No answer.", 504)
        return holding(0)(0.0, numbers)

    done = run(tmp_path, answer)
    assert done.ending is Ending.DONE
    assert done.statuses == {Status.PRESUMED_REMOVED: 900}


def test_a_number_in_a_call_counts_once_however_often_it_is_asked_for(tmp_path: Path) -> None:
    def answer(now_s: float, numbers: Sequence[str]) -> Reply:
        busy = [int(number) < 500_000_100 and now_s < 900 for number in numbers]
        verdicts = (Verdict(Event.BUSY) if each else Verdict(Event.NOT_EXIST) for each in busy)
        return Reply(Alike.of(verdicts), 0)

    assert run(tmp_path, answer, numbers=350, limit=0.73).ending is Ending.DONE
    (tmp_path / "again").mkdir()
    assert run(tmp_path / "again", answer, numbers=350, limit=0.6).ending is Ending.MISSING


@pytest.mark.parametrize("split", [False, True])
def test_the_ledger_knows_which_numbers_were_answered_last(tmp_path: Path, *, split: bool) -> None:
    refused: set[Sequence[str]] = set()

    def answer(now_s: float, numbers: Sequence[str]) -> Reply | Fault:
        if split and len(numbers) == 10 and numbers not in refused:
            refused.add(numbers)
            return Fault(Effect.REFUSED, "HTTP 400", "Wrong format.", 400)
        return holding(300)(now_s, numbers)

    ended = run(tmp_path, answer)
    store = open_existing(tmp_path / "ledger.sqlite")
    with store.transaction() as connection:
        steps = Sending(connection)
        batches = [batch for _, batch in steps.answered_last(2000, lambda _campaign, _numbers: ())]
        few = [batch for _, batch in steps.answered_last(100, lambda _campaign, _numbers: ())]
    store.close()
    assert sum(batch.answered for batch in batches) == 900 - ended.statuses[Status.UNSENT]
    assert sum(batch.missing for batch in batches) == ended.statuses[Status.NOT_EXIST]
    assert 100 <= sum(batch.answered for batch in few) <= 110
    assert {batch.missing == batch.answered for batch in few} == {True}
