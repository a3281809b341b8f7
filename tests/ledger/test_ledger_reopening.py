from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bulk_remove.core.chunker import RequestShape
from bulk_remove.core.lifecycle import EVER_US, NEW, NOTHING_SEEN, status_of
from bulk_remove.core.model import Again, Alike, Chunk, NumberState, Status
from bulk_remove.ledger import Outcomes, Reopening, Sending, Store, history, trace
from tests.support.inline_journal import planned

NUMBERS = [f"{600 + index}" for index in range(8)]
REMOVED = NumberState("R", 1, (7,), 1, 0, 0.0, 50.0)
BUSY = NumberState("B", 1, (7,), 1, 1, 40.0, 50.0)
GIVEN_UP = NumberState("u", attempts=6, detail="The server did not answer in time.", doubt_us=EVER_US)
NOW_S = 1000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(planned(tmp_path, NUMBERS, RequestShape("00001", max_numbers=4))) as store:
        yield store


def step(store: Store, call: Callable[[Sending], object]) -> None:
    with store.transaction() as connection:
        call(Sending(connection))


def settle(store: Store, chunk: Chunk, after: Alike[NumberState]) -> None:
    step(store, lambda steps: steps.settle(chunk, after, {}))


def states(store: Store) -> list[NumberState]:
    return [row.state for row in Outcomes(store).rows() if row.state is not None]


def lost(state: NumberState, phase: str) -> NumberState:
    told = "The run was stopped hard before the reply came."
    return state._replace(phase=phase, attempts=state.attempts + 1, busy_since_s=0.0, detail=told, doubt_us=EVER_US)


def waiting(store: Store) -> list[str]:
    with store.transaction() as connection:
        due = Sending(connection).due_stragglers(NOW_S, 100)
    return [number for _, number, _ in due.numbers] if due else []


def later(*indices: int, due_s: float = 70.0) -> dict[int, Again]:
    return {index: Again(due_s, NUMBERS[index], 0) for index in indices}


def open_chunks(store: Store) -> list[Chunk]:
    with store.transaction() as connection:
        return Sending(connection).planned_chunks(0, 100)


def test_a_planned_chunk_under_way_is_in_doubt_and_asked_for_again_as_it_was(store: Store) -> None:
    first, second = open_chunks(store)
    step(store, lambda steps: steps.begin_attempt(first.chunk_id, 1.0))
    Reopening(store).reopen(NOW_S)
    assert Outcomes(store).phases() == {"u": 4, "U": 4}
    assert states(store) == [lost(NEW, "u")] * 4 + [NEW] * 4
    again = open_chunks(store)
    assert [chunk.numbers for chunk in again] == [first.numbers, second.numbers]
    assert again[0].states == (lost(NEW, "u"),) * 4
    assert waiting(store) == []


def test_what_an_earlier_attempt_left_is_kept_when_the_next_one_is_lost(store: Store) -> None:
    first = open_chunks(store)[0]
    refused = NEW._replace(attempts=1, detail="The server asked us to slow down (HTTP 429).")

    def try_twice(steps: Sending) -> None:
        steps.keep_states(first, Alike.of([refused] * 4))
        steps.begin_attempt(first.chunk_id, 1.0)

    step(store, try_twice)
    Reopening(store).reopen(NOW_S)
    assert states(store)[:4] == [lost(refused, "u")] * 4
    assert states(store)[0].attempts == 2


def test_a_packed_chunk_under_way_is_in_doubt_and_its_numbers_wait_to_be_packed_anew(store: Store) -> None:
    first = open_chunks(store)[0]

    def call_and_pack(steps: Sending) -> None:
        steps.settle(first, Alike.of([REMOVED, BUSY, BUSY, BUSY]), later(1, 2) | later(3, due_s=5000.0))
        packed = steps.pack_chunk("00001", 0, NUMBERS[1:3], [1, 2], (BUSY, BUSY))
        steps.begin_attempt(packed.chunk_id, 75.0)

    step(store, call_and_pack)
    Reopening(store).reopen(NOW_S)
    assert Outcomes(store).phases() == {"R": 1, "u": 2, "B": 1, "U": 4}
    assert states(store)[:4] == [REMOVED, lost(BUSY, "u"), lost(BUSY, "u"), BUSY._replace(busy_since_s=0.0)]
    assert waiting(store) == NUMBERS[1:4]


def test_the_halves_of_a_split_chunk_wait_and_only_the_one_under_way_is_in_doubt(store: Store) -> None:
    first = open_chunks(store)[0]

    def split_and_send(steps: Sending) -> None:
        left, _ = steps.split(first, first.states, 5.0)
        steps.begin_attempt(left.chunk_id, 6.0)

    step(store, split_and_send)
    Reopening(store).reopen(NOW_S)
    assert states(store) == [lost(NEW, "u")] * 2 + [NEW] * 6
    assert waiting(store) == NUMBERS[:4]
    assert [chunk.numbers for chunk in open_chunks(store)] == [tuple(NUMBERS[4:])]


