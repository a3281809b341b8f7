"""The values that the pages show: the plan with its lights, the progress, the result of a run."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from bulk_remove.console.screen import form_warnings, percent
from bulk_remove.core.lifecycle import status_of
from bulk_remove.core.limits import LATELY_NUMBERS, MAX_SHARE, Known, Limits, check_limits, share_told
from bulk_remove.core.model import FINAL_STATUSES, NEVER_SENT, OPEN_STATUSES, Rehearsal, Source, Status, harmless
from bulk_remove.core.numbers import form_examples
from bulk_remove.core.plan import Plan, check_kept, only_short, rehearsal_told
from bulk_remove.core.summary import (
    HELD_BACK,
    MEANING,
    Ending,
    NoneFound,
    Proof,
    advise,
    headline,
    removed_again_told,
)
from bulk_remove.core.timeline import Snapshot
from bulk_remove.errors import BulkRemoveError, ExitCode, GuardStop
from bulk_remove.language import Phrase, counted, ours, phrase, say, translated
from bulk_remove.ledger import Outcomes, facts_of, opened_for_reading
from bulk_remove.page.work import Stage, Work
from bulk_remove.run.finish import SUMMARY, guess_of
from bulk_remove.run.folders import LEDGER_FILE
from bulk_remove.run.job import Done, Planned
from bulk_remove.run.past import UNDER_WAY, EarlierRuns, PastRun, local
from bulk_remove.run.preflight import error_of
from bulk_remove.run.prepare import check_plan, removed_earlier
from bulk_remove.settings import Settings

GOOD, WARN, BAD = "good", "warn", "bad"
_COLOURS = {ExitCode.OK: GOOD, ExitCode.GUARD: BAD, ExitCode.REFUSED: BAD, ExitCode.STORAGE: BAD, ExitCode.BUG: BAD}
_TENTHS = 10
_NOTHING_YET = Snapshot({}, 0, 0, 0, {}, 0.0, 0)


class Light(NamedTuple):
    """A traffic light beside a sentence."""

    colour: str
    sentence: str


def plan_shown(work: Work) -> dict[str, Any]:
    """Return the values for the page of a plan. Samples are not masked, so that the person can check them."""
    shown = work.shown
    if shown is None:
        return {"plan": None}
    plan, settings = shown.left, shown.ready.settings
    source = plan.sources[0]
    return {
        "plan": plan,
        "source": source,
        "file": harmless(Path(source.source.file).name),
        "reason": _reason(source.source),
        "why": settings.reason,
        "columns": source.source.header,
        "column": source.source.header[source.source.column],
        "lights": [*(lights(shown) if shown.done is None else _lights_again(shown))],
        "resumes": plan.run_id if shown.done is not None else "",
        "notes": [
            *source.source.notes,
            *(note for note in source.notes if note != only_short(source.source)),
            *work.notes,
        ],
        "warnings": [*form_warnings(plan, settings.forms(), settings.region)],
        "rehearsal": rehearsal_told(plan),
        "done": [(status, shown.done[status]) for status in Status if shown.done[status]] if shown.done else [],
        "of_a_file": _is_of_a_file(shown),
    }


def _reason(source: Source) -> str:
    """Return why this column was taken, in words that name no flag."""
    if "--" in source.column_reason:
        return phrase("chosen by you")
    by_name = source.column_reason == phrase("named '{name}'", name=harmless(source.header[source.column]))
    return phrase("found by its name") if by_name else ours(source.column_reason)


def hint_shown(error: BulkRemoveError) -> str:
    """Return what to do about an error. Somebody in a browser cannot set a flag."""
    if "--" not in error.hint:
        return error.hint
    return phrase("Ask the person who manages the settings of this system. ({hint})", hint=ours(error.hint))


def _is_of_a_file(shown: Planned) -> bool:
    """Return whether the rows come from a file, not from an earlier run."""
    return shown.done is None and shown.ready.phases is None


def lights(shown: Planned) -> Iterator[Light]:
    """Yield a light for each check of a plan: good, worth a look, or over a limit."""
    plan, known, limits = shown.left, shown.known, shown.left.limits
    for campaign in plan.campaigns:
        records = known.records.get(campaign.campaign)
        if records is None:
            told = phrase("The record count of campaign {campaign} is not known.", campaign=campaign.told)
            yield Light(WARN if limits.max_share is None else BAD, told)
        elif records:
            share = MAX_SHARE if limits.max_share is None else limits.max_share
            fine = counted(
                records,
                "{share} of the {count:,} record of campaign {campaign}. The limit is {most}.",
                "{share} of the {count:,} records of campaign {campaign}. The limit is {most}.",
                share=share_told(campaign.to_send, records),
                campaign=campaign.told,
                most=percent(share),
            )
            yield _held(plan, known, Limits(max_share=share), fine)
        else:
            yield Light(WARN, phrase("Campaign {campaign} holds no records.", campaign=campaign.told))
    if limits.max_numbers is not None:
        most = counted(
            limits.max_numbers,
            "At most {count:,} number may be removed at once.",
            "At most {count:,} numbers may be removed at once.",
        )
        yield _held(plan, known, Limits(max_numbers=limits.max_numbers, max_share=1), most)
    if limits.max_times_usual is not None:
        usual = any(known.usual(campaign) for campaign in plan.campaign_ids)
        fine = (
            phrase("About as many numbers as usual.") if usual else phrase("There is no earlier run to compare with.")
        )
        light = _held(plan, known, Limits(max_times_usual=limits.max_times_usual, max_share=1), fine)
        yield light if usual else Light(WARN, light.sentence)
    yield from _rows_held(shown)
    if plan.canary:
        yield Light(GOOD, phrase("One request goes first. The rest follows only if its numbers are in the campaign."))
    else:
        yield Light(WARN, phrase("Everything is sent at once, without a first request as a check."))
    yield from _while_sending(shown)


def _lights_again(shown: Planned) -> Iterator[Light]:
    """Yield the lights of a run that is resumed: its amounts were checked before it was confirmed."""
    yield Light(GOOD, phrase("The amounts were within their limits when the run was confirmed."))
    yield _form_light(shown)
    yield from _while_sending(shown)


def _while_sending(shown: Planned) -> Iterator[Light]:
    if (limit := shown.ready.settings.stop_when_missing) is not None and limit < 1:
        watched = counted(
            LATELY_NUMBERS,
            "The run stops when {share} of the last {count:,} number is not in the campaign.",
            "The run stops when {share} of the last {count:,} numbers are not in the campaign.",
            share=percent(limit),
        )
        yield Light(GOOD, watched)


def _rows_held(shown: Planned) -> Iterator[Light]:
    plan, settings = shown.left, shown.ready.settings
    if _is_of_a_file(shown):
        fine = counted(
            plan.invalid,
            "{count:,} row holds no phone number. It is never sent.",
            "{count:,} rows hold no phone number. They are never sent.",
        )
        yield _light(lambda: check_plan(plan, settings), fine if plan.invalid else phrase("All rows can be read."))
        for source in plan.sources:
            if (told := only_short(source.source)) in source.notes:
                yield Light(WARN, told)
    if plan.keep.lists:
        fine = counted(
            plan.kept,
            "{count:,} row is on a list of numbers that must stay. It is never sent.",
            "{count:,} rows are on a list of numbers that must stay. They are never sent.",
        )
        yield _light(lambda: check_kept(plan), fine)
    yield _form_light(shown)


def _form_light(shown: Planned) -> Light:
    plan, settings = shown.left, shown.ready.settings
    asked = form_examples(settings.forms().asked, settings.region)
    if plan.confirmed:
        return Light(GOOD, phrase("The campaign has its numbers in the form that is sent: {forms}.", forms=asked))
    told = phrase(
        "It is not known how the campaign writes its numbers. They are sent as {forms}: if none is found, that "
        "proves nothing.",
        forms=asked,
    )
    return Light(WARN, told)


def _held(plan: Plan, known: Known, limits: Limits, fine: str) -> Light:
    to_send = {campaign.campaign: campaign.to_send for campaign in plan.campaigns}
    return _light(lambda: check_limits(to_send, limits, known), fine)


def _light(check: Callable[[], None], fine: str) -> Light:
    try:
        check()
    except GuardStop as stop:
        return Light(BAD, stop.sentence)
    return Light(GOOD, fine)


def progress_shown(work: Work) -> dict[str, Any]:
    """Return the progress as JSON for the page, with texts in the language in use."""
    shown: dict[str, Any] = {"stage": work.stage.value, "fields": {}, "spoken": ""}
    if work.stage is Stage.PLANNING:
        shown["fields"] = {"rows": translated(counted(work.rows, "{count:,} row read", "{count:,} rows read"))}
    if work.shown is None or not work.sending:
        return shown
    now, total = work.snapshot or _NOTHING_YET, work.shown.ready.plan.numbers
    by_status = Counter[Status]()
    for phase, count in now.phases.items():
        by_status[status_of(phase)] += count
    share = now.settled * 100 // total if total else 100
    heading = "The removal is paused" if work.paused else "Numbers are being removed"
    sentence = translated(_going(work))
    figures = {
        "removed": by_status[Status.REMOVED],
        "absent": by_status[Status.NOT_EXIST] + by_status[Status.PRESUMED_REMOVED],
        "busy": now.in_a_call,
        "unsent": now.unsent,
        "faults": sum(now.faults.values()),
    }
    shown |= {
        "percent": share,
        "title": say("{share} % done", share=share),
        "heading": translated("The removal is being stopped" if work.ending else heading),
        "spoken": sentence
        if work.paused or work.ending
        else say("at least {share} % done", share=share // _TENTHS * _TENTHS),
        "paused": work.paused,
        "stopping": work.ending,
    }
    shown["fields"] = {name: say("{count:,}", count=count) for name, count in figures.items()} | {
        "settled": translated(
            counted(total, "{settled:,} of {count:,} number", "{settled:,} of {count:,} numbers", settled=now.settled)
        ),
        "sentence": sentence,
        "canary": translated(_canary(work)),
    }
    return shown


def _canary(work: Work) -> str:
    if work.shown is None or not work.shown.left.canary or work.shown.done is not None:
        return ""
    if work.canary is None:
        return "One request goes first; the rest waits until its numbers are checked."
    return phrase("The first request was good: the rest follows.")


def _going(work: Work) -> str:
    """Return a sentence on what the run is doing now."""
    if work.stage is Stage.REPORTING:
        return "The report is being written."
    if work.ending:
        return "Stopping: requests under way are finished first."
    if work.paused:
        return "Paused. Nothing new is sent."
    return ours(work.scene.outlook()) if work.scene and work.snapshot else ""


def run_shown(run: PastRun, mine: str) -> dict[str, Any]:
    """Return the values for a line of the history. `mine` is the id of the run that this process is sending."""
    statuses = run.numbers_by_status
    ended_well = run.state == Ending.DONE and not run.open_numbers and not run.proves_nothing
    return {
        "run_id": run.run_id,
        "when": local(run.told.facts.created_at_s if run.told else run.last_s),
        "campaigns": ", ".join(campaign.told for campaign in run.plan.campaigns),
        "host": run.host,
        "files": ", ".join(harmless(Path(each.source.file).name) for each in run.plan.sources),
        "numbers": statuses.total(),
        "removed": statuses[Status.REMOVED],
        "open": run.open_numbers,
        "state": ours(run.state),
        "colour": GOOD if ended_well else WARN,
        "rehearsal": run.rehearsal is not Rehearsal.NONE,
        "mine": run.run_id == mine,
        "told": run.told is not None,
    }


def result_shown(run: PastRun, done: Done | None) -> dict[str, Any]:
    """Return the result of a run, from its summary or else from its ledger.

    `done` is its result if this process sent it; it has the reason for an early end.
    """
    resumable = bool(run.resumable_numbers) and run.state != UNDER_WAY
    shown: dict[str, Any] = {
        "run": run,
        "campaigns": ", ".join(campaign.told for campaign in run.plan.campaigns),
        "resumable": resumable and run.state not in HELD_BACK,
        "held_back": resumable and run.state in HELD_BACK,
        "rerunnable": bool(run.open_numbers) and not resumable and run.state != UNDER_WAY,
        "why": _why(run, done),
        "reported": run.state != UNDER_WAY and bool(run.told and run.told.sessions and run.told.sessions[-1].ending),
        "counted": [],
        "advice": [],
        "unasked": 0,
        "gone": "",
    }
    summary = _summary_of(run)
    if summary is not None:
        with suppress(KeyError, TypeError, ValueError):  # the summary of another version: use the ledger
            return shown | _summary_shown(run, summary)
    told = phrase("This run has no report: {state}.", state=ours(run.state))
    return shown | {
        "headline": told,
        "colour": WARN,
        "rows": _rows(run.numbers_by_status + run.unsent_rows, run.plan.empty, run.plan.left_out),
    }


def _summary_shown(run: PastRun, summary: Mapping[str, Any]) -> dict[str, Any]:
    by_status = Counter({Status(name): count for name, count in summary["rows_by_status"].items()})
    nothing = NoneFound(**summary["none_found"]) if summary["none_found"] else None
    ending, code = Ending(summary["ending"]), ExitCode(summary["exit_code"])
    guess = guess_of(run.plan, run.told.facts.settings if run.told else Settings("00000"), nothing)
    strangers, not_meant = summary["numbers_in_replies_unasked"], summary["empty_cells"] + summary["left_out_rows"]
    advice = advise(run.run_id, ending, by_status, strangers=strangers, guess=guess, not_meant=not_meant)
    gone = _gone_before(run, by_status)
    return {
        "headline": headline(by_status, ending, nothing, Rehearsal(summary["rehearsal"] or "")),
        "colour": BAD if summary["unasked_removals"] else "info" if gone else _COLOURS.get(code, WARN),
        "gone": gone,
        "rows": _rows(by_status, summary["empty_cells"], summary["left_out_rows"]),
        "records": _records(summary),
        "numbers": (
            counted(summary["rows"], "{count:,} row", "{count:,} rows"),
            counted(summary["numbers"], "{count:,} different number", "{count:,} different numbers"),
        ),
        "counted": [
            *([removed_again_told(summary["removed_again"])] if summary.get("removed_again") else ()),
            *(
                Proof(**{each.name: counts[each.name] for each in fields(Proof)}).sentence()
                for counts in summary["records_by_campaign"]
            ),
        ],
        "advice": [each.sentence for each in advice if not (ending in HELD_BACK and " resume " in each.command)],
        "unasked": len(summary["unasked_removals"]),
    }


def _why(run: PastRun, done: Done | None) -> str:
    """Return why a session that this process sent ended early, or an empty text."""
    if done is None or done.sent is None:
        return ""
    if done.sent.fault is not None:
        return error_of(done.sent.fault, ", ".join(run.campaigns)).sentence
    return done.sent.guard.sentence if done.sent.guard else ""


def _gone_before(run: PastRun, by_status: Counter[Status]) -> str:
    """Say that all numbers of a run that found none had been removed by earlier runs; else return an empty text."""
    if not by_status[Status.NOT_EXIST] or {*+by_status} - {Status.NOT_EXIST, *NEVER_SENT}:
        return ""
    if _removed_before(run.folder) < run.plan.numbers:
        return ""
    return phrase("They are already gone: earlier runs removed all of them.")


@lru_cache(maxsize=1)
def _removed_before(folder: Path) -> int:
    """Return how many numbers of a run earlier runs removed."""
    with opened_for_reading(folder / LEDGER_FILE) as store:
        facts = facts_of(store)
        plan = facts.plan or Plan(folder.name, "", (), (), 1.0)
        return removed_earlier(store, EarlierRuns(folder.parents[1], plan, facts.created_at_s).removals)


def _records(summary: Mapping[str, Any]) -> Phrase:
    records = counted(summary["removed_records"], "{count:,} record", "{count:,} records")
    return phrase(
        "At least {records} removed." if summary["removed_records_at_least"] else "{records} removed.", records=records
    )


def _rows(counts: Counter[Status], empty: int, left_out: int) -> Sequence[tuple[Status, int, str, str]]:
    """Return (status, count, meaning, colour) of the rows; INVALID rows once for each kind."""
    colours = dict.fromkeys(FINAL_STATUSES, GOOD) | dict.fromkeys(OPEN_STATUSES, WARN)
    told: list[tuple[Status, int, str]] = [
        *((status, counts[status], MEANING[status]) for status in Status if status is not Status.INVALID),
        (Status.INVALID, counts[Status.INVALID] - empty - left_out, "not a phone number: never sent"),
        (Status.INVALID, empty, "an empty cell: never sent"),
        (Status.INVALID, left_out, "left out, as asked: never sent"),
    ]
    return [(status, count, ours(meaning), colours.get(status, "info")) for status, count, meaning in told if count]


def _summary_of(run: PastRun) -> Mapping[str, Any] | None:
    """Return the latest summary whose digest is in the ledger."""
    if run.told is None:
        return None
    with opened_for_reading(run.folder / LEDGER_FILE) as store:
        written = {file.sha256 for file in Outcomes(store).written()}
    for report in reversed(run.reports):
        try:
            content = report.with_suffix(SUMMARY).read_bytes()
        except OSError:
            continue
        if sha256(content).hexdigest() in written:
            summary: Mapping[str, Any] = json.loads(content)
            if summary["run_id"] == run.run_id:
                return summary
    return None
