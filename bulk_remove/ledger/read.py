"""Reads a ledger: the result of every row in the order of the input, the history of the run, the trace of a number.

Rows and states are joined in one pass: a campaign's planned chunks are in the order of its ordinals, and each row with
a new number takes the next ordinal. The state that a later duplicate needs is set aside on disk with its first row.

`trace` finds the rows, requests and state of one number. SQLite searches whole columns: seconds for a run of millions.

`opened_for_reading` opens the ledger of an earlier run or of one under way; a damaged cell raises StorageError.
`facts_of` returns the settings and the plan of a run, `history` its sessions and counts.
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import lru_cache, partial
from math import ceil
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from bulk_remove.core.lifecycle import (
    Event,
    gone_meanwhile,
    judged_again,
    nowhere,
    status_of,
    was_found,
    without_verdict,
)
from bulk_remove.core.model import NO_NUMBER, Alike, NumberedBlock, NumberState, OutcomeBlock, RowOutcome, Status
from bulk_remove.core.numbers import AlsoTry, Rest
from bulk_remove.core.plan import CampaignPlan, Keep, KeepList, Plan, SourcePlan
from bulk_remove.core.throttle import Level, ceilings_of
from bulk_remove.core.timeline import Attempt, SessionSpan
from bulk_remove.core.verdicts import UnaskedRemoval
from bulk_remove.errors import StorageError
from bulk_remove.language import phrase
from bulk_remove.ledger.proof import WrittenFile, add_file, head, written_files
from bulk_remove.ledger.store import (
    Store,
    UnmadeError,
    check_format,
    checked,
    damage_as_error,
    pack_state,
    unpack_block,
    unpack_source,
    unpack_state,
    unpack_states,
)
from bulk_remove.ledger.write import Sending, blocks_of
from bulk_remove.settings import Destination, Settings

_QUANTILES = (0.5, 0.95, 0.99, 1.0)
_REPLIES = "FROM attempt WHERE result = 'verdicts'"

SESSION_END = (
    "coalesce(ended_at_s, (SELECT begun_at_s FROM attempt WHERE attempt_id >= first_attempt AND attempt_id <"
    " coalesce((SELECT first_attempt FROM session later WHERE later.session_no = session.session_no + 1), 9e18)"
    " ORDER BY attempt_id DESC LIMIT 1), began_at_s)"
)
"""SQL for when a session ended. A killed session ended with its last request.

