"""Reads workbooks: another process reads the file, and this one chooses the sheet and its column.

The process has limits on memory and time and knows no password, so a damaged or hostile file costs one sentence. The
rows go into a private temporary file, so the process need not live longer than the opening. The sheet is the named one,
or the only one that certainly holds phone numbers.
"""

import difflib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

import orjson

import bulk_remove
from bulk_remove.core.columns import is_report_header, may_be_number, phone_columns, says_keep, says_remove
from bulk_remove.core.model import RowBlock, Source, harmless
from bulk_remove.errors import InputError, OwnReportError
from bulk_remove.language import Phrase, joined, phrase, unpacked
from bulk_remove.reader.cells import FRAME, GivenWorkbook, WantedCells
from bulk_remove.reader.source import MOST_BYTES, LookedOver, Spool
from bulk_remove.reader.table import (
    SAMPLE_ROWS,
    TITLE_ROWS,
    Cut,
    Heading,
    ReadOptions,
    Table,
    block_of,
    find_heading,
    own_report,
)

_POSITION = re.compile(r"[1-9][0-9]{0,3}")


_WHICH = "Name the sheet that is meant with --sheet and its name, or its position counted from 1."


@dataclass(frozen=True, slots=True)
class _Choice:
    """The sheets of an open workbook, from which one is chosen; each is given by its index among all of them."""

    path: str
    workbook: "WorkbookProcess"
    sheets: Sequence[tuple[str, bool]]  # those that can hold rows: (name, whether hidden)
    options: ReadOptions

    def named(self, wanted: str) -> tuple[int, Heading, list[str]]:
        """Return the sheet of that name or position, its heading, and notes about other sheets with phone numbers."""
        place = self._place_of(wanted)
        name, hidden = self.sheets[place]
        shown = harmless(name)
        heading = self._heading_of(place)
        if heading is None:
            raise InputError(
                "{path}, sheet '{name}' holds no text.",
                "Its sheets are {listed}.",
                path=self.path,
                name=shown,
                listed=self._listed(),
            )
        notes: list[str] = [phrase("Sheet '{name}' is hidden.", name=shown)] if hidden else []
        for other, (name, _) in enumerate(self.sheets):
            if other == place:
                continue
            try:
                rows = [cells for _, cells in self.workbook.sample(other)]
            except InputError:  # this sheet is not wanted, and may be damaged
                continue
            if rows and not is_report_header(rows[0]) and self._has_phones(rows):
                told = "Sheet '{name}' holds phone numbers, too; '{found}' was chosen with --sheet."
                notes.append(phrase(told, name=harmless(name), found=shown))
        return place, heading, notes

    def only(self) -> tuple[int, Heading, list[str]]:
        """Return the one visible sheet whose phone column is certain, its heading, and notes about the others."""
        certain: dict[int, Heading] = {}
        refused: dict[int, InputError] = {}
        for place in range(len(self.sheets)):
            try:
                heading = self._heading_of(place)
            except InputError as error:
                refused[place] = error
            else:
                certain |= {place: heading} if heading else {}
        if len(certain) == 1 and not self.sheets[(place := next(iter(certain)))][1]:
            name = self.sheets[place][0]
            if says_keep(name) and not self.options.to_keep:
                raise InputError(
                    "{path}: the name of sheet '{name}' says that its numbers must stay, not be removed.",
                    "If they are to be removed, name the sheet with --sheet; if they must stay, give the file with "
                    "--keep.",
                    path=self.path,
                    name=harmless(name),
                )
            return place, certain[place], [*self._passed_over(name, refused)]
        reports = [error for error in refused.values() if isinstance(error, OwnReportError)]
        if not certain and (reports or len(refused) == 1):
            raise next(iter(reports or refused.values()))
        if not certain and not refused:
            hint = "Put a row with the names of the columns on top, then the numbers."
            raise InputError("{path} holds no text.", hint, path=self.path)
        raise InputError(
            "{path} does not have exactly one visible sheet whose phone column is certain; its sheets are {listed}.",
            _WHICH,
            path=self.path,
            listed=self._listed([self.sheets[place][0] for place in certain]),
        )

    def _passed_over(self, found: str, refused: Mapping[int, InputError]) -> Iterator[str]:
        """Yield a note about each skipped sheet with phone numbers, unless its name says to remove them."""
        for place, error in refused.items():
            name = harmless(self.sheets[place][0])
            if isinstance(error, OwnReportError):
                yield phrase("Sheet '{name}' is a report of this tool; it is left out.", name=name)
                continue
            rows = [cells for _, cells in self.workbook.sample(place)]
            if says_remove(self.sheets[place][0]) and any(may_be_number(cell) for cells in rows for cell in cells):
                raise InputError(
                    "{path}: the phone column of sheet '{found}' is certain, but sheet '{name}' holds phone numbers, "
                    "too, and its name says that they are to be removed; the sheets are {listed}.",
                    _WHICH,
                    path=self.path,
                    found=harmless(found),
                    name=name,
                    listed=self._listed([found]),
                )
            if self._has_phones(rows):
                told = "Sheet '{name}' holds phone numbers, too, but is not read: its phone column is not certain."
                yield phrase(told, name=name)

    def _has_phones(self, rows: Sequence[Sequence[str]]) -> bool:
        return bool(phone_columns(rows[0], rows[1:] or rows, self.options.region))

    def _place_of(self, wanted: str) -> int:
        """Return the index of the sheet with that name, in any capitals, or else at that position."""
        by_name = {name: place for place, (name, _) in enumerate(self.sheets)}
        folded = [name for name in by_name if name.strip().casefold() == wanted.strip().casefold()]
        if wanted in by_name:
            return by_name[wanted]
        if len(folded) == 1:
            return by_name[folded[0]]
        if _POSITION.fullmatch(wanted) and int(wanted) <= len(self.sheets):
            return int(wanted) - 1
        small = {name.casefold(): name for name in by_name}
        close = difflib.get_close_matches(wanted.casefold(), small, n=1)
        raise InputError(
            "{path} has no sheet '{wanted}'; its sheets are {listed}.",
            "Did you mean --sheet '{sheet}'?"
            if close
            else "Give --sheet one of these names, or a position counted from 1.",
            path=self.path,
            wanted=wanted,
            listed=self._listed(),
            sheet=harmless(small[close[0]]) if close else "",
        )

    def _heading_of(self, place: int) -> Heading | None:
        """Return the heading of a sheet, None if it is blank. Raises InputError if no column is certain."""
        first = self.workbook.sample(place)
        if not first:
            return None
        cut = Cut("", tuple(first))
        if not self.options.own_report and any(is_report_header(cells) for _, cells in cut.rows[:TITLE_ROWS]):
            raise own_report(self.path)
        where = phrase("{path}, sheet '{name}'", path=self.path, name=harmless(self.sheets[place][0]))
        return find_heading(where, [cut], self.options)

    def _listed(self, certain: Sequence[str] = ()) -> Phrase:
        return joined(
            ", ",
            (
                phrase(
                    "'{name}'{state}{use}",
                    name=harmless(name),
                    state=phrase(" (hidden)") if hidden else "",
                    use=phrase(": phone column") if name in certain else "",
                )
                for name, hidden in self.sheets
            ),
        )


