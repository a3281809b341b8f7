"""A plan as the operator reads it: each source and what was made of it, then what would be sent."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from bulk_remove.adapters.console.figures import figures
from bulk_remove.core.guards import Known, Limits
from bulk_remove.core.model import Source
from bulk_remove.core.plan import CampaignPlan, Plan, SourcePlan
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


def plan_figures(plan: Plan, known: Known, also_try: Sequence[str]) -> Table:
    """Return what would be sent, in figures; see `Screen.plan`."""
    table = figures()
    table.add_row("rows", f"{plan.rows:,}", "")
    table.add_row("not a phone number", f"{plan.invalid:,}", "INVALID, never sent")
    table.add_row("duplicates", f"{plan.duplicates:,}", "sent once")
    if plan.settled:
        table.add_row("settled by an earlier run", f"{plan.settled:,}", "not sent again")
    for campaign in plan.campaigns:
        facts = "; ".join(_facts(campaign, known))
        table.add_row(f"numbers to remove from {campaign.campaign}", f"{campaign.to_send:,}", facts)
    lasts = duration(plan.least_duration_s)
    table.add_row("requests", f"{plan.requests:,}", f"at least {lasts} at {plan.rate:g} a second")
    if also_try:
        forms = ", ".join(also_try)
        table.add_row("more requests", "", f"for numbers that are not there, in other forms: {forms}")
    if plan.canary:
        table.add_row("canary", "", "one request goes alone first; the rest follows once it is judged")
    if limits := _limits(plan.limits):
        table.add_row("limits", "", f"for each campaign: {limits}")
    if plan.additional_numbers:
        table.add_row("additional numbers", "", WIDER)
    return table


WIDER = "a record goes, too, when a number is among its additional ones"


def _facts(campaign: CampaignPlan, known: Known) -> Iterator[str]:
    """Yield what is known of a campaign beside how many numbers would be sent."""
    held = known.records.get(campaign.campaign)
    if held is not None:
        share = f" ({100 * campaign.to_send / held:.2g}%)" if held else ""
        yield f"of {held:,} records in it{share}"
    usual = known.usual(campaign.campaign)
    if usual:
        yield f"its runs usually send {usual:,.10g}, this is {campaign.to_send / usual:.2g} times that"


def _limits(limits: Limits) -> str:
    told = [
        f"at most {limits.max_numbers:,} numbers" if limits.max_numbers is not None else "",
        f"{100 * limits.max_share:g}% of its records" if limits.max_share is not None else "",
        f"{limits.max_times_usual:g} times the usual" if limits.max_times_usual is not None else "",
    ]
    return ", ".join(filter(None, told))


def question(plan: Plan, known: Known) -> str:
    """Return what the operator is asked to confirm."""
    names = ", ".join(campaign.campaign for campaign in plan.campaigns if campaign.to_send)
    asked = f"About to remove {plan.to_send:,} numbers from campaign {names} on {plan.host}"
    shares = [
        f"{100 * campaign.to_send / held:.2g}%" + (f" of {campaign.campaign}" if len(plan.campaigns) > 1 else "")
        for campaign in plan.campaigns
        if campaign.to_send and (held := known.records.get(campaign.campaign))
    ]
    share = f" ({', '.join(shares[:_SHOWN_SHARES])}{', ...' if len(shares) > _SHOWN_SHARES else ''})" if shares else ""
    wider = f"; {WIDER}" if plan.additional_numbers else ""
    first = "; one request goes first" if plan.canary else ""
    return f"{asked}{share}{wider}{first}. "


_SHOWN_SHARES = 5
