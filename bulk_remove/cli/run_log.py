"""The log of a run, in its folder. It holds no phone number and no secret."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path

from bulk_remove.adapters.console import Screen
from bulk_remove.disk import private
from bulk_remove.errors import StorageError
from bulk_remove.language import one_line, phrase


class _RunLog(logging.FileHandler):
    """A log for its owner alone. When it can no longer be written the run goes on: the ledger is the proof."""

    def __init__(self, path: Path, screen: Screen) -> None:
        super().__init__(path, encoding="utf-8")
        self._screen = screen
        self._told = False

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding="utf-8", errors="replace", opener=private)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging's own signature
        """Say once that the log ends here."""
        if not self._told:
            self._told = True
            self._screen.note("The log can no longer be written (is the disk full?); the run goes on without it.")


class _JsonLines(logging.Formatter):
    """One JSON object a line; its keys are stable."""

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self._run_id = run_id

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "run": self._run_id,
            "message": one_line(record.getMessage()),
        }
        return json.dumps(line, ensure_ascii=False)


class _Lines(logging.Formatter):
    """A line of text for each record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        return one_line(super().format(record))


@contextmanager
def logged(folder: Path, screen: Screen, log_format: str = "text") -> Iterator[None]:
    """Keep the run's log in its folder, as text or JSON lines. It holds no phone number and no secret."""
    log = logging.getLogger("bulk_remove")
    try:
        handler = _RunLog(folder / "run.log", screen)
    except OSError as error:
        raise StorageError(
            phrase("The log in {folder} cannot be written: {problem}.", folder=folder, problem=error.strerror),
            "Check free space and permissions.",
        ) from None
    text = _Lines("%(asctime)s %(levelname)s %(message)s")
    handler.setFormatter(_JsonLines(folder.name) if log_format == "json" else text)
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        # What a full disk did not take stays in the buffer, and closing would try once more.
        with suppress(OSError):
            handler.close()
