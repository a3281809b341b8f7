"""Shows the plan, the question before the first DELETE, the summary and errors.

A plan shows each source with its result, then what would be sent.
"""

import io
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import IO, cast

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bulk_remove.console.keys import forget_typed, typed_line
from bulk_remove.console.live import Outlet
from bulk_remove.core.limits import MAX_SHARE, Known, share_told
from bulk_remove.core.model import Rehearsal, Source, Status, harmless
from bulk_remove.core.numbers import AlsoTry, Forms, form_examples, told_forms
from bulk_remove.core.plan import (
    LONGEST_NAME,
    TYPED_COUNT_FROM,
    CampaignPlan,
    Plan,
    SourcePlan,
    read_answer,
    rehearsal_told,
)
from bulk_remove.core.summary import MEANING
from bulk_remove.core.timeline import Window, duration, next_opening, rounded, told_moment
from bulk_remove.errors import BulkRemoveError, ExitCode
from bulk_remove.language import Phrase, counted, joined, one_line, ours, phrase, say, translated

_LEAST_PERCENT = 0.01


def percent(share: float) -> Phrase:
    """Return a share of 1 in percent: small shares with more decimals, and 100% only for exactly all."""
    value = 100 * share
    if 0 < value < _LEAST_PERCENT:
        return phrase("under {least:g}%", least=_LEAST_PERCENT)
    return phrase("{share:,.10g}%", share=rounded(value))


_Line = tuple[str, int | None, str]  # a name, its figure or None, and words about it


def _drawn(lines: Iterable[_Line]) -> Table:
    """Return a table in the operator's language."""
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    for name, figure, word in lines:
        told = "" if figure is None else say("{figure:,}", figure=figure)
        table.add_row(*(Text(one_line(text)) for text in (translated(name), told, translated(word))))
    return table


def source_lines(plan: SourcePlan) -> Iterator[str]:
    """Yield the content of a source and the results of its rows; samples are masked already."""
    source = plan.source
    yield source_line(source)
    for note in (*source.notes, *plan.notes):
        yield phrase("  {note}", note=ours(note))
    rest = plan.rows - plan.invalid - plan.empty - plan.left_out - plan.kept - plan.duplicates
    told = phrase(
        "  {rows}: {numbers}, {duplicates}, {invalid:,} INVALID, {empty:,} empty",
        rows=counted(plan.rows, "{count:,} row", "{count:,} rows"),
        numbers=counted(rest, "{count:,} number", "{count:,} numbers"),
        duplicates=counted(plan.duplicates, "{count:,} duplicate", "{count:,} duplicates"),
        invalid=plan.invalid,
        empty=plan.empty,
    )
    yield phrase("{found}, {count:,} left out", found=told, count=plan.left_out) if plan.left_out else told
    if plan.kept:
        yield counted(
            plan.kept,
            "  {count:,} row holds a number of a --keep list: KEPT, never sent",
            "  {count:,} rows hold numbers of a --keep list: KEPT, never sent",
        )
    for problem, count in plan.damage:
        yield phrase("    {count:,} x {problem}", count=count, problem=ours(problem))
    if plan.kinds:
        kinds = joined(", ", (phrase("{count:,} {kind}", count=count, kind=ours(kind)) for kind, count in plan.kinds))
        yield phrase("  read as numbers: {kinds}", kinds=kinds)
    if plan.internal:
        yield counted(
            plan.internal,
            "  {count:,} internal number of 3 to 6 digits is sent as it is",
            "  {count:,} internal numbers of 3 to 6 digits are sent as they are",
        )
    for row, cell, became in plan.samples:
        yield phrase("    row {row}: {cell} -> {became}", row=row, cell=cell or phrase("(empty)"), became=ours(became))


def source_line(source: Source) -> str:
    """Return how a file is written, and which column has the phone numbers."""
    header = phrase("header in row {row}", row=source.header_row) if source.header_row else phrase("no header")
    if source.encoding:
        named = {"\t": phrase("tab"), "": phrase("none")}.get(source.delimiter, f"'{source.delimiter}'")
        text = phrase("{encoding}, separator {named}", encoding=source.encoding, named=named)
        how = phrase("{how}, {header}", how=text, header=header)
    elif source.sheet:
        sheet = phrase("sheet '{sheet}'", sheet=harmless(source.sheet))
        how = phrase("{how}, {header}", how=sheet, header=header)
    else:
        how = phrase("rows of an earlier run")
    return phrase("{file}: {how}; {columns}", file=harmless(source.file), how=how, columns=_columns(source))


