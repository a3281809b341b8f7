"""What is known of the campaigns before anything is sent: the server's counts, and this machine's earlier runs."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path

from bulk_remove.adapters.folders import run_folders
from bulk_remove.adapters.ledger import completed_run
from bulk_remove.core.guards import Known
from bulk_remove.errors import StorageError
from bulk_remove.language import phrase
from bulk_remove.run.prepare import LEDGER

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
    note = phrase(
        "{unread:,} earlier ledgers could not be read, so what is usual was told without them.", unread=unread
    )
    return known, (note,) if unread else ()
