"""Asks the server questions that remove nothing: counts, forms and names of campaigns."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol, TypeGuard, TypeVar

from bulk_remove.core.conditions import is_campaign
from bulk_remove.core.model import harmless
from bulk_remove.core.numbers import Held, forms_held
from bulk_remove.core.pace import SECOND_US
from bulk_remove.core.plan import LONGEST_NAME
from bulk_remove.core.replies import Document, Effect, Fault
from bulk_remove.core.timeline import duration
from bulk_remove.errors import BulkRemoveError, RefusedError, UnavailableError
from bulk_remove.language import counted, joined, ours, phrase
from bulk_remove.run.folders import account_of, make_private
from bulk_remove.sending.client import Client, Connection
from bulk_remove.sending.gate import Account, SystemClock
from bulk_remove.settings import ALL, Address, Login, Settings

T = TypeVar("T")
SKEW_S = 60.0
"""A larger difference between the clocks is reported, because times in the report are this machine's."""
_STOPPED = "The run ended early, so the records were not counted afterwards."
NONE_COUNTED: tuple[dict[str, int], str] = ({}, _STOPPED)
PAGE_RECORDS = 100
"""Records per page of the list: the most that the server returns."""
MORE_PAGES = 40
"""Limit on all pages besides the first of each campaign. After it, middle and last pages are left out."""
_SLOW_S = 10.0
"""A page that takes longer is a burden to the server. It is then not asked for another one."""
_MOST_RECORDS = 10**12
_NO_USER = 401
_NO_PERMISSION = 403
_NO_CAMPAIGN = 404
_NOT_ITS_KIND = {400, _NO_CAMPAIGN, 405, 409, 422}
"""How a server may refuse to list the records of a campaign of another kind."""


