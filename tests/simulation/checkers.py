"""Every promise, held against every result. The name of the checker that fails is part of what a failure says."""

from collections.abc import Callable

from tests.simulation import reported, totals, traffic
from tests.simulation.evidence import Evidence
from tests.simulation.run import Result

CHECKERS: tuple[Callable[[Evidence], None], ...] = (
    traffic.the_world_kept_its_own_rules,
    reported.every_row_is_in_the_report_once_and_in_order,
    reported.the_number_shown_is_the_form_in_which_it_was_found,
    reported.invalid_rows_say_so_and_others_do_not,
    reported.every_kept_row_says_so_and_no_other_does,
    reported.duplicates_carry_their_first_row,
    totals.the_sum_closes,
    traffic.only_valid_numbers_of_the_input_are_sent,
    traffic.a_kept_number_is_never_sent,
    traffic.each_request_goes_to_the_campaign_of_its_numbers,
    traffic.no_request_mixes_forms,
    traffic.forms_are_asked_for_one_after_the_other,
    traffic.the_canary_goes_alone,
    traffic.every_request_was_intended,
    traffic.the_ledger_knows_what_came_of_each_request,
    traffic.no_number_is_in_two_requests_at_once,
    traffic.nothing_is_sent_after_a_final_answer,
    reported.statuses_are_what_the_client_was_told,
    reported.statuses_are_true_of_the_server,
    reported.not_exist_means_in_none_of_its_forms,
    reported.doubt_is_said_where_there_is_some_and_nowhere_else,
    reported.a_final_answer_stays,
    reported.presumed_only_where_a_request_went_unanswered,
    reported.failures_are_the_server_s,
    reported.details_belong_to_their_status,
    traffic.the_ceilings_are_never_passed,
    traffic.a_pause_that_the_server_asks_for_is_kept_by_all,
    traffic.a_removal_that_nobody_asked_for_stops_the_run,
    traffic.a_denial_ends_a_run_only_when_it_is_one,
    reported.a_removal_that_nobody_asked_for_is_in_the_report,
    traffic.numbers_in_a_call_are_asked_until_the_budget_ends,
    traffic.no_number_in_a_call_is_asked_for_beyond_its_budget,
    traffic.no_request_leaves_after_the_deadline,
    traffic.no_request_leaves_outside_the_hours,
    reported.a_run_that_ends_by_itself_asked_for_every_number,
    totals.the_summary_adds_up,
    totals.the_summary_has_true_seconds,
    totals.a_sum_that_may_be_more_is_a_lower_bound,
    totals.the_progress_shown_was_true,
    totals.what_was_told_as_final_is_in_the_report,
    totals.the_exit_code_is_0_only_when_all_is_final,
    totals.none_found_in_a_guess_is_never_called_an_answer,
    reported.in_a_calm_world_everything_comes_to_an_answer,
)


class Broken(Exception):  # noqa: N818 - promises, broken
    """Promises that do not hold; `where` tells by the name of each what was found."""

    def __init__(self, where: dict[str, str]) -> None:
        super().__init__("; ".join(where))
        self.where = where


def check(result: Result) -> None:
    """Hold a result against every promise. Raises Broken for those that do not hold."""
    evidence = Evidence(result)
    where = {checker.__name__: found for checker in CHECKERS if (found := _found(checker, evidence))}
    if where:
        raise Broken(where)


def _found(checker: Callable[[Evidence], None], evidence: Evidence) -> str:
    """Return what a checker found, empty when its promise holds. What it misses in the evidence is a finding, too."""
    try:
        checker(evidence)
    except (AssertionError, LookupError) as error:
        return f"{type(error).__name__} {error}".removeprefix("AssertionError ") or "it does not hold"
    return ""
