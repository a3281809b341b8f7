"""The simulation must see what it is there to see: each bug here is put in on purpose, and a checker must name it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from bulk_remove.core import lifecycle
from bulk_remove.core import pace as pacing
from bulk_remove.core.chunker import RequestShape
from bulk_remove.core.lifecycle import EVER_US, NEXT, SETTLED, Event, Fastest, Phase, is_doubted, next_phase
from bulk_remove.core.model import Again, Alike, Chunk, NumberState, OutcomeBlock
from bulk_remove.core.pace import Pace
from bulk_remove.core.replies import Effect, Fault, Reply, doubt_us, read_reply, read_retry_after
from bulk_remove.core.spelling import Region
from bulk_remove.core.throttle import Ceilings, Throttle, throttle_for
from bulk_remove.core.verdicts import Verdict, json_of
from bulk_remove.ledger import Outcomes, Sending
from bulk_remove.ledger import store as packing
from bulk_remove.ledger import write as reopening
from bulk_remove.report import csv as reporter
from bulk_remove.run import finish as counting
from bulk_remove.sending import Pool, client, pool
from bulk_remove.sending import books as bookkeeper
from bulk_remove.sending.books import Bookkeeper, Feeder
from bulk_remove.sending.gate import AccountCeiling, Gate, SystemClock
from tests.simulation import bugs_of_cells, bugs_of_forms, bugs_of_replies
from tests.simulation.replay import replay

_SEEDS = 500  # a rare world must come up; a bug is mostly noticed in the first few
"""A bug must show within so many seeds."""

Bug = Callable[[pytest.MonkeyPatch], None]


def verdicts_joined_by_position(broken: pytest.MonkeyPatch) -> None:
    def read(body: bytes, numbers: Sequence[str], region: Region, http_status: int) -> Reply | Fault:
        reply = read_reply(body, numbers, region, http_status)
        if isinstance(reply, Fault):
            return reply
        in_order = read_reply(body, [*json_of(body)[0]])
        assert isinstance(in_order, Reply)
        spare = [Verdict(Event.PASSED_OVER)] * len(numbers)
        return replace(reply, verdicts=Alike.of([*in_order.verdicts, *spare][: len(numbers)]))

    broken.setattr(client, "read_reply", read)


def the_intent_written_after_the_send(broken: pytest.MonkeyPatch) -> None:
    async def ask(self: Pool, chunk: Chunk, *, retry: bool) -> tuple[int, Reply | Fault | None, int]:
        desk = self._desk
        if not await desk.gate.slot(retry=retry):
            return 0, None, 0
        begun_s = desk.clock.wall_s()

        async def departure() -> bool:
            return await desk.gate.departure() is not None

        shape = self.books.shape_of(chunk.campaign)
        answer = await self._sender.delete(chunk, shape, begun_s, departure, lambda: None)
        desk.gate.came_back(None, answer)
        return await desk.journal.write(lambda steps: steps.begin_attempt(chunk.chunk_id, begun_s)), answer, 0

    broken.setattr(Pool, "_ask", ask)


def a_lost_reply_taken_for_nothing(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(lifecycle, "next_phase", _undoubting(Event.NOT_EXIST))


def doubt_forgotten_while_a_call_lasts(broken: pytest.MonkeyPatch) -> None:
    def with_verdict(*told: Any) -> NumberState:
        state = lifecycle.with_verdict(*told)
        return state._replace(doubt_us=0) if state.phase == Phase.BUSY else state

    broken.setattr(lifecycle, "next_phase", _undoubting(Event.BUSY))
    broken.setattr(bookkeeper, "with_verdict", with_verdict)


def a_refusal_taken_for_nothing_done(broken: pytest.MonkeyPatch) -> None:
    _doubting(broken, lambda fault, took_us: 0 if fault.http_status else doubt_us(fault, took_us))


def every_refusal_taken_for_an_execution(broken: pytest.MonkeyPatch) -> None:
    _doubting(broken, lambda fault, took_us: EVER_US if fault.http_status else doubt_us(fault, took_us))


def a_denial_taken_for_nothing_done(broken: pytest.MonkeyPatch) -> None:
    denied = Effect.DENIED
    _doubting(broken, lambda fault, took_us: 0 if fault.effect is denied else doubt_us(fault, took_us))


def refusals_held_against_the_whole_of_the_fastest_reply(broken: pytest.MonkeyPatch) -> None:
    _judging(broken, lambda seen, took_us: took_us >= (seen.us if seen.replies else 1_000_000))


def refusals_held_against_the_half_of_the_only_reply(broken: pytest.MonkeyPatch) -> None:
    _judging(broken, lambda seen, took_us: took_us >= (seen.us // 2 if seen.replies else 1_000_000))


def replies_timed_to_the_end_of_their_bodies(broken: pytest.MonkeyPatch) -> None:
    took = Bookkeeper.took

    def whole(self: Bookkeeper, chunk: Chunk, _took_us: int, whole_us: int, answer: Reply | Fault) -> None:
        took(self, chunk, whole_us, whole_us, answer)

    broken.setattr(Bookkeeper, "took", whole)


def refusals_judged_once_and_for_all_when_they_come(broken: pytest.MonkeyPatch) -> None:
    without_verdict = lifecycle.without_verdict

    def hasty(state: NumberState, event: Event, detail: str, took_us: int, seen: Fastest, numbers: int) -> NumberState:
        known = without_verdict(state, event, detail, took_us, seen, numbers)
        return known._replace(doubt_us=EVER_US if is_doubted(known.phase) else 0)

    broken.setattr(bookkeeper, "without_verdict", hasty)


def halves_that_do_not_inherit_doubt(broken: pytest.MonkeyPatch) -> None:
    split = Sending.split

    def clean(
        self: Sending, chunk: Chunk, states: Alike[NumberState], now_s: float, first: int | None = None, **rest: bool
    ) -> tuple[Chunk, ...]:
        clean = states.each(lambda state: state._replace(phase=Phase.UNSENT, doubt_us=0))
        return split(self, chunk, clean, now_s, first, **rest)

    broken.setattr(Sending, "split", clean)


def doubt_that_the_ledger_does_not_keep(broken: pytest.MonkeyPatch) -> None:
    state = packing._state
    broken.setattr(packing, "_state", lambda *told: state(*told)._replace(doubt_us=0))


def lower_bounds_not_said_of_numbers(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(lifecycle, "AT_LEAST", "")


def lower_bounds_not_said_of_sums(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(counting, "hides_records", lambda _phase: False)


def numbers_in_a_call_never_asked_again(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(Bookkeeper, "_due_again", lambda *_, **_spare: {})


def numbers_in_a_call_given_up_too_soon(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(
        "bulk_remove.sending.books.busy_delay_s",
        lambda policy, rounds, _used_s, _draw: policy.delay_first_s if rounds < 2 else None,
    )


def numbers_in_a_call_taken_for_removed(broken: pytest.MonkeyPatch) -> None:
    broken.setitem(NEXT, Event.BUSY, Phase.REMOVED)


def each_request_sent_twice(broken: pytest.MonkeyPatch) -> None:
    once = client.Client.delete

    async def twice(
        self: client.Client,
        chunk: Chunk,
        shape: RequestShape,
        now_s: float,
        departure: client.Departure,
        arrival: client.Arrival,
    ) -> Reply | Fault:
        first = await once(self, chunk, shape, now_s, departure, arrival)
        return await once(self, chunk, shape, now_s, departure, arrival) if isinstance(first, Fault) else first

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
    broken.setattr(AccountCeiling, "depart", lambda *_: 0)


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


def a_date_to_wait_for_held_against_our_own_clock(broken: pytest.MonkeyPatch) -> None:
    def read(headers: Mapping[str, str], now_s: float) -> float | None:
        return read_retry_after({**headers, "Date": ""}, now_s)

    broken.setattr(client, "read_retry_after", read)


def times_taken_from_a_clock_that_is_set(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(SystemClock, "wall_s", SystemClock.time_of_day_s)


def the_time_for_calls_taken_from_a_clock_that_is_set(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(Gate, "sending_s", property(lambda self: self._clock.time_of_day_s()))


def a_deadline_that_does_not_look_at_the_clock_again(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(SystemClock, "time_of_day_s", SystemClock.wall_s)


def hours_looked_at_only_now_and_then(broken: pytest.MonkeyPatch) -> None:
    mind = Gate._mind_hours

    def seldom(self: Gate, now_s: float) -> None:
        if not self._windows or int(now_s) % 30 == 0:
            mind(self, now_s)

    broken.setattr(Gate, "_mind_hours", seldom)


def the_time_for_calls_used_up_outside_the_hours(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(Gate, "_sending_us", property(lambda self: self._clock.now_us()))


def records_forgotten_over_rounds(broken: pytest.MonkeyPatch) -> None:
    with_verdict = lifecycle.with_verdict

    def last_only(
        state: NumberState, event: Event, removed: int, ids: tuple[int | str, ...], *rest: Any
    ) -> NumberState:
        return with_verdict(state, event, removed, ids, *rest)._replace(removed=removed, record_ids=ids)

    broken.setattr("bulk_remove.sending.books.with_verdict", last_only)


def a_verdict_counted_but_not_written(broken: pytest.MonkeyPatch) -> None:
    settle = Sending.settle

    def stale(self: Sending, chunk: Chunk, _states: Sequence[NumberState], again: Mapping[int, Again]) -> None:
        settle(self, chunk, chunk.states, again)

    broken.setattr(Sending, "settle", stale)


def the_rest_sent_before_the_canary_is_judged(broken: pytest.MonkeyPatch) -> None:
    async def hold(self: Feeder, _campaign: str = "") -> bool:
        return self.next_due_s is None

    broken.setattr(Feeder, "hold_to_canary", hold)


def _unguarded(broken: pytest.MonkeyPatch) -> None:
    """Take the lifecycle's own guard away: the checkers must see it without."""

    def lenient(phase: str, event: Event, *, doubted: bool) -> Phase:
        return Phase(phase) if phase in SETTLED else next_phase(phase, event, doubted=doubted)

    broken.setattr(lifecycle, "next_phase", lenient)