class Asker(Protocol):
    """Sends read-only requests."""

    async def get(self, target: str, now_s: float) -> Document | Fault:
        """Return the decoded JSON, or a fault."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found out about campaigns. `records` are their counts of records, if known; `notes` are for the user.

    `held` counts the forms of the numbers in the records seen, by campaign. The records themselves are not kept.
    `empty` are the campaigns without records. `asked` is whether the server was asked at all. `names` are the names of
    campaigns, if the server gave them. `stand_in` is whether the server says that it is not Thulium.
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
    """How to look at records: the region for reading their numbers, and the most pages per campaign."""

    region: str
    pages: int = 3


async def inspect_campaigns(
    asker: Asker,
    base_path: str,
    campaigns: Sequence[str],
    clock: Callable[[], float],
    glance: Glance | None = None,
) -> Findings:
    """Ask how many records each campaign holds, and with a `glance` in which forms its numbers are written.

    `clock` returns Unix seconds. Raises RefusedError for a wrong password or an unknown campaign, UnavailableError if
    the server cannot be reached.
    """
    records: dict[str, int] = {}
    notes: dict[str, None] = {}  # a dict, so that each note is shown once
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
    if any(campaign not in records for campaign in campaigns):
        listed = _by_id(await asker.get(f"{base_path}/api/outbounds/stats", clock()))  # nothing if it is forbidden
        missing = [campaign for campaign in campaigns if campaign not in records]
        counts = {campaign: listed.get(campaign, {}).get("records_count") for campaign in missing}
        records |= {campaign: count for campaign, count in counts.items() if is_count(count)}
    if any(campaign not in records for campaign in campaigns):
        notes |= {"The statistics do not include a record count either.": None}
    if not pages_left:
        notes |= {"There are many campaigns, so for most of them only the first page of records was read.": None}
    names = {}
    if glance is not None:
        listed = _by_id(await asker.get(f"{base_path}/api/outbounds", clock()))
        named = {campaign: listed.get(campaign, {}).get("name") for campaign in campaigns}
        names = {campaign: name for campaign, name in named.items() if isinstance(name, str) and name.strip()}
    return Findings(records, tuple(notes), held, frozenset(empty), names=names, stand_in=stand_in)


class Listed(NamedTuple):
    """A campaign as the server lists it; `records` is None where it does not say how many there are."""

    campaign: str
    name: str
    records: int | None


async def list_campaigns(asker: Asker, base_path: str, now_s: float) -> Sequence[Listed]:
    """Return the campaigns of the system, by name; none if they may not be listed. Raises as `inspect_server` does."""
    answers = [await asker.get(f"{base_path}/api/outbounds{call}", now_s) for call in ("", "/stats")]
    for answer in answers:
        refused = isinstance(answer, Fault) and answer.effect in {Effect.REFUSED, Effect.DENIED}
        if isinstance(answer, Fault) and not (refused and answer.http_status != _NO_USER):
            raise error_of(answer, "")
    named, counted = map(_by_id, answers)
    listed = []
    for campaign in filter(is_campaign, named.keys() | counted.keys()):
        name, records = named.get(campaign, {}).get("name"), counted.get(campaign, {}).get("records_count")
        listed.append(Listed(campaign, name if isinstance(name, str) else "", records if is_count(records) else None))
    return sorted(listed, key=lambda each: (each.name.casefold(), each.campaign))


async def csv_campaigns(
    asker: Asker, base_path: str, clock: Callable[[], float]
) -> tuple[Sequence[Listed], Sequence[Listed]]:
    """Return the campaigns that the server lists, and of these apart those whose records it does not list.

    The latter are fed from the CRM, or are gone: their records cannot be removed by number. Raises RefusedError if no
    campaign may be listed, and as `list_campaigns` does.
    """
    own, others = [], []
    for each in await list_campaigns(asker, base_path, clock()):
        answer = await asker.get(page_target(base_path, each.campaign, 1, 0), clock())
        if isinstance(answer, Fault) and answer.http_status in _NOT_ITS_KIND:
            others.append(each)
        elif isinstance(answer, Fault) and answer.http_status != _NO_PERMISSION:
            raise error_of(answer, each.campaign)
        else:
            own.append(each)
    if not own:
        raise RefusedError(
            "The server lists no campaign from which numbers can be removed.",
            "Give the API user the right to list campaigns, or name the campaigns with --campaign.",
        )
    return own, others


def _by_id(answer: Document | Fault) -> Mapping[str, Mapping[str, object]]:
    """Return the entries of a list of campaigns; none from a fault."""
    entries = answer.content if isinstance(answer, Document) and isinstance(answer.content, list) else []
    return {str(entry.get("id")): entry for entry in entries if isinstance(entry, dict)}


def is_count(count: object) -> TypeGuard[int]:
    """Return whether a value of the server is a possible count of records."""
    return type(count) is int and 0 <= count <= _MOST_RECORDS


async def count_after(
    asker: Asker,
    base_path: str,
    campaigns: Sequence[str],
    clock: Callable[[], float],
    turn: Callable[[], Awaitable[bool]],
) -> tuple[dict[str, int], str]:
    """Count the records of each campaign again. Returns the counts, and why some are missing.

    `turn` is awaited before each request. If it returns False, nothing more is asked. Faults of the server are not
    raised.
    """
    records: dict[str, int] = {}
    for campaign in campaigns:
        if not await turn():
            return records, _STOPPED
        try:
            found = await inspect_campaigns(asker, base_path, (campaign,), clock)
        except BulkRemoveError as error:
            return records, phrase(
                "The server did not report how many records are left: {problem}", problem=ours(error.sentence)
            )
        records |= found.records
        if campaign not in records:
            return records, joined(" ", map(ours, found.notes))
    return records, ""


async def _first_page(
    asker: Asker, base_path: str, campaign: str, now_s: float, limit: int
) -> tuple[Findings, list[object]]:
    """Ask for the first records of a campaign. Returns how many records it holds, and the numbers in the first ones.

    A list that is forbidden, refused or not as documented becomes a note. Raises as `inspect_campaigns` does.
    """
    answer = await asker.get(page_target(base_path, campaign, limit, 0), now_s)
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
    if is_count(count):
        return Findings({campaign: count}, _clock_notes(answer, now_s), stand_in=answer.stand_in), numbers
    note = "The server's list of records is not as documented, so the campaign could not be counted."
    return Findings({}, (note, *_clock_notes(answer, now_s)), stand_in=answer.stand_in), numbers


async def _more_pages(
    asker: Asker, base_path: str, campaign: str, clock: Callable[[], float], offsets: Sequence[int]
) -> AsyncIterator[list[object]]:
    """Yield the numbers of further pages. Stop after a page that fails or comes slowly."""
    loop = asyncio.get_running_loop()
    for offset in offsets:
        asked_s = loop.time()
        answer = await asker.get(page_target(base_path, campaign, PAGE_RECORDS, offset), clock())
        if isinstance(answer, Fault):
            return
        yield _numbers(answer)
        if loop.time() - asked_s > _SLOW_S:
            return


def page_target(base_path: str, campaign: str, limit: int, offset: int) -> str:
    """Return path and query of a page of a campaign's records."""
    return f"{base_path}/api/outbounds/{campaign}/records?limit={limit}&offset={offset}"


