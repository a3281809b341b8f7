"""What earlier runs on this machine sent, read from their ledgers without opening them for writing."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import orjson

from bulk_remove.adapters.ledger.store import damage_told
from bulk_remove.core.summary import Ending
from bulk_remove.errors import StorageError
from bulk_remove.language import phrase


class PastRun(NamedTuple):
    """A run that came to its end: the server's name, and how many distinct numbers of each campaign it sent."""

    host: str
    sent: Mapping[str, int]


def completed_run(path: Path) -> PastRun | None:
    """Return what a run sent; None when it did not come to its end, or was a rerun, which says nothing of the usual.

    Raises StorageError when its ledger cannot be read.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            facts = connection.execute(
                "SELECT request, plan FROM run WHERE approved_by IS NOT NULL AND ? ="
                " (SELECT ending FROM session ORDER BY session_no DESC LIMIT 1)",
                (Ending.DONE.value,),
            ).fetchone()
    except sqlite3.Error as error:
        raise StorageError(
            phrase("The ledger {path} cannot be read: {problem}.", path=path, problem=error),
            "Put it back from a backup, or delete its folder.",
        ) from None
    if facts is None:
        return None
    with damage_told(path):
        request, plan = map(orjson.loads, facts)
        campaigns = plan["campaigns"]
        if any(campaign["settled"] for campaign in campaigns):
            return None
        sent = {str(one["campaign"]): int(one["numbers"]) for one in campaigns}
        return PastRun(str(request["destination"]["host"]), sent)
