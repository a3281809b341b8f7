"""One night of an inbox: what was left over first, then each finished file in turn.

What is known of a file is in the ledger of its run, and nowhere else: after a night that died at any moment, the next
finds the file in the inbox and its run in the state folder. A file is moved only once its report, or a note that says
why there is none, lies where it goes; the run is marked as concluded after that.

A run goes on only while its file lies there unchanged: that is the wish to have it done. Of a file that was removed or
replaced a report says what was done before, and nothing more is sent.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bulk_remove.adapters.folders import Mark, mark, note_report
from bulk_remove.adapters.inbox import REPORT_END, Inbox, Look, Seen
from bulk_remove.adapters.reader import SetAside, is_readable, own_report, set_aside
from bulk_remove.core.model import harmless
from bulk_remove.core.nights import LONGEST_NAME, Place, ends_the_night, place_of
from bulk_remove.core.summary import Ending
from bulk_remove.errors import BulkRemoveError, ExitCode, GuardStop, InputError, OwnReportError
from bulk_remove.language import counted, ours, phrase
from bulk_remove.run.again import note_copies
from bulk_remove.run.carry_out import Carried
from bulk_remove.run.earlier import EarlierRuns, Left
from bulk_remove.run.finish import REPORT, SUMMARY, Finished
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

    `start` runs a file, of which it reads the copy; `again` resumes the run in a folder, and `close` writes the report
    of one that is not to go on (None: it sent nothing). All raise BulkRemoveError. `tell` says a sentence, `tell_error`
    what is wrong. `time_of_day_s` is what the machine's clock says (Unix seconds), `elapsed_s` goes on whatever that
    is set to, `sleep` waits for seconds. Copies are made in `spool_dir`.
    """

    start: Callable[[Path, SetAside], Carried]
    again: Callable[[Path], Carried]
    close: Callable[[Path], Finished | None]
    tell: Callable[[str], None]
    tell_error: Callable[[BulkRemoveError], None]
    time_of_day_s: Callable[[], float]
    elapsed_s: Callable[[], float]
    sleep: Callable[[float], None]
    spool_dir: Path


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
        self._stopped: ExitCode | None = None

    def spend(self) -> None:
        """Take up what was left over, then the finished files by name. Raises StorageError."""
        first = self._inbox.look()
        looked_s = self._doing.elapsed_s()
        taken: set[str] = set()
        for left in self._earlier.left_over(self._inbox.folder):
            if not self._is_over(left.name):
                taken |= self._taken_up(left)
        waiting = [name for name in first if name not in taken]
        if waiting and not self._over:
            self._doing.sleep(max(0.0, looked_s + self._settle_s - self._doing.elapsed_s()))
        for name in waiting:
            look = first[name]
            if self._is_over(name):
                return
            if self._inbox.look_at(name) == look:
                self._take(name, look)
            else:
                self._doing.tell(
                    phrase("{name} is still being written; it is left for the next time.", name=harmless(name))
                )

    def _is_over(self, name: str) -> bool:
        """Tell whether the file is not to be begun any more; the first of them is noted for all."""
        if not self._over and self._until_s is not None and self._doing.time_of_day_s() >= self._until_s:
            self._end(FileEnd(name, ExitCode.DEADLINE, Place.INBOX, None, "the deadline came before it was begun"))
        elif self._stopped is not None:
            self.ends.append(FileEnd("(the files after it)", self._stopped, Place.INBOX, None, phrase("stopped")))
            self._stopped = None
        return self._over

    def _taken_up(self, left: Left) -> set[str]:
        """Go on with a run; returns the file's name, if it still holds what that run is about."""
        seen = self._inbox.seen(left.name)
        if seen is None or seen.content != left.content:
            self._leave(left)
            return set()
        run = past_run(left.folder)
        if run.state == Ending.GUARD or run.unasked:
            self._give_up(left, seen, unasked=bool(run.unasked))
            return {left.name}
        self._doing.tell(
            phrase(
                "{name}: run {run} was left over; it is taken up again.", name=harmless(left.name), run=left.folder.name
            )
        )
        try:
            carried = self._doing.again(left.folder)
        except BulkRemoveError as error:
            self._stays(left.name, error, left.folder)
        else:
            self._conclude(left, carried)
        return {left.name}

    def _leave(self, left: Left) -> None:
        """Report what a run did whose file was removed or replaced, and leave it at that."""
        if self._has_left(left):
            mark(left.folder, Mark.CONCLUDED)
            return
        try:
            finished = self._doing.close(left.folder)
        except BulkRemoveError as error:
            self._stays(left.name, error, left.folder)
            return
        run = past_run(left.folder)
        place = Place.FAILED if run.open_numbers else Place.DONE
        word = phrase("removed or replaced after run {run} began, which was not continued", run=left.folder.name)
        new_name = self._begun_name(left, place) or self._inbox.free_name(place, left.name)
        if finished is not None:
            self._put_reports(left, place, new_name, finished.also)
        if place is Place.FAILED:
            note = phrase(
                "{name}: {word}.\nThe report says what was done before. To go on: bulk-remove resume {run}",
                name=harmless(left.name),
                word=ours(word),
                run=left.folder.name,
            )
            self._inbox.put_note(place, new_name, note)
        mark(left.folder, Mark.CONCLUDED)
        code = ExitCode.NOT_FINAL if run.open_numbers else ExitCode.OK
        self._end(FileEnd(left.name, code, place, left.folder, word))

    def _has_left(self, left: Left) -> bool:
        """Tell whether a night moved the run's file, and died before it could note that."""
        places = {self._inbox.folder / place.value: place for place in (Place.DONE, Place.FAILED)}
        return any(
            self._inbox.holds(places[report.parent], report.name.removesuffix(REPORT_END), left.content)
            for report in past_run(left.folder).reports
            if report.parent in places and report.name.endswith(REPORT_END)
        )

    def _give_up(self, left: Left, seen: Seen, *, unasked: bool) -> None:
        """Leave a run to a person that was stopped for a reason, in a night that died before it could move the file.

        To resume it would send what the guard held back.
        """
        word = (
            phrase("run {name} was stopped: the server named a removal that nobody asked for", name=left.folder.name)
            if unasked
            else phrase("run {name} was stopped after its canary", name=left.folder.name)
        )
        note = phrase(
            "{name}: {word}.\nLook at it, and to go on: bulk-remove resume {run}",
            name=harmless(left.name),
            word=ours(word),
            run=left.folder.name,
        )
        self._away(left.name, seen.look, Place.FAILED, note)
        mark(left.folder, Mark.CONCLUDED)
        self._end(FileEnd(left.name, ExitCode.GUARD, Place.FAILED, left.folder, word))

    def _take(self, name: str, look: Look) -> None:
        if word := self._not_for_us(name, look):
            self._end(FileEnd(name, ExitCode.INPUT, Place.INBOX, None, word))
            return
        self._doing.tell(phrase("{name}:", name=harmless(name)))
        try:
            copy = self._copied(name, look)
        except BulkRemoveError as error:
            self._stays(name, error, None)
            return
        if copy is None:
            self._doing.tell(
                phrase("{name} changed while it was read; it is left for the next time.", name=harmless(name))
            )
            return
        run = self._earlier.finished_with(copy.sha256)
        if run is None:
            self._run(name, look, copy)
            return
        word = phrase("the same content was done before, by run {run_id}; nothing was sent", run_id=run.run_id)
        note = phrase(
            "{name}: {word}.\nTo run it all the same: bulk-remove run FILE", name=harmless(name), word=ours(word)
        )
        self._away(name, look, Place.DONE, note)
        self._end(FileEnd(name, ExitCode.OK, Place.DONE, None, word))

    def _not_for_us(self, name: str, look: Look) -> str:
        """Return why a file is left alone, empty for one that is taken."""
        if not is_readable(self._inbox.path(name)):
            return "no kind that is read; left alone"
        if not look.size_bytes:
            return "empty; left alone, for it may be about to be written"
        if len(os.fsencode(name)) > LONGEST_NAME:
            return phrase("its name is longer than {most} bytes; left alone", most=LONGEST_NAME)
        return ""

    def _copied(self, name: str, look: Look) -> SetAside | None:
        """Copy a file out of others' reach; None when it is not any more what it looked like. Raises InputError."""
        with self._inbox.opened(name) as (file, opened):
            copy = set_aside(name, file, self._doing.spool_dir) if opened == look else None
        return copy if self._inbox.look_at(name) == look else None

    def _run(self, name: str, look: Look, copy: SetAside) -> None:
        try:
            carried = self._doing.start(self._inbox.path(name), copy)
        except (InputError, GuardStop) as error:
            self._doing.tell_error(error)
            hint = ours(self._hint(name, error))
            note = phrase("{problem}\n{hint}\nNothing was sent.", problem=ours(error.sentence), hint=hint)
            self._away(name, look, Place.FAILED, note)
            self._end(FileEnd(name, error.exit_code, Place.FAILED, None, error.sentence))
        except BulkRemoveError as error:
            self._stays(name, error, None)
        else:
            self._earlier.add(carried.folder)
            self._conclude(Left(carried.folder, name, copy.sha256), carried)

    def _hint(self, name: str, error: BulkRemoveError) -> str:
        """Return what to do about a file that goes to `failed`; a report is named by where it will lie."""
        if not isinstance(error, OwnReportError):
            return error.hint
        return own_report(str(self._inbox.folder / Place.FAILED / self._inbox.free_name(Place.FAILED, name))).hint

    def _away(self, name: str, look: Look, place: Place, note: str) -> None:
        new_name = self._inbox.free_name(place, name)
        self._inbox.put_note(place, new_name, note)
        self._move(name, look, place, new_name)

    def _move(self, name: str, look: Look | None, place: Place, new_name: str) -> None:
        if look is None or not self._inbox.move(name, look, place, new_name):
            self._doing.tell(
                phrase(
                    "{name} is gone or holds something else by now; the report of what was read is kept.",
                    name=harmless(name),
                )
            )

    def _conclude(self, left: Left, carried: Carried) -> None:
        """Put the report where the file goes, then the file, unless another night can finish it."""
        run = past_run(carried.folder)
        place = place_of(carried.exit_code, run.resumable_numbers, run.sessions_to_the_end)
        word: str = "none was found, which proves nothing" if run.proves_nothing else "every number is final"
        if run.open_numbers:
            word = counted(
                run.open_numbers, "{count:,} number without a final answer", "{count:,} numbers without a final answer"
            )
        if place is not Place.INBOX:
            self._put_away(left, carried, place)
        self._end(FileEnd(left.name, carried.exit_code, place, carried.folder, word), stop=carried.stop_wished)
        if run.unasked and not self._over:
            self._over = True
            self._doing.tell("No other file is begun: something on the way to the server changes the requests.")

    def _put_away(self, left: Left, carried: Carried, place: Place) -> None:
        new_name = self._begun_name(left, place) or self._inbox.free_name(place, left.name)
        self._put_reports(left, place, new_name, carried.also)
        seen = self._inbox.seen(left.name)
        look = seen.look if seen is not None and seen.content == left.content else None
        self._move(left.name, look, place, new_name)
        mark(left.folder, Mark.CONCLUDED)

    def _put_reports(self, left: Left, place: Place, new_name: str, also: Sequence[Path]) -> None:
        report = left.folder / REPORT
        for path in (report, *also):
            note_report(left.folder, self._inbox.beside(place, new_name, path))
        note_copies(left.folder, self._inbox.put_reports(place, new_name, (report, report.with_suffix(SUMMARY), *also)))

    def _begun_name(self, left: Left, place: Place) -> str:
        """Return the name under which a night that died put the report, but not yet the file; empty: none did."""
        for report in past_run(left.folder).reports:
            file = report.with_name(report.name.removesuffix(REPORT_END))
            if file != report and file.parent == self._inbox.folder / place.value and not os.path.lexists(file):
                return file.name
        return ""

    def _stays(self, name: str, error: BulkRemoveError, run: Path | None) -> None:
        self._doing.tell_error(error)
        self._end(FileEnd(name, error.exit_code, Place.INBOX, run, error.sentence))

    def _end(self, end: FileEnd, *, stop: ExitCode | None = None) -> None:
        """Note what became of a file, and whether the night ends with it; `stop` is the exit code of a signal."""
        self.ends.append(end._replace(name=harmless(end.name)))
        self._stopped = self._stopped or stop
        self._over = self._over or stop is not None or ends_the_night(end.code, one_campaign=self._one_campaign)
