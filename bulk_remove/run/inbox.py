"""One pass ("night") over an inbox: unfinished runs first, then each complete file in turn.

The only record of a file is the ledger of its run. The report is written first, or a note that says why there is none.
Then one rename moves the file beside it, and the run is marked as concluded. So if the process dies at any moment, the
file is either in the inbox, or in `done` or `failed` with its report or note.

A run is continued only while its file is in the inbox unchanged. If the file was removed or replaced, the night writes
a report of what was done before, and sends nothing more.

Others may write to the folder at any moment: a link, a pipe, another file of the same name. So each file is opened once
and only that open file is used, the folders stay open, and `done` and `failed` must belong to this user.
"""

import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from hashlib import file_digest
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from bulk_remove.console import Screen
from bulk_remove.core.model import NumberFormat, Status, harmless
from bulk_remove.core.summary import (
    HELD_BACK,
    LONGEST_FILE_NAME,
    Ending,
    FilePlace,
    ends_the_night,
    free_name,
    is_passing,
    place_of,
)
from bulk_remove.disk import Aside, Folder, NotOwnError, check_own
from bulk_remove.disk import opened as opened_once
from bulk_remove.errors import (
    BulkRemoveError,
    ExitCode,
    GuardStop,
    InputError,
    KeepListError,
    OwnReportError,
    StorageError,
    UsageError,
)
from bulk_remove.language import counted, ours, phrase, translated
from bulk_remove.reader import SetAside, is_readable, own_report, set_aside
from bulk_remove.run.again import close_run, note_copies
from bulk_remove.run.finish import REPORT, SUMMARY
from bulk_remove.run.folders import Mark, is_marked, mark, note_report, noted_reports
from bulk_remove.run.job import Carried
from bulk_remove.run.past import WHERE, EarlierRuns, PastRun, alike_in, past_run
from bulk_remove.settings import Settings

REPORT_END = ".report.csv"
NOTE_END = ".note.txt"
# The settings that decide which numbers are read from a file, and in which forms they are sent.
_READING = (*WHERE, "column", "sheet", "encoding", "delimiter", "has_header", "split_cells", "region", "where")


