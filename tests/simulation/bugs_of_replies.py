"""Bugs to be put in on purpose in how replies are read, and in what follows from a denial."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest

from bulk_remove.core import replies, throttle, verdicts
from bulk_remove.core.lifecycle import Event
from bulk_remove.core.model import Alike, Chunk, NumberState
from bulk_remove.core.replies import Fault, Reply, read_reply
from bulk_remove.core.spelling import Region
from bulk_remove.core.throttle import Decision, RetryPolicy, Step, Trial
from bulk_remove.core.verdicts import Verdict
from bulk_remove.ledger import Sending
from bulk_remove.sending import client
from bulk_remove.sending.books import Bookkeeper


def a_removal_that_nobody_asked_for_passed_over(broken: pytest.MonkeyPatch) -> None:
    def read(body: bytes, numbers: Sequence[str], region: Region, http_status: int) -> Reply | Fault:
        reply = read_reply(body, numbers, region, http_status)
        return replace(reply, unasked=()) if isinstance(reply, Reply) else reply

    broken.setattr(client, "read_reply", read)


def a_removal_that_nobody_asked_for_not_written_down(broken: pytest.MonkeyPatch) -> None:
    end = Sending.end_attempt

    def forgetful(
        self: Sending, attempt_id: int, now_s: float, result: str, named: str, strangers: int, _: object = ()
    ) -> None:
        end(self, attempt_id, now_s, result, named, strangers)

    broken.setattr(Sending, "end_attempt", forgetful)


def the_run_stopped_only_once_the_removal_is_on_disk(broken: pytest.MonkeyPatch) -> None:
    replied = Bookkeeper.replied

    async def late(self: Bookkeeper, chunk: Chunk, attempt_id: int, reply: Reply) -> None:
        await self._desk.halt.nap(1.0)
        await replied(self, chunk, attempt_id, reply)

    broken.setattr(Bookkeeper, "replied", late)


def keys_joined_by_their_last_digits(broken: pytest.MonkeyPatch) -> None:
    def by_the_end(keys: Iterable[str], numbers: Sequence[str], _: Region) -> dict[str, int]:
        ends = {number[-7:]: index for index, number in enumerate(numbers)}
        return {key: ends[key[-7:]] for key in keys if key[-7:] in ends}

    broken.setattr(replies, "meant", by_the_end)


def only_the_last_of_two_equal_keys_read(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(replies, "may_repeat", lambda *_: False)


def only_one_of_two_spellings_read(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(replies, "put_together", lambda values: values[-1])


def statuses_that_contradict_each_other_believed(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(verdicts, "_agree", lambda *_: True)


def a_number_refused_alone_taken_for_a_mystery(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(verdicts, "_without_status", lambda _: Verdict(Event.UNKNOWN, detail="The server said: ?"))


def a_refusal_in_a_success_read_as_strangers(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(replies, "_is_envelope", lambda _: False)


def json_with_a_notice_not_read(broken: pytest.MonkeyPatch) -> None:
    def strict(body: bytes) -> tuple[Any, bytes]:
        return orjson.loads(body), body

    broken.setattr(replies, "json_of", strict)


def only_200_read(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(client, "WITH_VERDICTS", frozenset({200}))


def a_stray_denial_believed(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(throttle, "DENIALS", 1)


def a_denial_never_believed(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(throttle, "DENIALS", 1_000)


def the_url_s_length_never_suspected(broken: pytest.MonkeyPatch) -> None:
    def end(policy: RetryPolicy, fault: Fault, trial: Trial, draw: float) -> Decision:
        decision = denied(policy, fault, trial, draw)
        return Decision(Step.END_RUN) if decision.step in {Step.PROBE, Step.SPLIT} else decision

    denied = throttle._after_denial
    broken.setattr(throttle, "_after_denial", end)


def the_number_tried_alone_sent_again_for_the_rest(broken: pytest.MonkeyPatch) -> None:
    split = Sending.split

    def forgetful(
        self: Sending, chunk: Chunk, states: Alike[NumberState], now_s: float, first: int | None = None, **rest: bool
    ) -> tuple[Chunk, ...]:
        one, *others = split(self, chunk, states, now_s, first, **rest)
        return (one, one) if first == 1 else (one, *others)

    broken.setattr(Sending, "split", forgetful)
