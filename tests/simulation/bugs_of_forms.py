"""Bugs to be put in on purpose in what asks for other forms and keeps campaigns apart."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from bulk_remove.core import lifecycle
from bulk_remove.core.chunker import RequestShape
from bulk_remove.core.lifecycle import Event, Phase, next_phase
from bulk_remove.core.model import Chunk, NumberFormat, NumberState
from bulk_remove.ledger import RowKeys, Sending
from bulk_remove.ledger import read as outcomes
from bulk_remove.ledger.store import unpack_state
from bulk_remove.ledger.write import Due, Span
from bulk_remove.sending import books as bookkeeper
from bulk_remove.sending.books import Bookkeeper
from bulk_remove.settings import Settings


def the_next_form_asked_for_before_an_answer(broken: pytest.MonkeyPatch) -> None:
    skip = Bookkeeper.skip

    async def hasty(self: Bookkeeper, chunk: Chunk) -> bool:
        if not chunk.first or chunk.chunk_id > 1:
            return await skip(self, chunk)
        now_s = self._desk.clock.wall_s()
        hows = [self._next_form(number, now_s) for number in chunk.numbers]
        again = {index: how for index, how in enumerate(hows) if how}

        await self._desk.journal.write(lambda steps: steps.settle(chunk, chunk.states, again))
        self._settled(chunk, chunk.states, again)
        return True

    broken.setattr(Bookkeeper, "skip", hasty)


def none_in_one_form_taken_as_final(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(Bookkeeper, "_other_forms", lambda *_: {})


def forms_mixed_in_a_request(broken: pytest.MonkeyPatch) -> None:
    alike = Sending.due_stragglers

    def mixed(self: Sending, until_s: float, limit: int, within: Span | None) -> Due | None:
        due = alike(self, until_s, limit, within)
        rows = self._connection.execute(
            "SELECT ordinal, number, state FROM straggler WHERE campaign = ? AND due_at_s <= ?"
            " ORDER BY due_at_s, ordinal LIMIT ?",
            (due and due.campaign, until_s, limit),
        )
        return due and due._replace(numbers=[(place, number, unpack_state(state)) for place, number, state in rows])

    broken.setattr(Sending, "due_stragglers", mixed)


def the_planned_form_reported_whatever_was_found(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(outcomes, "nowhere", lambda _state: True)


def doubt_forgotten_between_forms(broken: pytest.MonkeyPatch) -> None:
    def forgetful(phase: str, event: Event, *, doubted: bool) -> Phase:
        return next_phase(phase, event, doubted=doubted and event is not Event.NOT_IN_THIS_FORM)

    def with_verdict(*told: Any) -> NumberState:
        state = lifecycle.with_verdict(*told)
        return state._replace(doubt_us=0) if state.phase == Phase.OTHER_FORM else state

    broken.setattr(lifecycle, "next_phase", forgetful)
    broken.setattr(bookkeeper, "with_verdict", with_verdict)


def none_found_in_a_guess_called_an_answer(broken: pytest.MonkeyPatch) -> None:
    broken.setattr("bulk_remove.run.finish.none_found", lambda _results: None)


def the_form_that_the_records_show_passed_over(broken: pytest.MonkeyPatch) -> None:
    broken.setattr("bulk_remove.settings.chosen_forms", lambda *_: (NumberFormat.NATIONAL, ()))


def a_request_sent_to_another_campaign(broken: pytest.MonkeyPatch) -> None:
    shape = Settings.shape

    def astray(self: Settings, campaign: str, base_path: str) -> RequestShape:
        other = "00002" if self.campaign_column and campaign == "00001" else campaign
        return replace(shape(self, campaign, base_path), campaign=other)

    broken.setattr(Settings, "shape", astray)


def a_number_of_two_campaigns_taken_for_one(broken: pytest.MonkeyPatch) -> None:
    add = RowKeys.add

    def groupless(self: RowKeys, numbers: Sequence[str], _groups: Sequence[str] = ()) -> None:
        add(self, numbers)

    broken.setattr(RowKeys, "add", groupless)
