"""The progress: redrawn in place on a terminal; elsewhere, or on a dumb terminal, a plain line now and then.

All output goes through `Outlet`. Its stream may be closed, full or limited to few letters; nothing fails then.
"""

import asyncio
import io
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from typing import IO

from rich.cells import cell_len
from rich.console import Console
from rich.live import Live as RichLive
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bulk_remove.core.lifecycle import Phase
from bulk_remove.core.timeline import RATE_WINDOW_S, Snapshot, duration, remaining_s, rounded, speed, told_moment
from bulk_remove.language import counted, phrase, translated

_REDRAW_S = 0.25
_LINE_EVERY_S = 10.0


def moment_of(moment_s: float) -> str:
    """Return a later moment (Unix seconds) in local time."""
    return told_moment(datetime.fromtimestamp(moment_s), datetime.now())  # noqa: DTZ005, DTZ006 - local time is meant


class Live:
    """Shows progress on one console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._redraws = console.is_terminal and not console.is_dumb_terminal

    @contextmanager
    def reading(self, records: int | None = None) -> Iterator[Callable[[int], None]]:
        """Show how many rows, or how many of so many records, have been read; yields what takes the count."""
        if not self._redraws:
            yield lambda _: None
            return

        def told(read: int) -> str:
            if records is None:
                return phrase("Reading: {rows}", rows=counted(read, "{count:,} row", "{count:,} rows"))
            return counted(
                records,
                "Reading: {read:,} of {count:,} record",
                "Reading: {read:,} of {count:,} records",
                read=read,
            )

        with self._console.status(translated("Reading ...")) as status:
            yield lambda read: status.update(translated(told(read)))

    @asynccontextmanager
    async def sending(
        self, numbers: int, rate: float, give_up_after_s: float, snapshot: Callable[[], Snapshot]
    ) -> AsyncIterator[None]:
        """Show the progress of so many numbers; `rate` is the limit in requests a second."""
        scene = Scene(numbers, rate, give_up_after_s, keys=self._redraws)
        show = self._redrawing if self._redraws else self._lines
        task = asyncio.create_task(show(scene, snapshot))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            failure = None if task.cancelled() else task.exception()
            if failure is not None and not isinstance(failure, OSError):
                raise failure

    async def _redrawing(self, scene: "Scene", snapshot: Callable[[], Snapshot]) -> None:
        with RichLive(console=self._console, auto_refresh=False, transient=True) as live:
            while True:
                scene.look(snapshot())
                live.update(scene.picture(self._console.width), refresh=True)
                await asyncio.sleep(_REDRAW_S)

    async def _lines(self, scene: "Scene", snapshot: Callable[[], Snapshot]) -> None:
        scene.look(snapshot())
        shown: list[str] = []
        while True:
            await asyncio.sleep(_LINE_EVERY_S)
            now = snapshot()
            scene.look(now)
            facts = scene.facts()
            if now.opens_s is None or facts != shown:  # a run that waits all day says so once
                self._console.print(Text(", ".join(map(translated, facts))))
            shown = facts


class Scene:
    """The latest snapshot and the speeds of the last half minute."""

    def __init__(self, numbers: int, rate: float, give_up_after_s: float, *, keys: bool) -> None:
        self._keys = keys
        self._began_s = time.monotonic()
        self._numbers = numbers
        self._rate = rate
        self._give_up_after_s = give_up_after_s
        self._settled: deque[tuple[float, int]] = deque()
        self._asked: deque[tuple[float, int]] = deque()
        self._requests: deque[tuple[float, int]] = deque()

    def look(self, now: Snapshot) -> None:
        """Add a snapshot."""
        self._now = now
        moment_s = time.monotonic()
        for samples, count in (
            (self._settled, now.settled),
            (self._asked, self._numbers - now.unsent),
            (self._requests, now.requests),
        ):
            if now.paused_for_s is not None or now.opens_s is not None:  # a run on hold has no speed
                samples.clear()
                continue
            samples.append((moment_s, count))
            while samples[0][0] < moment_s - RATE_WINDOW_S:
                samples.popleft()

    def facts(self) -> list[str]:
        """Return the facts to show, most important first."""
        return [*self._counts(), *self._course()]

    def _counts(self) -> list[str]:
        now = self._now
        phases = now.phases
        removed = phases.get(Phase.REMOVED, 0) + phases.get(Phase.REMOVED_AT_LEAST, 0)
        absent = phases.get(Phase.NOT_EXIST, 0) + phases.get(Phase.PRESUMED_REMOVED, 0)
        facts: list[str] = [
            counted(
                self._numbers,
                "{settled:,} of {count:,} number ({percent}%)",
                "{settled:,} of {count:,} numbers ({percent}%)",
                settled=now.settled,
                percent=100 * now.settled // max(1, self._numbers),  # rounded down: 100% means all of them
            ),
            phrase("{removed:,} removed", removed=removed),
            phrase("{absent:,} not there", absent=absent),
        ]
        if now.in_a_call:
            facts.append(phrase("{in_a_call:,} in a call", in_a_call=now.in_a_call))
        if now.faults:
            facts.append(
                counted(
                    sum(now.faults.values()),
                    "{count:,} request without verdicts",
                    "{count:,} requests without verdicts",
                )
            )
        return facts

    def outlook(self) -> str:
        """Return why nothing is sent, or how long it will take."""
        return self._standstill() or self._outlook()

    def _course(self) -> list[str]:
        if standstill := self._standstill():
            return [self._pace(), standstill]
        elapsed = phrase("{elapsed} elapsed", elapsed=duration(time.monotonic() - self._began_s))
        return [elapsed, self._pace(), self._outlook()]

    def _pace(self) -> str:
        below = phrase(", pace {rate:,.10g}", rate=rounded(self._now.rate)) if self._now.rate < self._rate else ""
        # With few samples, the first and last request count for too short a time; the limit is never exceeded.
        sent = min(self._rate, speed(self._requests))
        return phrase("{sent:.1f} requests/s (limit {rate:g}{below})", sent=sent, rate=self._rate, below=below)

    def _standstill(self) -> str:
        """Say why no requests, or only probes, are sent; empty if requests are sent."""
        now = self._now
        finishing = phrase(", {under_way} under way", under_way=now.under_way) if now.under_way else ""
        if now.paused_for_s is not None:
            outside = (
                "" if now.opens_s is None else phrase(", outside --hours until {moment}", moment=moment_of(now.opens_s))
            )
            return phrase(
                "PAUSED for {paused_for}{outside}{finishing}: p goes on, q stops",
                paused_for=duration(now.paused_for_s),
                outside=outside,
                finishing=finishing,
            )
        if now.opens_s is not None:
            return phrase(
                "outside --hours{finishing}; goes on at {moment}", finishing=finishing, moment=moment_of(now.opens_s)
            )
        if now.wait is not None:
            return phrase(
                "the server asked to wait {asked}: goes on in {left}",
                asked=duration(now.wait.asked_s),
                left=duration(now.wait.left_s),
            )
        if now.failing_for_s is not None:
            return phrase(
                "no answer for {failing_for}; gives up after {give_up_after}",
                failing_for=duration(now.failing_for_s),
                give_up_after=duration(self._give_up_after_s),
            )
        return ""

    def _outlook(self) -> str:
        now = self._now
        if now.unsent:
            left_s = remaining_s(now.unsent + now.waiting, speed(self._asked))
            if left_s is None:
                return "time left not known yet"
            if not now.waiting:
                return phrase("about {left} left", left=duration(left_s))
            # Nobody knows how long calls last: it takes at least until the first of them is asked for again.
            left = duration(max(left_s, now.due_in_s or 0.0))
            return phrase("at least {left} left, with the numbers in a call", left=left)
        if now.waiting and now.due_in_s is not None and now.due_in_s <= 0.0:
            left_s = remaining_s(now.waiting, speed(self._settled))
            left = "" if left_s is None else phrase(", about {left} left", left=duration(left_s))
            return phrase("asking again for {waiting:,}{left}", waiting=now.waiting, left=left)
        if now.waiting and now.due_in_s is not None:
            now_s = time.time()
            latest = "" if now.until_in_s is None else moment_of(now_s + now.until_in_s)
            return phrase(
                "waiting for {waiting:,}: asking again at {moment}{latest}{stops}",
                waiting=now.waiting,
                moment=moment_of(now_s + now.due_in_s),
                latest=phrase(", until {latest} at the latest", latest=latest) if latest else "",
                stops=phrase("; q stops") if self._keys else "",
            )
        return phrase("finishing")

    def picture(self, width: int) -> Table:
        """Return the progress for a terminal of so many columns."""
        picture = Table.grid()
        bar = ProgressBar(
            max(1, self._numbers),
            self._now.settled,
            width=60,
            style="dim",
            complete_style="cyan",
            finished_style="cyan",
        )
        picture.add_row(bar)
        picture.add_row(Text(_in_lines(self._counts(), width)))
        picture.add_row(Text(_in_lines(self._course(), width), style="dim"))
        return picture


def _in_lines(facts: Iterable[str], width: int) -> str:
    """Return facts side by side. A line ends between two of them, so that no figure is cut off from its word."""
    lines: list[str] = []
    for fact in map(translated, facts):
        if lines and cell_len(f"{lines[-1]} · {fact}") <= width:
            lines[-1] += f" · {fact}"
        else:
            lines.append(fact)
    return "\n".join(lines)


class Outlet(io.TextIOBase):
    """A standard stream that never fails: once it accepts no more, output is lost and the run continues."""

    def __init__(self, stream: IO[str] | None) -> None:
        self._stream = stream
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the standard library's own streams make it a property too
        """The stream's encoding, which decides about drawing characters."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream is not None and not self._stream.closed and self._stream.isatty()

    def fileno(self) -> int:
        """Return the stream's descriptor. Raises OSError if it has none."""
        if self._stream is None or self._stream.closed:
            raise io.UnsupportedOperation
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write as much as the stream accepts; returns the length of the text."""
        if self._stream is not None and not self._stream.closed:
            try:
                self._stream.write(text)
            except OSError:
                self._give_up(self._stream)
        return len(text)

    def flush(self) -> None:
        """Pass on the written text."""
        if self._stream is not None and not self._stream.closed:
            try:
                self._stream.flush()
            except OSError:
                self._give_up(self._stream)

    def _give_up(self, stream: IO[str]) -> None:
        """Stop writing, and discard the text that the stream still holds."""
        self._stream = None
        with suppress(OSError):  # a stream without a descriptor holds no text
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