_CHILD = """\
import sys
sys.path.append(sys.argv[1])
from bulk_remove.reader.workbook_child import main
main()
"""
"""Started with -P, not with -m: nothing is imported from the working folder, which may be a drop folder."""
_ALWAYS_BYTES, _MOST_MEMORY_BYTES, _BYTES_A_BYTE = 256 << 20, 4 << 30, 24
_ALWAYS_SECONDS, _SECONDS_A_MEBIBYTE = 30, 10
"""The limits on reading. A million rows of four columns, 30 MB, take 180 MB of memory and 7 seconds."""
_COPIED_BYTES = 1 << 18
_AS_CSV = "Open it in the program that wrote it, and save the sheet with the numbers as CSV."


class WorkbookProcess:
    """A workbook in its own process, which ends with the block. All its requests may raise InputError."""

    def __init__(self, path: str, kind: str, size_bytes: int) -> None:
        self._given = GivenWorkbook(
            path,
            kind,
            size_bytes,
            SAMPLE_ROWS + TITLE_ROWS,
            min(_MOST_MEMORY_BYTES, _ALWAYS_BYTES + _BYTES_A_BYTE * size_bytes),
            _ALWAYS_SECONDS + _SECONDS_A_MEBIBYTE * (size_bytes >> 20),
        )
        self._took_too_long = False

    def __enter__(self) -> Self:
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this very Python, with code of ours
                [sys.executable, "-P", "-c", _CHILD, str(Path(bulk_remove.__file__).parents[1])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: value for name, value in os.environ.items() if not name.startswith("BULK_REMOVE_")},
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            problem = error.strerror or type(error).__name__
            raise InputError(
                "{path} cannot be read: no process could be started for it ({problem}).",
                _AS_CSV,
                path=self._given.path,
                problem=problem,
            ) from None
        self._requests = cast("BinaryIO", self._process.stdin)
        self._answers = cast("BinaryIO", self._process.stdout)
        self._watch = threading.Timer(self._given.most_seconds, self._stop_for_time)
        self._watch.daemon = True
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.cancel()
        self._process.kill()
        with suppress(BrokenPipeError):  # closing sends the remaining buffer
            self._requests.close()
        self._answers.close()
        self._process.wait()

    def open(self, file: BinaryIO) -> list[tuple[str, bool]]:
        """Send the workbook and return the names of its sheets, and whether each is hidden."""
        self._send(orjson.dumps([*self._given]) + b"\n")
        while piece := file.read(_COPIED_BYTES):
            self._send(piece)
        return [(name, hidden) for name, hidden in self._answer()]

    def sample(self, sheet: int) -> list[tuple[int, tuple[str, ...]]]:
        """Return the first rows of a sheet that are not blank, with their numbers, all as wide as the widest."""
        self._send(orjson.dumps({"sample": sheet}) + b"\n")
        return [(number, tuple(cells)) for number, cells in self._answer()]

    def read(self, wanted: WantedCells) -> Iterator[bytes]:
        """Yield the blocks of rows as they come, each a frame for `blocks_in`; then `result` is set."""
        self._send(orjson.dumps(wanted._asdict()) + b"\n")
        while (frame := self._frame()).startswith(b"["):
            yield FRAME.pack(len(frame)) + frame
        self.result: dict[str, Any] = self._understood(frame)

    def _send(self, message: bytes) -> None:
        try:
            self._requests.write(message)
            self._requests.flush()
        except BrokenPipeError:
            self._answer()  # it may have said why it stopped reading
            raise self._ended() from None

    def _answer(self) -> Any:
        return self._understood(self._frame())

    def _understood(self, frame: bytes) -> Any:
        answer = orjson.loads(frame)
        if isinstance(answer, dict) and "sentence" in answer:
            raise InputError(unpacked(answer["sentence"]), unpacked(answer["hint"]))
        return answer

    def _frame(self) -> bytes:
        head = self._answers.read(FRAME.size)
        if len(head) == FRAME.size:
            (size,) = FRAME.unpack(head)
            frame = self._answers.read(size)
            if len(frame) == size:
                return frame
        raise self._ended()

    def _stop_for_time(self) -> None:
        self._took_too_long = True
        self._process.kill()

    def _ended(self) -> InputError:
        """Return the error for a process that ended without an answer."""
        code = self._process.wait()
        if self._took_too_long:
            sentence = phrase(
                "{path} takes more than {seconds} seconds to read; a list of numbers does not.",
                path=self._given.path,
                seconds=self._given.most_seconds,
            )
        else:
            sentence = phrase(
                "{path} cannot be read: the process that was reading it failed ({code}).",
                path=self._given.path,
                code=code,
            )
        return InputError(sentence, _AS_CSV)