def _columns(source: Source) -> str:
    header = harmless(source.header[source.column])
    by_name = source.column_reason == phrase("named '{name}'", name=header)
    phone = phrase(
        "phone column {column} '{header}', {reason}",
        column=source.column + 1,
        header=header,
        reason=phrase("found by its name") if by_name else ours(source.column_reason),
    )
    if source.code_column is not None:
        phone = phrase(
            "{phone} behind the codes of column {place} '{header}'",
            phone=phone,
            place=source.code_column + 1,
            header=source.header[source.code_column],
        )
    if source.campaign_column is None:
        return phone
    return phrase(
        "{phone}; campaign column {place} '{header}'",
        phone=phone,
        place=source.campaign_column + 1,
        header=harmless(source.header[source.campaign_column]),
    )


def form_lines(plan: Plan, forms: Forms, region: str) -> Iterator[str]:
    """Yield how each campaign holds its numbers, and in which forms they are requested."""
    for campaign in plan.campaigns[:_SHOWN_CAMPAIGNS]:
        if campaign.held:
            yield phrase(
                "campaign {campaign} holds numbers as {forms}",
                campaign=campaign.campaign,
                forms=told_forms(campaign.held, region),
            )
        elif campaign.confirmed:
            yield phrase("campaign {campaign} holds no records", campaign=campaign.campaign)
        else:
            yield phrase("campaign {campaign}: how its numbers are written is not known", campaign=campaign.campaign)
    if len(plan.campaigns) > _SHOWN_CAMPAIGNS:
        yield counted(
            len(plan.campaigns) - _SHOWN_CAMPAIGNS, "and {count:,} more campaign", "and {count:,} more campaigns"
        )
    asked = form_examples(forms.asked, region)
    told = (
        phrase("numbers are asked for as {forms}", forms=asked)
        if asked
        else phrase("numbers are asked for as they are")
    )
    if not plan.confirmed:
        yield phrase("{asked}, which is a guess: if none is found, that proves nothing", asked=told)
    elif any(campaign.held for campaign in plan.campaigns):
        yield told
    else:
        yield phrase("{asked}, which is a guess", asked=told)


def form_warnings(plan: Plan, forms: Forms, region: str) -> Iterator[str]:
    """Yield a sentence for each campaign that holds numbers in forms that are not requested."""
    for campaign in plan.campaigns[:_SHOWN_CAMPAIGNS]:
        unasked = forms.unasked(campaign.held)
        if not unasked:
            continue
        also_try = [*forms.also_try, *(form for form in AlsoTry if form in unasked)]
        found = phrase(
            "Campaign {campaign} holds numbers in forms that are not asked for: {forms}.",
            campaign=campaign.campaign,
            forms=told_forms(unasked, region, campaign.held),
        )
        yield (
            phrase(
                "{found} Leave --number-format out, or add --also-try {also_try}.",
                found=found,
                also_try=",".join(also_try),
            )
            if {*unasked} & {*AlsoTry}
            else found
        )


_SHOWN_CAMPAIGNS = 10


def when_lines(hours: Sequence[str], until: datetime | None, now: datetime) -> Iterator[str]:
    """Yield when numbers are removed, if that is limited; in local time."""
    if hours:
        yield phrase("numbers are removed only within {hours}", hours="; ".join(hours))
    if until is not None and until.date() > now.date() + timedelta(days=1):
        yield phrase("the run stops safely on {until}", until=f"{until:%Y-%m-%d %H:%M}")
    elif until is not None and until.date() > now.date():
        yield phrase("the run stops safely tomorrow at {until}", until=f"{until:%H:%M} ({until:%Y-%m-%d})")
    elif until is not None:
        yield phrase("the run stops safely today at {until}", until=f"{until:%H:%M}")


