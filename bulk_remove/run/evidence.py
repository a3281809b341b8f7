"""What is known of the campaigns before anything is sent: the server's records, and this machine's earlier runs."""

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from bulk_remove.adapters.account import Account
from bulk_remove.adapters.client import Client
from bulk_remove.adapters.clock import SystemClock
from bulk_remove.adapters.folders import account_file, make_private, run_folders
from bulk_remove.adapters.ledger import completed_run
from bulk_remove.core.guards import Known
from bulk_remove.core.pacing import SECOND_US
from bulk_remove.core.replies import Document, Fault
from bulk_remove.errors import StorageError
from bulk_remove.language import counted
from bulk_remove.run.carry_out import connection
from bulk_remove.run.preflight import Findings, Glance, inspect_campaigns
from bulk_remove.run.prepare import LEDGER
from bulk_remove.settings import Address, Login, Settings

RECENT_RUNS = 30
"""The latest so many completed runs of a campaign say what is usual: for a nightly one, the last month."""


def known_of(
    state_dir: Path, host: str, campaigns: Collection[str], records: Mapping[str, int]
) -> tuple[Known, tuple[str, ...]]:
    """Return what is known of the campaigns, and a note on ledgers that could not be read, if there are any.

    `records` is what the server told.
    """
    earlier: defaultdict[str, list[int]] = defaultdict(list)
    wanted = set(campaigns)
    unread = 0
    for folder in reversed(run_folders(state_dir)):
        if not wanted or not (folder / LEDGER).is_file():
            continue
        try:
            run = completed_run(folder / LEDGER)
        except StorageError:
            unread += 1
            continue
        if run is None or run.host != host:
            continue
        for campaign in wanted.intersection(run.sent):
            earlier[campaign].append(run.sent[campaign])
        wanted -= {campaign for campaign, sizes in earlier.items() if len(sizes) >= RECENT_RUNS}
    known = Known(records, {campaign: tuple(sizes) for campaign, sizes in earlier.items()})
    note = counted(
        unread,
        "{count:,} earlier ledger could not be read, so what is usual was told without it.",
        "{count:,} earlier ledgers could not be read, so what is usual was told without them.",
    )
    return known, (note,) if unread else ()


def look_at(campaigns: Sequence[str], settings: Settings, address: Address, login: Login, state_dir: Path) -> Findings:
    """Look at the records of campaigns, in a loop of its own. Raises what `inspect_campaigns` does, and StorageError.

    The requests keep to the ceiling together with those of all runs of the same user, and are no more for a campaign
    than may leave in one second, and one for the names of all.
    """
    make_private(state_dir)
    file = account_file(state_dir, address.host, login.user)
    return asyncio.run(_looked_at(campaigns, settings, address, login, file))


async def _looked_at(
    campaigns: Sequence[str], settings: Settings, address: Address, login: Login, file: Path
) -> Findings:
    ceiling = settings.ceilings().rate
    glance = Glance(settings.region, max(1, min(3, int(ceiling))))
    async with Client(connection(settings, address, login)) as client:
        with Account(file, ceiling, f"look-{os.getpid()}") as account:
            return await inspect_campaigns(_Paced(client, account), address.base_path, campaigns, time.time, glance)


class _Paced:
    """A client whose calls keep to the ceiling of their account."""

    def __init__(self, client: Client, account: Account) -> None:
        self._client = client
        self._account = account

    async def get(self, target: str, now_s: float) -> Document | Fault:
        wait_us = self._account.depart(SystemClock().now_us())
        if wait_us:
            await asyncio.sleep(wait_us / SECOND_US)
            return await self.get(target, now_s)
        return await self._client.get(target, now_s)
