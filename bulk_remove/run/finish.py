"""Ledger -> report and summary; what the run amounts to."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import cast

from bulk_remove import __version__
from bulk_remove.adapters.distinct import RowKeys
from bulk_remove.adapters.folders import note_report
from bulk_remove.adapters.ledger import Outcomes, RecordCount, Totals
from bulk_remove.adapters.reporter import timestamp, write_report, write_summary
from bulk_remove.core.alike import Ids, long_form
from bulk_remove.core.model import NumberState, OutcomeBlock, Status
from bulk_remove.core.plan import Plan
from bulk_remove.core.proof import Proof
from bulk_remove.core.summary import Ending, exit_code
from bulk_remove.errors import ExitCode
from bulk_remove.run.prepare import Prepared
from bulk_remove.settings import Settings

REPORT = "report.csv"
"""The report's name in a run's own folder."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a run amounts to, all its sessions together.

    The sum of `by_status` is the input's rows; `removed_records` counts records, `asked_numbers` the distinct numbers
    that some request carried, `totals` what was sent, `proofs` what each campaign held before and after. `report` and
    `summary` are the files.
    """

    by_status: Mapping[Status, int]
    removed_records: int
    asked_numbers: int
    totals: Totals
    proofs: tuple[Proof, ...]
    ending: Ending
    exit_code: ExitCode
    report: Path
    summary: Path

    @property
    def resumable(self) -> bool:
        """Whether a later session could bring more numbers to an answer."""
        return any(self.by_status.get(status, 0) for status in RESUMED)


RESUMED = (Status.UNSENT, Status.IN_DOUBT, Status.CALL_IN_PROGRESS)
"""What a later session asks for again."""


def finish(prepared: Prepared, settings: Settings, ending: Ending, output: Path | None) -> Finished:
    """Write report and summary; without `output` they go to the run's own folder.

    Raises StorageError, and InvariantError when the sum does not close.
    """
    report = output or prepared.folder / REPORT
    if report.parent != prepared.folder:
        note_report(prepared.folder, report)
    outcomes = Outcomes(prepared.store)
    with RowKeys(prepared.folder / "ids.tmp") as keys:
        counter = _Counter(keys)
        by_status = write_report(report, counter.through(outcomes.blocks()), prepared.plan.rows, prepared.kept)
        removed = counter.distinct_records()
    finished = Finished(
        by_status,
        counter.removed.total(),
        counter.asked,
        outcomes.totals(),
        tuple(_proofs(prepared.plan, outcomes.record_counts(), counter, removed)),
        ending,
        exit_code(ending, by_status),
        report,
        report.with_suffix(".summary.json"),
    )
    write_summary(finished.summary, _summary(prepared.plan, settings, finished))
    return finished


class _Counter:
    """Counts what became of the numbers of the rows that pass; a duplicate's fate is its first row's.

    The record ids go to `keys`, which find those that were named twice; `_places` says where each campaign's begin.
    """

    def __init__(self, keys: RowKeys) -> None:
        self.removed = Counter[str]()
        self.ids = Counter[str]()
        self.asked = 0
        self._keys = keys
        self._places: list[tuple[int, str]] = []

    def through(self, blocks: Iterator[OutcomeBlock]) -> Iterator[OutcomeBlock]:
        for block in blocks:
            if len({*block.campaigns} - {""}) > 1:
                self._note_apart(block)
            else:
                self._note(block)
            yield block

    def _note(self, block: OutcomeBlock) -> None:
        """Count a block of one campaign, by the kinds of its states."""
        states, twice = block.states, block.duplicate_of
        campaign = next(filter(None, block.campaigns), "")
        for state, count in states.counted():
            self._count(campaign, state, count)
        for place in twice:
            self._count(campaign, states[place], -1)
        ids = states.ids or ()
        self._keep(campaign, [found for place, found in enumerate(ids) if place not in twice] if twice else ids)

    def _note_apart(self, block: OutcomeBlock) -> None:
        """Count a block of several campaigns, row by row."""
        ids: defaultdict[str, list[Ids]] = defaultdict(list)
        for place, (campaign, state) in enumerate(zip(block.campaigns, block.states, strict=True)):
            if place not in block.duplicate_of:
                self._count(campaign, state, 1)
                ids[campaign].append(state.record_ids)
        for campaign, mine in ids.items():
            self._keep(campaign, mine)

    def _count(self, campaign: str, state: NumberState, rows: int) -> None:
        self.removed[campaign] += rows * state.removed
        self.asked += rows * (state.attempts > 0)

    def _keep(self, campaign: str, found: Sequence[Ids]) -> None:
        """Keep the record ids of a campaign's numbers."""
        ids = _whole(found)
        self._places.append((self.ids.total(), campaign))
        self._keys.add_ids(ids, campaign)
        self.ids[campaign] += len(ids)

    def distinct_records(self) -> Counter[str]:
        """Return how many different records of each campaign the replies named as removed. Raises StorageError."""
        starts = [start for start, _ in self._places]
        distinct = Counter(self.ids)
        for place, _ in self._keys.duplicates():
            distinct[self._places[bisect_right(starts, place) - 1][1]] -= 1
        return distinct