def when_notes(windows: Sequence[Window], until: datetime | None, now: datetime) -> Iterator[str]:
    """Yield possible surprises in when numbers are removed."""
    if until is not None and until.date() > now.date() and until - now < timedelta(days=1):
        yield phrase("It is past {until} today, so --until means tomorrow.", until=f"{until:%H:%M}")
    opens = next_opening(windows, now)
    if opens == now:
        return
    yield phrase("Outside --hours: no number is removed before {moment}.", moment=told_moment(opens, now))
    if until is not None and until <= opens:
        yield "--until comes before that: no number will be removed."


def _figures(plan: Plan, known: Known, also_try: Sequence[str], also_limited: str) -> Iterator[_Line]:
    """Yield the figures of what would be sent; see `Screen.plan`."""
    yield phrase("rows"), plan.rows, ""
    yield "not a phone number", plan.invalid, "INVALID, never sent"
    if plan.empty:
        yield "empty cells", plan.empty, "INVALID, never sent"
    if plan.left_out:
        yield "rows left out by --where", plan.left_out, "INVALID, never sent"
    if plan.kept:
        yield "on a --keep list", plan.kept, "KEPT, never sent"
    yield phrase("duplicates"), plan.duplicates, "sent once"
    if plan.settled:
        yield "settled by an earlier run", plan.settled, "not sent again"
    for campaign in plan.campaigns:
        name = phrase("numbers to remove from {campaign}", campaign=campaign.campaign)
        yield name, campaign.to_send, joined("; ", _facts(campaign, known))
    lasts = duration(plan.least_duration_s)
    yield (
        phrase("requests"),
        plan.requests,
        phrase("at least {lasts} at {rate:g} a second", lasts=lasts, rate=plan.rate),
    )
    if also_try:
        forms = ", ".join(also_try)
        yield "more requests", None, phrase("for numbers that are not there, in other forms: {forms}", forms=forms)
    if plan.canary:
        yield phrase("canary"), None, "one request is sent first; the rest follows after its result is checked"
    for place, limit in enumerate(filter(None, (_limits(plan, known), also_limited))):
        yield "" if place else phrase("limits"), None, limit
    if plan.additional_numbers:
        yield "additional numbers", None, WIDER


WIDER = phrase("a record is also removed when a number is among its additional numbers")


def _facts(campaign: CampaignPlan, known: Known) -> Iterator[str]:
    """Yield the facts about a campaign besides the count of numbers to send."""
    held = known.records.get(campaign.campaign)
    if held is not None:
        share = phrase(" ({share})", share=share_told(campaign.to_send, held)) if held else ""
        yield counted(held, "of {count:,} record in it{share}", "of {count:,} records in it{share}", share=share)
    usual = known.usual(campaign.campaign)
    if usual:
        times = rounded(campaign.to_send / usual)
        template = (
            "its runs usually send {usual:,.10g}, as this one does"
            if times == 1
            else "its runs usually send {usual:,.10g}; this run: {times:,.10g} times as many"
        )
        yield phrase(template, usual=usual, times=times)
    if campaign.name:
        yield f"'{harmless(campaign.name, LONGEST_NAME)}'"


def more_limits(max_invalid: float, stop_when_missing: float | None) -> str:
    """Return the limits that are not about the size of a plan."""
    told = []
    if max_invalid < 1:
        told.append(phrase("at most {share} of the rows invalid", share=percent(max_invalid)))
    if stop_when_missing is not None and stop_when_missing < 1:
        last = phrase("at most {share} of the last numbers missing", share=percent(stop_when_missing))
        told.append(last)
    return joined(", ", told) if told else ""


