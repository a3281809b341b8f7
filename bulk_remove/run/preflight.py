"""What the server can be asked without removing anything."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeGuard

from bulk_remove.core.conditions import is_campaign
from bulk_remove.core.forms import Held, forms_held
from bulk_remove.core.replies import Document, Effect, Fault
from bulk_remove.core.timeline import duration
from bulk_remove.errors import BulkRemoveError, RefusedError, UnavailableError
from bulk_remove.language import joined, ours, phrase

SKEW_S = 60.0
"""Clocks further apart than this are worth a word: times in the report are this machine's."""
_STOPPED = "The run ended early, so the records were not counted afterwards."
NONE_COUNTED: tuple[dict[str, int], str] = ({}, _STOPPED)
PAGE_RECORDS = 100
"""Records in a page of the list; the server gives no more."""
MORE_PAGES = 40
"""Pages asked for besides the first of each campaign: with so many campaigns the middle and the end are left out."""
_SLOW_S = 10.0
"""A list that takes so long is a burden to the server: it is not asked for another page."""
_MOST_RECORDS = 10**12
_NO_USER = 401
_NO_PERMISSION = 403
_NO_CAMPAIGN = 404


class Asker(Protocol):
    """Asks read-only calls."""

    async def get(self, target: str, now_s: float) -> Document | Fault:
        """Return the decoded JSON, or why there is none."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found out. `records` counts the records of campaigns, where known; `notes` are for the operator.

    `held` says how the numbers in the records that were looked at are written, by campaign; of the records themselves
    nothing is kept. `empty` are the campaigns whose list was seen to hold none. `asked` is whether the server was asked
    at all; `names` are what the campaigns are called, where it told; `stand_in` whether it said of itself that it is a
    stand-in for Thulium.
    """

    records: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    held: Mapping[str, Held] = field(default_factory=dict)
    empty: frozenset[str] = frozenset()
    asked: bool = True
    names: Mapping[str, str] = field(default_factory=dict)
    stand_in: bool = False


NOT_ASKED = Findings(asked=False)


class Glance(NamedTuple):
    """How closely to look at records: whose region says how numbers are written, and how many pages at most."""

    region: str
    pages: int = 3


async def inspect_campaigns(
    asker: Asker,
    base_path: str,
    campaigns: Sequence[str],
    clock: Callable[[], float],
    glance: Glance | None = None,
) -> Findings:
    """Ask how many records each campaign holds, one after the other, and with a `glance` how numbers are written.

    `clock` returns Unix seconds. Raises RefusedError for a wrong password or an unknown campaign, UnavailableError when
    the server is out of reach.
    """
    records: dict[str, int] = {}
    notes: dict[str, None] = {}  # said once, whichever campaigns they are about
    held: dict[str, Held] = {}
    empty: set[str] = set()
    pages_left = MORE_PAGES
    stand_in = False
    clock_s = asyncio.get_running_loop().time
    for campaign in campaigns:
        began_s = clock_s()
        found, numbers = await _first_page(asker, base_path, campaign, clock(), PAGE_RECORDS if glance else 1)
        records |= found.records
        notes |= dict.fromkeys(found.notes)
        stand_in = stand_in or found.stand_in
        if glance is not None and numbers:
            pages = 1 if clock_s() - began_s > _SLOW_S else glance.pages
            offsets = _more_offsets(found.records.get(campaign, 0), pages)[:pages_left]
            pages_left -= len(offsets)
            async for more in _more_pages(asker, base_path, campaign, clock, offsets):
                numbers += more
            held[campaign] = forms_held(numbers, glance.region)
        elif found.records.get(campaign) == 0:
            empty.add(campaign)
    if missing := [campaign for campaign in campaigns if campaign not in records]:
        records |= await _by_statistics(asker, base_path, missing, clock())
    if any(campaign not in records for campaign in campaigns):
        notes |= {"Nor do the statistics tell how many records it holds.": None}
    if not pages_left:
        notes |= {"There are many campaigns: of most of them only the first page of records was looked at.": None}
    names = await _names(asker, base_path, campaigns, clock()) if glance is not None else {}
    return Findings(records, tuple(notes), held, frozenset(empty), names=names, stand_in=stand_in)