That request is found by its id, not by time: the clock may have been set back between two sessions.
"""


_WAITS = NumberState(NO_NUMBER)
_NO_REPLY_YET = "A request for it has brought no reply yet."


class Totals(NamedTuple):
    """Sums over all sessions. `faults` counts requests without verdicts by kind; `seconds` is the time of sending."""

    requests: int
    faults: dict[str, int]
    strangers: int
    sessions: int
    began_at_s: float
    ended_at_s: float
    seconds: float


class RecordCount(NamedTuple):
    """Count of records in a campaign before and after the run. For an unknown count (None) `note` says why."""

    campaign: str
    before: int | None
    after: int | None
    note: str


class Outcomes:
    """Reads a ledger that nobody else is writing to, and notes the reports that were written from it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def rows(self) -> Iterator[RowOutcome]:
        """Yield every row of the input once, in order."""
        for block in self.blocks():
            yield from block.outcomes()

    def blocks(self) -> Iterator[OutcomeBlock]:
        """Yield the same rows in blocks, each of one source."""
        with self._store.reading() as connection:
            connection.execute(
                "CREATE TEMP TABLE IF NOT EXISTS carried (seq INTEGER PRIMARY KEY, file, row, number, state)"
            )
            connection.execute("DELETE FROM carried")
            states: dict[str, CampaignStates] = {}
            duplicates = _Cursor(connection.execute("SELECT seq, first_seq FROM duplicate ORDER BY seq"))
            wanted = _Cursor(connection.execute("SELECT DISTINCT first_seq FROM duplicate ORDER BY first_seq"))
            first_seq = 0
            for block in blocks_of(self._store):
                for campaign in {*block.campaigns} - {*states}:
                    states[campaign] = CampaignStates(connection, campaign)
                after_seq = first_seq + len(block.numbers)
                earlier = {seq - first_seq: first for seq, (first,) in duplicates.until(after_seq)}
                outcomes = _join(block, earlier, states)
                file, rows, numbers = outcomes.source.file, outcomes.rows, outcomes.numbers
                connection.executemany(
                    "INSERT INTO carried VALUES (?, ?, ?, ?, ?)",
                    [
                        (first_seq + at, file, rows[at], numbers[at], pack_state(outcomes.states[at]))
                        for at in [seq - first_seq for seq, _ in wanted.until(after_seq)]
                    ],
                )
                yield _copy_to_duplicates(connection, outcomes, earlier) if earlier else outcomes
                first_seq = after_seq

    def totals(self) -> Totals:
        """Add up the attempts of all sessions."""
        with self._store.reading() as connection:
            results = dict(connection.execute("SELECT result, count(*) FROM attempt GROUP BY result").fetchall())
            strangers = connection.execute("SELECT ifnull(sum(strangers), 0) FROM attempt").fetchone()[0]
            sessions = connection.execute(
                f"SELECT began_at_s, {SESSION_END} FROM session ORDER BY session_no"  # noqa: S608 - a constant
            ).fetchall()
        results.pop("not sent", None)
        requests = sum(results.values())
        results.pop("verdicts", None)
        seconds = sum(max(0.0, ended_s - began_s) for began_s, ended_s in sessions)
        return Totals(requests, results, strangers, len(sessions), sessions[0][0], sessions[-1][1], seconds)

    def unasked_removals(self) -> list[UnaskedRemoval]:
        """Return the removals in replies that nobody asked for, in the order of the requests."""
        with self._store.reading() as connection:
            rows = connection.execute(
                "SELECT unasked, campaign, ended_at_s, attempt_id FROM attempt JOIN chunk USING (chunk_id)"
                " WHERE unasked IS NOT NULL ORDER BY attempt_id"
            ).fetchall()
        return [
            UnaskedRemoval(number, tuple(record_ids), *told)
            for packed, *told in rows
            for number, record_ids in orjson.loads(packed)
        ]

    def head(self) -> str:
        """Return the last link (hex) of the proof."""
        with self._store.reading() as connection:
            return head(connection)

    def wrote(self, files: Iterable[WrittenFile]) -> None:
        """Add written report files to the proof. Raises StorageError."""
        with self._store.transaction() as connection:
            for file in files:
                add_file(connection, file)

    def written(self) -> list[WrittenFile]:
        """Return the report files that were written, in order. Raises StorageError."""
        with self._store.reading() as connection:
            return written_files(connection)

    def record_counts(self) -> list[RecordCount]:
        """Return the records that the server counted in each campaign. Empty if it was not asked."""
        with self._store.reading() as connection:
            rows = connection.execute("SELECT campaign, before, after, note FROM record_count ORDER BY campaign")
            return [RecordCount(*row) for row in rows]

    def sessions(self) -> tuple[SessionSpan, ...]:
        """Return the sessions in order. The ending of a killed session is empty. Raises StorageError."""
        with self._store.reading() as connection:
            rows = connection.execute(
                f"SELECT began_at_s, {SESSION_END}, settings, ifnull(ending, '') FROM session ORDER BY session_no"  # noqa: S608 - a constant
            ).fetchall()
        return tuple(
            SessionSpan(
                began_s,
                ended_s,
                ceilings_of(Level(settings["pace"]), settings["rate"], settings["concurrency"]).rate,
                ending,
                tuple(settings.get("hours", ())),
            )
            for began_s, ended_s, packed, ending in rows
            for settings in [orjson.loads(packed)]
        )

    def last_settings(self) -> dict[str, object]:
        """Return the settings of the last session, as `Settings.public` gave them. There must be a session."""
        with self._store.reading() as connection:
            (packed,) = connection.execute("SELECT settings FROM session ORDER BY session_no DESC LIMIT 1").fetchone()
        settings: dict[str, object] = orjson.loads(packed)
        return settings

    def attempts(self) -> Iterator[Attempt]:
        """Yield the requests that were sent, in order. Raises StorageError."""
        with self._store.reading() as connection:
            for row in connection.execute(
                "SELECT begun_at_s, ifnull(ended_at_s, begun_at_s), ifnull(result, 'no reply yet'), request_id"
                " FROM attempt WHERE result IS NOT 'not sent' ORDER BY attempt_id"
            ):
                yield Attempt(*row)

    def reply_times_s(self) -> dict[float, float]:
        """Return quantiles of the time until the verdicts, in seconds: 0.5 is the median, 1.0 the longest."""
        with self._store.reading() as connection:
            (count,) = connection.execute(f"SELECT count(*) {_REPLIES}").fetchone()
            if not count:
                return {}
            return {
                share: connection.execute(
                    f"SELECT ended_at_s - begun_at_s {_REPLIES} ORDER BY 1 LIMIT 1 OFFSET ?",
                    (max(0, ceil(share * count) - 1),),
                ).fetchone()[0]
                for share in _QUANTILES
            }

    def phases(self) -> Counter[str]:
        """Return the count of distinct numbers by phase."""
        counted = Counter[str]()
        with self._store.reading() as connection:
            for (campaign,) in connection.execute("SELECT DISTINCT campaign FROM chunk").fetchall():
                for _, states in CampaignStates(connection, campaign).chunks():
                    for state, count in states.counted():
                        counted[state.phase] += count
        return counted