def test_numbers_that_were_given_up_are_asked_for_again_and_settled_ones_never(store: Store) -> None:
    for chunk in open_chunks(store):
        settle(store, chunk, Alike.of([REMOVED, GIVEN_UP] * 2))
    Reopening(store).reopen(NOW_S)
    assert Outcomes(store).phases() == {"R": 4, "u": 4}
    assert waiting(store) == NUMBERS[1::2]
    assert states(store) == [REMOVED, GIVEN_UP] * 4
    assert store.connection.execute("SELECT count(*) FROM straggler").fetchone() == (4,)


def test_what_a_straggler_learnt_is_newer_than_its_planned_chunk(store: Store) -> None:
    first = open_chunks(store)[0]

    def call_and_remove_later(steps: Sending) -> None:
        steps.settle(first, Alike.of([BUSY] * 4), later(0))
        steps.settle(steps.pack_chunk("00001", 0, NUMBERS[:1], [0], (BUSY,)), Alike.of([REMOVED]), {})

    step(store, call_and_remove_later)
    Reopening(store).reopen(NOW_S)
    assert states(store)[0] == REMOVED
    assert waiting(store) == NUMBERS[1:4]


def test_reopening_twice_loses_an_attempt_once(store: Store) -> None:
    step(store, lambda steps: steps.begin_attempt(1, 1.0))
    Reopening(store).reopen(NOW_S)
    counts = Outcomes(store).phases()
    Reopening(store).reopen(NOW_S + 1)
    assert Outcomes(store).phases() == counts
    assert states(store)[0].attempts == 1
    ends = store.connection.execute("SELECT ended_at_s, result FROM attempt").fetchall()
    assert ends == [(NOW_S, "killed")]


def test_more_stragglers_than_fit_a_page_are_all_made_due(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bulk_remove.ledger.write._PAGE_ROWS", 3)
    for chunk in open_chunks(store):
        settle(store, chunk, Alike.of([GIVEN_UP] * 4))
    Reopening(store).reopen(NOW_S)
    assert waiting(store) == NUMBERS
    assert list(Reopening(store).waiting_numbers()) == [("00001", number) for number in NUMBERS]


def test_a_number_goes_on_in_the_form_in_which_it_was_asked_for_last(store: Store) -> None:
    between = NumberState("O", attempts=1)
    step(
        store,
        lambda steps: steps.settle(open_chunks_of(steps)[0], Alike.of([between] * 4), {2: Again(70.0, "+48602", 1)}),
    )
    Reopening(store).reopen(NOW_S)
    with store.transaction() as connection:
        due = Sending(connection).due_stragglers(NOW_S, 100)
        assert due is not None
        steps = Sending(connection)
        steps.pack_chunk("00001", due.form, [number for _, number, _ in due.numbers], [0, 1, 3], [between] * 3)
        rest = steps.due_stragglers(NOW_S, 100)
    assert (due.form, [number for _, number, _ in due.numbers]) == (0, [NUMBERS[0], NUMBERS[1], NUMBERS[3]])
    assert rest == ("00001", 1, [(2, "+48602", between)])


def open_chunks_of(steps: Sending) -> list[Chunk]:
    return steps.planned_chunks(0, 100)


def test_a_later_session_holds_refusals_against_the_replies_of_those_before_and_keeps_their_doubt(store: Store) -> None:
    seen = NOTHING_SEEN.and_reply(100_000, 4).and_reply(90_000, 4)
    quick, slow = (NEW._replace(attempts=1, doubt_us=us, doubt_each_ns=us * 250) for us in (1_000, 90_000))
    chunk = open_chunks(store)[0]
    attempt_ids: list[int] = []
    step(store, lambda steps: attempt_ids.append(steps.begin_attempt(chunk.chunk_id, 1.0)))
    step(store, lambda steps: steps.keep_states(chunk, Alike.of([quick, quick, slow, slow])))
    step(store, lambda steps: steps.keep_fastest(seen))
    step(store, lambda steps: steps.end_attempt(attempt_ids[0], 2.0, "HTTP 503", "", 0))
    assert [status_of(state.phase) for state in states(store)[:4]] == [Status.UNSENT] * 2 + [Status.IN_DOUBT] * 2
    Reopening(store).reopen(NOW_S)
    again = open_chunks(store)[0].states
    assert [state.doubt_us for state in again] == [1_000, 1_000, EVER_US, EVER_US]
    with store.transaction() as connection:
        assert Sending(connection).fastest() == seen


def test_a_number_is_in_doubt_everywhere_before_the_run_is_taken_up_again(store: Store) -> None:
    chunk = open_chunks(store)[0]
    step(store, lambda steps: steps.begin_attempt(chunk.chunk_id, 1.0))
    assert [status_of(state.phase) for state in states(store)] == [Status.IN_DOUBT] * 4 + [Status.UNSENT] * 4
    assert history(store).tallies["00001"].phases == {"u": 4, "U": 4}
    (known,) = trace(store, NUMBERS[:1], list).states
    assert (status_of(known.state.phase), known.state.attempts) == (Status.IN_DOUBT, 1)