def _limits(plan: Plan, known: Known) -> str:
    """Return the limits, and which of them could not be checked."""
    limits, told = plan.limits, []
    asked = [campaign.campaign for campaign in plan.campaigns if campaign.to_send]
    if limits.max_numbers is not None:
        told.append(counted(limits.max_numbers, "at most {count:,} number", "at most {count:,} numbers"))
    share = MAX_SHARE if limits.max_share is None else limits.max_share
    if share < 1:
        counted_all = all(campaign in known.records for campaign in asked)
        template = (
            "{share:g}% of its records" if counted_all else "{share:g}% of its records (not checked without a count)"
        )
        told.append(phrase(template, share=100 * share))
    if limits.max_times_usual is not None:
        usual = all(known.usual(campaign) for campaign in asked)
        template = (
            "{times:g} times the usual" if usual else "{times:g} times the usual (not checked without earlier runs)"
        )
        told.append(phrase(template, times=limits.max_times_usual))
    return phrase("for each campaign: {limits}", limits=joined(", ", told)) if told else ""


def question(plan: Plan, known: Known) -> str:
    """Return the question that the operator must confirm."""
    names = joined(", ", (campaign.told for campaign in plan.campaigns if campaign.to_send))
    asked = phrase(
        "About to remove {numbers} from campaign {names} on {host}",
        numbers=counted(plan.to_send, "{count:,} number", "{count:,} numbers"),
        names=names,
        host=phrase(_HOST[plan.rehearsal], host=plan.host),
    )
    shares = [
        phrase(
            "{share} of {campaign}" if len(plan.campaigns) > 1 else "{share}",
            share=share_told(campaign.to_send, held),
            campaign=campaign.campaign,
        )
        for campaign in plan.campaigns
        if campaign.to_send and (held := known.records.get(campaign.campaign))
    ]
    more = ["..."] if len(shares) > _SHOWN_SHARES else []
    share = phrase(" ({shares})", shares=joined(", ", [*shares[:_SHOWN_SHARES], *more])) if shares else ""
    wider = phrase("; {wider}", wider=WIDER) if plan.additional_numbers else ""
    first = phrase("; one request is sent first") if plan.canary else ""
    return phrase("{asked}{share}{wider}{first}. ", asked=asked, share=share, wider=wider, first=first)


_SHOWN_SHARES = 5
_HOST = {
    Rehearsal.NONE: "{host}",
    Rehearsal.STAND_IN: "{host} (a rehearsal on a stand-in)",
    Rehearsal.LOOPBACK: "{host} (this machine, perhaps a rehearsal)",
}


_USUAL_COLUMNS, _FEWEST_COLUMNS = 80, 20
_CONTINUED = 2  # the indent, in columns, of the rest of a broken line
_COMMAND = (
    r"bulk-remove(?: (?:runs|config))? [a-z-]+"
    r"(?: (?:--?[a-z][\w-]*(?:[ =][^\s-]\S*)?|\S*[0-9/'\"%]\S*|\S+\.csv))*"
)
_WORD = re.compile(rf"\s*(?:{_COMMAND}\S*|\S+)\s*")  # a command is copied, so it is not broken
_TRIES = 3  # so often the question is asked again after an unclear answer: a slip must not cost the plan of a long list


