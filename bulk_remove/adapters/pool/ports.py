"""What the pool needs from outside, as protocols. The ledger, the client and the clock satisfy them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from bulk_remove.core.alike import Alike
from bulk_remove.core.chunker import RequestShape
from bulk_remove.core.lifecycle import Fastest
from bulk_remove.core.model import Again, Chunk, NumberState
from bulk_remove.core.replies import Fault, Reply
from bulk_remove.core.unasked import Unasked

T = TypeVar("T")


class Clock(Protocol):
    """Time and chance."""

    def now_us(self) -> int:
        """Return a monotonic time in microseconds, the event loop's own."""

    def wall_s(self) -> float:
        """Return the time for the ledger, Unix seconds; it goes on while the machine sleeps, and never goes back."""

    def time_of_day_s(self) -> float:
        """Return what the machine's clock says just now, Unix seconds; it jumps when the clock is set."""

    def draw(self) -> float:
        """Return a random float in [0, 1)."""


class Sender(Protocol):
    """Sends one request for a chunk, once."""

    async def delete(
        self,
        chunk: Chunk,
        shape: RequestShape,
        now_s: float,
        departure: Callable[[], Awaitable[bool]],
        arrival: Callable[[], None],
    ) -> Reply | Fault:
        """Return what came of it; never raises for what the network or the server does.

        Awaits `departure` right before the first byte; when it says no, sends nothing and returns NOT_SENT.
        Calls `arrival` when the head of a reply is here, before its body.
        """


class Due(Protocol):
    """Numbers that may share a request: (ordinal, number, state), longest due first."""

    @property
    def campaign(self) -> str: ...  # noqa: D102 - the names say it
    @property
    def form(self) -> int: ...  # noqa: D102
    @property
    def numbers(self) -> Sequence[tuple[int, str, NumberState]]: ...  # noqa: D102


class Steps(Protocol):
    """The ledger's steps inside a transaction; their meaning is documented there."""

    def planned_chunks(self, after_id: int, limit: int) -> list[Chunk]: ...  # noqa: D102 - see the class
    def due_stragglers(self, until_s: float, limit: int, within: tuple[int, int] = ...) -> Due | None: ...  # noqa: D102
    def next_due_s(self, within: tuple[int, int] = ...) -> float | None: ...  # noqa: D102
    def waiting_stragglers(self) -> int: ...  # noqa: D102
    def pack_chunk(  # noqa: D102
        self, campaign: str, form: int, numbers: Sequence[str], ordinals: Sequence[int], states: Sequence[NumberState]
    ) -> Chunk: ...
    def begin_attempt(self, chunk_id: int, now_s: float) -> int: ...  # noqa: D102
    def end_attempt(  # noqa: D102
        self,
        attempt_id: int,
        now_s: float,
        result: str,
        request_id: str,
        strangers: int,
        unasked: Sequence[Unasked] = ...,
    ) -> None: ...
    def end_unsent(self, chunk_id: int, now_s: float) -> None: ...  # noqa: D102
    def keep_states(self, chunk: Chunk, states: Alike[NumberState]) -> None: ...  # noqa: D102
    def settle(self, chunk: Chunk, states: Alike[NumberState], again: Mapping[int, Again]) -> None: ...  # noqa: D102
    def split(  # noqa: D102
        self, chunk: Chunk, states: Alike[NumberState], now_s: float, first: int | None = ...
    ) -> tuple[Chunk, Chunk]: ...
    def fastest(self) -> Fastest: ...  # noqa: D102
    def keep_fastest(self, fastest: Fastest) -> None: ...  # noqa: D102
    def canary(self) -> tuple[int, int] | None: ...  # noqa: D102
    def begin_canary(self, ordinals: Sequence[int], *, planned: bool) -> tuple[int, int]: ...  # noqa: D102


class Journal(Protocol):
    """Runs steps in one transaction; what it returns is on disk."""

    async def write(self, call: Callable[[Steps], T]) -> T:
        """Raises StorageError."""


class Account(Protocol):
    """The ceiling that several runs keep to together."""

    def depart(self, now_us: int) -> int:
        """Ask to go now; return 0 when a request may go, which counts for all, else how many microseconds to wait."""


@dataclass(frozen=True, slots=True)
class Outside:
    """All that the pool reaches outside."""

    journal: Journal
    sender: Sender
    clock: Clock
    account: Account
