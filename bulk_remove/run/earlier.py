"""The earlier runs that matter to a file: by what was in it and, of an inbox, by where it lay."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from bulk_remove.adapters.folders import Mark, begun_s, is_marked, run_folders
from bulk_remove.adapters.ledger import Reopening, opened_for_reading
from bulk_remove.core.model import NumberFormat, Source, Status, harmless
from bulk_remove.core.summary import Ending
from bulk_remove.errors import StorageError
from bulk_remove.language import phrase
from bulk_remove.run.history import PastRun, past_run
from bulk_remove.run.prepare import LEDGER
from bulk_remove.settings import Settings

_WHERE = ("campaign", "campaign_column")
# What decides which numbers a file holds, and in which forms they are asked for.
_READING = (*_WHERE, "column", "sheet", "encoding", "delimiter", "has_header", "split_cells", "region")


class _Known(NamedTuple):
    folder: Path
    files: frozenset[str]
    contents: frozenset[str]
    settings: dict[str, object]


class Left(NamedTuple):
    """A run of a file of the inbox that did not leave it: the run's folder, the file's name and its SHA-256."""

    folder: Path
    name: str
    content: str


class EarlierRuns:
    """The approved runs against one server with the campaign of these settings, oldest first.

    Ledgers that cannot be read are passed over: `runs list` tells of them.
    """

    def __init__(self, state_dir: Path, host: str, settings: Settings) -> None:
        self._host = host
        self._settings = _plain(settings.public())
        self._known: list[_Known] = []
        self._elsewhere: list[_Known] = []  # for other campaigns
        for folder in run_folders(state_dir):
            self.add(folder)

    def add(self, folder: Path) -> None:
        """Take a run into account, if it is one of these."""
        if not (folder / LEDGER).is_file():
            return
        with suppress(StorageError), opened_for_reading(folder / LEDGER) as store:
            facts = Reopening(store).facts()
            request = _plain(facts.request)
            settings, destination = request["settings"], request["destination"]
            if not (isinstance(settings, dict) and isinstance(destination, dict)):
                return
            alike = all(settings.get(name) == self._settings[name] for name in _WHERE)
            if facts.approved_by and destination["host"] == self._host:
                files = frozenset(str(source.file) for source in facts.sources)
                contents = frozenset(str(source.sha256) for source in facts.sources)
                (self._known if alike else self._elsewhere).append(_Known(folder, files, contents, settings))

    def left_over(self, inbox: Path) -> Iterator[Left]:
        """Yield the runs of single files of an inbox that were not brought to their end."""
        for known in [*self._known]:
            if len(known.files) == len(known.contents) == 1 and not any(is_marked(known.folder, each) for each in Mark):
                (file,), (content,) = known.files, known.contents
                if Path(file).parent == inbox:
                    yield Left(known.folder, Path(file).name, content)

    def finished_with(self, content: str) -> PastRun | None:
        """Return the latest run that read this content in the same way and left nothing open; None: there is none."""
        for known in reversed(self._known):
            if content in known.contents and self._reads_alike(known.settings):
                run = past_run(known.folder)
                kept = run.unsent_rows[Status.KEPT]  # which the lists of today may not hold any more
                if run.state == Ending.DONE and not run.open_numbers and not run.proves_nothing and not kept:
                    return run
        return None

    def told_of(self, sources: Iterable[Source]) -> Iterator[str]:
        """Yield a sentence on each source whose content an approved run had already; the latest one counts."""
        for source in sources:
            runs = [*self._elsewhere, *self._known]  # those with this campaign say more
            known = next((each for each in reversed(runs) if source.sha256 in each.contents), None)
            if known is not None:
                file, run = harmless(source.file), past_run(known.folder)
                yield _told(file, run) if known in self._known else _told_elsewhere(file, run)

    def _reads_alike(self, earlier: Mapping[str, object]) -> bool:
        """Tell whether a run took the same numbers, and asked for them in the forms that are wanted now, or in more."""
        own = self._settings
        if own["internal_numbers"] not in {None, earlier.get("internal_numbers")}:
            return False
        if own["number_format"] == NumberFormat.AUTO:
            # What the records showed was settled in that run; what was wanted in any case was asked for, too.
            forms = _words(own["also_try"]) <= _words(earlier["also_try"])
        else:
            forms = all(earlier[name] == own[name] for name in ("number_format", "also_try"))
        rows = earlier.get("where", []) == own["where"]  # ledgers of earlier versions have none
        return forms and rows and all(earlier.get(name) == own[name] for name in _READING)


def _told(file: str, run: PastRun) -> str:
    told = phrase(
        "{file} was run before: run {run} of {began} had the same content", file=file, run=run.run_id, began=_began(run)
    )
    if not run.open_numbers:
        return phrase("{told}, and every number has its final answer.", told=told)
    if run.resumable_numbers:
        return phrase("{told} and can be finished: bulk-remove resume {run}", told=told, run=run.run_id)
    return phrase("{told}, and some numbers have no final answer.", told=told)


def _told_elsewhere(file: str, run: PastRun) -> str:
    return phrase(
        "{file} was run before for campaign {campaigns}: run {run} of {began} had the same content.",
        file=file,
        campaigns=", ".join(run.campaigns),
        run=run.run_id,
        began=_began(run),
    )


def _began(run: PastRun) -> str:
    return f"{datetime.fromtimestamp(begun_s(run.folder)).astimezone():%Y-%m-%d %H:%M}"


def _words(value: object) -> set[str]:
    return {*map(str, value)} if isinstance(value, list) else set()


def _plain(values: dict[str, object]) -> dict[str, object]:
    plain = json.loads(json.dumps(values))
    return dict(plain)