def _more_offsets(records: int, pages: int) -> list[int]:
    """Return the offsets of the last page and of one in the middle. The first page is known."""
    middle = max(PAGE_RECORDS, records // 2 - PAGE_RECORDS // 2)
    last = max(PAGE_RECORDS, records - PAGE_RECORDS)
    if records > 2 * PAGE_RECORDS:
        last = max(middle + PAGE_RECORDS, last)
    return [offset for offset in dict.fromkeys((last, middle)) if offset < records][: pages - 1]


def _numbers(answer: Document) -> list[object]:
    """Return the phone numbers of a page as they are, at most as many as were asked for."""
    result = answer.content.get("result") if isinstance(answer.content, dict) else None
    records = result[:PAGE_RECORDS] if isinstance(result, list) else []
    return [record["phone_number"] for record in records if isinstance(record, dict) and "phone_number" in record]


async def inspect_server(asker: Asker, base_path: str, now_s: float) -> Findings:
    """Ask for the statistics, to check address, TLS and user. Raises the same errors as `inspect_campaigns`."""
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
    """Return the error for a fault that ended the run."""
    if fault.effect is Effect.REFUSED:
        return RefusedError(
            fault.detail, "It refuses every request: check --number-format, --brackets and the campaign."
        )
    if fault.retry_after_s:
        asked = duration(fault.retry_after_s)
        return UnavailableError(fault.detail, phrase("It asks to wait {asked}; try again after that.", asked=asked))
    if fault.effect is not Effect.DENIED:
        return UnavailableError(fault.detail, "Check --url and the network; try again later.")
    campaign = fault.campaign or campaign  # of several the one that was refused
    meant = phrase("campaign {campaign}", campaign=campaign) if campaign else phrase("the campaigns")
    hints = {
        _NO_USER: "Check --user and the password: it must be an API user of this system.",
        _NO_PERMISSION: "Give the API user the permission for this call in the panel.",
        _NO_CAMPAIGN: phrase("Check {meant}, with leading zeros, and --url.", meant=meant),
    }
    return RefusedError(fault.detail, hints.get(fault.http_status, "Check --url, --ca-file and --proxy."))


def connection(settings: Settings, address: Address, login: Login) -> Connection:
    """Return the parameters of the HTTP connection."""
    return Connection(
        address.origin,
        login.user,
        login.password,
        settings.ceilings().at_once,
        settings.connect_timeout_s,
        settings.timeout_s,
        settings.ca_file,
        settings.proxy,
    )


def look_at(campaigns: Sequence[str], settings: Settings, address: Address, login: Login, state_dir: Path) -> Findings:
    """Look at the records of campaigns, in a new event loop. Raises as `inspect_campaigns` does, and StorageError.

    The requests count towards the limit that all runs of this API user share. Each campaign gets at most as many as may
    leave in one second; one more request asks for the names of all campaigns.
    """
    glance = Glance(settings.region, max(1, min(3, int(settings.ceilings().rate))))
    question = partial(
        inspect_campaigns, base_path=address.base_path, campaigns=campaigns, clock=time.time, glance=glance
    )
    return asyncio.run(_asked(question, settings, address, login, state_dir))


def list_all(settings: Settings, address: Address, login: Login, state_dir: Path) -> Sequence[Listed]:
    """Return the campaigns of the system, in a loop of its own. Raises what `list_campaigns` does, and StorageError."""
    question = partial(list_campaigns, base_path=address.base_path, now_s=time.time())
    return asyncio.run(_asked(question, settings, address, login, state_dir))


async def _asked(
    question: Callable[[Asker], Awaitable[T]], settings: Settings, address: Address, login: Login, state_dir: Path
) -> T:
    async with asking(settings, address, login, state_dir) as asker:
        return await question(asker)


def with_campaigns(
    settings: Settings, address: Address, login: Login, state_dir: Path, warn: Callable[[str], None]
) -> tuple[Settings, tuple[str, ...]]:
    """Return the settings with every campaign for `all`, and those left out. Raises as `csv_campaigns` does."""
    if settings.campaign != ALL:
        return settings, ()
    question = partial(csv_campaigns, base_path=address.base_path, clock=time.time)
    own, others = asyncio.run(_asked(question, settings, address, login, state_dir))
    left_out = tuple(f"{each.campaign} '{harmless(each.name, LONGEST_NAME)}'" for each in others)
    if left_out:
        warn(
            counted(
                len(others),
                "Left out: campaign {named}. The server does not list its records, so it is of another kind (fed from "
                "the CRM), and nothing is removed from it.",
                "Left out: campaigns {named}. The server does not list their records, so they are of another kind (fed "
                "from the CRM), and nothing is removed from them.",
                named=", ".join(left_out),
            )
        )
    return replace(settings, campaign=",".join(sorted(each.campaign for each in own))), left_out


@asynccontextmanager
async def asking(settings: Settings, address: Address, login: Login, state_dir: Path) -> AsyncGenerator[Asker, None]:
    """Give what sends read-only requests, at the pace that all runs of the API user share."""
    make_private(state_dir)
    async with Client(connection(settings, address, login)) as client:
        rate = settings.ceilings().rate
        with account_of(state_dir, address.host, login.user, rate, f"look-{os.getpid()}") as account:
            yield _Paced(client, account)


@dataclass(frozen=True, slots=True)
class _Paced:
    """A client whose calls keep to the shared limit of their API user."""

    client: Client
    account: Account

    async def get(self, target: str, now_s: float) -> Document | Fault:
        wait_us = self.account.depart(SystemClock().now_us())
        if wait_us:
            await asyncio.sleep(wait_us / SECOND_US)
            return await self.get(target, now_s)
        return await self.client.get(target, now_s)
