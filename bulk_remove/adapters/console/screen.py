"""The plan, the question before the first DELETE, the summary, the errors."""

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from bulk_remove.adapters.console.figures import Figures
from bulk_remove.adapters.console.outlet import outlet
from bulk_remove.adapters.console.planned import keep_lines, plan_figures, question, source_lines
from bulk_remove.adapters.console.typed import forget_typed, typed_line
from bulk_remove.core.guards import Known
from bulk_remove.core.model import Status, harmless
from bulk_remove.core.plan import TYPED_COUNT_FROM, Plan, read_answer, rehearsal_told
from bulk_remove.core.summary import MEANING
from bulk_remove.errors import BulkRemoveError, ExitCode
from bulk_remove.language import counted, joined, one_line, ours, phrase, translated

_USUAL_COLUMNS, _FEWEST_COLUMNS = 80, 20
_CONTINUED = 2
"""Columns by which the rest of a broken line is indented."""
_WORD = re.compile(r"\s*\S+\s*")
_TRIES = 3
"""So often an answer that is neither yes nor no may be typed again: a slip must not cost the plan of a long list."""


class Screen:
    """Facts for pipes go to standard output; questions and errors to standard error.

    Nothing that becomes of either can end a run: see Outlet.
    """

    def __init__(self) -> None:
        self.out, self.err = _console(sys.stdout), _console(sys.stderr)

    @property
    def can_ask(self) -> bool:
        """Whether there is a terminal to ask questions at."""
        return sys.stdin is not None and sys.stdin.isatty() and self.err.is_terminal

    def note(self, sentence: str) -> None:
        """Tell something in passing."""
        _print(self.err, _text(sentence))

    def tell(self, sentence: str) -> None:
        """Tell a result."""
        _print(self.out, _text(sentence))

    def warn(self, sentence: str) -> None:
        """Tell something that must not be passed over."""
        _print(self.err, _text(sentence, "bold red"))

    def tell_json(self, value: object) -> None:
        """Tell a result to machines."""
        told = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2)
        self.out.print(Text(_NOT_PRINTABLE.sub(_escaped, told)))

    def error(self, error: BulkRemoveError) -> None:
        """Tell what is wrong and what to do."""
        _print(self.err, Text.assemble((translated("Error: "), "bold red"), _text(error.sentence)))
        _print(self.err, Text.assemble("       ", _text(error.hint)))

    def plan(self, plan: Plan, known: Known, also_try: Sequence[str], forms: Iterable[str] = ()) -> None:
        """Show what would be done, and what is known of the campaigns.

        `also_try` names the forms in which a number that is not there is asked for again; `forms` are sentences on how
        the campaigns hold their numbers.
        """
        _print(self.out, _text(phrase("Plan for {host}", host=plan.host), "bold"))
        if told := rehearsal_told(plan):
            _print(self.out, _text(told, "bold yellow"))
        for source in plan.sources:
            for line in source_lines(source):
                _print(self.out, Text.assemble("  ", _text(line)))
        for line in (*keep_lines(plan.keep), *forms):
            _print(self.out, Text.assemble("  ", _text(line)))
        self.out.print(plan_figures(plan, known, also_try))

    def standing(self, left: Plan, done: Mapping[Status, int]) -> None:
        """Show what a run has done that is to go on, as numbers by status, and what is `left` of its plan."""
        campaigns = joined(", ", (campaign.told for campaign in left.campaigns))
        title = phrase(
            "Run {run_id} of campaign {campaigns} on {host}", run_id=left.run_id, campaigns=campaigns, host=left.host
        )
        _print(self.out, _text(title, "bold"))
        if told := rehearsal_told(left):
            _print(self.out, _text(told, "bold yellow"))
        for source in left.sources:
            rows = counted(source.rows, "{count:,} row", "{count:,} rows")
            self.tell(phrase("  {file}: {rows}", file=harmless(source.source.file), rows=rows))
        table = _by_status(done)
        table.add("numbers left to ask for", left.to_send)
        self.out.print(table.drawn)

    def confirm(self, plan: Plan, known: Known) -> bool:
        """Ask the operator to type the count (or yes, for few numbers); True when that was typed."""
        _print(
            self.err,
            Text.assemble((one_line(translated(question(plan, known))), "bold"), translated("This cannot be undone.")),
        )
        many = phrase("the number of phone numbers ({count:,})", count=plan.to_send)
        what = many if plan.to_send >= TYPED_COUNT_FROM else "yes"
        return self._answered(phrase("Type {what} to go on: ", what=what), plan.to_send)

    def confirm_rest(self, left: int) -> bool:
        """Ask the operator whether the numbers that are left are to follow the canary; True when yes was typed."""
        # One yes: the count was typed before the canary.
        return self._answered(
            counted(
                left,
                "Type yes to send the {count:,} number that is left: ",
                "Type yes to send the {count:,} numbers that are left: ",
            ),
            1,
        )

    def _answered(self, prompt: str, numbers: int) -> bool:
        for _ in range(_TRIES):
            forget_typed()
            _print(self.err, _text(prompt), end="")
            answer = read_answer(typed_line(), numbers)
            if answer is not None:
                return answer
        return False

    def asked(self, sentence: str, word: str) -> bool:
        """Tell what is about to happen and ask the operator to type a word; True when that was typed."""
        _print(self.err, _text(sentence, "bold"))
        forget_typed()
        _print(self.err, _text(phrase("Type {word} to go on: ", word=word)), end="")
        return typed_line().strip().lower() == word

    def canary(self, mix: Mapping[Status, int]) -> None:
        """Show what became of the numbers that were sent first."""
        _print(
            self.out,
            _text(
                counted(
                    sum(mix.values()),
                    "The first request brought, for {count:,} number:",
                    "The first request brought, for {count:,} numbers:",
                ),
                "bold",
            ),
        )
        self.out.print(_by_status(mix).drawn)

    def summary(
        self,
        amounts_to: str,
        by_status: Mapping[Status, int],
        done_by: str,
        faults: Mapping[str, int],
        strangers: int,
        exit_code: ExitCode,
    ) -> None:
        """Say what the run amounts to, for a tired person at 2 a.m.; `done_by` says by how many requests."""
        style = "bold green" if exit_code is ExitCode.OK else "bold yellow"
        _print(self.out, _text(amounts_to, style))
        table = _by_status(by_status)
        table.add("rows in the input", sum(by_status.values()), "each of them is in the report once")
        self.out.print(table.drawn)
        self.tell(phrase("  {done_by}", done_by=ours(done_by)))
        if faults:
            told = joined(
                ", ", (phrase("{count:,} x {kind}", count=faults[kind], kind=ours(kind)) for kind in sorted(faults))
            )
            self.tell(phrase("  Requests without verdicts: {told}.", told=told))
        if strangers:
            told = counted(
                strangers,
                "  Replies spoke of {count:,} number that nobody asked for: see the log.",
                "  Replies spoke of {count:,} numbers that nobody asked for: see the log.",
            )
            _print(self.out, _text(told, "bold red"))

    def files(self, report: Path, summary: Path, also: Sequence[Path]) -> None:
        """Say where the report is, and what was made of it."""
        self.tell(phrase("  Report:  {report}", report=report))
        self.tell(phrase("  Summary: {summary}", summary=summary))
        for path in also:
            self.tell(phrase("  And:     {path}", path=path))


