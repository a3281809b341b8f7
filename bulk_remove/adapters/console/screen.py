"""The plan, the question before the first DELETE, the summary, the errors."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from bulk_remove.adapters.console.figures import duration, figures
from bulk_remove.adapters.console.outlet import outlet
from bulk_remove.adapters.console.planned import plan_figures, source_lines
from bulk_remove.core.model import FINAL_STATUSES, Status
from bulk_remove.core.plan import Plan
from bulk_remove.core.summary import Ending
from bulk_remove.errors import BulkRemoveError, ExitCode

TYPED_COUNT_FROM = 1000
"""From so many numbers on, the operator types how many there are instead of yes."""

_MEANING = {
    Status.REMOVED: "the server removed every record it found",
    Status.NOT_EXIST: "the server found none",
    Status.PRESUMED_REMOVED: "none now: an unanswered request probably did it",
    Status.CALL_IN_PROGRESS: "in a call each time it was asked for",
    Status.IN_DOUBT: "asked, but no answer came: it may or may not be gone",
    Status.FAILED: "refused, or never given a verdict",
    Status.UNRECOGNISED: "the server said something undocumented",
    Status.UNSENT: "never asked: the run stopped first",
    Status.INVALID: "not a phone number: never sent",
}


class Screen:
    """Facts for pipes go to standard output; questions and errors to standard error.

    Nothing that becomes of either can end a run: see Outlet.
    """

    def __init__(self) -> None:
        self.out = Console(file=outlet(sys.stdout), highlight=False, soft_wrap=True)
        self.err = Console(file=outlet(sys.stderr), highlight=False, soft_wrap=True)

    @property
    def can_ask(self) -> bool:
        """Whether there is a terminal to ask questions at."""
        return sys.stdin is not None and sys.stdin.isatty() and self.err.is_terminal

    def note(self, sentence: str) -> None:
        """Tell something in passing."""
        self.err.print(Text(sentence))

    def tell(self, sentence: str) -> None:
        """Tell a result."""
        self.out.print(Text(sentence))

    def error(self, error: BulkRemoveError) -> None:
        """Tell what is wrong and what to do."""
        self.err.print(Text.assemble(("Error: ", "bold red"), error.sentence))
        self.err.print(Text(f"       {error.hint}"))

    def plan(self, plan: Plan, records: Mapping[str, int], also_try: Sequence[str]) -> None:
        """Show what would be done. `records` says how many records each campaign holds, where that is known.

        `also_try` names the forms in which a number that is not there is asked for again.
        """
        self.out.print(Text(f"Plan for {plan.host}", style="bold"))
        for source in plan.sources:
            for line in source_lines(source):
                self.out.print(Text(f"  {line}"))
        self.out.print(plan_figures(plan, records, also_try))

    def confirm(self, plan: Plan) -> bool:
        """Ask the operator to type the count (or yes, for few numbers); True when that was typed."""
        names = ", ".join(campaign.campaign for campaign in plan.campaigns if campaign.to_send)
        many = plan.to_send >= TYPED_COUNT_FROM
        wanted = str(plan.to_send) if many else "yes"
        what = f"how many numbers that is ({wanted})" if many else "yes"
        self.err.print(
            Text.assemble(
                (f"About to remove {plan.to_send:,} numbers from campaign {names} on {plan.host}. ", "bold"),
                "This cannot be undone.",
            )
        )
        return self._typed(what, wanted)

    def asked(self, sentence: str, word: str) -> bool:
        """Tell what is about to happen and ask the operator to type a word; True when that was typed."""
        self.err.print(Text(sentence, style="bold"))
        return self._typed(word, word)

    def _typed(self, what: str, wanted: str) -> bool:
        self.err.print(f"Type {what} to go on: ", end="")
        return sys.stdin.readline().strip().lower() == wanted

    def summary(
        self,
        by_status: Mapping[Status, int],
        removed: str,
        seconds: float,
        faults: Mapping[str, int],
        strangers: int,
        ending: Ending,
        exit_code: ExitCode,
    ) -> None:
        """Say what the run amounts to, for a tired person at 2 a.m.; `seconds` is the time of sending."""
        style = "bold green" if exit_code is ExitCode.OK else "bold yellow"
        self.out.print(Text(_headline(by_status, ending), style=style))
        table = figures()
        for status in Status:
            if by_status.get(status, 0):
                table.add_row(status.value, f"{by_status[status]:,}", _MEANING[status])
        table.add_row("rows in the input", f"{sum(by_status.values()):,}", "each of them is in the report once")
        self.out.print(table)
        self.out.print(Text(f"  {removed} in {duration(seconds)}."))
        if faults:
            told = ", ".join(f"{count:,} x {kind}" for kind, count in sorted(faults.items()))
            self.out.print(Text(f"  Requests without verdicts: {told}."))
        if strangers:
            self.out.print(
                Text(f"  Replies spoke of {strangers:,} numbers that nobody asked for: see the log.", "bold red")
            )

    def files(self, report: Path, summary: Path) -> None:
        """Say where the report is."""
        self.tell(f"  Report:  {report}")
        self.tell(f"  Summary: {summary}")


def _headline(by_status: Mapping[Status, int], ending: Ending) -> str:
    still_open = sum(
        count for status, count in by_status.items() if status not in FINAL_STATUSES and status is not Status.INVALID
    )
    left = f"{still_open:,} rows have no final answer" if still_open else "every number has its final answer"
    if ending is Ending.DONE:
        return f"Finished: {left}."
    return f"Ended early ({ending.value}): {left}."
