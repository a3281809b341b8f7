"""One night of an inbox: what was left over first, then each finished file in turn.

What is known of a file is in the ledger of its run, and nowhere else: after a night that died at any moment, the next
finds the file in the inbox and its run in the state folder. A file is moved only once its report, or a note that says
why there is none, lies where it goes; the run is marked as concluded after that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bulk_remove.adapters.folders import mark_concluded, note_report
from bulk_remove.adapters.inbox import REPORT_END, Inbox, Look
from bulk_remove.adapters.reader import is_readable, is_report
from bulk_remove.core.nights import Place, ends_the_night, place_of
from bulk_remove.core.summary import Ending
from bulk_remove.errors import BulkRemoveError, ExitCode, GuardStop, InputError
from bulk_remove.language import ours, phrase
from bulk_remove.run.carry_out import Carried
from bulk_remove.run.earlier import EarlierRuns, Left
from bulk_remove.run.finish import REPORT
from bulk_remove.run.history import past_run


class FileEnd(NamedTuple):
    """What became of a file: its exit code, where it lies now, its run (None: there is none), and a word on it."""

    name: str
    code: ExitCode
    place: Place
    run: Path | None
    word: str


@dataclass(frozen=True, slots=True)
class Doing:
    """What a night does through others.

    `start` runs a file, `again` resumes the run in a folder; both raise BulkRemoveError. `tell` says a sentence,
    `tell_error` what is wrong. `now_s` is the clock (Unix seconds), `sleep` waits for seconds.
    """

    start: Callable[[Path], Carried]
    again: Callable[[Path], Carried]
    tell: Callable[[str], None]
    tell_error: Callable[[BulkRemoveError], None]
    now_s: Callable[[], float]
    sleep: Callable[[float], None]


class Night:
    """Works through an inbox once. `ends` fills up with what became of the files.

    A file is finished when nothing of it changes for `settle_s` seconds. No file is begun after `until_s` (Unix
    seconds), if given. `one_campaign` says that all files go to one.
    """

    def __init__(
        self,
        inbox: Inbox,
        earlier: EarlierRuns,
        doing: Doing,
        settle_s: float,
        until_s: float | None,
        *,
        one_campaign: bool,
    ) -> None:
        self.ends: list[FileEnd] = []
        self._inbox = inbox
        self._earlier = earlier
        self._doing = doing
        self._settle_s = settle_s
        self._until_s = until_s
        self._one_campaign = one_campaign
        self._over = False

    def spend(self) -> None:
        """Take up what was left over, then the finished files by name. Raises StorageError."""
        first = self._inbox.look()
        looked_s = self._doing.now_s()
        taken: set[str] = set()
        for left in self._earlier.left_over(self._inbox.folder):
            if not self._is_over(left.name):
                taken |= self._taken_up(left)
        waiting = [name for name in first if name not in taken]
        if not waiting or self._over:
            return
        self._doing.sleep(max(0.0, looked_s + self._settle_s - self._doing.now_s()))
        for name in waiting:
            look = first[name]
            if self._inbox.look_at(name) != look:
                self._doing.tell(phrase("{name} is still being written; it is left for the next time.", name=name))
            elif not self._is_over(name):
                self._take(name, look)

    def _is_over(self, name: str) -> bool:
        """Tell whether the file is not to be begun any more."""
        if not self._over and self._until_s is not None and self._doing.now_s() >= self._until_s:
            self._over = True
            self._end(FileEnd(name, ExitCode.DEADLINE, Place.INBOX, None, "the deadline came before it was begun"))
        return self._over

    def _taken_up(self, left: Left) -> set[str]:
        """Go on with a run; returns the file's name, if it still holds what that run is about."""
        there = {left.name} if self._inbox.content(left.name) == left.content else set()
        run = past_run(left.folder)
        if run.state == Ending.GUARD:
            self._give_up(left, moving=bool(there))
            return there
        if not there and not run.resumable_numbers:
            mark_concluded(left.folder)
            return there
        self._doing.tell(
            phrase("{name}: run {run} was left over; it is taken up again.", name=left.name, run=left.folder.name)
        )
        try:
            carried = self._doing.again(left.folder)
        except BulkRemoveError as error:
            self._stays(left.name, error, left.folder)
        else:
            self._conclude(left, carried)
        return there

    def _give_up(self, left: Left, *, moving: bool) -> None:
        """Leave a run to a person that a guard stopped, in a night that died before it could move the file.

        To resume it would send what the guard held back.
        """
        word = phrase("run {name} was stopped after its canary", name=left.folder.name)
        if moving:
            note = phrase(
                "{name}: {word}.\nLook at it, and to go on: bulk-remove resume {run}",
                name=left.name,
                word=ours(word),
                run=left.folder.name,
            )
            self._away(left.name, Place.FAILED, note)
        mark_concluded(left.folder)
        self._end(FileEnd(left.name, ExitCode.GUARD, Place.FAILED, left.folder, word))

    def _take(self, name: str, look: Look) -> None:
        readable = is_readable(self._inbox.path(name))
        if not readable or not look.size_bytes:
            word = (
                "empty; left alone, for it may be about to be written"
                if readable
                else "no kind that is read; left alone"
            )
            self._end(FileEnd(name, ExitCode.INPUT, Place.INBOX, None, word))
            return
        self._doing.tell(f"{name}:")
        content = self._inbox.content(name)
        run = self._earlier.finished_with(content)
        if run is not None:
            word = phrase("the same content was done before, by run {run_id}; nothing was sent", run_id=run.run_id)
            self._away(
                name,
                Place.DONE,
                phrase("{name}: {word}.\nTo run it all the same: bulk-remove run FILE", name=name, word=ours(word)),
            )
            self._end(FileEnd(name, ExitCode.OK, Place.DONE, None, word))
            return
        try:
            carried = self._started(name)
        except (InputError, GuardStop) as error:
            if self._inbox.look_at(name) != look:
                self._doing.tell(phrase("{name} changed while it was read; it is left for the next time.", name=name))
                return
            self._doing.tell_error(error)
            self._away(
                name,
                Place.FAILED,
                phrase("{problem}\n{hint}\nNothing was sent.", problem=ours(error.sentence), hint=ours(error.hint)),
            )
            self._end(FileEnd(name, error.exit_code, Place.FAILED, None, error.sentence))
        except BulkRemoveError as error:
            self._stays(name, error, None)
        else:
            self._earlier.add(carried.folder)
            told = past_run(carried.folder).told
            # What was read, should the file have been replaced since it was looked at.
            read = told.facts.sources[0].sha256 if told else content
            self._conclude(Left(carried.folder, name, read), carried)

    def _started(self, name: str) -> Carried:
        path = self._inbox.path(name)
        if is_report(str(path)):
            raise InputError(
                phrase("{name} is a report of this tool.", name=name), "Ask again for what it left open with: rerun."
            )
        return self._doing.start(path)

    def _away(self, name: str, place: Place, note: str) -> None:
        new_name = self._inbox.free_name(place, name)
        self._inbox.put_note(place, new_name, note)
        self._inbox.move(name, place, new_name)

    def _conclude(self, left: Left, carried: Carried) -> None:
        """Put the report where the file goes, then the file, unless another night can finish it."""
        run = past_run(carried.folder)
        place = place_of(carried.exit_code, run.resumable_numbers, run.sessions_to_the_end)
        word = "none was found, which proves nothing" if run.proves_nothing else "every number is final"
        if run.open_numbers:
            word = phrase("{open_numbers:,} numbers without a final answer", open_numbers=run.open_numbers)
        if place is not Place.INBOX:
            self._put_away(left, carried, place)
        self._end(FileEnd(left.name, carried.exit_code, place, carried.folder, word), stop=carried.stop_wished)

    def _put_away(self, left: Left, carried: Carried, place: Place) -> None:
        new_name = self._begun_name(left, place) or self._inbox.free_name(place, left.name)
        report = left.folder / REPORT
        for path in (report, *carried.also):
            note_report(left.folder, self._inbox.beside(place, new_name, path))
        self._inbox.put_reports(place, new_name, (report, report.with_suffix(".summary.json"), *carried.also))
        if self._inbox.content(left.name) == left.content:
            self._inbox.move(left.name, place, new_name)
        else:
            self._doing.tell(
                phrase(
                    "{name} is gone or holds something else by now; the report of what was read is kept.",
                    name=left.name,
                )
            )
        mark_concluded(left.folder)

    def _begun_name(self, left: Left, place: Place) -> str:
        """Return the name under which a night that died put the report, but not yet the file; empty: none did."""
        for report in past_run(left.folder).reports:
            file = report.with_name(report.name.removesuffix(REPORT_END))
            if file != report and file.parent == self._inbox.folder / place.value and not file.exists():
                return file.name
        return ""

    def _stays(self, name: str, error: BulkRemoveError, run: Path | None) -> None:
        self._doing.tell_error(error)
        self._end(FileEnd(name, error.exit_code, Place.INBOX, run, error.sentence))

    def _end(self, end: FileEnd, *, stop: bool = False) -> None:
        """Note what became of a file, and whether the night ends with it."""
        self.ends.append(end)
        if stop:
            self.ends.append(FileEnd("(the files after it)", ExitCode.TERMINATED, Place.INBOX, None, phrase("stopped")))
        self._over = self._over or stop or ends_the_night(end.code, one_campaign=self._one_campaign)
