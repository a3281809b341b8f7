"""An earlier run's rows asked for again where their answer is not final; the old verdicts are kept."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby, islice
from pathlib import Path

from bulk_remove.adapters.distinct import RowKeys
from bulk_remove.adapters.ledger import Planning, Reopening
from bulk_remove.core.chunker import in_requests
from bulk_remove.core.lifecycle import asked_anew, status_of
from bulk_remove.core.model import FINAL_STATUSES, NumberedBlock, NumberState, RowBlock, RowOutcome, Source, harmless
from bulk_remove.core.plan import CampaignPlan, Plan, SourcePlan
from bulk_remove.errors import InputError
from bulk_remove.language import phrase
from bulk_remove.run.prepare import Prepared, counts_of, new_run
from bulk_remove.settings import Destination, Settings

Rows = Callable[[], Iterator[RowOutcome]]
"""Gives the rows of the earlier run, anew each time."""

_BLOCK_ROWS = 5000


@contextmanager
def prepared_again(
    rows: Rows,
    kept: tuple[str, ...],
    settings: Settings,
    destination: Destination,
    state_dir: Path,
    now_s: float,
) -> Iterator[Prepared]:
    """Plan a new run out of an earlier one's rows; `kept` are the input's columns that its report keeps.

    Raises InputError, StorageError.
    """
    with new_run(state_dir, settings, destination, now_s) as (folder, store):
        planning = Planning(store)
        with RowKeys(folder / "keys.tmp") as keys:
            intake = _Intake(settings, keys)
            planning.add_blocks(intake.through(rows()))
            planning.set_duplicates(intake.counting(keys.duplicates()))
        records = _Records()
        carried = _distinct(rows(), planning.duplicate_places(), settings.forms().planned)
        numbers = planning.add_carried(records.through(carried))
        reopening = Reopening(store)
        phases = reopening.reopen(now_s)
        shape_of = partial(settings.shape, base_path=destination.base_path)
        waiting, requests = Counter[str](), Counter[str]()
        for campaign, request in in_requests(((of, (it,)) for of, it in reopening.waiting_numbers()), shape_of):
            requests[campaign] += 1
            waiting[campaign] += len(request)
        plan = Plan(
            run_id=folder.name,
            host=destination.host,
            sources=intake.plans(),
            campaigns=tuple(
                CampaignPlan(campaign, count, requests[campaign], count - waiting[campaign], *records.of(campaign))
                for campaign, count in sorted(numbers.items())
            ),
            rate=settings.ceilings().rate,
            limits=settings.limits,
            additional_numbers=settings.additional_numbers,
            canary=settings.canary,
        )
        planning.finish(counts_of(plan, kept))
        yield Prepared(folder, store, plan, kept, phases)


class _Records:
    """Counts the records that the earlier run removed from each campaign, and those of them whose ids it knows."""

    def __init__(self) -> None:
        self._removed = Counter[str]()
        self._ids = Counter[str]()

    def through(self, numbers: Iterator[tuple[str, str, NumberState]]) -> Iterator[tuple[str, str, NumberState]]:
        """Pass on numbers as (campaign, number, state)."""
        for campaign, number, state in numbers:
            self._removed[campaign] += state.removed
            self._ids[campaign] += len(state.record_ids)
            yield campaign, number, state

    def of(self, campaign: str) -> tuple[int, int]:
        """Return (records removed, ids known) of a campaign."""
        return self._removed[campaign], self._ids[campaign]


class _Intake:
    """Cuts rows into blocks, each of one source, and counts them by source."""

    def __init__(self, settings: Settings, keys: RowKeys) -> None:
        self._campaign = settings.campaign
        self._planned = settings.forms().planned
        self._keys = keys
        self._sources: list[Source] = []  # of each row's block, by the place of its first row
        self._starts: list[int] = []
        self._rows = Counter[Source]()
        self._duplicates = Counter[Source]()
        self._problems: defaultdict[Source, Counter[str]] = defaultdict(Counter)

    def through(self, rows: Iterator[RowOutcome]) -> Iterator[NumberedBlock]:
        """Yield the blocks in the order of the rows. Raises InputError."""
        for source, group in groupby(rows, key=lambda row: row.source):
            for block in self._blocks(source, group):
                self._keys.add(block.numbers, block.campaigns)
                self._starts.append(self._rows.total())
                self._sources.append(source)
                self._rows[source] += len(block.numbers)
                self._problems[source].update(block.problems.values())
                yield block

    def counting(self, duplicates: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Pass on the duplicates and count them by source."""
        for place, first in duplicates:
            self._duplicates[self._sources[bisect_right(self._starts, place) - 1]] += 1
            yield place, first

    def plans(self) -> tuple[SourcePlan, ...]:
        """Return what each source holds."""
        return tuple(
            SourcePlan(source, rows, self._duplicates[source], tuple(self._problems[source].most_common()))
            for source, rows in self._rows.items()
        )

    def _blocks(self, source: Source, rows: Iterator[RowOutcome]) -> Iterator[NumberedBlock]:
        while block := list(islice(rows, _BLOCK_ROWS)):
            self._check_campaign(source, block)
            yield NumberedBlock(
                RowBlock(
                    source,
                    [row.row for row in block],
                    [row.cell for row in block],
                    [row.others for row in block] if block[0].others else (),
                ),
                # Rows whose number was found in another form are alike when it is the same number.
                [self._planned(row.number) if row.number else "" for row in block],
                [row.campaign for row in block],
                {index: row.problem for index, row in enumerate(block) if not row.number},
            )

    def _check_campaign(self, source: Source, block: Sequence[RowOutcome]) -> None:
        if not self._campaign:
            return
        other = next((row for row in block if row.number and row.campaign != self._campaign), None)
        if other is not None:
            raise InputError(
                phrase(
                    "{file}, row {row} belongs to campaign {campaign}, not {wanted}.",
                    file=harmless(source.file),
                    row=other.row,
                    campaign=other.campaign,
                    wanted=self._campaign,
                ),
                "Leave --campaign out: a rerun keeps the campaign of each row.",
            )


def _distinct(
    rows: Iterator[RowOutcome], duplicates: Iterator[int], planned: Callable[[str], str]
) -> Iterator[tuple[str, str, NumberState]]:
    """Yield (campaign, number, the state from which it goes on), each number once.

    A number without a final answer is asked for in all its forms again, from the planned one on; but where records of
    it were removed and others were in a call, it is asked for in the form in which it was found.
    """
    next_duplicate = next(duplicates, -1)
    for seq, row in enumerate(rows):
        if seq == next_duplicate:
            next_duplicate = next(duplicates, -1)
        elif row.state is not None:
            found = row.state.removed or status_of(row.state.phase) in FINAL_STATUSES
            yield row.campaign, row.number if found else planned(row.number), asked_anew(row.state)
