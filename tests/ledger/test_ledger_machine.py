"""The ledger against plain dicts: whatever is done in whatever order, both tell the same."""

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bulk_remove.core.chunker import ENCODED, RequestShape, in_requests
from bulk_remove.core.lifecycle import NEW, SETTLED, Event, Fastest, judged_again, nowhere, taken_up, without_verdict
from bulk_remove.core.model import Again, Alike, Chunk, NumberedBlock, NumberState, RowBlock, RowOutcome, Source
from bulk_remove.core.plan import Keep, Plan, SourcePlan
from bulk_remove.ledger import (
    Outcomes,
    Planning,
    Reopening,
    Sending,
    Store,
    create,
    facts_of,
    history,
    open_existing,
    opened_for_reading,
    verify,
)
from bulk_remove.ledger.proof import seal
from bulk_remove.ledger.write import CAMPAIGN_ORDINALS
from bulk_remove.run.prepare import counts_of
from bulk_remove.settings import Settings
from tests.support.inline_journal import REQUEST
from tests.support.ledger_values import number_states, open_states

LOST = "The run was stopped hard before the reply came."
CAMPAIGNS = ("00001", "00002")
NUMBERS = [f"{600 + index}" for index in range(18)] + ["+48601", "0048601"]
rows_in = st.tuples(st.sampled_from(CAMPAIGNS), st.sampled_from(["", *NUMBERS]))
inputs = st.lists(st.lists(rows_in, max_size=16), min_size=1, max_size=3)
choice = st.integers(0, 10_000)
Key = tuple[str, str]
"""A campaign and a number in its planned form."""


def in_form(number: str, form: int) -> str:
    return number + "7" * form


@dataclass
class Model:
    """What the ledger must tell: by number its place, state, form, and when it is due; attempts by id."""

    rows: list[tuple[Source, int, str, tuple[str, ...], Key]]
    places: dict[Key, int]
    states: dict[Key, NumberState]
    forms: dict[Key, int]
    due_s: dict[Key, float]
    attempts: dict[int, tuple[int, float, float | None, str | None, str, int]]

    def outcomes(self, fastest: Fastest, under_way: Collection[Key]) -> Iterable[RowOutcome]:
        """Return what a report says by the fastest reply; what brought no reply yet may be gone or not."""
        first: dict[Key, tuple[str, int]] = {}
        for source, row, cell, others, key in self.rows:
            campaign, number = key
            if not number:
                yield RowOutcome(source, row, cell, others, "", "", None, f"Row {row} is wrong.", "")
                continue
            file, first_row = first.get(key, ("", 0))
            place = "" if not file else f"{first_row}" if file == source.file else f"{file}:{first_row}"
            first.setdefault(key, (source.file, row))
            state = self.states[key]
            if key in under_way:
                state = without_verdict(state, Event.LOST, "A request for it has brought no reply yet.")
            state = judged_again(state, fastest)
            shown = number if nowhere(state) else self.asked_as(key)
            yield RowOutcome(source, row, cell, others, shown, campaign, state, "", place)

    def asked_as(self, key: Key) -> str:
        return in_form(key[1], self.forms.get(key, 0))

    def keys_of(self, chunk: Chunk) -> list[Key]:
        by_place = {place: key for key, place in self.places.items()}
        return [by_place[ordinal] for ordinal in chunk.ordinals]