class Listed(NamedTuple):
    """A campaign as the server lists it; `records` is None where it does not say how many there are."""

    campaign: str
    name: str
    records: int | None


async def list_campaigns(asker: Asker, base_path: str, now_s: float) -> Sequence[Listed]:
    """Return the campaigns of the system, by name; none where this user may not list them.

    Raises RefusedError for a wrong password, UnavailableError when the server is out of reach.
    """
    answers = [await asker.get(f"{base_path}/api/outbounds{call}", now_s) for call in ("", "/stats")]
    for answer in answers:
        refused = isinstance(answer, Fault) and answer.effect in {Effect.REFUSED, Effect.DENIED}
        if isinstance(answer, Fault) and not (refused and answer.http_status != _NO_USER):
            raise error_of(answer, "")
    named, counted = ({str(entry.get("id")): entry for entry in _entries(answer)} for answer in answers)
    listed = []
    for campaign in filter(is_campaign, named.keys() | counted.keys()):
        name, records = named.get(campaign, {}).get("name"), counted.get(campaign, {}).get("records_count")
        listed.append(Listed(campaign, name if isinstance(name, str) else "", records if _is_count(records) else None))
    return sorted(listed, key=lambda each: (each.name.casefold(), each.campaign))


def _entries(answer: Document | Fault) -> Sequence[Mapping[str, object]]:
    entries = answer.content if isinstance(answer, Document) and isinstance(answer.content, list) else []
    return [entry for entry in entries if isinstance(entry, dict)]


async def _names(asker: Asker, base_path: str, campaigns: Sequence[str], now_s: float) -> dict[str, str]:
    """Return what the campaigns are called; none where the server does not tell, which nothing depends on."""
    answer = await asker.get(f"{base_path}/api/outbounds", now_s)
    named = {str(entry.get("id")): entry.get("name") for entry in _entries(answer)}
    return {campaign: name for campaign in campaigns if isinstance(name := named.get(campaign), str) and name.strip()}


async def _by_statistics(asker: Asker, base_path: str, campaigns: Sequence[str], now_s: float) -> dict[str, int]:
    """Return the records of those of the campaigns that the statistics know; none where they may not be asked for."""
    answer = await asker.get(f"{base_path}/api/outbounds/stats", now_s)
    counts = {str(entry.get("id")): entry.get("records_count") for entry in _entries(answer)}
    return {campaign: count for campaign in campaigns if _is_count(count := counts.get(campaign))}


def _is_count(count: object) -> TypeGuard[int]:
    return type(count) is int and 0 <= count <= _MOST_RECORDS


async def count_after(
    asker: Asker,
    base_path: str,
    campaigns: Sequence[str],
    clock: Callable[[], float],
    turn: Callable[[], Awaitable[bool]],
) -> tuple[dict[str, int], str]:
    """Count the records of each campaign again; returns them, and why some are missing. Raises nothing of the server's.

    `turn` is awaited before each request; when it says no, nothing more is asked.
    """
    records: dict[str, int] = {}
    for campaign in campaigns:
        if not await turn():
            return records, _STOPPED
        try:
            found = await inspect_campaigns(asker, base_path, (campaign,), clock)
        except BulkRemoveError as error:
            return records, phrase(
                "The server did not tell how many records are left: {problem}", problem=ours(error.sentence)
            )
        records |= found.records
        if campaign not in records:
            return records, joined(" ", map(ours, found.notes))
    return records, ""


async def _first_page(
    asker: Asker, base_path: str, campaign: str, now_s: float, limit: int
) -> tuple[Findings, list[object]]:
    """Ask for the first records of a campaign; returns how many it holds, and the numbers of these.

    A list that may not be seen, or that the server refuses or writes in its own way, is noted. `now_s` in Unix seconds.
    Raises RefusedError for a wrong password or an unknown campaign, UnavailableError when the server is out of reach.
    """
    answer = await asker.get(_page(base_path, campaign, limit, 0), now_s)
    if isinstance(answer, Fault):
        if answer.http_status == _NO_PERMISSION:
            note = "This API user may not list records, so the campaign could not be looked at beforehand."
            return Findings({}, (note,)), []
        if answer.effect is Effect.REFUSED:
            note = phrase(
                "The server does not list the records, so the campaign could not be looked at beforehand: {problem}",
                problem=ours(answer.detail),
            )
            return Findings({}, (note,)), []
        raise error_of(answer, campaign)
    numbers = _numbers(answer)
    count = answer.content.get("count") if isinstance(answer.content, dict) else None
    if _is_count(count):
        return Findings({campaign: count}, _clock_notes(answer, now_s), stand_in=answer.stand_in), numbers
    note = "The server's list of records is not as documented, so the campaign could not be counted."
    return Findings({}, (note, *_clock_notes(answer, now_s)), stand_in=answer.stand_in), numbers


