"""One thread that writes for all workers, with group commit.

Each call is a small function of `Sending`. The thread takes every call that waits, runs them in one transaction,
commits once (one fsync for all), and only then tells the callers, all at once: to wake the loop costs more than most
calls. So an awaited call is on disk when it returns.
"""

import asyncio
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from threading import Thread
from typing import Any, Self, TypeVar

from bulk_remove.adapters.ledger.chain import Chain
from bulk_remove.adapters.ledger.sending import Sending
from bulk_remove.adapters.ledger.store import Store

T = TypeVar("T")
Call = Callable[[Sending], object]
Waiting = tuple[Call, asyncio.Future[Any]]
_MOST_CALLS_PER_COMMIT = 256


class Journal:
    """`await journal.write(lambda sending: ...)`; a context manager that starts and stops the thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._chain = Chain()
        self._calls: SimpleQueue[Waiting | None] = SimpleQueue()
        self._thread = Thread(target=self._serve, name="ledger", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._calls.put(None)
        self._thread.join()

    async def write(self, call: Callable[[Sending], T]) -> T:
        """Run a call in the writer's thread; returns its result once it is committed.

        A cancelled caller does not undo its call: what was intended stays written. Raises StorageError.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._calls.put((call, future))
        result: T = await future
        return result

    def _serve(self) -> None:
        while (first := self._calls.get()) is not None:
            batch = [first]
            closing = False
            while len(batch) < _MOST_CALLS_PER_COMMIT and not self._calls.empty():
                call = self._calls.get()
                if call is None:
                    closing = True
                    break
                batch.append(call)
            self._commit(batch)
            if closing:
                return

    def _commit(self, batch: list[Waiting]) -> None:
        """Run and commit a batch; whatever happens to it happens to each of its callers."""
        loop = batch[0][1].get_loop()
        try:
            with self._store.transaction() as connection:
                sending = Sending(connection, self._chain)
                results = [call(sending) for call, _ in batch]
        except BaseException as error:  # noqa: BLE001 - handed to the callers, who await it
            self._chain = Chain()  # it may have linked what is undone
            loop.call_soon_threadsafe(_fail, batch, error)
        else:
            loop.call_soon_threadsafe(_tell, batch, results)


def _tell(batch: Iterable[Waiting], results: Iterable[object]) -> None:
    for (_, future), result in zip(batch, results, strict=True):
        if not future.done():  # its caller was cancelled
            future.set_result(result)


def _fail(batch: Iterable[Waiting], error: BaseException) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
