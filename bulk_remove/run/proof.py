"""Whether the ledger of a run is as it was written, held against the heads that its summaries noted."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from bulk_remove.adapters.folders import noted_reports
from bulk_remove.adapters.ledger import Verified, opened_for_reading, verify, was_approved
from bulk_remove.errors import InputError
from bulk_remove.language import phrase
from bulk_remove.run.finish import REPORT
from bulk_remove.run.prepare import LEDGER


class Proven(NamedTuple):
    """A run whose ledger is sound: what its chain covers, and the summaries that it agrees with."""

    run_id: str
    verified: Verified
    summaries: tuple[Path, ...]


def proven(folder: Path, head: str) -> Proven:
    """Check a run's ledger; it must hold the head (hex) that is given, or without one those of its summaries.

    Raises AlteredLedgerError with what is not as it was written, InputError for a run that never began to send,
    StorageError when the ledger cannot be read.
    """
    if not was_approved(folder / LEDGER):
        raise InputError(
            phrase("Run {name} ended before its plan was approved, so its ledger has no chain.", name=folder.name),
            "Nothing was sent by it; name another run.",
        )
    noted = {} if head else noted_heads(folder)
    with opened_for_reading(folder / LEDGER) as store:
        verified = verify(store, [head] if head else [*noted.values()])
    return Proven(folder.name, verified, tuple(noted))


def noted_heads(folder: Path) -> Mapping[Path, str]:
    """Return the heads (hex) in the summaries beside a run's reports, as far as these are there and still its own."""
    reports = dict.fromkeys((folder / REPORT, *noted_reports(folder)))
    return {path: head for report in reports for path, head in _noted(report, folder.name)}


def _noted(report: Path, run_id: str) -> Iterator[tuple[Path, str]]:
    path = report.with_suffix(".summary.json")
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # moved away, or in its place stands something else
        return
    if isinstance(summary, dict) and summary.get("run_id") == run_id and isinstance(summary.get("ledger_head"), str):
        yield path, summary["ledger_head"]


def proof_as_json(proof: Proven) -> dict[str, object]:
    """Return what `runs verify --json` says of a sound ledger; the keys are stable."""
    return {
        "run_id": proof.run_id,
        "sound": True,
        "links": proof.verified.links,
        "ledger_head": proof.verified.head,
        "attempts_without_an_end": proof.verified.unended,
        "compared_with": [str(path) for path in proof.summaries],
        "links_after_the_head": proof.verified.later,
    }
