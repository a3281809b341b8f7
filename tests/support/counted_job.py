"""The whole job in this process, stage by stage, with a server that answers at once: to count what each stage takes."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, Self
from unittest.mock import patch

from bulk_remove.core.model import Status
from bulk_remove.core.plan import Consent, approve
from bulk_remove.ledger import Store, store
from bulk_remove.ledger import write as writer
from bulk_remove.reader import ReadOptions, open_table
from bulk_remove.run.finish import finish
from bulk_remove.run.folders import LEDGER_FILE
from bulk_remove.run.job import Operator, carry_out
from bulk_remove.run.prepare import prepare, reading_of
from bulk_remove.sending.client import Arrival, Client, Connection, Departure
from bulk_remove.settings import Address, Login, Settings

_ADDRESS = Address.parse("https://demo.thulium.com")
_LOGIN = Login("robot", "made-up")
_SETTINGS = Settings("00001", slow_reply_s=3600.0)  # on a clock that leaps every reply is slow
_KEYS = "phone_number[]=", "phone_number%5B%5D="
_FIRST_NUMBER, _FIRST_RECORD = 500_000_000, 1_000_000
BLOCK_ROWS = ReadOptions().block_rows
# Nothing is folded back before the end: so the write-ahead log is as long as all that was written to it. To wait for
# the disk would change no count.
_PRAGMAS = (*(pragma.replace("FULL", "OFF") for pragma in store._PRAGMAS), "PRAGMA wal_autocheckpoint = 0")


class Stage(StrEnum):
    PLANNING = "planning"
    SENDING = "sending"
    REPORTING = "reporting"


Watch = Callable[[Stage, Store | None], AbstractContextManager[None]]
"""Counts what a stage takes while it is entered; the ledger is there from the second stage on."""


class Done(NamedTuple):
    """What a job left: the requests that it took, and the size of its ledger once it was closed."""

    requests: int
    ledger_bytes: int


class _AnsweringClient(Client):
    """The package's client without its sockets: each number has one record, and it is removed."""

    def __init__(self, _: Connection) -> None:
        self._next_record = _FIRST_RECORD

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """There is nothing to close."""

    async def _request(
        self, method: str, target: str, departure: Departure | None = None, arrival: Arrival | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        assert method == "DELETE"
        assert departure is not None
        assert arrival is not None
        assert await departure()
        arrival()
        numbers = target.partition("?")[2].replace(_KEYS[0], "").replace(_KEYS[1], "").split("&")
        first, self._next_record = self._next_record, self._next_record + len(numbers)
        entries = [
            f'"{number}":[{{"http_status":200,"record_id":{record_id},"status":"REMOVED"}}]'
            for record_id, number in enumerate(numbers, first)
        ]
        return 200, {}, ("{" + ",".join(entries) + "}").encode()


class _LeapingClock:
    """A second passes at each look, so that nobody ever waits for the pace."""

    def __init__(self) -> None:
        self._looks = 0

    def now_us(self) -> int:
        self._looks += 1
        return self._looks * 1_000_000

    def wall_s(self) -> float:
        return 1_700_000_000.0

    def draw(self) -> float:
        return 0.5


def carried_out(numbers: int, watch: Watch, block_rows: int = BLOCK_ROWS) -> Done:
    """Do the job for so many numbers of a clean file. Fails where not each of them was removed and reported."""
    with TemporaryDirectory() as made:
        folder = Path(made)
        path = folder / "numbers.csv"
        each = map(str, range(_FIRST_NUMBER, _FIRST_NUMBER + numbers))
        path.write_text("\n".join(["telefon", *each]), encoding="ascii")
        with ExitStack() as stack:
            stack.enter_context(patch.object(store, "_PRAGMAS", _PRAGMAS))
            stack.enter_context(patch("bulk_remove.reader.csv._SHORT_BYTES", 0))  # as a large file is read
            # Each call is a commit of its own: the most there can be, and the same however the threads fall.
            stack.enter_context(patch.object(writer, "_MOST_CALLS_PER_COMMIT", 1))
            stack.enter_context(
                patch.multiple("bulk_remove.run.job", Client=_AnsweringClient, SystemClock=_LeapingClock)
            )
            requests, ledger = _in_stages(path, numbers, watch, block_rows, stack)
        return Done(requests, ledger.stat().st_size)


def _in_stages(path: Path, numbers: int, watch: Watch, block_rows: int, stack: ExitStack) -> tuple[int, Path]:
    with watch(Stage.PLANNING, None):
        table = open_table(str(path), replace(reading_of(_SETTINGS, path.parent), block_rows=block_rows))
        destination = _ADDRESS.destination(_LOGIN.user)
        ready = stack.enter_context(prepare([table], _SETTINGS, destination, path.parent, 0.0))
    with watch(Stage.SENDING, ready.store):
        approved = approve(ready.plan, Consent.CODE)
        sent = asyncio.run(carry_out(ready, approved, _ADDRESS, _LOGIN, Operator()))
    with watch(Stage.REPORTING, ready.store):
        finished = finish(ready, sent.ending, None)
    assert finished.by_status == {Status.REMOVED: numbers}
    assert finished.removed_records == finished.asked_numbers == numbers
    return finished.totals.requests, ready.folder / LEDGER_FILE