def _standing(connection: sqlite3.Connection) -> Callable[[int | None, NumberState], NumberState]:
    """Return a function of a chunk and a state stored for it. It judges the state again by the fastest reply until now.

    A number is in doubt while its chunk has no reply.
    """
    fastest = Sending(connection).fastest()
    under_way = {
        chunk_id for (chunk_id,) in connection.execute("SELECT chunk_id FROM attempt WHERE ended_at_s IS NULL")
    }

    def standing(chunk_id: int | None, state: NumberState) -> NumberState:
        if chunk_id in under_way:
            state = without_verdict(state, Event.LOST, _NO_REPLY_YET)
        return judged_again(state, fastest)

    return standing


class CampaignStates:
    """The distinct numbers of a campaign, in the form in which they were sent last, and their states, by ordinal."""

    def __init__(self, connection: sqlite3.Connection, campaign: str) -> None:
        self._connection = connection
        self._campaign = campaign
        self._standing = _standing(connection)
        self._chunks = self.chunks()
        self._asked: list[str] = []
        self._states: Alike[NumberState] = Alike((), ())

    def take(self, count: int) -> tuple[list[str], Alike[NumberState]]:
        """Return the next `count` numbers and their states."""
        asked: list[str] = []
        states: list[Alike[NumberState]] = []
        while (missing := count - len(asked)) > 0:
            if not self._asked:
                self._asked, self._states = next(self._chunks)
            asked += self._asked[:missing]
            states.append(self._states[:missing])
            self._asked, self._states = self._asked[missing:], self._states[missing:]
        return asked, Alike.chained(states)

    def chunks(self) -> Iterator[tuple[list[str], Alike[NumberState]]]:
        """Yield all numbers and states, chunk by chunk."""
        stragglers = _Cursor(
            self._connection.execute(
                "SELECT ordinal, number, state, chunk_id FROM straggler WHERE campaign = ? ORDER BY ordinal",
                (self._campaign,),
            )
        )
        chunks = self._connection.execute(
            "SELECT numbers, first_ordinal, states, chunk_id FROM chunk"
            " WHERE campaign = ? AND first_ordinal IS NOT NULL ORDER BY first_ordinal",
            (self._campaign,),
        )
        standing = self._standing
        for joined, first_ordinal, packed, planned_id in chunks:
            asked = joined.split("\n")
            newer = {}
            for ordinal, (number, state, chunk_id) in stragglers.until(first_ordinal + len(asked)):
                asked[ordinal - first_ordinal] = number
                newer[ordinal - first_ordinal] = standing(chunk_id, unpack_state(state))
            planned = unpack_states(packed, len(asked)).each(partial(standing, planned_id))
            yield asked, planned.but(newer)