class FileLook(NamedTuple):
    """Identity and state of a file. It differs for another file, and for the same file after a change."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int


class Seen(NamedTuple):
    """A file that was read, with the SHA-256 (hex) of its content."""

    look: FileLook
    content: str


class Inbox:
    """A folder into which files are dropped, kept open. `done` and `failed` in it are made when they are needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._open = ExitStack()
        self._places: dict[FilePlace, Folder] = {}

    def __enter__(self) -> Self:
        """Open the folders. Raises UsageError if one is missing, not writable, or not safe to use, StorageError."""
        try:
            self._here = self._open.enter_context(Folder(self.folder, listed=True))
        except (FileNotFoundError, NotADirectoryError):
            raise UsageError(
                phrase("There is no folder {folder}.", folder=self.folder),
                "Name the folder in which the files are dropped.",
            ) from None
        except OSError as error:
            raise _failure(self.folder, error) from None
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise UsageError(
                phrase("Files cannot be moved out of {folder}.", folder=self.folder),
                "Give this user the right to write there.",
            )
        for place in (FilePlace.DONE, FilePlace.FAILED):
            if self._here.look(place.value) is not None:
                self._at(place)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def look(self) -> dict[str, FileLook]:
        """Return the files by name, in order. Files with the name of a temporary file are left out."""
        try:
            names = self._here.names()
        except OSError as error:
            raise _failure(self.folder, error) from None
        looks = {name: self.look_at(name) for name in names if not is_passing(name)}
        return {name: look for name, look in looks.items() if look is not None}

    def not_files(self) -> Iterator[tuple[str, bool]]:
        """Yield (name, whether it is a link) of everything that is neither a file nor a folder."""
        for name in self._here.names():
            with suppress(OSError):  # it went away meanwhile
                found = self._here.look(name)
                if found and not is_passing(name) and not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
                    yield name, stat.S_ISLNK(found.st_mode)

    def look_at(self, name: str) -> FileLook | None:
        """Return the state of a file, or None if the name is missing or is not a regular file."""
        try:
            found = self._here.look(name)
        except OSError:  # it went away meanwhile
            return None
        return _look(found) if found and stat.S_ISREG(found.st_mode) else None

    @contextmanager
    def open(self, name: str) -> Iterator[tuple[BufferedReader, FileLook]]:
        """Open a file for reading. Raises InputError if this fails, or if the file has another hard link."""
        try:
            file = self._here.opened(name)
        except OSError as error:
            raise InputError(
                phrase("{name} cannot be read: {problem}.", name=harmless(name), problem=ours(str(error.strerror))),
                "Put a file there that this user may read.",
            ) from None
        with file:
            facts = os.fstat(file.fileno())
            if facts.st_nlink > 1:
                raise InputError(
                    phrase("{name} has another name elsewhere (a hard link).", name=harmless(name)),
                    "Put a copy there.",
                )
            yield file, _look(facts)

    def read(self, name: str) -> Seen | None:
        """Return a file with its digest, or None if it is missing or unreadable. Raises StorageError."""
        try:
            with self.open(name) as (file, look):
                return Seen(look, file_digest(file, "sha256").hexdigest())
        except InputError:
            return None
        except OSError as error:
            raise _failure(self.folder / name, error) from None

    def holds(self, place: FilePlace, name: str, content: str) -> bool:
        """Return whether a place has a file with this name and content (SHA-256, hex)."""
        try:
            with self._at(place).opened(name) as file:
                return file_digest(file, "sha256").hexdigest() == content
        except OSError:
            return False

    def free_name(self, place: FilePlace, name: str) -> str:
        """Return a name that is free in a place for a file, its report and its note."""
        there = self._at(place)
        return free_name(
            name, lambda free: any(there.look(f"{free}{end}") is not None for end in ("", REPORT_END, NOTE_END))
        )

    def put_reports(self, targets: Mapping[Path, Path], place: FilePlace) -> list[Aside]:
        """Copy a run's reports to a place, each to its target there. Raises StorageError."""
        there = self._at(place)
        copies = []
        for target, report in targets.items():
            try:
                with there.written(target.name) as aside, opened_once(report) as original:
                    shutil.copyfileobj(original, aside.file)
            except OSError as error:
                raise _failure(target, error) from None
            copies.append(aside)
        return copies

    def put_note(self, place: FilePlace, name: str, text: str) -> Path:
        """Write a note to the place where the file `name` will go, and return its path. Raises StorageError."""
        target = self.folder / place.value / f"{name}{NOTE_END}"
        try:
            with self._at(place).written(target.name) as aside:
                aside.file.write(f"{translated(text)}\n".encode(errors="replace"))
        except OSError as error:
            raise _failure(target, error) from None
        return target

    def move(self, name: str, look: FileLook, place: FilePlace, new_name: str) -> bool:
        """Move a file to a free name. Returns False if it has changed, and then it stays. Raises StorageError."""
        there = self._at(place)
        if self.look_at(name) != look:
            return False
        try:
            self._here.move(name, there, new_name)
            moved = there.look(new_name)
            if moved is not None and _look(moved) == look:
                return True
            there.move(new_name, self._here, free_name(name, lambda free: self._here.look(free) is not None))
        except OSError as error:
            raise _failure(self.folder / place.value / new_name, error) from None
        return False

    def _at(self, place: FilePlace) -> Folder:
        """Return the open folder `done` or `failed`. Raises UsageError if it is not this user's own, StorageError."""
        if place not in self._places:
            path = self.folder / place.value
            try:
                folder = self._open.enter_context(self._here.folder(place.value))
                check_own(path, folder.facts())
            except (NotOwnError, NotADirectoryError) as error:
                raise UsageError(
                    phrase("{path} cannot be used: {problem}.", path=path, problem=ours(str(error.strerror))),
                    "Move it away; it is created again when needed. Only this user may have write access to it.",
                ) from None
            except OSError as error:
                raise _failure(path, error) from None
            self._places[place] = folder
        return self._places[place]


def _look(facts: os.stat_result) -> FileLook:
    return FileLook(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)


def _failure(path: Path, error: OSError) -> StorageError:
    return StorageError(
        phrase("{path} cannot be used: {problem}.", path=harmless(str(path)), problem=ours(str(error.strerror))),
        "Check permissions and free space; the file stays in the inbox.",
    )


class FileEnd(NamedTuple):
    """The result of a file: exit code, the place where it is now, its run (None: no run), and a short reason."""

    name: str
    code: ExitCode
    place: FilePlace
    run: Path | None
    word: str


class NightRules(NamedTuple):
    """Settings of a night: those of its runs, their server and state folder, and when files are taken.

    A file is complete when it has not changed for `settle_s` seconds. No file is begun after `until_s` (Unix seconds),
    if given.
    """

    settings: Settings
    host: str
    state_dir: Path
    settle_s: float
    until_s: float | None


class Left(NamedTuple):
    """An unfinished run of a file in the inbox: the run's folder, the file's name and its SHA-256."""

    folder: Path
    name: str
    content: str


