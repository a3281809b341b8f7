"""A plan as the operator reads it: each source and what was made of it, then what would be sent."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.table import Table

from bulk_remove.adapters.console.figures import Figures
from bulk_remove.core.forms import AlsoTry, Forms, form_examples, told_forms
from bulk_remove.core.guards import MAX_SHARE, Known, share_told
from bulk_remove.core.hours import Window, next_opening, told_moment
from bulk_remove.core.model import Rehearsal, Source, harmless
from bulk_remove.core.plan import LONGEST_NAME, CampaignPlan, Keep, Plan, SourcePlan
from bulk_remove.core.progress import duration, rounded
from bulk_remove.language import counted, joined, ours, phrase


def source_lines(plan: SourcePlan) -> Iterator[str]:
    """Yield what was found in a source and what becomes of its rows; samples are masked already."""
    source = plan.source
    yield phrase("{file}: {how}; {columns}", file=harmless(source.file), how=_written(source), columns=_columns(source))
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
    yield phrase("{told}, {count:,} left out", told=told, count=plan.left_out) if plan.left_out else told
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


def keep_lines(keep: Keep) -> Iterator[str]:
    """Yield what the lists of numbers are that must never be removed."""
    for each in keep.lists:
        yield counted(
            each.numbers,
            "keep list {file}: {count:,} number that is never removed (SHA-256 {sha256})",
            "keep list {file}: {count:,} numbers that are never removed (SHA-256 {sha256})",
            file=harmless(each.file),
            sha256=each.sha256,
        )


def _written(source: Source) -> str:
    if source.encoding:
        how = phrase("{encoding}, separator {named}", encoding=source.encoding, named=_named(source.delimiter))
    elif source.sheet:
        how = phrase("sheet '{sheet}'", sheet=harmless(source.sheet))
    else:
        return phrase("rows of an earlier run")
    header = phrase("header in row {row}", row=source.header_row) if source.header_row else phrase("no header")
    return phrase("{how}, {header}", how=how, header=header)


def _columns(source: Source) -> str:
    phone = phrase(
        "phone column {column} '{header}', {reason}",
        column=source.column + 1,
        header=harmless(source.header[source.column]),
        reason=ours(source.column_reason),
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


def _named(delimiter: str) -> str:
    return {"\t": phrase("tab"), "": phrase("none")}.get(delimiter, f"'{delimiter}'")


def form_lines(plan: Plan, forms: Forms, region: str) -> Iterator[str]:
    """Yield how each campaign holds its numbers, and in which forms they are asked for."""
    for campaign in plan.campaigns[:_SHOWN_CAMPAIGNS]:
        if campaign.held:
            yield phrase(
                "campaign {campaign} holds numbers as {told}",
                campaign=campaign.campaign,
                told=told_forms(campaign.held, region),
            )
        elif campaign.confirmed:
            yield phrase("campaign {campaign} holds no records", campaign=campaign.campaign)
        else:
            yield phrase("campaign {campaign}: how it holds its numbers is not known", campaign=campaign.campaign)
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
        yield phrase("{told}, which is a guess: if none is found, that proves nothing", told=told)
    elif any(campaign.held for campaign in plan.campaigns):
        yield told
    else:
        yield phrase("{told}, which is a guess", told=told)


def form_warnings(plan: Plan, forms: Forms, region: str) -> Iterator[str]:
    """Yield a sentence for each campaign that holds numbers in forms that are not asked for."""
    for campaign in plan.campaigns[:_SHOWN_CAMPAIGNS]:
        unasked = forms.unasked(campaign.held)
        if not unasked:
            continue
        also_try = [*forms.also_try, *(form for form in AlsoTry if form in unasked)]
        found = phrase(
            "Campaign {campaign} holds numbers that are not asked for as they are written there: {told}.",
            campaign=campaign.campaign,
            told=told_forms(unasked, region, campaign.held),
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
    """Yield when numbers are removed, where that is limited; times as a clock on the wall shows them."""
    if hours:
        yield phrase("numbers are removed only within {hours}", hours="; ".join(hours))
    if until is not None and until.date() > now.date():
        yield phrase("the run stops safely tomorrow at {until}", until=f"{until:%H:%M} ({until:%Y-%m-%d})")
    elif until is not None:
        yield phrase("the run stops safely today at {until}", until=f"{until:%H:%M}")


def when_notes(windows: Sequence[Window], until: datetime | None, now: datetime) -> Iterator[str]:
    """Yield what may come as a surprise in when numbers are removed."""
    if until is not None and until.date() > now.date():
        yield phrase("{until} is over for today: --until means tomorrow.", until=f"{until:%H:%M}")
    opens = next_opening(windows, now)
    if opens == now:
        return
    yield phrase("Outside --hours: no number is removed before {moment}.", moment=told_moment(opens, now))
    if until is not None and until <= opens:
        yield "--until comes before that: no number will be removed."


def plan_figures(plan: Plan, known: Known, also_try: Sequence[str]) -> Table:
    """Return what would be sent, in figures; see `Screen.plan`."""
    table = Figures()
    table.add("rows", plan.rows)
    table.add("not a phone number", plan.invalid, "INVALID, never sent")
    if plan.empty:
        table.add("empty cells", plan.empty, "INVALID, never sent")
    if plan.left_out:
        table.add("rows left out by --where", plan.left_out, "INVALID, never sent")
    if plan.kept:
        table.add("on a --keep list", plan.kept, "KEPT, never sent")
    table.add("duplicates", plan.duplicates, "sent once")
    if plan.settled:
        table.add("settled by an earlier run", plan.settled, "not sent again")
    for campaign in plan.campaigns:
        name = phrase("numbers to remove from {campaign}", campaign=campaign.campaign)
        table.add(name, campaign.to_send, joined("; ", _facts(campaign, known)))
    lasts = duration(plan.least_duration_s)
    table.add("requests", plan.requests, phrase("at least {lasts} at {rate:g} a second", lasts=lasts, rate=plan.rate))
    if also_try:
        forms = ", ".join(also_try)
        table.add("more requests", None, phrase("for numbers that are not there, in other forms: {forms}", forms=forms))
    if plan.canary:
        table.add("canary", None, "one request goes alone first; the rest follows once it is judged")
    if limits := _limits(plan, known):
        table.add("limits", None, phrase("for each campaign: {limits}", limits=limits))
    if plan.additional_numbers:
        table.add("additional numbers", None, WIDER)
    return table.drawn


WIDER = phrase("a record goes, too, when a number is among its additional ones")


def _facts(campaign: CampaignPlan, known: Known) -> Iterator[str]:
    """Yield what is known of a campaign beside how many numbers would be sent."""
    held = known.records.get(campaign.campaign)
    if held is not None:
        share = phrase(" ({share})", share=share_told(campaign.to_send, held)) if held else ""
        yield counted(held, "of {count:,} record in it{share}", "of {count:,} records in it{share}", share=share)
    usual = known.usual(campaign.campaign)
    if usual:
        yield phrase(
            "its runs usually send {usual:,.10g}, this is {times:,.10g} times that",
            usual=usual,
            times=rounded(campaign.to_send / usual),
        )
    if campaign.name:
        yield f"'{harmless(campaign.name, LONGEST_NAME)}'"


def _limits(plan: Plan, known: Known) -> str:
    """Return the limits, and which of them nothing was held against."""
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
    return joined(", ", told)


def question(plan: Plan, known: Known) -> str:
    """Return what the operator is asked to confirm."""
    names = joined(", ", (campaign.told for campaign in plan.campaigns if campaign.to_send))
    asked = phrase(
        "About to remove {numbers} from campaign {names} on {host}",
        numbers=counted(plan.to_send, "{count:,} number", "{count:,} numbers"),
        names=names,
        host=_host_told(plan),
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
    first = phrase("; one request goes first") if plan.canary else ""
    return phrase("{asked}{share}{wider}{first}. ", asked=asked, share=share, wider=wider, first=first)


def _host_told(plan: Plan) -> str:
    match plan.rehearsal:
        case Rehearsal.STAND_IN:
            return phrase("{host} (a rehearsal on a stand-in)", host=plan.host)
        case Rehearsal.LOOPBACK:
            return phrase("{host} (this machine, perhaps a rehearsal)", host=plan.host)
        case Rehearsal.NONE:
            return plan.host


_SHOWN_SHARES = 5
