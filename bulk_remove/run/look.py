"""Reads the whole list of a campaign's records, once: for `plan --look` and `run --backup`. Sends only GET.

The list is in the order of adding, a hundred records a page, and has no filter by number. Records that are removed
while it is read move the later ones forward, so a plain next page would miss some. Each page therefore begins with the
last record of the page before. If it does not, earlier pages are read again until a known record is found. So a record
that was there all the time is read. A record that came or went meanwhile may be missing.
"""

import asyncio
import csv
import json
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

from bulk_remove.core.model import NumberFormat, RowOutcome, harmless
from bulk_remove.core.numbers import AlsoTry, Forms, told_forms, way_reader
from bulk_remove.core.replies import Document, Effect
from bulk_remove.disk import Aside, written
from bulk_remove.errors import GuardStop, RefusedError, StorageError, UsageError
from bulk_remove.language import counted, phrase
from bulk_remove.ledger import Planning, Sighting, Sightings
from bulk_remove.report.csv import inert
from bulk_remove.run.preflight import PAGE_RECORDS, Asker, error_of, is_count, page_target
from bulk_remove.run.prepare import Prepared
from bulk_remove.settings import Settings

LOOK_MAX = 100_000
"""The default limit on the records to read: a thousand requests."""
BEING_WORKED_ON = "IN_PROGRESS"
"""The only `system_status` of a record that somebody works on now. CALL means that it is to be called."""
NOT_IN_THE_LIST = phrase(
    "The list of records shows no record fields (names, addresses, notes in the campaign's own columns) and no "
    "additional numbers, so the backup does not hold them."
)
FOR_ERASURES = phrase(
    "--backup keeps personal data of everybody who is removed. Do not use it for erasure requests, and delete it when "
    "it is no longer needed."
)
_KNOWN_IDS = 10 * PAGE_RECORDS
_MORE_REQUESTS = 100
"""If pages must be read again: twice as many requests as the records need, and so many more. Then the list is odd."""
_TRIES = 5
_FIRST_PAUSE_S = 1.0

Records = Sequence[Mapping[str, Any]]


def requests_for(records: int) -> int:
    """Return how many requests it takes to read so many records: pages overlap by one."""
    return 1 if records <= PAGE_RECORDS else 1 + ceil((records - PAGE_RECORDS) / (PAGE_RECORDS - 1))


def check_size(records: Mapping[str, int], campaigns: Iterable[str], look_max: int) -> tuple[int, int]:
    """Return how many records the campaigns hold, and how many requests it takes to read them.

    Raises GuardStop if these are more than `look_max`, RefusedError if a campaign's records were not counted.
    """
    wanted = [*campaigns]
    unknown = next((campaign for campaign in wanted if campaign not in records), None)
    if unknown is not None:
        raise RefusedError(
            phrase("The records of campaign {campaign} cannot be listed or counted.", campaign=unknown),
            "Give the API user the right to list the campaign's records.",
        )
    total = sum(records[campaign] for campaign in wanted)
    requests = sum(requests_for(records[campaign]) for campaign in wanted)
    if total > look_max:
        raise GuardStop(
            counted(
                total,
                "Reading {count:,} record takes {requests}; the limit is {limit:,} records. Nothing was read.",
                "Reading {count:,} records takes {requests}; the limit is {limit:,} records. Nothing was read.",
                requests=counted(requests, "{count:,} request", "{count:,} requests"),
                limit=look_max,
            ),
            "If the server may be asked that much, set a higher limit with --look-max.",
        )
    return total, requests