def left_over(runs: EarlierRuns, inbox: Path, host: str, settings: Settings) -> Iterator[Left]:
    """Yield the unfinished runs of single files from an inbox, oldest first."""
    for run in reversed([run for run in runs if run.plan.host == host and alike_in(run.settings, settings, WHERE)]):
        files = {(Path(each.source.file), each.source.sha256) for each in run.plan.sources}
        if len(files) == 1 and not any(is_marked(run.folder, each) for each in Mark):
            ((file, content),) = files
            if file.parent == inbox:
                yield Left(run.folder, file.name, content)


def finished_with(runs: EarlierRuns, content: str, host: str, settings: Settings) -> PastRun | None:
    """Return the latest run that read this content in the same way and left nothing open, or None."""
    for each in runs:
        if each.plan.host == host and each.had(content) and _reads_alike(each.settings, settings):
            run = past_run(each.folder)
            kept = run.unsent_rows[Status.KEPT]  # today's --keep lists may be shorter
            if run.state == Ending.DONE and not run.open_numbers and not run.proves_nothing and not kept:
                return run
    return None


def _reads_alike(earlier: Settings | None, own: Settings) -> bool:
    """Return whether a run read the same numbers and sent them in all forms that are wanted now."""
    if earlier is None or own.internal_numbers not in {None, earlier.internal_numbers}:
        return False
    if own.number_format is NumberFormat.AUTO:
        # That run settled the form by the records. It also sent the forms of its own --also-try.
        forms = {*own.also_try} <= {*earlier.also_try}
    else:
        forms = alike_in(own, earlier, ("number_format", "also_try"))
    return forms and alike_in(own, earlier, _READING)