class _Cursor:
    """A sorted result of (key, values ...), read step by step."""

    def __init__(self, rows: Iterator[tuple[Any, ...]]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def until(self, end: int) -> Iterator[tuple[int, list[Any]]]:
        """Yield the next keys below `end`, each with its values."""
        while self._next is not None and self._next[0] < end:
            key, *values = self._next
            self._next = next(self._rows, None)
            yield key, values


def _join(block: NumberedBlock, earlier: Mapping[int, int], states: Mapping[str, CampaignStates]) -> OutcomeBlock:
    """Join rows and states. Rows in `earlier` (by index) are duplicates, and get their states later."""
    numbers, campaigns = [*block.numbers], block.campaigns
    size = len(numbers)
    parts: list[tuple[Sequence[int], Alike[NumberState]]] = [([*earlier], Alike((_WAITS,), [0] * len(earlier)))]
    if block.problems:
        campaigns = [campaign if number else "" for number, campaign in zip(numbers, campaigns, strict=True)]
        without = sorted(block.problems)
        parts.append((without, Alike.of(NumberState(NO_NUMBER, detail=block.problems[place]) for place in without)))
    new: dict[str, Sequence[int]] = {}  # the rows whose number is not in an earlier row
    if not block.problems and not earlier and len({*block.campaigns}) == 1:
        new = {block.campaigns[0]: range(size)}
    else:
        by_campaign = defaultdict[str, list[int]](list)
        for place, (number, campaign) in enumerate(zip(numbers, block.campaigns, strict=True)):
            if number and place not in earlier:
                by_campaign[campaign].append(place)
        new |= by_campaign
    for campaign, places in new.items():
        asked, known = states[campaign].take(len(places))
        for index in known.where(nowhere):
            asked[index] = numbers[places[index]]
        if isinstance(places, range):
            numbers[places.start : places.stop] = asked
        else:
            for place, number in zip(places, asked, strict=True):
                numbers[place] = number
        parts.append((places, known))
    rows = block.rows
    return OutcomeBlock(
        rows.source, rows.rows, rows.cells, rows.others, numbers, campaigns, Alike.placed(size, parts), {}
    )


def _copy_to_duplicates(
    connection: sqlite3.Connection, block: OutcomeBlock, earlier: Mapping[int, int]
) -> OutcomeBlock:
    """Give the duplicates the states of their first rows."""
    numbers, states, duplicate_of = [*block.numbers], {}, {}
    for place, first_seq in earlier.items():
        file, row, numbers[place], packed = connection.execute(
            "SELECT file, row, number, state FROM carried WHERE seq = ?", (first_seq,)
        ).fetchone()
        states[place] = unpack_state(packed)
        duplicate_of[place] = str(row) if file == block.source.file else f"{file}:{row}"
    return replace(block, numbers=numbers, states=block.states.but(states), duplicate_of=duplicate_of)


_HOLDS_UNSENT = "instr(char(10) || numbers || char(10), char(10) || char(10))"
_HOLDS = "instr(char(10) || numbers || char(10), char(10) || ? || char(10))"


_CARRIERS = f"SELECT chunk_id, campaign, numbers, first_ordinal, states FROM chunk WHERE {_HOLDS}"  # noqa: S608 - constant
_ATTEMPTS = (
    "SELECT begun_at_s, ended_at_s, ifnull(result, ''), request_id FROM attempt"
    " WHERE chunk_id = ? AND result IS NOT 'not sent' ORDER BY attempt_id"
)
_NEWER = "SELECT number, state, chunk_id FROM straggler WHERE ordinal = ?"


class TracedRow(NamedTuple):
    """A row of the input with the number. `problem` says why it was never sent for that row, if so."""

    file: str
    sheet: str
    row: int
    cell: str
    campaign: str
    problem: str = ""


class TracedRequest(NamedTuple):
    """A request with the number as `sent`, and `others` more numbers. Times in Unix seconds.

    `result` is 'verdicts' or the kind of the fault. Without a known end it is empty, and `ended_at_s` is None.
    """

    campaign: str
    sent: str
    others: int
    begun_at_s: float
    ended_at_s: float | None
    result: str
    request_id: str


class TracedState(NamedTuple):
    """The state of the number in one campaign, and the form that the report shows."""

    campaign: str
    number: str
    state: NumberState


class Trace(NamedTuple):
    """Everything in a ledger about a number. Empty if the run did not have the number."""

    rows: tuple[TracedRow, ...]
    requests: tuple[TracedRequest, ...]
    states: tuple[TracedState, ...]


def trace(store: Store, forms: Sequence[str], read: Callable[[Sequence[str]], Sequence[str]]) -> Trace:
    """Return the trace of a number in these forms, the planned one first. `read` reads cells as numbers."""
    requests: list[TracedRequest] = []
    states: list[TracedState] = []
    with store.reading() as connection:
        standing = _standing(connection)
        for form in forms:
            for chunk_id, campaign, joined, first_ordinal, packed in connection.execute(_CARRIERS, (form,)):
                numbers = joined.split("\n")
                attempts = connection.execute(_ATTEMPTS, (chunk_id,))
                requests += [TracedRequest(campaign, form, len(numbers) - 1, *attempt) for attempt in attempts]
                if first_ordinal is None:
                    continue
                place = numbers.index(form)
                newer = connection.execute(_NEWER, (first_ordinal + place,)).fetchone()
                last, newest, carrier_id = newer or (form, "", chunk_id)
                state = unpack_state(newest) if newer else unpack_states(packed, len(numbers))[place]
                state = standing(carrier_id, state)
                states.append(TracedState(campaign, form if nowhere(state) else last, state))
        requests.sort(key=attrgetter("begun_at_s"))
        return Trace(tuple(_rows(connection, forms[0], read)), tuple(requests), tuple(states))


def _rows(
    connection: sqlite3.Connection, number: str, read: Callable[[Sequence[str]], Sequence[str]]
) -> Iterator[TracedRow]:
    blocks = connection.execute(
        "SELECT properties, numbers, campaigns, contents FROM block JOIN source USING (source_no)"  # noqa: S608 - a constant
        f" WHERE {_HOLDS} OR {_HOLDS_UNSENT} ORDER BY block_no",
        (number,),
    )
    for properties, *packed in blocks:
        block = unpack_block(unpack_source(properties), *packed)
        rows, unsent = block.rows, [*block.problems]
        meant = dict(zip(unsent, read([rows.cells[place] for place in unsent]), strict=True))
        for place, held in enumerate(block.numbers):
            if number in {held, meant.get(place)}:
                yield TracedRow(
                    rows.source.file,
                    rows.source.sheet,
                    rows.rows[place],
                    rows.cells[place],
                    block.campaigns[place],
                    block.problems.get(place, ""),
                )


class RunFacts(NamedTuple):
    """What the ledger says about its run. Before the approval `approved_by` is empty, and `plan` may be None.

    The limits of the plan are not kept: they were checked before the approval.
    """

    run_id: str
    created_at_s: float
    approved_by: str
    settings: Settings
    destination: Destination
    plan: Plan | None
    kept: tuple[str, ...]
    system_user: str


class Session(NamedTuple):
    """One session of sending, in Unix seconds. Without an end (under way or killed) `ended_at_s` is None."""

    began_at_s: float
    ended_at_s: float | None
    ending: str


class StandingTally(NamedTuple):
    """Counts for one campaign: distinct numbers by phase, and requests by result (empty: no reply yet).

    `found` counts the numbers of which a record was found at some time, `gone` those of them that were in a call and
    do not exist any more.
    """

    phases: Counter[str]
    requests: Counter[str]
    found: int
    gone: int

    @property
    def statuses(self) -> Counter[Status]:
        """The same numbers by status."""
        counted: Counter[Status] = Counter()
        for phase, count in self.phases.items():
            counted[status_of(phase)] += count
        return counted


class History(NamedTuple):
    """What has happened in a run. `last_s` is the time of the last event, `tallies` are by campaign.

    `unasked` counts the replies with a removal that nobody asked for.
    """

    facts: RunFacts
    last_s: float
    sessions: tuple[Session, ...]
    tallies: dict[str, StandingTally]
    unasked: int


@contextmanager
def opened_for_reading(path: Path) -> Iterator[Store]:
    """Open a ledger as it is now, even if a run is writing to it. Raises StorageError, also for damaged cells."""
    try:
        with ExitStack() as stack:
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
            stack.callback(connection.close)
            connection.execute("BEGIN")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            stack.pop_all()
    except sqlite3.Error as error:
        raise StorageError(
            phrase("The ledger {path} cannot be read: {problem}.", path=path, problem=error),
            "Check permissions and the disk.",
        ) from None
    with closing(connection):
        check_format(path, connection, version)
        with damage_as_error(path):
            yield Store(path, connection)


def was_approved(path: Path) -> bool:
    """Return whether a run may have sent something: its plan was approved, or its ledger cannot be read."""
    try:
        with opened_for_reading(path) as store:
            return store.approved()
    except UnmadeError:
        return False
    except StorageError:
        return True


def facts_of(store: Store) -> RunFacts:
    """Return what the run is. Raises StorageError, and the errors in `DAMAGE`."""
    with store.reading() as connection:
        run_id, created_at_s, request, plan, approved_by = connection.execute(
            "SELECT run_id, created_at_s, request, plan, ifnull(approved_by, '') FROM run"
        ).fetchone()
        sources = connection.execute("SELECT properties FROM source ORDER BY source_no").fetchall()
    settings, destination, system_user = _read_request(request)
    planned, kept = None, ()
    if plan is not None or approved_by:
        counts = orjson.loads(plan)
        for each in counts["sources"]:
            each["problems"] = tuple((str(reason), int(count)) for reason, count in each["problems"])
        for each in counts["campaigns"]:
            if not {*each["held"]} <= {*AlsoTry, *Rest} or not {*map(type, each["held"].values())} <= {int}:
                raise ValueError(each["held"])
        planned = Plan(
            run_id,
            destination.host,
            tuple(
                checked(SourcePlan(**{**each, "source": unpack_source(packed)}))
                for (packed,), each in zip(sources, counts["sources"], strict=True)
            ),
            tuple(checked(CampaignPlan(**each)) for each in counts["campaigns"]),
            settings.ceilings().rate,
            additional_numbers=settings.additional_numbers,
            canary=settings.canary,
            stand_in=counts["stand_in"] is True,
            keep=Keep(tuple(checked(KeepList(**each)) for each in counts["keep"]), skips=True),
        )
        kept = tuple(counts["kept"])
    return RunFacts(run_id, created_at_s, approved_by, settings, destination, planned, kept, system_user)


@lru_cache(maxsize=64)  # nightly runs share it, and checking settings takes longer than opening a ledger
def _read_request(request: str) -> tuple[Settings, Destination, str]:
    told = orjson.loads(request)
    return (
        Settings.read_back(told["settings"]),
        checked(Destination.read_back(told["destination"])),
        str(told.get("system_user", "")),
    )


def history(store: Store) -> History:
    """Return what has happened in the run so far. Raises StorageError, and the errors in `DAMAGE`."""
    with store.reading() as connection:
        facts = facts_of(store)
        rows = connection.execute("SELECT began_at_s, ended_at_s, ifnull(ending, '') FROM session ORDER BY session_no")
        sessions = tuple(Session(*row) for row in rows)
        (last_attempt_s,) = connection.execute("SELECT max(begun_at_s) FROM attempt").fetchone()
        moments = [moment for session in sessions for moment in session[:2] if moment is not None]
        last_s = max(facts.created_at_s, last_attempt_s or 0.0, *moments)
        (unasked,) = connection.execute("SELECT count(unasked) FROM attempt").fetchone()
        return History(facts, last_s, sessions, _tallies(connection), unasked)


def _tallies(connection: sqlite3.Connection) -> dict[str, StandingTally]:
    tallies = {}
    for (campaign,) in connection.execute("SELECT DISTINCT campaign FROM chunk ORDER BY campaign").fetchall():
        phases: Counter[str] = Counter()
        found = gone = 0
        for _, states in CampaignStates(connection, campaign).chunks():
            for state, count in states.counted():
                phases[state.phase] += count
                found += count * was_found(state)
                gone += count * gone_meanwhile(state)
        tallies[campaign] = StandingTally(phases, Counter(), found, gone)
    requests = connection.execute(
        "SELECT campaign, ifnull(result, ''), count(*) FROM attempt JOIN chunk USING (chunk_id)"
        " WHERE result IS NOT 'not sent' GROUP BY 1, 2"
    )
    for campaign, result, count in requests:
        tallies[campaign].requests[result] += count
    return tallies


def last_ending(store: Store) -> str:
    """Return how the last session of sending ended, or an empty text. Raises StorageError."""
    with store.reading() as connection:
        last = connection.execute("SELECT ending FROM session ORDER BY session_no DESC LIMIT 1").fetchone()
    return (last and last[0]) or ""
