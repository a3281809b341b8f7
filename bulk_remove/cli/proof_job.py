"""What `bulk-remove runs verify` does, once it is called."""

import re
from collections.abc import Iterator
from typing import Any

from bulk_remove.adapters.console import Screen
from bulk_remove.cli.given import state_dir_from
from bulk_remove.core.model import REHEARSED
from bulk_remove.errors import ExitCode, UsageError
from bulk_remove.language import counted, phrase
from bulk_remove.run.proof import Found, Proven, proof_as_json, proven
from bulk_remove.run.resume import find_run

_TOLD = {
    Found.AS_WRITTEN: "  As it was written: {path} (SHA-256 {sha256})",
    Found.EARLIER: "  An earlier version lies there, written by this run: {path}",
    Found.GONE: "  Not there any more, moved or deleted: {path} (SHA-256 {sha256})",
    Found.ANOTHERS: "  The report of another run lies there by now: {path}",
    Found.UNKNOWN: "  Not in the ledger, which therefore says nothing of it: {path}",
}


def verify_job(options: dict[str, Any]) -> int:
    """Tell that a run's ledger and reports are as they were written. Raises InputError, UsageError, StorageError."""
    screen = Screen()
    head = (options["head"] or "").lower()
    if head and not re.fullmatch("[0-9a-f]{64}", head):
        raise UsageError("--head is no head of a ledger.", "Give the 64 digits and letters of `ledger_head`.")
    proof = proven(find_run(state_dir_from(options), options["run"] or ""), head)
    if options["as_json"]:
        screen.tell_json(proof_as_json(proof))
        return ExitCode.OK
    for line in _lines(proof, head):
        screen.tell(line)
    return ExitCode.OK


def _lines(proof: Proven, head: str) -> Iterator[str]:
    links, found, unended, later = proof.verified
    if proof.rehearsal:
        yield REHEARSED[proof.rehearsal]
    yield phrase(
        "The ledger of run {run_id} is as it was written: {links} after the plan.",
        run_id=proof.run_id,
        links=counted(links, "{count:,} link", "{count:,} links"),
    )
    yield phrase("  Head: {found}", found=found)
    for report in proof.reports:
        yield phrase(_TOLD[report.found], path=report.path, sha256=report.sha256)
    if not head and not proof.summaries:
        yield "  No summary of it was found: a ledger made anew whole shows only by a head kept elsewhere."
    for told in [phrase("the head that was given")] if head else [str(path) for path in proof.summaries]:
        yield phrase("  Agrees with {told}.", told=told)
    if (head or proof.summaries) and later:
        yield phrase(
            "  {later} came after that, and only the chain itself speaks for them.",
            later=counted(later, "{count:,} link", "{count:,} links"),
        )
    if unended:
        yield phrase(
            "  Not covered: {unended} without an end, under way or cut off.",
            unended=counted(unended, "{count:,} attempt", "{count:,} attempts"),
        )