class Night:
    """Works through an inbox once. `ends` collects the results of the files.

    `start` runs a file and reads its copy. `again` resumes the run in a folder. Both raise BulkRemoveError.
    """

    def __init__(
        self,
        inbox: Inbox,
        rules: NightRules,
        screen: Screen,
        start: Callable[[Path, SetAside], Carried],
        again: Callable[[Path], Carried],
    ) -> None:
        self.ends: list[FileEnd] = []
        self._inbox = inbox
        self._rules = rules
        self._earlier = EarlierRuns(rules.state_dir)
        self._left = [*left_over(self._earlier, inbox.folder, rules.host, rules.settings)]
        self._screen = screen
        self._start = start
        self._again = again
        self._over = False
        self._stopped: ExitCode | None = None

    def spend(self) -> None:
        """Continue unfinished runs, then take the complete files in order of their names. Raises StorageError."""
        first = self._inbox.look()
        looked_s = time.monotonic()
        self._leave_alone(first)
        taken: set[str] = set()
        for left in self._left:
            if not self._is_over(left.name):
                taken |= self._take_up(left)
        waiting = [name for name in first if name not in taken]
        if waiting and not self._over:
            time.sleep(max(0.0, looked_s + self._rules.settle_s - time.monotonic()))
        for name in waiting:
            look = first[name]
            if self._is_over(name):
                return
            if self._inbox.look_at(name) == look:
                self._take(name, look)
            else:
                self._screen.tell(
                    phrase("{name} is still being written; it is left for the next time.", name=harmless(name))
                )

    def _leave_alone(self, first: dict[str, FileLook]) -> None:
        """Remove the --keep lists from the files. Print their names, and the names of links and other non-files."""
        keep = set[tuple[int, int]]()
        for path in self._rules.settings.keep:
            with suppress(OSError):  # the reader of the list reports it
                facts = os.stat(path)  # noqa: PTH116 - as the others
                keep.add((facts.st_dev, facts.st_ino))
        for name in [name for name, look in first.items() if (look.device, look.inode) in keep]:
            del first[name]
            self._screen.tell(phrase("{name} is a --keep list and is skipped.", name=harmless(name)))
        for name, is_link in self._inbox.not_files():
            self._screen.tell(
                phrase("{name} is a link and is skipped.", name=harmless(name))
                if is_link
                else phrase("{name} is not a regular file and is skipped.", name=harmless(name))
            )

    def _is_over(self, name: str) -> bool:
        """Return whether the night is over and the file must wait. The first such file gets an entry in `ends`."""
        if not self._over and self._rules.until_s is not None and time.time() >= self._rules.until_s:
            self._end(FileEnd(name, ExitCode.DEADLINE, FilePlace.INBOX, None, "the deadline came before it was begun"))
        elif self._stopped is not None:
            self.ends.append(FileEnd("(the files after it)", self._stopped, FilePlace.INBOX, None, phrase("stopped")))
            self._stopped = None
        return self._over

    def _take_up(self, left: Left) -> set[str]:
        """Continue a run. Returns the name of its file, or nothing if the file was removed or replaced."""
        seen = self._inbox.read(left.name)
        if seen is None or seen.content != left.content:
            self._leave(left)
            return set()
        run = past_run(left.folder)
        if run.state in HELD_BACK or run.unasked:
            self._give_up(left, seen, run)
            return {left.name}
        self._screen.tell(
            phrase("{name}: resuming the unfinished run {run}.", name=harmless(left.name), run=left.folder.name)
        )
        try:
            carried = self._again(left.folder)
        except BulkRemoveError as error:
            self._leave_in_inbox(left.name, error, left.folder)
        else:
            self._conclude(left, carried)
        return {left.name}

    def _leave(self, left: Left) -> None:
        """Close a run whose file was removed or replaced: write its report and send nothing more."""
        if self._has_left(left):
            mark(left.folder, Mark.CONCLUDED)
            return
        try:
            finished = close_run(left.folder, time.time())
        except BulkRemoveError as error:
            self._leave_in_inbox(left.name, error, left.folder)
            return
        run = past_run(left.folder)
        place = FilePlace.FAILED if run.open_numbers else FilePlace.DONE
        word = phrase("removed or replaced after run {run} began; the run was not continued", run=left.folder.name)
        new_name = self._new_name(left, place)
        if finished is not None:
            self._put_reports(left, place, new_name, finished.also)
        if place is FilePlace.FAILED:
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
        """Return whether an earlier night moved the run's file, and died before it marked the run."""
        places = {self._inbox.folder / place.value: place for place in (FilePlace.DONE, FilePlace.FAILED)}
        return any(
            self._inbox.holds(places[report.parent], report.name.removesuffix(REPORT_END), left.content)
            for report in noted_reports(left.folder).paths
            if report.parent in places and report.name.endswith(REPORT_END)
        )

    def _give_up(self, left: Left, seen: Seen, run: PastRun) -> None:
        """Move the file to `failed` if a guard stopped its run: a resume would send what the guard held back.

        The night of that run died before it moved the file.
        """
        if run.unasked:
            word = phrase("run {name} was stopped: the server named a removal that nobody asked for", name=run.run_id)
        elif run.state == Ending.MISSING:
            word = phrase("run {name} was stopped because most numbers were not there", name=run.run_id)
        else:
            word = phrase("run {name} was stopped after its canary", name=run.run_id)
        note = phrase(
            "{name}: {word}.\nLook at it, and to go on: bulk-remove resume {run}",
            name=harmless(left.name),
            word=ours(word),
            run=left.folder.name,
        )
        self._move_with_note(left.name, seen.look, FilePlace.FAILED, note)
        mark(left.folder, Mark.CONCLUDED)
        self._end(FileEnd(left.name, ExitCode.GUARD, FilePlace.FAILED, left.folder, word))

    def _take(self, name: str, look: FileLook) -> None:
        if word := self._not_for_us(name, look):
            self._end(FileEnd(name, ExitCode.INPUT, FilePlace.INBOX, None, word))
            return
        self._screen.tell(phrase("{name}:", name=harmless(name)))
        try:
            with self._inbox.open(name) as (file, opened):
                copy = set_aside(name, file, self._rules.state_dir) if opened == look else None
        except BulkRemoveError as error:
            self._leave_in_inbox(name, error, None)
            return
        if copy is None or self._inbox.look_at(name) != look:
            self._screen.tell(
                phrase("{name} changed while it was read; it is left for the next time.", name=harmless(name))
            )
            return
        run = finished_with(self._earlier, copy.sha256, self._rules.host, self._rules.settings)
        if run is None:
            self._run(name, look, copy)
            return
        word = phrase("run {run_id} has already done the same content; nothing was sent", run_id=run.run_id)
        note = phrase(
            "{name}: {word}.\nTo run it all the same: bulk-remove run FILE", name=harmless(name), word=ours(word)
        )
        self._move_with_note(name, look, FilePlace.DONE, note)
        self._end(FileEnd(name, ExitCode.OK, FilePlace.DONE, None, word))

    def _not_for_us(self, name: str, look: FileLook) -> str:
        """Return why a file stays in the inbox, or an empty text if it is taken."""
        if not is_readable(self._inbox.folder / name):
            return "this file type is not read; left in the inbox"
        if not look.size_bytes:
            return "empty, perhaps not written yet; left in the inbox"
        if len(os.fsencode(name)) > LONGEST_FILE_NAME:
            return phrase("its name is longer than {most} bytes; left in the inbox", most=LONGEST_FILE_NAME)
        return ""

    def _run(self, name: str, look: FileLook, copy: SetAside) -> None:
        try:
            carried = self._start(self._inbox.folder / name, copy)
        except KeepListError as error:  # the file itself is fine: the next night takes it
            self._leave_in_inbox(name, error, None)
        except OwnReportError:  # the hint names the path in `failed`, ready for a rerun
            lies = self._inbox.folder / FilePlace.FAILED / self._inbox.free_name(FilePlace.FAILED, name)
            self._refuse(name, look, own_report(str(lies)))
        except (InputError, GuardStop) as error:
            self._refuse(name, look, error)
        except BulkRemoveError as error:
            self._leave_in_inbox(name, error, None)
        else:
            self._earlier.folders.insert(0, carried.folder)
            self._conclude(Left(carried.folder, name, copy.sha256), carried)

    def _refuse(self, name: str, look: FileLook, error: BulkRemoveError) -> None:
        self._screen.error(error)
        note = phrase("{problem}\n{hint}\nNothing was sent.", problem=ours(error.sentence), hint=ours(error.hint))
        self._move_with_note(name, look, FilePlace.FAILED, note)
        self._end(FileEnd(name, error.exit_code, FilePlace.FAILED, None, error.sentence))

    def _move_with_note(self, name: str, look: FileLook, place: FilePlace, note: str) -> None:
        new_name = self._inbox.free_name(place, name)
        self._inbox.put_note(place, new_name, note)
        self._move(name, look, place, new_name)

    def _move(self, name: str, look: FileLook | None, place: FilePlace, new_name: str) -> None:
        if look is None or not self._inbox.move(name, look, place, new_name):
            self._screen.tell(
                phrase(
                    "{name} was removed or replaced meanwhile; the report is kept.",
                    name=harmless(name),
                )
            )

    def _conclude(self, left: Left, carried: Carried) -> None:
        """Move the file away after its report, unless another night can finish it. Note the result."""
        run = past_run(carried.folder)
        to_the_end = sum(session.ending == Ending.DONE for session in run.told.sessions) if run.told else 0
        place = place_of(carried.exit_code, run.resumable_numbers, to_the_end)
        word: str = "none was found, which proves nothing" if run.proves_nothing else "every number is final"
        if run.open_numbers:
            word = counted(
                run.open_numbers, "{count:,} number without a final answer", "{count:,} numbers without a final answer"
            )
        if place is not FilePlace.INBOX:
            new_name = self._new_name(left, place)
            self._put_reports(left, place, new_name, carried.also)
            seen = self._inbox.read(left.name)
            look = seen.look if seen is not None and seen.content == left.content else None
            self._move(left.name, look, place, new_name)
            mark(left.folder, Mark.CONCLUDED)
        self._end(FileEnd(left.name, carried.exit_code, place, carried.folder, word), stop=carried.stop_wished)
        if run.unasked and not self._over:
            self._over = True
            self._screen.tell("No other file is begun: something on the way to the server changes the requests.")

    def _put_reports(self, left: Left, place: FilePlace, new_name: str, also: Sequence[Path]) -> None:
        report = left.folder / REPORT
        summary, there = report.with_suffix(SUMMARY), self._inbox.folder / place.value
        targets = {there / f"{new_name}.{path.name}": path for path in (report, summary, *also)}
        for target, path in targets.items():
            if path != summary:
                note_report(left.folder, target)
        note_copies(left.folder, self._inbox.put_reports(targets, place))

    def _new_name(self, left: Left, place: FilePlace) -> str:
        """Return a free name for a file in a place, or the one that an interrupted night chose for its report."""
        for report in noted_reports(left.folder).paths:
            file = report.with_name(report.name.removesuffix(REPORT_END))
            if file != report and file.parent == self._inbox.folder / place.value and not os.path.lexists(file):
                return file.name
        return self._inbox.free_name(place, left.name)

    def _leave_in_inbox(self, name: str, error: BulkRemoveError, run: Path | None) -> None:
        self._screen.error(error)
        self._end(FileEnd(name, error.exit_code, FilePlace.INBOX, run, error.sentence))

    def _end(self, end: FileEnd, *, stop: ExitCode | None = None) -> None:
        """Note the result of a file, and whether the night ends with it. `stop` is the exit code of a signal."""
        self.ends.append(end._replace(name=harmless(end.name)))
        self._stopped = self._stopped or stop
        self._over = (
            self._over or stop is not None or ends_the_night(end.code, one_campaign=bool(self._rules.settings.campaign))
        )