_MOST = 10**17


def _whole(found: Sequence[Ids]) -> Sequence[int]:
    """Return record ids as numbers: what is no whole number below 10**17 is hashed to one above that.

    The documented ids are small whole numbers, and are passed on as they are: one look at each costs as much as all
    else here. Two others are taken for one with a chance of one in 10**17.
    """
    if {*map(type, found)} == {int}:
        ids = cast("Sequence[int]", found)
        if min(ids) >= 0 and max(ids) < _MOST:
            return ids
    return [
        record_id if isinstance(record_id, int) and 0 <= record_id < _MOST else _hashed(str(record_id))
        for ids in found
        for record_id in long_form(ids)
    ]


def _hashed(record_id: str) -> int:
    digest = blake2b(record_id.encode(errors="surrogatepass"), digest_size=8).digest()
    return _MOST + int.from_bytes(digest) % _MOST


def _proofs(
    plan: Plan, counts: Iterable[RecordCount], counter: _Counter, distinct: Mapping[str, int]
) -> Iterator[Proof]:
    """Yield what each campaign held before and after, beside what this run, without the one before it, removed."""
    planned = {campaign.campaign: campaign for campaign in plan.campaigns}
    for campaign, before, after, note in counts:
        mine = planned[campaign]
        unnamed = counter.removed[campaign] - counter.ids[campaign] - (mine.removed_before - mine.ids_before)
        yield Proof(campaign, before, after, distinct[campaign] - mine.ids_before, unnamed, note)


def _summary(plan: Plan, settings: Settings, finished: Finished) -> dict[str, object]:
    totals = finished.totals
    return {
        "run_id": plan.run_id,
        "tool_version": __version__,
        "host": plan.host,
        "campaigns": [campaign.campaign for campaign in plan.campaigns],
        "input": [
            {
                "file": source.file,
                "sheet": source.sheet,
                "sha256": source.sha256,
                "size_bytes": source.size_bytes,
                "column": source.header[source.column],
            }
            for source in (planned.source for planned in plan.sources)
        ],
        "rows": plan.rows,
        "rows_by_status": {status.value: finished.by_status.get(status, 0) for status in Status},
        "numbers": plan.numbers,
        "numbers_asked": finished.asked_numbers,
        "duplicate_rows": plan.duplicates,
        "invalid_cells_by_reason": dict(plan.problems),
        "removed_records": finished.removed_records,
        "additional_numbers": settings.additional_numbers,
        **_counted(finished.proofs),
        "numbers_in_replies_unasked": totals.strangers,
        "requests": totals.requests,
        "requests_planned": plan.requests,
        "faults": totals.faults,
        "sessions": totals.sessions,
        "began_at": timestamp(totals.began_at_s),
        "ended_at": timestamp(totals.ended_at_s),
        "seconds": round(totals.seconds, 3),
        "requests_per_second": round(totals.requests / totals.seconds, 3) if totals.seconds else None,
        "numbers_per_second": round(finished.asked_numbers / totals.seconds, 1) if totals.seconds else None,
        "ending": finished.ending.value,
        "exit_code": int(finished.exit_code),
        "settings": settings.public(),
    }


def _counted(proofs: Sequence[Proof]) -> dict[str, object]:
    """Return the campaigns' records before and after: all together where each is known, and by campaign."""
    return {
        "records_before": _total([proof.before for proof in proofs]),
        "records_after": _total([proof.after for proof in proofs]),
        "records_removed": _total([proof.removed for proof in proofs]),
        "records_by_campaign": [
            {**asdict(proof), "unexplained": proof.unexplained, "sentence": proof.sentence()} for proof in proofs
        ],
    }


def _total(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None
