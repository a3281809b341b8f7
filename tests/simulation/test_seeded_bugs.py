"""The simulation must see what it is there to see: each bug here is put in on purpose, and a checker must name it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import orjson
import pytest

from bulk_remove.adapters import client, reporter
from bulk_remove.adapters.account import Account
from bulk_remove.adapters.ledger import Outcomes, Sending, reopening
from bulk_remove.adapters.pool import Pool, pool
from bulk_remove.adapters.pool.bookkeeper import Bookkeeper
from bulk_remove.adapters.pool.feeder import Feeder
from bulk_remove.core import lifecycle, pacing
from bulk_remove.core.alike import Alike
from bulk_remove.core.chunker import RequestShape
from bulk_remove.core.lifecycle import SETTLED, TRANSITIONS, Event, Phase
from bulk_remove.core.model import Again, Chunk, NumberState, OutcomeBlock
from bulk_remove.core.pacing import Pace
from bulk_remove.core.replies import Fault, Reply, Verdict, read_reply
from bulk_remove.core.throttle import Ceilings, Throttle, throttle_for
from tests.simulation import bugs_of_forms
from tests.simulation.replay import replay

_SEEDS = 150
"""A bug must show within so many seeds."""

Bug = Callable[[pytest.MonkeyPatch], None]


def verdicts_joined_by_position(broken: pytest.MonkeyPatch) -> None:
    def read(body: bytes, numbers: Sequence[str]) -> Reply | Fault:
        reply = read_reply(body, numbers)
        if isinstance(reply, Fault):
            return reply
        in_order = read_reply(body, [*orjson.loads(body)])
        assert isinstance(in_order, Reply)
        spare = [Verdict(Event.PASSED_OVER)] * len(numbers)
        return replace(reply, verdicts=Alike.of([*in_order.verdicts, *spare][: len(numbers)]))

    broken.setattr(client, "read_reply", read)


def the_intent_written_after_the_send(broken: pytest.MonkeyPatch) -> None:
    async def ask(self: Pool, chunk: Chunk, *, retry: bool) -> tuple[int, Reply | Fault | None]:
        desk = self._desk
        if not await desk.gate.slot(retry=retry):
            return 0, None
        begun_s = desk.clock.wall_s()

        async def departure() -> bool:
            return await desk.gate.departure() is not None

        answer = await self._sender.delete(chunk, self._shape_of(chunk.campaign), begun_s, departure)
        desk.gate.came_back(None, answer)
        return await desk.journal.write(lambda steps: steps.begin_attempt(chunk.chunk_id, begun_s)), answer

    broken.setattr(Pool, "_ask", ask)


def a_lost_reply_taken_for_nothing(broken: pytest.MonkeyPatch) -> None:
    broken.setitem(TRANSITIONS[Phase.IN_DOUBT], Event.NOT_EXIST, Phase.NOT_EXIST)


def doubt_forgotten_while_a_call_lasts(broken: pytest.MonkeyPatch) -> None:
    broken.setitem(TRANSITIONS[Phase.IN_DOUBT], Event.BUSY, Phase.BUSY)


def numbers_in_a_call_never_asked_again(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(Bookkeeper, "_due_again", lambda *_: {})


def numbers_in_a_call_given_up_too_soon(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(
        "bulk_remove.adapters.pool.bookkeeper.busy_due_s",
        lambda policy, rounds, _since_s, now_s, _draw: now_s + policy.delay_first_s if rounds < 2 else None,
    )


def numbers_in_a_call_taken_for_removed(broken: pytest.MonkeyPatch) -> None:
    broken.setitem(TRANSITIONS[Phase.UNSENT], Event.BUSY, Phase.REMOVED)


def each_request_sent_twice(broken: pytest.MonkeyPatch) -> None:
    once = client.Client.delete

    async def twice(
        self: client.Client, chunk: Chunk, shape: RequestShape, now_s: float, departure: client.Departure
    ) -> Reply | Fault:
        first = await once(self, chunk, shape, now_s, departure)
        return await once(self, chunk, shape, now_s, departure) if isinstance(first, Fault) else first

    broken.setattr(client.Client, "delete", twice)


def a_chunk_handed_out_twice(broken: pytest.MonkeyPatch) -> None:
    choose = Feeder._choose

    async def again(self: Feeder) -> Chunk | None:
        chunk = await choose(self)
        if chunk is not None and chunk.chunk_id == 1 and not self._halves:
            self._halves.append(chunk)
        return chunk

    broken.setattr(Feeder, "_choose", again)
    _unguarded(broken)


def settled_numbers_asked_again_by_resume(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(reopening, "SETTLED", frozenset())
    _unguarded(broken)


def duplicates_lost_from_the_report(broken: pytest.MonkeyPatch) -> None:
    blocks = Outcomes.blocks

    def firsts(self: Outcomes) -> Iterator[OutcomeBlock]:
        for block in blocks(self):
            kept = [place for place in range(len(block.rows)) if place not in block.duplicate_of]
            yield replace(
                block,
                rows=[block.rows[place] for place in kept],
                cells=[block.cells[place] for place in kept],
                others=[block.others[place] for place in kept if block.others],
                numbers=[block.numbers[place] for place in kept],
                campaigns=[block.campaigns[place] for place in kept],
                states=Alike.of([block.states[place] for place in kept]),
                duplicate_of={},
            )

    broken.setattr(Outcomes, "blocks", firsts)
    broken.setattr(reporter, "check_closed", lambda *_: None)


def a_split_that_loses_a_half(broken: pytest.MonkeyPatch) -> None:
    done = Feeder.done
    broken.setattr(Feeder, "done", lambda self, halves=(): done(self, [*halves][:1]))


def a_resume_that_forgets_unanswered_requests(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(reopening, "_lose", lambda state: state)


def a_resume_that_leaves_numbers_in_a_call_behind(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(reopening, "SETTLED", SETTLED | lifecycle.IN_A_CALL)


def twice_the_rate(broken: pytest.MonkeyPatch) -> None:
    def hasty(ceilings: Ceilings, now_us: int) -> Throttle:
        return throttle_for(replace(ceilings, rate=2 * ceilings.rate, adaptive=False), now_us)

    # The ceiling is held twice: by the run itself, and by what it shares with others of its account.
    broken.setattr(pool, "throttle_for", hasty)
    broken.setattr(Account, "depart", lambda *_: 0)


def one_worker_too_many(broken: pytest.MonkeyPatch) -> None:
    drain = Pool.drain

    async def more(self: Pool) -> object:
        desk = self._desk
        ceilings = replace(desk.settings.ceilings, at_once=desk.settings.ceilings.at_once + 1)
        self._desk = replace(desk, settings=replace(desk.settings, ceilings=ceilings))
        return await drain(self)

    def crowded(ceilings: Ceilings, now_us: int) -> Throttle:
        return throttle_for(replace(ceilings, at_once=ceilings.at_once + 1, adaptive=False), now_us)

    broken.setattr(Pool, "drain", more)
    broken.setattr(pool, "throttle_for", crowded)


def a_retry_after_ignored(broken: pytest.MonkeyPatch) -> None:
    def unpaused(pace: Pace, _until_us: int) -> Pace:
        return pace

    broken.setattr(pacing, "paused", unpaused)


def records_forgotten_over_rounds(broken: pytest.MonkeyPatch) -> None:
    with_verdict = lifecycle.with_verdict

    def last_only(
        state: NumberState, event: Event, removed: int, ids: tuple[int | str, ...], detail: str, now_s: float
    ) -> NumberState:
        return with_verdict(state, event, removed, ids, detail, now_s)._replace(removed=removed, record_ids=ids)

    broken.setattr("bulk_remove.adapters.pool.bookkeeper.with_verdict", last_only)


def a_verdict_counted_but_not_written(broken: pytest.MonkeyPatch) -> None:
    settle = Sending.settle

    def stale(self: Sending, chunk: Chunk, _states: Sequence[NumberState], again: Mapping[int, Again]) -> None:
        settle(self, chunk, chunk.states, again)

    broken.setattr(Sending, "settle", stale)


def the_rest_sent_before_the_canary_is_judged(broken: pytest.MonkeyPatch) -> None:
    async def hold(self: Feeder) -> bool:
        return self.next_due_s is None

    broken.setattr(Feeder, "hold_to_canary", hold)


def _unguarded(broken: pytest.MonkeyPatch) -> None:
    """Take the lifecycle's own guard away: the checkers must see it without."""
    for phase in SETTLED:
        broken.setitem(TRANSITIONS, phase, dict.fromkeys(Event, phase))