def _text(sentence: str, style: str = "") -> Text:
    """Return a sentence in the operator's language, as it may be shown; some of ours have several lines."""
    return Text("\n".join(map(one_line, translated(sentence).split("\n"))), style)


_NOT_PRINTABLE = re.compile(r"[^\n\x20-\x7e]")


def _escaped(found: re.Match[str]) -> str:
    """Return a letter of JSON as it stands if it can be seen, else as JSON escapes it."""
    return found[0] if one_line(found[0]) == found[0] else json.dumps(found[0])[1:-1]


def _console(stream: IO[str] | None) -> Console:
    """Return a console on a stream. What is no terminal gets no escape codes, whatever FORCE_COLOR says.

    Nothing can be written in no columns, or in a few: some environments say COLUMNS=0 where nobody knows.
    """
    to = outlet(stream)
    told = os.environ.get("COLUMNS", "")
    width = _USUAL_COLUMNS if told.isdecimal() and int(told) < _FEWEST_COLUMNS else None
    terminal = None if to.isatty() else False
    return Console(file=to, width=width, highlight=False, soft_wrap=True, force_terminal=terminal)


def _print(console: Console, text: Text, end: str = "\n") -> None:
    """Print a text; a terminal would break its lines inside words, so they are broken before words, and indented."""
    if console.is_terminal:
        text = Text("\n").join(_broken(line, console.width) for line in text.split("\n", allow_blank=True))
    console.print(text, end=end)


def _broken(line: Text, width: int) -> Text:
    indent = len(line.plain) - len(line.plain.lstrip()) + _CONTINUED
    parts = line.divide([*_breaks(line.plain, width, indent)])
    for part in parts[:-1]:
        part.rstrip()
    return Text(f"\n{' ' * indent}").join(parts)


def _breaks(text: str, width: int, indent: int) -> Iterator[int]:
    """Yield where a new line begins, so that none is wider, but for those of a single long word."""
    used = 0
    for word in _WORD.finditer(text):
        wide = cell_len(word[0].rstrip())
        if used + wide > width and word.start() and used > indent:
            yield word.start()
            used = indent
        used += cell_len(word[0])


def _by_status(counts: Mapping[Status, int]) -> Figures:
    table = Figures()
    for status in Status:
        if counts.get(status, 0):
            table.add(status.value, counts[status], MEANING[status])
    return table
