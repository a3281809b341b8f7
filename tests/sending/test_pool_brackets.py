"""How the pool finds out whether a server reads raw brackets, and what it costs where the server does not."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bulk_remove.core.chunker import CAREFUL_LINE, RequestShape, Writing, writing_of
from bulk_remove.core.lifecycle import Event
from bulk_remove.core.model import Alike, Brackets, Status
from bulk_remove.core.replies import Effect, Fault, Reply, read_reply
from bulk_remove.core.summary import Ending
from bulk_remove.core.verdicts import Verdict
from tests.support.pool_run import FakeServer, Run

ENCODED, RAW = Brackets.ENCODED, Brackets.RAW
UNKNOWN = writing_of(Brackets.AUTO, None)
REMOVED, NONE = Verdict(Event.REMOVED, 1, (1,)), Verdict(Event.NOT_EXIST)
PASSED_OVER = Verdict(Event.PASSED_OVER, detail="The reply did not contain this number.")
REFUSALS = {
    "400": Fault(Effect.REFUSED, "HTTP 400", "No.", 400),
    "403": Fault(Effect.DENIED, "HTTP 403", "No.", 403),
    "414": Fault(Effect.REFUSED, "HTTP 414", "Too long.", 414),
}
RESET = Fault(Effect.IN_DOUBT, "connection lost", "The connection broke before the reply.")
SHAPE = RequestShape("00001", max_request_line=690)  # room for 22 numbers with encoded brackets, for 25 with raw ones


def about(numbers: Sequence[str], verdict: Verdict = REMOVED) -> Reply:
    return Reply(Alike.of([verdict] * len(numbers)), 0)


class Server(FakeServer):
    """Answers a request with raw brackets in its own way, and removes what it is asked for otherwise."""

    def __init__(self, raw: Fault | Verdict | int, else_: Verdict = REMOVED, latency_s: float = 0.2) -> None:
        super().__init__(self._answered, latency_s, fault_s=0.0)
        self._raw, self._else = raw, else_

    def _answered(self, _now: float, numbers: Sequence[str]) -> Reply | Fault:
        line = self.shapes[-1].line_bytes(*numbers)
        if line > self.shapes[-1].max_request_line:
            raise AssertionError(f"a line of {line} bytes")
        if self.shapes[-1].brackets is ENCODED:
            return about(numbers, self._else)
        if isinstance(self._raw, Fault):
            return self._raw
        if isinstance(self._raw, Verdict):
            return about(numbers, self._raw)
        read = [PASSED_OVER] * (len(numbers) - self._raw) + [REMOVED] * self._raw
        return Reply(Alike.of(read), 0)

    @property
    def sizes(self) -> list[tuple[str, int]]:
        return [(shape.brackets.value, len(asked)) for shape, asked in zip(self.shapes, self.asked, strict=True)]


def run(folder: Path, server: FakeServer, numbers: int = 500, writing: Writing = UNKNOWN) -> Run:
    return Run(folder, server, numbers=numbers, concurrency=4, rate=50.0, writing=writing, planned_as=SHAPE)


def test_a_server_that_reads_raw_brackets_is_asked_for_more_numbers_after_one_reply_of_each_kind(
    tmp_path: Path,
) -> None:
    server = Server(REMOVED)
    done = run(tmp_path, server)
    assert done.statuses == {Status.REMOVED: 500}
    assert server.sizes == [("encoded", 22), *[("raw", 25)] * 19, ("raw", 3)]
    assert server.moments_s[1] >= server.moments_s[0] + 0.2  # one at a time, until both are answered
    assert server.moments_s[2] >= server.moments_s[1] + 0.2
    assert server.most_at_once > 1
    assert done.brackets is RAW


@pytest.mark.parametrize("raw", [*REFUSALS.values(), RESET], ids=[*REFUSALS, "reset"])
def test_a_refusal_of_raw_brackets_is_a_plain_retry_that_loses_no_number_and_teaches(
    tmp_path: Path, raw: Fault
) -> None:
    server = Server(raw)
    done = run(tmp_path, server)
    assert done.ending is Ending.DONE
    assert done.statuses == {Status.REMOVED: 500}
    assert [brackets for brackets, _ in server.sizes].count("raw") == 1
    assert server.sizes[2] == ("encoded", 22)
    assert set(server.asked[2]) < set(server.asked[1])
    # What did not fit is sent with others, so there are about as few requests as with encoded brackets from the start.
    assert len(server.asked) <= 2 + -(-500 // 22)
    assert done.brackets is ENCODED
    assert done.longest_line is None


@pytest.mark.parametrize("raw", [0, 1], ids=["none read", "only the last read"])
def test_numbers_that_a_server_does_not_read_are_asked_for_again_and_never_called_not_there(
    tmp_path: Path, raw: int
) -> None:
    server = Server(raw, NONE)
    done = run(tmp_path, server)
    assert done.brackets is ENCODED
    left_out = 25 - raw
    told = {Status.PRESUMED_REMOVED: left_out, Status.NOT_EXIST: 500 - 25, Status.REMOVED: raw}
    assert done.statuses == {status: count for status, count in told.items() if count}
    asked = Counter(number for numbers in server.asked for number in numbers)
    assert sorted(asked.values())[-left_out - 1 :] == [1, *[2] * left_out]


def test_a_lost_reply_to_raw_brackets_leaves_doubt_and_a_refusal_at_once_leaves_none(tmp_path: Path) -> None:
    for raw, presumed in ((RESET, 25), (REFUSALS["400"], 0)):
        folder = tmp_path / raw.kind
        folder.mkdir()
        statuses = run(folder, Server(raw, NONE)).statuses
        assert statuses == Counter({Status.NOT_EXIST: 500 - presumed}) + Counter({Status.PRESUMED_REMOVED: presumed})


def test_one_request_is_sent_as_one_and_nothing_is_learned_of_it(tmp_path: Path) -> None:
    server = Server(RESET)
    done = run(tmp_path, server, numbers=22)
    assert server.sizes == [("encoded", 22)]
    assert done.brackets is None


def test_a_known_host_is_asked_with_raw_brackets_at_once_and_not_believed_for_ever(tmp_path: Path) -> None:
    known = writing_of(Brackets.AUTO, RAW)
    for raw, sizes, brackets in (
        (REMOVED, [("raw", 25)] * 20, RAW),
        (REFUSALS["403"], [("raw", 25), *[("encoded", 22)] * 22, ("encoded", 16)], ENCODED),
    ):
        folder = tmp_path / brackets.value
        folder.mkdir()
        server = Server(raw)
        done = run(folder, server, writing=known)
        assert done.statuses == {Status.REMOVED: 500}
        assert server.sizes == sizes
        assert done.brackets is brackets


def test_a_host_that_refuses_everything_is_not_believed_to_read_raw_brackets(tmp_path: Path) -> None:
    server = FakeServer(lambda _now, _numbers: REFUSALS["403"])
    done = run(tmp_path, server, writing=writing_of(Brackets.AUTO, RAW))
    assert done.ending is Ending.DENIED
    assert done.fault is not None
    assert done.fault.campaign == "00001"
    assert [shape.brackets for shape in server.shapes[:2]] == [RAW, ENCODED]
    assert len(server.asked) <= 4
    assert done.brackets is None


def test_a_line_over_8000_bytes_that_is_refused_costs_one_request_and_the_brackets_stay_raw(tmp_path: Path) -> None:
    def answer(_now: float, numbers: Sequence[str]) -> Reply | Fault:
        return about(numbers) if server.shapes[-1].line_bytes(*numbers) <= CAREFUL_LINE else REFUSALS["414"]

    server = FakeServer(answer, 0.2)
    shape = RequestShape("00001")
    done = Run(tmp_path, server, numbers=3000, concurrency=1, rate=50.0, writing=UNKNOWN, planned_as=shape)
    assert done.statuses == {Status.REMOVED: 3000}
    assert (done.brackets, done.longest_line) == (RAW, CAREFUL_LINE)
    sizes = [len(numbers) for numbers in server.asked]
    assert sizes[:3] == [274, 325, 318]
    assert len(sizes) <= 3 + -(-(3000 - 274) // 318)


def test_a_reply_with_a_stranger_does_not_show_that_raw_brackets_are_read(tmp_path: Path) -> None:
    def answer(_now: float, numbers: Sequence[str]) -> Reply:
        return replace(about(numbers), strangers=int(server.shapes[-1].brackets is RAW))

    server = FakeServer(answer, 0.2)
    done = run(tmp_path, server)
    assert (done.statuses, done.brackets) == ({Status.REMOVED: 500}, ENCODED)
    assert sum(shape.brackets is RAW for shape in server.shapes) == 1


@pytest.mark.parametrize("limit", [8084, 8092, 8096, 8100, 8108], ids=lambda limit: f"{limit} bytes")
def test_a_proxy_that_cuts_raw_lines_cuts_no_line_after_the_first(tmp_path: Path, limit: int) -> None:
    """Wherever it cuts: in a number, or between two of them, which no number in the reply shows."""
    cuts = 0

    def answer(_now: float, numbers: Sequence[str]) -> Reply | Fault:
        nonlocal cuts
        shape = server.shapes[-1]
        lines = [shape.line_bytes(*numbers[:count]) for count in range(1, len(numbers) + 1)]
        arrived = sum(line <= limit for line in lines)
        if arrived == len(numbers):
            return about(numbers)
        cuts += 1
        end = limit - lines[arrived - 1] - shape.number_bytes("")
        body = {number: [{"http_status": 200, "record_id": 7, "status": "REMOVED"}] for number in numbers[:arrived]}
        if end > 0:
            body[numbers[arrived][:end]] = [{"http_status": 404, "status": "NOT_EXIST"}]
        return read_reply(json.dumps(body).encode(), numbers)

    server = FakeServer(answer, 0.2)
    shape = RequestShape("00001")
    done = Run(tmp_path, server, numbers=3000, concurrency=1, rate=50.0, writing=UNKNOWN, planned_as=shape)
    assert done.statuses == {Status.REMOVED: 3000}
    assert cuts == 1
    assert done.longest_line is not None
    assert CAREFUL_LINE <= done.longest_line <= limit


def test_a_proxy_that_answers_raw_brackets_with_401_does_not_end_the_run(tmp_path: Path) -> None:
    server = Server(Fault(Effect.DENIED, "HTTP 401", "No.", 401))
    done = run(tmp_path, server)
    assert done.ending is Ending.DONE
    assert done.statuses == {Status.REMOVED: 500}