def _undoubting(forgets: Event) -> Callable[..., Phase]:
    """Return the lifecycle's table without the doubt that outlives an event."""

    def forgetful(phase: str, event: Event, *, doubted: bool) -> Phase:
        return next_phase(phase, event, doubted=doubted and event is not forgets)

    return forgetful


def _doubting(broken: pytest.MonkeyPatch, doubt: Callable[[Fault, int | None], int]) -> None:
    broken.setattr(bookkeeper, "doubt_us", doubt)


def _judging(broken: pytest.MonkeyPatch, judge: Callable[[Fastest, int], bool]) -> None:
    broken.setattr(Fastest, "may_have_acted", lambda seen, took_us, _each_ns: judge(seen, took_us))


STOPS = "a_removal_that_nobody_asked_for_stops_the_run"
KNOWN = "the_ledger_knows_what_came_of_each_request"
DENIED = "a_denial_ends_a_run_only_when_it_is_one"
SENT = "only_valid_numbers_of_the_input_are_sent"
TOLD = "statuses_are_what_the_client_was_told"
TRUE = "statuses_are_true_of_the_server"
SAID = "doubt_is_said_where_there_is_some_and_nowhere_else"
CASES: tuple[tuple[Bug, str], ...] = (
    (verdicts_joined_by_position, TOLD),
    (the_intent_written_after_the_send, "every_request_was_intended"),
    (a_lost_reply_taken_for_nothing, TOLD),
    (doubt_forgotten_while_a_call_lasts, TOLD),
    (a_refusal_taken_for_nothing_done, TRUE),
    (every_refusal_taken_for_an_execution, SAID),
    (a_denial_taken_for_nothing_done, TOLD),
    (refusals_held_against_the_whole_of_the_fastest_reply, TRUE),
    (replies_timed_to_the_end_of_their_bodies, TRUE),
    (refusals_held_against_the_half_of_the_only_reply, SAID),
    (refusals_judged_once_and_for_all_when_they_come, TRUE),
    (halves_that_do_not_inherit_doubt, SAID),
    (doubt_that_the_ledger_does_not_keep, TOLD),
    (lower_bounds_not_said_of_numbers, SAID),
    (lower_bounds_not_said_of_sums, "a_sum_that_may_be_more_is_a_lower_bound"),
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
    (a_date_to_wait_for_held_against_our_own_clock, "a_pause_that_the_server_asks_for_is_kept_by_all"),
    (times_taken_from_a_clock_that_is_set, "the_summary_has_true_seconds"),
    (the_time_for_calls_taken_from_a_clock_that_is_set, "no_number_in_a_call_is_asked_for_beyond_its_budget"),
    (times_taken_from_a_clock_that_is_set, TOLD),
    (a_deadline_that_does_not_look_at_the_clock_again, "no_request_leaves_after_the_deadline"),
    (hours_looked_at_only_now_and_then, "no_request_leaves_outside_the_hours"),
    (the_time_for_calls_used_up_outside_the_hours, "numbers_in_a_call_are_asked_until_the_budget_ends"),
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
    (bugs_of_replies.a_removal_that_nobody_asked_for_passed_over, STOPS),
    (
        bugs_of_replies.a_removal_that_nobody_asked_for_not_written_down,
        "a_removal_that_nobody_asked_for_is_in_the_report",
    ),
    (bugs_of_replies.the_run_stopped_only_once_the_removal_is_on_disk, STOPS),
    (bugs_of_replies.keys_joined_by_their_last_digits, TOLD),
    (bugs_of_replies.only_the_last_of_two_equal_keys_read, TOLD),
    (bugs_of_replies.only_one_of_two_spellings_read, TOLD),
    (bugs_of_replies.statuses_that_contradict_each_other_believed, TOLD),
    (bugs_of_replies.a_number_refused_alone_taken_for_a_mystery, TOLD),
    (bugs_of_replies.a_refusal_in_a_success_read_as_strangers, KNOWN),
    (bugs_of_replies.json_with_a_notice_not_read, KNOWN),
    (bugs_of_replies.only_200_read, KNOWN),
    (bugs_of_replies.a_stray_denial_believed, DENIED),
    (bugs_of_replies.a_denial_never_believed, DENIED),
    (bugs_of_replies.the_url_s_length_never_suspected, DENIED),
    (bugs_of_replies.the_number_tried_alone_sent_again_for_the_rest, "nothing_is_sent_after_a_final_answer"),
    (bugs_of_cells.a_decimal_glued_on, SENT),
    (bugs_of_cells.any_decimal_taken_away, "every_row_is_in_the_report_once_and_in_order"),
    (bugs_of_cells.digits_that_a_spreadsheet_lost_made_up_as_zeros, SENT),
    (bugs_of_cells.an_extension_glued_on, SENT),
    (bugs_of_cells.a_zero_in_front_sent_as_it_stands, SENT),
    (bugs_of_cells.what_is_not_whole_sent_as_it_stands, SENT),
    (bugs_of_cells.a_short_number_among_whole_ones_sent, SENT),
    (bugs_of_cells.internal_numbers_never_sent, "every_row_is_in_the_report_once_and_in_order"),
    (bugs_of_cells.a_number_that_lost_its_end_taken_for_another, SENT),
    (bugs_of_cells.rounded_numbers_sent, SENT),
    (bugs_of_cells.kept_numbers_compared_as_they_are_written, "a_kept_number_is_never_sent"),
    (bugs_of_cells.the_first_row_alone_of_a_kept_number_kept, "every_kept_row_says_so_and_no_other_does"),
    (bugs_of_cells.the_code_in_another_column_ignored, "every_row_is_in_the_report_once_and_in_order"),
)


