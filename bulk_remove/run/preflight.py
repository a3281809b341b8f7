"""What the server can be asked without removing anything."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bulk_remove.core.progress import duration
from bulk_remove.core.replies import Document, Effect, Fault
from bulk_remove.errors import BulkRemoveError, RefusedError, UnavailableError
from bulk_remove.language import joined, ours, phrase

SKEW_S = 60.0
"""Clocks further apart than this are worth a word: times in the report are this machine's."""
_STOPPED = "The run ended early, so the records were not counted afterwards."
NONE_COUNTED: tuple[dict[str, int], str] = ({}, _STOPPED)
_NO_PERMISSION = 403
_NO_CAMPAIGN = 404


class Asker(Protocol):
    """Asks read-only calls."""

    async def get(self, target: str, now_s: float) -> Document | Fault:
        """Return the decoded JSON, or why there is none."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found out. `records` counts the records of campaigns, where known; `notes` are for the operator."""

    records: Mapping[str, int]
    notes: tuple[str, ...]


async def inspect_campaigns(
    asker: Asker, base_path: str, campaigns: Sequence[str], clock: Callable[[], float]
) -> Findings:
    """Ask for the records of each campaign, one after the other. `clock` returns Unix seconds.

    Raises RefusedError for a wrong password or an unknown campaign, UnavailableError when the server is out of reach.
    """
    records: dict[str, int] = {}
    notes: dict[str, None] = {}  # said once, whichever campaigns they are about
    for campaign in campaigns:
        found = await inspect_campaign(asker, base_path, campaign, clock())
        records |= found.records
        notes |= dict.fromkeys(found.notes)
    if missing := [campaign for campaign in campaigns if campaign not in records]:
        records |= await _by_statistics(asker, base_path, missing, clock())
    if any(campaign not in records for campaign in campaigns):
        notes |= {"Nor do the statistics tell how many records it holds.": None}
    return Findings(records, tuple(notes))


async def _by_statistics(asker: Asker, base_path: str, campaigns: Sequence[str], now_s: float) -> dict[str, int]:
    """Return the records of those of the campaigns that the statistics know; none where they may not be asked for."""
    answer = await asker.get(f"{base_path}/api/outbounds/stats", now_s)
    entries = answer.content if isinstance(answer, Document) and isinstance(answer.content, list) else []
    counts = {entry.get("id"): entry.get("records_count") for entry in entries if isinstance(entry, dict)}
    return {campaign: count for campaign in campaigns if isinstance(count := counts.get(campaign), int)}


async def counted_after(
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


async def inspect_campaign(asker: Asker, base_path: str, campaign: str, now_s: float) -> Findings:
    """Ask for the campaign's records, one at most. `now_s` in Unix seconds.

    Raises RefusedError for a wrong password or an unknown campaign, UnavailableError when the server is out of reach.
    """
    answer = await asker.get(f"{base_path}/api/outbounds/{campaign}/records?limit=1&offset=0", now_s)
    if isinstance(answer, Fault):
        if answer.http_status == _NO_PERMISSION:
            note = "This API user may not list records, so the campaign could not be looked at beforehand."
            return Findings({}, (note,))
        raise error_of(answer, campaign)
    count = answer.content.get("count") if isinstance(answer.content, dict) else None
    if isinstance(count, int):
        return Findings({campaign: count}, _clock_notes(answer, now_s))
    note = "The server's list of records is not as documented, so the campaign could not be counted."
    return Findings({}, (note, *_clock_notes(answer, now_s)))


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
        401: "Check --user and the password: it must be an API user of this system.",
        _NO_PERMISSION: "Give the API user the permission for this call in the panel.",
        _NO_CAMPAIGN: phrase("Check {meant}, leading zeros and all, and --url.", meant=meant),
    }
    return RefusedError(fault.detail, hints.get(fault.http_status, "Check --url, --ca-file and --proxy."))