class Screen:
    """Facts for pipes go to standard output; questions and errors to standard error."""

    def __init__(self) -> None:
        self.out, self.err = _console(sys.stdout), _console(sys.stderr)
        self._held: list[tuple[IO[str], str]] | None = None

    def hold_back(self) -> None:
        """Keep output in memory from now on, until `release` or a warning."""
        self._held = []
        for console in (self.out, self.err):
            console.file = cast("IO[str]", _Held(console.file, self._held))

    def release(self) -> None:
        """Print the kept output in order, and keep no more."""
        for console in (self.out, self.err):
            if isinstance(console.file, _Held):
                console.file = console.file.to
        for to, text in self._held or ():
            to.write(text)
        self._held = None

    @property
    def is_quiet(self) -> bool:
        """Whether output is kept in memory."""
        return self._held is not None

    @property
    def can_ask(self) -> bool:
        """Whether there is a terminal for questions."""
        return sys.stdin is not None and sys.stdin.isatty() and self.err.is_terminal

    def note(self, sentence: str, style: str = "") -> None:
        """Print a minor message."""
        _print(self.err, _text(sentence, style))

    def tell(self, sentence: str, style: str = "", indent: str = "") -> None:
        """Print a result."""
        _print(self.out, Text.assemble(indent, _text(sentence, style)))

    def warn(self, sentence: str) -> None:
        """Print a warning, which is never kept in memory."""
        self.release()
        self.note(sentence, "bold red")

    def tell_json(self, value: object) -> None:
        """Print a result as JSON."""
        told = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2)
        self.out.print(Text(_NOT_PRINTABLE.sub(_escaped, told)))

    def error(self, error: BulkRemoveError) -> None:
        """Print what is wrong and what to do."""
        _print(self.err, Text.assemble((translated("Error: "), "bold red"), _text(error.sentence)))
        _print(self.err, Text.assemble("       ", _text(error.hint)))

    def plan(
        self, plan: Plan, known: Known, also_try: Sequence[str], also_limited: str = "", forms: Iterable[str] = ()
    ) -> None:
        """Show what would be done, and what is known about the campaigns; `also_limited` are limits beside these."""
        self.tell(phrase("Plan for {host}", host=plan.host), "bold")
        if told := rehearsal_told(plan):
            self.tell(told, "bold yellow")
        keep = (
            counted(
                each.numbers,
                "keep list {file}: {count:,} number that is never removed (SHA-256 {sha256})",
                "keep list {file}: {count:,} numbers that are never removed (SHA-256 {sha256})",
                file=harmless(each.file),
                sha256=each.sha256,
            )
            for each in plan.keep.lists
        )
        for line in (*chain.from_iterable(map(source_lines, plan.sources)), *keep, *forms):
            self.tell(line, indent="  ")
        self.out.print(_drawn(_figures(plan, known, also_try, also_limited)))

    def standing(self, left: Plan, done: Mapping[Status, int]) -> None:
        """Show what a resumed run has done, as numbers by status, and what is `left` of its plan."""
        campaigns = joined(", ", (campaign.told for campaign in left.campaigns))
        title = phrase(
            "Run {run_id} of campaign {campaigns} on {host}", run_id=left.run_id, campaigns=campaigns, host=left.host
        )
        self.tell(title, "bold")
        if told := rehearsal_told(left):
            self.tell(told, "bold yellow")
        for source in left.sources:
            rows = counted(source.rows, "{count:,} row", "{count:,} rows")
            self.tell(phrase("  {file}: {rows}", file=harmless(source.source.file), rows=rows))
        self.out.print(_drawn([*_by_status(done), ("numbers left to ask for", left.to_send, "")]))

    def confirm(self, plan: Plan, known: Known) -> bool:
        """Ask the operator to type the count (or yes, for few numbers); True if that was typed."""
        _print(
            self.err,
            Text.assemble((one_line(translated(question(plan, known))), "bold"), translated("This cannot be undone.")),
        )
        many = phrase("{count:,}", count=plan.to_send)
        what = many if plan.to_send >= TYPED_COUNT_FROM else phrase("yes")
        return self._answered(phrase("Type {what} to remove them, or n to stop: ", what=what), plan.to_send, what)

    def confirm_rest(self, left: int) -> bool:
        """Ask the operator whether the remaining numbers should follow the canary; True if yes was typed."""
        # Yes is enough: the count was typed before the canary.
        return self._answered(
            counted(
                left,
                "Type yes to send the {count:,} number that is left: ",
                "Type yes to send the {count:,} numbers that are left: ",
            ),
            1,
            phrase("yes"),
        )

    def _answered(self, prompt: str, numbers: int, what: str) -> bool:
        for _ in range(_TRIES):
            forget_typed()
            _print(self.err, _text(prompt), end="")
            answer = read_answer(typed_line(), numbers)
            if answer is not None:
                return answer
            self.note(phrase("That was neither {what} nor n.", what=what))
        return False

    def asked(self, sentence: str, word: str) -> bool:
        """Say what will happen and ask the operator to type a word; True if that was typed."""
        self.note(sentence, "bold")
        forget_typed()
        _print(self.err, _text(phrase("Type {word} to go on: ", word=word)), end="")
        return typed_line().strip().lower() == word

    def canary(self, mix: Mapping[Status, int]) -> None:
        """Show the results of the numbers that were sent first."""
        told = counted(
            sum(mix.values()),
            "The first request brought, for {count:,} number:",
            "The first request brought, for {count:,} numbers:",
        )
        self.tell(told, "bold")
        self.out.print(_drawn(_by_status(mix)))

    def summary(
        self,
        amounts_to: str,
        by_status: Mapping[Status, int],
        done_by: str,
        faults: Mapping[str, int],
        strangers: int,
        exit_code: ExitCode,
        numbers: int,
    ) -> None:
        """Sum up the run, for a tired person at 2 a.m.; `done_by` says how many requests it took."""
        self.tell(amounts_to, "bold green" if exit_code is ExitCode.OK else "bold yellow")
        rows = ("rows in the input", sum(by_status.values()), "each of them is in the report once")
        different = ("different numbers", numbers, "a number in several rows counts once")
        self.out.print(_drawn([*_by_status(by_status), rows, different]))
        self.tell(phrase("  {done_by}", done_by=ours(done_by)))
        if faults:
            told = joined(
                ", ", (phrase("{count:,} x {kind}", count=faults[kind], kind=ours(kind)) for kind in sorted(faults))
            )
            self.tell(phrase("  Requests without verdicts: {faults}.", faults=told))
        if strangers:
            told = counted(
                strangers,
                "  Replies named {count:,} number that nobody asked for: see the log.",
                "  Replies named {count:,} numbers that nobody asked for: see the log.",
            )
            self.tell(told, "bold red")

    def files(self, report: Path, summary: Path, also: Sequence[Path]) -> None:
        """Say where the report and the other files are."""
        self.tell(phrase("  Report:  {report}", report=report))
        self.tell(phrase("  Summary: {summary}", summary=summary))
        for path in also:
            self.tell(phrase("  And:     {path}", path=path))


