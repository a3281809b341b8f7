"""A plan as the operator reads it: each source and what was made of it, then what would be sent."""

from collections.abc import Iterator, Mapping, Sequence

from rich.table import Table

from bulk_remove.adapters.console.figures import figures
from bulk_remove.core.model import Source
from bulk_remove.core.plan import Plan, SourcePlan
from bulk_remove.core.progress import duration


def source_lines(plan: SourcePlan) -> Iterator[str]:
    """Yield what was found in a source and what becomes of its rows; samples are masked already."""
    source = plan.source
    yield f"{source.file}: {_written(source)}; {_columns(source)}"
    for note in source.notes:
        yield f"  {note}"
    rest = plan.rows - plan.invalid - plan.duplicates
    yield f"  {plan.rows:,} rows: {rest:,} numbers, {plan.duplicates:,} duplicates, {plan.invalid:,} INVALID"
    for problem, count in plan.problems:
        yield f"    {count:,} x {problem}"
    for row, cell, became in plan.samples:
        yield f"    row {row}: {cell or '(empty)'} -> {became}"


def _written(source: Source) -> str:
    if source.encoding:
        how = f"{source.encoding}, separator {_named(source.delimiter)}"
    elif source.sheet:
        how = f"sheet '{source.sheet}'"
    else:
        return "rows of an earlier run"
    return f"{how}, {f'header in row {source.header_row}' if source.header_row else 'no header'}"


def _columns(source: Source) -> str:
    phone = f"phone column {source.column + 1} '{source.header[source.column]}', {source.column_reason}"
    if source.campaign_column is None:
        return phone
    return f"{phone}; campaign column {source.campaign_column + 1} '{source.header[source.campaign_column]}'"


def _named(delimiter: str) -> str:
    return {"\t": "tab", "": "none"}.get(delimiter, f"'{delimiter}'")


def plan_figures(plan: Plan, records: Mapping[str, int], also_try: Sequence[str]) -> Table:
    """Return what would be sent, in figures; see `Screen.plan`."""
    table = figures()
    table.add_row("rows", f"{plan.rows:,}", "")
    table.add_row("not a phone number", f"{plan.invalid:,}", "INVALID, never sent")
    table.add_row("duplicates", f"{plan.duplicates:,}", "sent once")
    if plan.settled:
        table.add_row("settled by an earlier run", f"{plan.settled:,}", "not sent again")
    for campaign in plan.campaigns:
        held = records.get(campaign.campaign)
        share = "" if held is None else f"of {held:,} records in it"
        table.add_row(f"numbers to remove from {campaign.campaign}", f"{campaign.to_send:,}", share)
    lasts = duration(plan.least_duration_s)
    table.add_row("requests", f"{plan.requests:,}", f"at least {lasts} at {plan.rate:g} a second")
    if also_try:
        forms = ", ".join(also_try)
        table.add_row("more requests", "", f"for numbers that are not there, in other forms: {forms}")
    return table