class Ledger(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp())
        self.path = self.folder / "ledger.sqlite"
        self.store = create(self.path, "r1", "0", 0.0, REQUEST)
        self.store.connection.execute("PRAGMA synchronous = OFF")
        self.model = Model([], {}, {}, {}, {}, {})
        self.now_s = 1000.0
        self.planned: list[tuple[str, tuple[str, ...]]] = []  # chunks of the plan that are open
        self.last_planned_id = 0
        self.unfetched: list[tuple[str, tuple[str, ...]]] = []
        self.held: list[Chunk] = []
        self.heads: list[str] = []  # what the proof ended with at one time or another
        self.proved = 0  # sessions, as far as the proof reaches
        self.sessions = 0
        self.under_way: dict[int, int] = {}  # attempts by chunk

    @initialize(files=inputs, size=st.integers(1, 7), kept=st.booleans())
    def plan(self, files: list[list[Key]], size: int, *, kept: bool) -> None:
        planning = Planning(self.store)
        sources = []
        for file_no, numbers in enumerate(files):
            source = Source(f"{file_no}.csv", "", ("phone", "name"), 0, "named 'phone'", "utf-8", ",", "0" * 64, 1)
            sources.append(source)
            planning.add_source(source)
            planning.add_blocks(self._blocks(source, numbers, kept=kept))
        self._set_duplicates(planning, [number for numbers in files for number in numbers])
        runs = list(planning.distinct_numbers())
        mine = {of: [n for campaign, run in runs if campaign == of for n in run] for of in CAMPAIGNS}
        assert mine == {of: [n for campaign, n in self.model.states if campaign == of] for of in CAMPAIGNS}
        chunks = list(in_requests(runs, lambda campaign: RequestShape(campaign, max_numbers=size), ENCODED))
        plans = planning.add_chunks(iter(chunks))
        assert {plan.campaign: (plan.numbers, plan.requests) for plan in plans} == {
            of: (len(numbers), -(-len(numbers) // size)) for of, numbers in mine.items() if numbers
        }
        for place, plan in enumerate(plans):
            for index, number in enumerate(mine[plan.campaign]):
                self.model.places[plan.campaign, number] = place * CAMPAIGN_ORDINALS + index
        self.planned += chunks
        self.unfetched = [*self.planned]
        told = tuple(SourcePlan(source, len(numbers), 0, ()) for source, numbers in zip(sources, files, strict=True))
        self.plan_made = Plan("r1", "", told, plans, Settings("00001").ceilings().rate, keep=Keep((), skips=True))
        planning.finish(counts_of(self.plan_made, ()))
        with self.store.transaction() as connection:
            connection.execute("UPDATE run SET approved_by = '--yes'")
            seal(connection)
            self.sessions = Sending(connection).begin_session(self.now_s, {})

    def _blocks(self, source: Source, numbers: Sequence[Key], *, kept: bool) -> Iterable[NumberedBlock]:
        for start in range(0, len(numbers), 3):
            part = numbers[start : start + 3]
            rows = [5 + 2 * (start + index) for index in range(len(part))]
            cells = [f"tel. {number}" for _, number in part]
            others = [(cell, "Łucja") for cell in cells] if kept else []
            for index, row in enumerate(rows):
                self.model.rows.append((source, row, cells[index], others[index] if kept else (), part[index]))
            problems = {index: f"Row {rows[index]} is wrong." for index, (_, number) in enumerate(part) if not number}
            block = RowBlock(source, rows, cells, others)
            yield NumberedBlock(block, [number for _, number in part], [campaign for campaign, _ in part], problems)

    def _set_duplicates(self, planning: Planning, numbers: Sequence[Key]) -> None:
        first: dict[Key, int] = {}
        pairs = [(seq, first.setdefault(key, seq)) for seq, key in enumerate(numbers) if key[1]]
        repeated = [(seq, first_seq) for seq, first_seq in pairs if seq != first_seq]
        assert planning.set_duplicates(iter(repeated[::-1])) == len(repeated)
        self.model.states = dict.fromkeys(first, NEW)

    @rule(limit=st.integers(1, 4))
    def fetch(self, limit: int) -> None:
        with self.store.transaction() as connection:
            chunks = Sending(connection).planned_chunks(self.last_planned_id, limit)
        assert [(chunk.campaign, chunk.numbers) for chunk in chunks] == self.unfetched[:limit]
        del self.unfetched[:limit]
        for chunk in chunks:
            assert chunk.first
            self._check(chunk, taken_up_again=True)
            self.last_planned_id = chunk.chunk_id
        self.held += chunks

    def _check(self, chunk: Chunk, *, taken_up_again: bool = False) -> None:
        """Hold a chunk against the model; one of the plan that an earlier session had asked for is taken up again."""
        keys = self.model.keys_of(chunk)
        states = [self.model.states[key] for key in keys]
        if taken_up_again:
            fastest = Sending(self.store.connection).fastest()
            states = [taken_up(state, fastest) for state in states]
        assert [self.model.asked_as(key) for key in keys] == list(chunk.numbers)
        assert {self.model.forms.get(key, 0) for key in keys} == {chunk.form}
        assert chunk.states == tuple(states)
        assert {campaign for campaign, _ in keys} == {chunk.campaign}

    def _take(self, which: int, states: list[NumberState]) -> tuple[Chunk, Alike[NumberState]]:
        chunk = self.held.pop(which % len(self.held))
        after = Alike.of(islice(cycle(states), len(chunk.numbers)))
        self.model.states |= dict(zip(self.model.keys_of(chunk), after, strict=True))
        return chunk, after

    def _begin(self, sending: Sending, chunk_id: int) -> None:
        attempt_id = sending.begin_attempt(chunk_id, self.now_s)
        assert attempt_id not in self.model.attempts
        self.model.attempts[attempt_id] = (chunk_id, self.now_s, None, None, "", 0)
        self.under_way[chunk_id] = attempt_id

    def _end(self, sending: Sending, chunk_id: int, result: str, strangers: int) -> None:
        if chunk_id not in self.under_way:
            self._begin(sending, chunk_id)
        attempt_id = self.under_way.pop(chunk_id)
        sending.end_attempt(attempt_id, self.now_s, result, "id-1", strangers)
        begun_at_s = self.model.attempts[attempt_id][1]
        self.model.attempts[attempt_id] = (chunk_id, begun_at_s, self.now_s, result, "id-1", strangers)

    @precondition(lambda self: self.held)
    @rule(which=choice)
    def send(self, which: int) -> None:
        chunk = self.held[which % len(self.held)]
        if chunk.chunk_id not in self.under_way:
            with self.store.transaction() as connection:
                self._begin(Sending(connection), chunk.chunk_id)

    @precondition(lambda self: self.held)
    @rule(which=choice, states=st.lists(open_states, min_size=1, max_size=3))
    def try_again_later(self, which: int, states: list[NumberState]) -> None:
        chunk, after = self._take(which, states)
        with self.store.transaction() as connection:
            sending = Sending(connection)
            sending.keep_states(chunk, after)
            self._end(sending, chunk.chunk_id, "timeout", 0)
        self.held.append(replace(chunk, states=after))

    @precondition(lambda self: self.held)
    @rule(
        which=choice,
        states=st.lists(number_states, min_size=1, max_size=3),
        again=st.dictionaries(st.integers(0, 6), st.tuples(st.integers(0, 90), st.integers(0, 2))),
    )
    def settle(self, which: int, states: list[NumberState], again: dict[int, tuple[int, int]]) -> None:
        chunk, after = self._take(which, states)
        keys = self.model.keys_of(chunk)
        how = {
            index: Again(self.now_s + seconds, in_form(keys[index][1], form), form)
            for index, (seconds, form) in again.items()
            if index < len(after) and after[index].phase not in SETTLED
        }
        with self.store.transaction() as connection:
            sending = Sending(connection)
            sending.settle(chunk, after, how)
            self._end(sending, chunk.chunk_id, "verdicts", len(again))
        self._close(chunk)
        self.model.due_s |= {keys[index]: due_s for index, (due_s, _, _) in how.items()}
        self.model.forms |= {keys[index]: form for index, (_, _, form) in how.items()}

    @precondition(lambda self: any(len(chunk.numbers) > 1 for chunk in self.held))
    @rule(which=choice, states=st.lists(open_states, min_size=1, max_size=3))
    def split(self, which: int, states: list[NumberState]) -> None:
        self.held.sort(key=lambda chunk: len(chunk.numbers) < 2)
        chunk, after = self._take(which % sum(len(chunk.numbers) > 1 for chunk in self.held), states)
        with self.store.transaction() as connection:
            sending = Sending(connection)
            left, right = sending.split(chunk, after, self.now_s)
            self._end(sending, chunk.chunk_id, "HTTP 414", 0)
        self._close(chunk)
        assert left.numbers + right.numbers == chunk.numbers
        assert abs(len(left.numbers) - len(right.numbers)) <= 1
        for half in (left, right):
            assert not half.first
            self._check(half)
        self.held += [left, right]

    def _close(self, chunk: Chunk) -> None:
        if chunk.first:
            self.planned.remove((chunk.campaign, chunk.numbers))

    @rule(seconds=st.integers(0, 60), limit=st.integers(1, 9), size=st.integers(1, 9))
    def pack_what_is_due(self, seconds: int, limit: int, size: int) -> None:
        self.now_s += seconds
        with self.store.transaction() as connection:
            sending = Sending(connection)
            due = sending.due_stragglers(self.now_s, limit)
            assert due == self._due(limit)
            if due:
                ordinals, numbers, states = zip(*due.numbers[:size], strict=True)
                chunk = sending.pack_chunk(due.campaign, due.form, numbers, ordinals, states)
                assert not chunk.first
                self._check(chunk)
                self.held.append(chunk)
                for key in self.model.keys_of(chunk):
                    del self.model.due_s[key]

    def _due(self, limit: int) -> tuple[str, int, list[tuple[int, str, NumberState]]] | None:
        model = self.model
        ripe = sorted((due_s, model.places[key], key) for key, due_s in model.due_s.items() if due_s <= self.now_s)
        if not ripe:
            return None
        alike = [(key[0], model.forms.get(key, 0)) for _, _, key in ripe]
        mine = [(place, key) for (_, place, key), like in zip(ripe, alike, strict=True) if like == alike[0]]
        return *alike[0], [(place, model.asked_as(key), model.states[key]) for place, key in mine[:limit]]

    @rule()
    def give_up_a_transaction(self) -> None:
        """What fails half-way leaves nothing behind."""
        with suppress(ZeroDivisionError), self.store.transaction() as connection:
            sending = Sending(connection)
            for chunk in self.held:
                sending.begin_attempt(chunk.chunk_id, 0.0)
                sending.settle(chunk, Alike.of([NEW] * len(chunk.numbers)), {0: Again(0.0, "1", 1)})
            assert not 1 / 0

    @rule()
    def open_again(self) -> None:
        self.store.close()
        self.store = open_existing(self.path)
        self.store.connection.execute("PRAGMA synchronous = OFF")

    @rule()
    def die_and_resume(self) -> None:
        """What was under way is lost, and every number that is not settled will be asked for again."""
        self.open_again()
        states = self.model.states
        for chunk in self.held:
            if attempt_id := self.under_way.pop(chunk.chunk_id, 0):
                begun_at_s = self.model.attempts[attempt_id][1]
                self.model.attempts[attempt_id] = (chunk.chunk_id, begun_at_s, self.now_s, "killed", "", 0)
                for key in self.model.keys_of(chunk):
                    states[key] = without_verdict(states[key], Event.LOST, LOST)
        planned = {(campaign, number) for campaign, chunk in self.planned for number in chunk}
        again = [key for key, state in states.items() if state.phase not in SETTLED and key not in planned]
        fastest = Sending(self.store.connection).fastest()
        states |= {key: taken_up(states[key], fastest) for key in again}
        self.model.due_s = dict.fromkeys(again, self.now_s)
        self.held, self.last_planned_id, self.unfetched = [], 0, [*self.planned]
        phases = Counter(judged_again(state, fastest).phase for state in states.values())
        Reopening(self.store).reopen(self.now_s)
        assert Outcomes(self.store).phases() == phases
        self.proved = self.sessions
        assert verify(self.store).unproved == 0
        with self.store.transaction() as connection:
            self.sessions = Sending(connection).begin_session(self.now_s, {})

    @invariant()
    def the_next_due_time_is_the_earliest(self) -> None:
        assert Sending(self.store.connection).next_due_s() == min(self.model.due_s.values(), default=None)

    @rule()
    def check_the_proof(self) -> None:
        verified = verify(self.store)
        assert (verified.unended, verified.unproved) == (len(self.under_way), self.sessions)
        assert verified.cut_off == self.proved
        assert verified.head == Outcomes(self.store).head()
        self.heads.append(verified.head)
        assert verify(self.store, self.heads) == verified._replace(later=0)
        Reopening(self.store).check_stragglers(lambda number: number.rstrip("7"))

    @rule()
    def report(self) -> None:
        assert list(Outcomes(self.store).rows()) == self._reported(self.store)
        with opened_for_reading(self.path) as store:
            tallies = history(store).tallies.values()
        assert sum((tally.phases for tally in tallies), Counter()) == Outcomes(self.store).phases()

    def _reported(self, store: Store) -> list[RowOutcome]:
        carried = [chunk for chunk in self.held if chunk.chunk_id in self.under_way]
        under_way = {key for chunk in carried for key in self.model.keys_of(chunk)}
        return [*self.model.outcomes(Sending(store.connection).fastest(), under_way)]

    def teardown(self) -> None:
        try:
            self._compare_at_the_end()
        finally:
            self.store.close()
            rmtree(self.folder)

    def _compare_at_the_end(self) -> None:
        self.report()
        self.store.close()
        with closing(sqlite3.connect(self.path)) as connection:
            store = Store(self.path, connection)
            assert list(Outcomes(store).rows()) == self._reported(store)
            columns = "attempt_id, chunk_id, begun_at_s, ended_at_s, result, request_id, strangers"
            attempts = connection.execute(f"SELECT {columns} FROM attempt")  # noqa: S608 - the columns stand above
            assert {attempt_id: tuple(rest) for attempt_id, *rest in attempts} == self.model.attempts
            assert facts_of(store).plan == self.plan_made
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=2 * settings().max_examples, stateful_step_count=30)
