"""When what happened: the sessions and requests of a run, in order."""

from collections.abc import Iterator
from math import ceil
from typing import Any

import orjson

from bulk_remove.adapters.ledger.store import Store
from bulk_remove.core.course import Attempt, SessionSpan
from bulk_remove.core.throttle import Level, ceilings_of

_QUANTILES = (0.5, 0.95, 0.99, 1.0)
_REPLIES = "FROM attempt WHERE result = 'verdicts'"

SESSION_END = (
    "coalesce(ended_at_s, (SELECT begun_at_s FROM attempt WHERE coalesce(ended_no, 9e17) BETWEEN began_no AND"
    " coalesce((SELECT min(began_no) FROM session later WHERE later.session_no > session.session_no), 9e18)"
    " ORDER BY attempt_id DESC LIMIT 1), began_at_s)"
)
"""When a session ended; one that was killed, with its last request.

That is found by the order of what happened: between two sessions the clock may have been set back.
"""


class Timing:
    """Reads a ledger that nobody writes to at the same time."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def sessions(self) -> tuple[SessionSpan, ...]:
        """Return the times of sending in order; the ending is empty for one that was killed. Raises StorageError."""
        with self._store.reading() as connection:
            rows = connection.execute(
                f"SELECT began_at_s, {SESSION_END}, settings, ifnull(ending, '') FROM session ORDER BY session_no"  # noqa: S608 - a constant
            ).fetchall()
        return tuple(
            SessionSpan(began_s, ended_s, _ceiling(settings), ending, tuple(settings.get("hours", ())))
            for began_s, ended_s, packed, ending in rows
            for settings in [orjson.loads(packed)]
        )

    def last_settings(self) -> dict[str, object]:
        """Return what the last session was told, as `Settings.public` gave it. There must be one."""
        with self._store.reading() as connection:
            (packed,) = connection.execute("SELECT settings FROM session ORDER BY session_no DESC LIMIT 1").fetchone()
        settings: dict[str, object] = orjson.loads(packed)
        return settings

    def attempts(self) -> Iterator[Attempt]:
        """Yield the requests that left, in the order in which they began. Raises StorageError."""
        with self._store.reading() as connection:
            for row in connection.execute(
                "SELECT begun_at_s, ifnull(ended_at_s, begun_at_s), ifnull(result, 'no reply yet'), request_id"
                " FROM attempt WHERE result IS NOT 'not sent' ORDER BY attempt_id"
            ):
                yield Attempt(*row)

    def reply_times_s(self) -> dict[float, float]:
        """Return how long requests waited for their verdicts, by share: 0.5 is the median, 1.0 the longest.

        Empty where no request got verdicts; the rank is the nearest, so that each time is one that was measured.
        Raises StorageError.
        """
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


def _ceiling(settings: dict[str, Any]) -> float:
    return ceilings_of(Level(settings["pace"]), settings["rate"], settings["concurrency"]).rate