class Listing:
    """Reads the list of one campaign, at most so many records. `records` and `requests` count what was read.

    `expected` is how many records were counted before: a list that is called shorter does not end with a full page.
    `certain` is false if the list is not in the order of adding: then records may be missing.
    """

    def __init__(
        self,
        asker: Asker,
        base_path: str,
        campaign: str,
        most: int,
        expected: int,
        clock: Callable[[], float] = time.time,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.campaign = campaign
        self.records = self.requests = 0
        self.certain = True
        self._asker, self._base_path, self._most, self._expected = asker, base_path, most, expected
        self._clock, self._wait = clock, wait
        self._known: deque[str] = deque(maxlen=_KNOWN_IDS)

    async def pages(self) -> AsyncIterator[Records]:
        """Yield all records, each once. Raises RefusedError, UnavailableError, GuardStop."""
        offset = 0
        while True:
            page, count = await self._page(offset)
            fresh = self._fresh(page)
            if fresh is None and offset:  # records in front went: look for a known one there
                offset = max(0, offset - PAGE_RECORDS + 1)
                continue
            fresh = page if fresh is None else fresh  # all known ones went
            if not fresh and offset + len(page) < count:
                raise _odd(self.campaign)
            ids = [str(record["record_id"]) for record in fresh]
            self.certain = self.certain and len({*ids, *self._known}) == len(ids) + len(self._known)
            self._known += ids
            self.records += len(fresh)
            if self.records > self._most:
                raise GuardStop(
                    counted(
                        self._most,
                        "Campaign {campaign} has more than {count:,} record, the limit of --look-max.",
                        "Campaign {campaign} has more than {count:,} records, the limit of --look-max.",
                        campaign=self.campaign,
                    ),
                    "If the server may be asked that much, set a higher limit with --look-max.",
                )
            if fresh:
                yield fresh
            unfinished = len(page) >= PAGE_RECORDS and self.records < self._expected
            if not page or (offset + len(page) >= count and not unfinished):
                return
            offset += len(page) - 1

    def _fresh(self, page: Records) -> Records | None:
        """Return the records of a page after those that are known; None if no known one is in it."""
        if not self._known:
            return page
        ids = [str(record["record_id"]) for record in page]
        if ids and ids[0] == self._known[-1]:
            return page[1:]
        known = {*self._known}
        places = [place for place, each in enumerate(ids) if each in known]
        if not places:
            return None
        between = [page[place] for place in range(places[0], places[-1]) if ids[place] not in known]
        self.certain = self.certain and not between
        return [*between, *page[places[-1] + 1 :]]

    async def _page(self, offset: int) -> tuple[Records, int]:
        """Return a page and the count of all records. Asks again after a fault that may pass."""
        target = page_target(self._base_path, self.campaign, PAGE_RECORDS, offset)
        failed = 0
        while True:
            self.requests += 1
            if self.requests > 2 * requests_for(max(self._expected, self.records)) + _MORE_REQUESTS:
                raise _odd(self.campaign)
            answer = await self._asker.get(target, self._clock())
            if isinstance(answer, Document):
                return _records_in(answer, self.campaign)
            failed += 1
            if answer.effect is Effect.REFUSED:
                raise RefusedError(answer.detail, "The server refuses to list the records of this campaign.")
            if answer.effect is Effect.DENIED or failed == _TRIES:
                raise error_of(answer, self.campaign)
            await self._wait(answer.retry_after_s or _FIRST_PAUSE_S * 2**failed)


def listings_of(ready: Prepared, asker: Asker, base_path: str, most: int) -> list[Listing]:
    """Return what reads the lists of a plan's campaigns, after `check_size`."""
    records = ready.findings.records
    return [Listing(asker, base_path, each, most, records[each]) for each in ready.plan.campaign_ids]


def _odd(campaign: str) -> RefusedError:
    return RefusedError(
        phrase("The server's list of records of campaign {campaign} is not as documented.", campaign=campaign),
        "Nothing certain can be said from it. Nothing was removed.",
    )


def _records_in(answer: Document, campaign: str) -> tuple[Records, int]:
    content = answer.content if isinstance(answer.content, dict) else {}
    page, count = content.get("result"), content.get("count")
    if not isinstance(page, list) or not is_count(count):
        raise _odd(campaign)
    if not all(isinstance(record, dict) and type(record.get("record_id")) in {int, str} for record in page):
        raise _odd(campaign)
    return page, count


class Reader:
    """Recognises the planned numbers of a run in records, in whatever form they are written.

    `way` returns how a number is written, `asked` has the forms in which the run asks.
    """

    def __init__(self, settings: Settings) -> None:
        rules = settings.rules
        exact = rules.number_format is NumberFormat.AS_IS
        self._every = Forms(rules, () if exact else tuple(AlsoTry))
        self.asked = settings.forms()
        self.way = way_reader(settings.region)

    def planned(self, record: Mapping[str, Any]) -> str:
        """Return the number of a record in the planned form."""
        number = record.get("phone_number")
        return self._every.planned(str(number)) if type(number) in {int, str} else ""


class Looked(NamedTuple):
    """What was seen of one campaign. `forms` counts the records by the way their number is written."""

    campaign: str
    records: int
    requests: int
    certain: bool
    numbers: int
    seen: int
    found: int
    in_progress: int
    not_asked: int
    forms: Mapping[str, int]


class Search(NamedTuple):
    """What is looked for and what was seen of it, with what recognises it."""

    kept: Sightings
    reader: Reader

    def add(self, campaign: str, records: Records) -> Records:
        """Keep those records that have a wanted number; return them."""
        new, found = [], []
        for record in records:
            number, record_id = self.reader.planned(record), str(record["record_id"])
            if not number or not self.kept.is_wanted(campaign, number) or self.kept.has(campaign, number, record_id):
                continue
            written = str(record["phone_number"])
            way = self.reader.way(written)
            asked = number == written or not self.reader.asked.unasked({way: 1})
            status = record.get("system_status")
            found.append(Sighting(number, record_id, way, status if type(status) is str else "", asked))
            new.append(record)
        self.kept.add(campaign, found)
        return new


@contextmanager
def seen_in(ready: Prepared) -> Iterator[Search]:
    """Give a place in the run's folder for what is seen; it is deleted at the end. Raises StorageError."""
    with Sightings(ready.folder / "look.tmp") as kept:
        kept.want(Planning(ready.store).distinct_numbers())
        yield Search(kept, Reader(ready.settings))


async def look_over(
    listings: Iterable[Listing],
    seen: Search,
    on_records: Callable[[int], None],
    keep: Callable[[str, Mapping[str, Any]], None] = lambda _campaign, _record: None,
) -> list[Looked]:
    """Read the lists of campaigns and return what was seen of the wanted numbers.

    `on_records` gets the count of records read, `keep` each record of a wanted number. Raises as `Listing.pages` does.
    """
    looked, before = [], 0
    for listing in listings:
        async for records in listing.pages():
            for record in seen.add(listing.campaign, records):
                keep(listing.campaign, record)
            on_records(before + listing.records)
        before += listing.records
        told = seen.kept.totals(listing.campaign)
        looked.append(
            Looked(
                listing.campaign,
                listing.records,
                listing.requests,
                listing.certain,
                told.numbers,
                told.seen,
                sum(told.ways.values()),
                told.statuses.get(BEING_WORKED_ON, 0),
                told.not_asked,
                told.ways,
            )
        )
    return looked


async def back_up(listings: Iterable[Listing], ready: Prepared, path: Path, on_records: Callable[[int], None]) -> int:
    """Write the records of a run's numbers to a new private file, as JSON lines, and return how many there are.

    Raises UsageError, StorageError, and as `Listing.pages` does. Then there is no file.
    """
    with seen_in(ready) as seen, new_file(path, "--backup") as aside:

        def keep(campaign: str, record: Mapping[str, Any]) -> None:
            line = json.dumps({"campaign": campaign, "record": record}, ensure_ascii=True)
            aside.file.write(line.encode() + b"\n")

        looked = await look_over(listings, seen, on_records, keep)
        for each in looked:
            if not each.certain:
                raise _odd(each.campaign)
    return sum(each.found for each in looked)


def told_of(looked: Looked, settings: Settings) -> Iterator[str]:
    """Yield sentences on what was seen of a campaign."""
    yield phrase(
        "Campaign {campaign}: {records} read by {requests}.",
        campaign=looked.campaign,
        records=counted(looked.records, "{count:,} record", "{count:,} records"),
        requests=counted(looked.requests, "{count:,} request", "{count:,} requests"),
    )
    yield counted(
        looked.numbers,
        "  Of {count:,} number {seen:,} was seen there, with {records}.",
        "  Of {count:,} numbers {seen:,} were seen there, with {records}.",
        seen=looked.seen,
        records=counted(looked.found, "{count:,} record", "{count:,} records"),
    )
    if looked.forms:
        yield phrase("  They are written as {forms}.", forms=told_forms(looked.forms, settings.region))
    if looked.in_progress:
        yield counted(
            looked.in_progress,
            "  {count:,} of these records is being worked on now: a run asks again for a number in a call.",
            "  {count:,} of these records are being worked on now: a run asks again for numbers in a call.",
        )
    if looked.not_asked:
        yield counted(
            looked.not_asked,
            "  {count:,} of these records is written in a form that the run does not ask for, and would stay.",
            "  {count:,} of these records are written in a form that the run does not ask for, and would stay.",
        )
    if not looked.certain:
        yield phrase("  The list is not in a fixed order: records may be missing, so these figures are lower bounds.")
    if settings.additional_numbers:
        yield phrase("  The list does not show additional numbers: --additional-numbers may remove more records.")


COLUMNS = (
    "file", "row", "input", "number", "campaign", "seen", "records", "in_progress", "forms", "not_asked_for",
    "statuses", "detail",
)  # fmt: skip
"""The columns of the CSV of `--look-csv`."""


def write_rows(path: Path, rows: Iterable[RowOutcome], seen: Search, certain: Mapping[str, bool]) -> None:
    """Write what was seen of each row, private to its owner. Never replaces a file. Raises UsageError, StorageError."""
    with new_file(path, "--look-csv") as aside:
        file = TextIOWrapper(aside.file, encoding="utf-8", errors="replace", newline="")
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in rows:
            source = row.source
            name = f"{source.file}!{source.sheet}" if source.sheet else source.file
            place = (inert(name), row.row, inert(row.cell), inert(row.number), inert(row.campaign))
            writer.writerow((*place, *_cells_of(row, seen, certain)))
        file.flush()
        file.detach()


def _cells_of(row: RowOutcome, seen: Search, certain: Mapping[str, bool]) -> tuple[object, ...]:
    if row.state is None:
        return "", "", "", "", "", "", inert(row.problem)
    found = seen.kept.of(row.campaign, row.number)
    in_progress = found.statuses.get(BEING_WORKED_ON, 0)
    detail = "" if certain[row.campaign] else "at least: the list was not in a fixed order"
    return (
        "yes" if found.seen else "no",
        sum(found.ways.values()),
        in_progress,
        _counts(found.ways),
        found.not_asked,
        _counts(found.statuses),
        detail,
    )


def _counts(counts: Mapping[str, int]) -> str:
    told = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return inert("; ".join(f"{harmless(name)} {count}" for name, count in told if name))


@contextmanager
def new_file(path: Path, flag: str) -> Iterator[Aside]:
    """Give a new private file. Raises UsageError if there is one already, StorageError if it cannot be written."""
    try:
        with written(path, replacing=False) as aside:
            yield aside
    except FileExistsError:
        raise _taken(path, flag) from None
    except OSError as error:
        raise StorageError(
            phrase("{flag} {path} cannot be written: {problem}.", flag=flag, path=path, problem=error.strerror),
            "Name a file in a folder that exists and has room. Nothing was removed.",
        ) from None


def check_free(path: Path, flag: str) -> None:
    """Raise UsageError if there is a file already, or no folder for it."""
    if os.path.lexists(path):
        raise _taken(path, flag)
    if not (os.path.lexists(path.parent) and path.parent.is_dir()):
        raise UsageError(phrase("{flag} {path}: there is no such folder.", flag=flag, path=path), "Name a new file.")


def _taken(path: Path, flag: str) -> UsageError:
    return UsageError(
        phrase("{flag} {path}: a file is there already.", flag=flag, path=harmless(str(path))), "Name a new file."
    )