def open_workbook(looked_over: LookedOver, options: ReadOptions) -> Table:
    """Choose the sheet and its column, and read it."""
    rows = Spool(options.spool_dir)
    with looked_over.opened() as file:
        size_bytes = file.seek(0, 2)
        file.seek(0)
        with WorkbookProcess(looked_over.name, looked_over.kind, size_bytes) as workbook:
            sheets = workbook.open(file)
            choice = _Choice(looked_over.name, workbook, sheets, options)
            place, heading, notes = choice.only() if options.sheet is None else choice.named(options.sheet)
            wanted = WantedCells(
                sheet=place,
                header_row=heading.row,
                column=heading.column.index,
                campaign=heading.campaign,
                code=heading.code,
                beside=(*heading.beside, _beside_phones(heading.column.index)),
                keep=options.keep_columns,
                block_rows=options.block_rows,
            )
            rows.fill(looked_over.name, workbook.read(wanted), MOST_BYTES)
            result = workbook.result
        looked_over.check_unchanged(file)
    source = heading.source(
        looked_over,
        (*heading.notes, *notes, *map(unpacked, result["notes"])),
        sheet=sheets[place][0],
        header=heading.names + ("",) * (result["width"] - len(heading.names)),
    )
    return _Workbook(source, rows, looked_over)


def _beside_phones(phone: int) -> int:
    """Return the index of the column that holds a title, or that is blank beside a title in the phone column."""
    return 0 if phone else 1


@dataclass(frozen=True, slots=True)
class _Workbook:
    source: Source
    _rows: Spool
    _looked_over: LookedOver

    def blocks(self) -> Iterator[RowBlock]:
        """Yield the rows below the header; see Table. Rows shorter than the header are filled up."""
        width = len(self.source.header)
        with self._rows.opened() as frames:
            while head := frames.read(FRAME.size):
                first, cells, others, campaigns, codes, beside, shown = orjson.loads(frames.read(*FRAME.unpack(head)))
                rows = range(first, first + len(cells)) if isinstance(first, int) else first
                whole = [(*kept, *([""] * (width - len(kept)))) for kept in others]
                *beside, titled = beside
                columns = {self.source.column: cells, **dict(zip(self.source.beside, beside, strict=True))}
                if self.source.code_column is not None:
                    columns[self.source.code_column] = codes
                if self.source.campaign_column is not None:
                    columns[self.source.campaign_column] = campaigns
                block = block_of(
                    self.source,
                    rows,
                    {**dict(enumerate(zip(*whole, strict=True))), **columns},  # a phone may differ from the kept text
                    whole,
                    shown={int(place): text for place, text in shown.items()},
                    beside_phones={_beside_phones(self.source.column): titled},
                )
                yield replace(block, beside=beside)  # the text of a campaign may differ from that for a condition
        with self._looked_over.opened() as file:
            self._looked_over.check_unchanged(file)