class _Held(io.TextIOBase):
    """Keeps the output of a stream, in one list with the output of others."""

    def __init__(self, to: IO[str], held: list[tuple[IO[str], str]]) -> None:
        self.to = to
        self._held = held

    def write(self, text: str) -> int:
        self._held.append((self.to, text))
        return len(text)


def _text(sentence: str, style: str = "") -> Text:
    """Return a sentence in the operator's language, made safe to show; our own sentences may have several lines."""
    return Text("\n".join(map(one_line, translated(sentence).split("\n"))), style)


_NOT_PRINTABLE = re.compile(r"[^\n\x20-\x7e]")


def _escaped(found: re.Match[str]) -> str:
    """Return a letter of JSON as it is if it is visible, else JSON's escape for it."""
    return found[0] if one_line(found[0]) == found[0] else json.dumps(found[0])[1:-1]


def _console(stream: IO[str] | None) -> Console:
    """Return a console on a stream. Only a terminal gets escape codes, whatever FORCE_COLOR says."""
    to = cast("IO[str]", Outlet(stream))  # Rich uses less of a file than its annotation says
    told = os.environ.get("COLUMNS", "")
    width = _USUAL_COLUMNS if told.isdecimal() and int(told) < _FEWEST_COLUMNS else None
    terminal = None if to.isatty() else False
    return Console(file=to, width=width, highlight=False, soft_wrap=True, force_terminal=terminal)


def _print(console: Console, text: Text, end: str = "\n") -> None:
    """Print a text, broken between words and indented: a terminal would break it inside words."""
    if console.is_terminal:
        lines = []
        for line in text.split("\n", allow_blank=True):
            indent = len(line.plain) - len(line.plain.lstrip()) + _CONTINUED
            parts = line.divide([*_breaks(line.plain, console.width, indent)])
            for part in parts[:-1]:
                part.rstrip()
            lines.append(Text(f"\n{' ' * indent}").join(parts))
        text = Text("\n").join(lines)
    console.print(text, end=end)


def _breaks(text: str, width: int, indent: int) -> Iterator[int]:
    """Yield the beginnings of new lines; only a single long word makes a line too wide."""
    used = 0
    for word in _WORD.finditer(text):
        wide = cell_len(word[0].rstrip())
        if used + wide > width and word.start() and used > indent:
            yield word.start()
            used = indent
        used += cell_len(word[0])


def _by_status(counts: Mapping[Status, int]) -> list[_Line]:
    return [(status.value, counts[status], MEANING[status]) for status in Status if counts.get(status, 0)]