async def _more_pages(
    asker: Asker, base_path: str, campaign: str, clock: Callable[[], float], offsets: Sequence[int]
) -> AsyncIterator[list[object]]:
    """Yield the numbers of further pages; none any more once one cannot be had, or comes slowly."""
    loop = asyncio.get_running_loop()
    for offset in offsets:
        asked_s = loop.time()
        answer = await asker.get(_page(base_path, campaign, PAGE_RECORDS, offset), clock())
        if isinstance(answer, Fault):
            return
        yield _numbers(answer)
        if loop.time() - asked_s > _SLOW_S:
            return


def _page(base_path: str, campaign: str, limit: int, offset: int) -> str:
    return f"{base_path}/api/outbounds/{campaign}/records?limit={limit}&offset={offset}"


def _more_offsets(records: int, pages: int) -> list[int]:
    """Return where the last page of the records begins, and one in their middle; the first page is known."""
    middle = max(PAGE_RECORDS, records // 2 - PAGE_RECORDS // 2)
    last = max(PAGE_RECORDS, records - PAGE_RECORDS)
    if records > 2 * PAGE_RECORDS:
        last = max(middle + PAGE_RECORDS, last)
    return [offset for offset in dict.fromkeys((last, middle)) if offset < records][: pages - 1]


def _numbers(answer: Document) -> list[object]:
    """Return the phone numbers of a page, whatever they are: as many at most as were asked for."""
    result = answer.content.get("result") if isinstance(answer.content, dict) else None
    records = result[:PAGE_RECORDS] if isinstance(result, list) else []
    return [record["phone_number"] for record in records if isinstance(record, dict) and "phone_number" in record]


async def inspect_server(asker: Asker, base_path: str, now_s: float) -> Findings:
    """Ask for the statistics of all campaigns, to try address, TLS and user. Raises as `inspect_campaign` does."""
    answer = await asker.get(f"{base_path}/api/outbounds/stats", now_s)
    if isinstance(answer, Fault):
        if answer.http_status == _NO_PERMISSION:
            return Findings({}, ("This API user may not ask for statistics.",))
        raise error_of(answer, "")
    return Findings({}, _clock_notes(answer, now_s))


def _clock_notes(answer: Document, now_s: float) -> tuple[str, ...]:
    if answer.server_time_s is None or abs(answer.server_time_s - now_s) <= SKEW_S:
        return ()
    return (
        phrase("This machine's clock is {seconds:.0f} s off the server's.", seconds=abs(answer.server_time_s - now_s)),
    )


def error_of(fault: Fault, campaign: str) -> BulkRemoveError:
    """Return the error that tells the user about a fault that ended the run."""
    if fault.effect is Effect.REFUSED:
        return RefusedError(
            fault.detail, "It refuses every request: check --number-format, --brackets and the campaign."
        )
    if fault.retry_after_s:
        asked = duration(fault.retry_after_s)
        return UnavailableError(fault.detail, phrase("It asks to wait {asked}; try again after that.", asked=asked))
    if fault.effect is not Effect.DENIED:
        return UnavailableError(fault.detail, "Check --url and the network; try again later.")
    meant = phrase("campaign {campaign}", campaign=campaign) if campaign else phrase("the campaigns")
    hints = {
        _NO_USER: "Check --user and the password: it must be an API user of this system.",
        _NO_PERMISSION: "Give the API user the permission for this call in the panel.",
        _NO_CAMPAIGN: phrase("Check {meant}, leading zeros and all, and --url.", meant=meant),
    }
    return RefusedError(fault.detail, hints.get(fault.http_status, "Check --url, --ca-file and --proxy."))