SHOWS_IN = {
    "a_date_to_wait_for_held_against_our_own_clock": 16,
    "a_deadline_that_does_not_look_at_the_clock_again": 87,
    "a_denial_never_believed": 318,
    "a_denial_taken_for_nothing_done": 54,
    "a_number_of_two_campaigns_taken_for_one": 11,
    "a_number_refused_alone_taken_for_a_mystery": 250,
    "a_number_that_lost_its_end_taken_for_another": 8,
    "a_refusal_in_a_success_read_as_strangers": 33,
    "a_refusal_taken_for_nothing_done": 3,
    "a_removal_that_nobody_asked_for_not_written_down": 31,
    "a_removal_that_nobody_asked_for_passed_over": 31,
    "a_request_sent_to_another_campaign": 11,
    "a_resume_that_forgets_unanswered_requests": 280,
    "a_resume_that_leaves_numbers_in_a_call_behind": 250,
    "a_retry_after_ignored": 2,
    "a_short_number_among_whole_ones_sent": 316,
    "a_split_that_loses_a_half": 2,
    "a_zero_in_front_sent_as_it_stands": 8,
    "any_decimal_taken_away": 9,
    "doubt_forgotten_between_forms": 90,
    "doubt_forgotten_while_a_call_lasts": 64,
    "doubt_that_the_ledger_does_not_keep": 5,
    "each_request_sent_twice": 262,
    "every_refusal_taken_for_an_execution": 262,
    "forms_mixed_in_a_request": 16,
    "hours_looked_at_only_now_and_then": 29,
    "internal_numbers_never_sent": 15,
    "json_with_a_notice_not_read": 281,
    "kept_numbers_compared_as_they_are_written": 9,
    "keys_joined_by_their_last_digits": 280,
    "lower_bounds_not_said_of_numbers": 328,
    "lower_bounds_not_said_of_sums": 187,
    "none_found_in_a_guess_called_an_answer": 1,
    "none_in_one_form_taken_as_final": 15,
    "numbers_in_a_call_given_up_too_soon": 188,
    "numbers_in_a_call_never_asked_again": 188,
    "numbers_in_a_call_taken_for_removed": 250,
    "one_worker_too_many": 1,
    "only_200_read": 250,
    "only_one_of_two_spellings_read": 2,
    "only_the_last_of_two_equal_keys_read": 2,
    "records_forgotten_over_rounds": 250,
    "refusals_held_against_the_half_of_the_only_reply": 15,
    "refusals_held_against_the_whole_of_the_fastest_reply": 63,
    "refusals_judged_once_and_for_all_when_they_come": 217,
    "replies_timed_to_the_end_of_their_bodies": 63,
    "rounded_numbers_sent": 38,
    "statuses_that_contradict_each_other_believed": 187,
    "the_first_row_alone_of_a_kept_number_kept": 18,
    "the_form_that_the_records_show_passed_over": 4,
    "the_intent_written_after_the_send": 316,
    "the_next_form_asked_for_before_an_answer": 52,
    "the_number_tried_alone_sent_again_for_the_rest": 0,
    "the_planned_form_reported_whatever_was_found": 52,
    "the_rest_sent_before_the_canary_is_judged": 18,
    "the_run_stopped_only_once_the_removal_is_on_disk": 123,
    "the_time_for_calls_taken_from_a_clock_that_is_set": 117,
    "the_time_for_calls_used_up_outside_the_hours": 195,
    "verdicts_joined_by_position": 316,
    "what_is_not_whole_sent_as_it_stands": 7,
}
"""A seed to begin with: a short world in which the bug shows. One that is out of date costs time alone."""


@pytest.mark.parametrize(("bug", "promise"), CASES, ids=lambda case: getattr(case, "__name__", ""))
def test_a_bug_put_in_on_purpose_is_caught(bug: Bug, promise: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bug(monkeypatch)
    seen: set[str] = set()
    first = SHOWS_IN.get(bug.__name__, 0)
    for seed in range(first, first + _SEEDS):
        failure = replay(seed)
        seen.update(failure.where if failure else ())
        if promise in seen:
            return
    pytest.fail(f"{bug.__name__} went unnoticed by {promise} for {_SEEDS} seeds; noticed by {seen or 'none'}")