TOLD = "statuses_are_what_the_client_was_told"
CASES: tuple[tuple[Bug, str], ...] = (
    (verdicts_joined_by_position, TOLD),
    (the_intent_written_after_the_send, "every_request_was_intended"),
    (a_lost_reply_taken_for_nothing, TOLD),
    (doubt_forgotten_while_a_call_lasts, TOLD),
    (numbers_in_a_call_never_asked_again, "numbers_in_a_call_are_asked_until_the_budget_ends"),
    (numbers_in_a_call_given_up_too_soon, "numbers_in_a_call_are_asked_until_the_budget_ends"),
    (numbers_in_a_call_taken_for_removed, TOLD),
    (each_request_sent_twice, "every_request_was_intended"),
    (a_chunk_handed_out_twice, "nothing_is_sent_after_a_final_answer"),
    (settled_numbers_asked_again_by_resume, "nothing_is_sent_after_a_final_answer"),
    (duplicates_lost_from_the_report, "every_row_is_in_the_report_once_and_in_order"),
    (a_split_that_loses_a_half, "a_run_that_ends_by_itself_asked_for_every_number"),
    (a_resume_that_forgets_unanswered_requests, TOLD),
    (a_resume_that_leaves_numbers_in_a_call_behind, "in_a_calm_world_everything_comes_to_an_answer"),
    (twice_the_rate, "the_ceilings_are_never_passed"),
    (one_worker_too_many, "the_ceilings_are_never_passed"),
    (a_retry_after_ignored, "a_pause_that_the_server_asks_for_is_kept_by_all"),
    (records_forgotten_over_rounds, TOLD),
    (a_verdict_counted_but_not_written, "the_progress_shown_was_true"),
    (the_rest_sent_before_the_canary_is_judged, "the_canary_goes_alone"),
    (bugs_of_forms.the_next_form_asked_for_before_an_answer, "forms_are_asked_for_one_after_the_other"),
    (bugs_of_forms.none_in_one_form_taken_as_final, "not_exist_means_in_none_of_its_forms"),
    (bugs_of_forms.forms_mixed_in_a_request, "no_request_mixes_forms"),
    (
        bugs_of_forms.the_planned_form_reported_whatever_was_found,
        "the_number_shown_is_the_form_in_which_it_was_found",
    ),
    (bugs_of_forms.doubt_forgotten_between_forms, "not_exist_means_in_none_of_its_forms"),
    (bugs_of_forms.none_found_in_a_guess_called_an_answer, "none_found_in_a_guess_is_never_called_an_answer"),
    (bugs_of_forms.the_form_that_the_records_show_passed_over, "only_valid_numbers_of_the_input_are_sent"),
    (bugs_of_forms.a_request_sent_to_another_campaign, "each_request_goes_to_the_campaign_of_its_numbers"),
    (bugs_of_forms.a_number_of_two_campaigns_taken_for_one, "duplicates_carry_their_first_row"),
)


@pytest.mark.parametrize(("bug", "promise"), CASES, ids=lambda case: getattr(case, "__name__", ""))
def test_a_bug_put_in_on_purpose_is_caught(bug: Bug, promise: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bug(monkeypatch)
    seen: set[str] = set()
    for seed in range(_SEEDS):
        failure = replay(seed)
        seen.update(failure.where if failure else ())
        if promise in seen:
            return
    pytest.fail(f"{bug.__name__} went unnoticed by {promise} for {_SEEDS} seeds; noticed by {seen or 'none'}")
