"""Files in the state folder: one folder per run, one lock per campaign, and what was learned about each host.

Only their owner can read them.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import sys
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from filelock import FileLock, Timeout
from platformdirs import user_config_path, user_state_path

from bulk_remove.core.chunker import SHORTEST_LINE
from bulk_remove.core.model import Brackets
from bulk_remove.core.throttle import Learned, fresh
from bulk_remove.disk import NotOwnError, check_own, make_new, private, written
from bulk_remove.disk import make_private as make_folders
from bulk_remove.errors import BulkRemoveError, CampaignLockedError, RunLockedError, StorageError, UsageError
from bulk_remove.language import ours, phrase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from bulk_remove.ledger import Store
    from bulk_remove.ledger.shared import Shared, SharedAccount
    from bulk_remove.sending.gate import AccountCeiling

log = logging.getLogger("bulk_remove.run")
N = TypeVar("N", int, float)
_BRACKETS = {each.value: each for each in (Brackets.RAW, Brackets.ENCODED)}
RUN_LOCK = "run.lock"
LEDGER_FILE = "ledger.sqlite"
_SHARED = "shared.json"
_REPORTS = "reports.jsonl"
_URLS: dict[Path, str] = {}
_OPEN: dict[Path, Shared] = {}
_OPENING = Lock()
_LOOKED_AT_S = 1.0
"""How long to wait for a run's lock: `runs` holds it for a moment to see whether the run is under way."""


def default_state_dir() -> Path:
    """Return the platform's folder for a program's state: `~/.local/state/bulk-remove` on Linux."""
    return user_state_path("bulk-remove", appauthor=False)


def default_config_file() -> Path:
    """Return the platform's place for a program's settings: `~/.config/bulk-remove/config.toml` on Linux."""
    return user_config_path("bulk-remove", appauthor=False) / "config.toml"


_PARTS_OF_A_SECOND = 0x10000
"""As many as four hexadecimal digits can number."""


def join(state_dir: Path, url: str) -> None:
    """Share the runs of a state folder with other hosts through a database. Raises UsageError.

    The database is first asked when something is needed from it.
    """
    if _URLS.setdefault(state_dir, url) != url:
        raise UsageError(
            phrase("The state folder {folder} is shared through another database already.", folder=state_dir),
            "Give each --state a --state-dir of its own.",
        )


def leave(state_dir: Path) -> None:
    """Stop sharing the runs of a state folder."""
    _URLS.pop(state_dir, None)
    if (shared := _OPEN.pop(state_dir, None)) is not None:
        shared.close()


def shared_of(state_dir: Path) -> Shared | None:
    """Return the shared state of a state folder, or None. Raises UsageError, UnavailableError."""
    if state_dir not in _URLS:
        return None
    try:
        from bulk_remove.ledger.shared import Shared  # noqa: PLC0415 - only shared runs pay for it
    except ImportError:
        raise UsageError(
            "--state needs a library that is not installed.", "Install it: pip install 'bulk-remove[postgres]'"
        ) from None
    with _OPENING:
        if state_dir not in _OPEN:
            _OPEN[state_dir] = Shared(_URLS[state_dir])
        return _OPEN[state_dir]


def new_run_folder(state_dir: Path, now_s: float) -> Path:
    """Make the folder of a new run. Its name is the run's id. Raises StorageError.

    Ids sort by time. The last four digits are the fraction of the second.
    """
    runs = make_private(state_dir, "runs")
    moment = round(now_s * _PARTS_OF_A_SECOND)
    while True:
        second, part = divmod(moment, _PARTS_OF_A_SECOND)
        folder = runs / f"{datetime.fromtimestamp(second, UTC):%Y%m%d-%H%M%S}-{part:04x}"
        try:
            if make_new(folder):
                return folder
        except OSError as error:
            raise _storage_error(folder, error) from None
        moment += 1  # another run began in the same moment


def learned_of(state_dir: Path, host: str, now_s: float) -> Learned:
    """Return what earlier runs learned about a host, without what is too old at `now_s` (Unix seconds)."""
    file = state_dir / "hosts" / f"{_as_file_name(host)}.json"
    try:
        shared = shared_of(state_dir)
        known = json.loads(shared.learned(host) if shared else file.read_text(encoding="utf-8"))
        learned = Learned(
            _optional(int, known.get("max_request_line"), SHORTEST_LINE),
            float(known.get("learned_at_s", 0)),
            _optional(float, known.get("requests_per_second")),
            _optional(int, known.get("numbers_per_request")),
            float(known.get("pace_learned_at_s", 0)),
            _BRACKETS.get(known.get("brackets")),
            float(known.get("brackets_learned_at_s", 0)),
        )
    except (OSError, ValueError, AttributeError, TypeError, ArithmeticError, RecursionError):
        return Learned()  # the run learns it again
    return fresh(learned, now_s)


def _optional(kind: type[N], value: Any, least: float = sys.float_info.min) -> N | None:
    """Return a number; None if there is none, or one that no run writes."""
    return kind(value) if value is not None and least <= float(value) < math.inf else None


def keep_learned(state_dir: Path, host: str, learned: Learned) -> None:
    """Keep what was learned about a host for later runs. Raises StorageError."""
    path = make_private(state_dir, "hosts") / f"{_as_file_name(host)}.json"
    known = {
        "max_request_line": learned.longest_line,
        "learned_at_s": learned.line_at_s,
        "requests_per_second": learned.rate,
        "numbers_per_request": learned.numbers,
        "pace_learned_at_s": learned.pace_at_s,
        "brackets": learned.brackets,
        "brackets_learned_at_s": learned.brackets_at_s,
    }
    if (shared := shared_of(state_dir)) is not None:
        shared.keep_learned(host, json.dumps(known))
    try:
        with written(path) as aside:
            aside.file.write(json.dumps(known).encode())
    except OSError as error:
        raise _storage_error(path.parent, error) from None


def _as_file_name(host: str) -> str:
    return re.sub(r"[^0-9A-Za-z.-]", "_", host)


def begun_s(folder: Path) -> float:
    """Return when a run began (Unix seconds), from its id. For any other folder name, return when it last changed."""
    try:
        return datetime.strptime(folder.name[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return folder.stat().st_mtime


def note_report(folder: Path, report: Path) -> None:
    """Note the path of a report in the run's folder before it is written. Raises StorageError.

    `prune` lists these reports, because it does not delete them.
    """
    line = json.dumps(str(report.absolute()))
    try:
        with open(folder / _REPORTS, "a", encoding="utf-8", newline="\n", opener=private) as file:
            file.write(f"{line}\n")
    except OSError as error:
        raise _storage_error(folder, error) from None


class NotedReports(NamedTuple):
    """Paths to which reports of a run were written, latest last. The files may be gone.

    `whole` is False if a line cannot be read. A kill may cut the last line short. That is not damage, because the
    report of that line was not begun.
    """

    paths: tuple[Path, ...]
    whole: bool


def noted_reports(folder: Path) -> NotedReports:
    """Return the noted reports of a run. Raises StorageError."""
    try:
        *lines, last = (folder / _REPORTS).read_bytes().split(b"\n")
    except FileNotFoundError:
        return NotedReports((), whole=True)
    except OSError as error:
        raise _storage_error(folder, error) from None
    noted = [_noted(line) for line in lines]
    cut_short = not last or last.startswith(b'"')
    paths = dict.fromkeys(path for path in reversed(noted) if path is not None)
    return NotedReports(tuple(reversed(paths)), whole=None not in noted and cut_short)


def _noted(line: bytes) -> Path | None:
    """Return the path in a line, or None if it does not hold a path."""
    try:
        path = json.loads(line)
    except ValueError:
        return None
    return Path(path) if isinstance(path, str) and "\0" not in path else None


class Mark(StrEnum):
    """A mark on a run: an empty file of this name in its folder.

    CONCLUDED: its input has left the inbox, or the inbox has nothing more to do for it. ABANDONED: it is never resumed.
    """

    CONCLUDED = "concluded"
    ABANDONED = "abandoned"


def mark(folder: Path, as_what: Mark) -> None:
    """Mark a run. Raises StorageError."""
    try:
        with open(folder / as_what.value, "ab", opener=private) as file:
            os.fsync(file.fileno())
    except OSError as error:
        raise _storage_error(folder, error) from None
    if shared := shared_of(folder.parents[1]):
        shared.mark(folder.name, as_what.value)


def is_marked(folder: Path, as_what: Mark) -> bool:
    """Return whether a run has this mark."""
    return (folder / as_what.value).exists()


@contextmanager
def lock_run(folder: Path) -> Iterator[None]:
    """Lock a run's folder for this process. The lock ends with the context or with the process.

    Another thread may leave the context. The ledger of a shared run is first brought up to date. Raises RunLockedError
    if another process or host holds the lock, StorageError if it cannot be made, UsageError for a shared run without
    --state.
    """
    shared, at = shared_of(folder.parents[1]), _shared_at(folder)
    if at is not None and (shared is None or at.database not in {"", shared.database}):
        raise UsageError(
            phrase("Run {name} is shared with other hosts.", name=folder.name), "Give the same --state as before."
        )
    if shared is None:
        with _lock_here(folder):
            yield
        return

    def taken(holder: str) -> RunLockedError:
        return RunLockedError(
            phrase("Run {name} is under way on {holder}.", name=folder.name, holder=holder),
            "Wait for it to end, then try again.",
        )

    with _lock_here(folder), shared.lease([f"run:{folder.name}"], taken):
        if (known := shared.runs().get(folder.name)) is not None:
            _bring(shared, folder, known[0])
        yield
        if shipped := shared.lengths.pop(folder.name, 0):
            _keep_at(shared, folder, shipped)


def _lock_here(folder: Path, wait_s: float = _LOOKED_AT_S) -> AbstractContextManager[None]:
    taken = phrase("Run {name} is under way.", name=folder.name)
    return _locked(folder / RUN_LOCK, wait_s, RunLockedError(taken, "Wait for it to end, then try again."))


@contextmanager
def _locked(path: Path, wait_s: float, taken: BulkRemoveError) -> Iterator[None]:
    """Hold a lock file until the end of the context or of the process. Raises `taken`, StorageError."""
    lock = FileLock(path, mode=0o600, fallback_to_soft=False, thread_local=False)
    try:
        lock.acquire(timeout=wait_s)
    except Timeout:
        raise taken from None
    except OSError as error:
        raise _storage_error(path.parent, error) from None
    try:
        yield
    finally:
        lock.release()


def under_way(folder: Path) -> bool:
    """Return whether another process or host works on a run."""
    shared = shared_of(folder.parents[1])
    try:
        with _lock_here(folder):
            return shared is not None and f"run:{folder.name}" in shared.busy
    except RunLockedError:
        return True


class _At(NamedTuple):
    """The database that shares a run, and how many pieces of its log the ledger on this host has.

    0: not known any more; -1: there may be no log yet.
    """

    database: str
    length: int


def _shared_at(folder: Path) -> _At | None:
    try:
        return _At(**json.loads((folder / _SHARED).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        return _At("", 0)


def _keep_at(shared: Shared, folder: Path, length: int) -> None:
    try:
        with written(folder / _SHARED) as aside:
            aside.file.write(json.dumps(_At(shared.database, length)._asdict()).encode())
    except OSError as error:
        raise _storage_error(folder, error) from None


def _bring(shared: Shared, folder: Path, length: int) -> None:
    """Bring the ledger of a shared run up to date with its log. The caller holds the run's lock on this host."""
    here = _length_here(shared, folder)
    if here != length:
        _keep_at(shared, folder, 0)
        _keep_at(shared, folder, shared.bring(folder.name, folder / LEDGER_FILE, here if here < length else 0))


def _length_here(shared: Shared, folder: Path) -> int:
    at = _shared_at(folder)
    return at.length if at and at.database == shared.database and (folder / LEDGER_FILE).is_file() else 0


def _bring_all(state_dir: Path, shared: Shared) -> None:
    """Copy all shared runs into this state folder, and delete those that another host deleted."""
    runs = shared.runs()
    for folder in [path for path in make_private(state_dir, "runs").iterdir() if path.name not in runs]:
        at = _shared_at(folder)
        if at and at.database == shared.database and at.length >= 0:
            with suppress(RunLockedError):
                _clear(folder)
    for run, (length, marks) in runs.items():
        if not length:
            continue  # written by another version
        folder = make_private(state_dir, "runs", run)
        for each in [each for each in Mark if each.value in marks]:
            (folder / each.value).touch(0o600)
        if _length_here(shared, folder) != length and f"run:{run}" not in shared.held:
            try:
                with _lock_here(folder, 0):
                    _bring(shared, folder, length)
            except RunLockedError:
                continue  # it is under way here
            except StorageError as error:
                log.warning("%s", error.sentence)
                if not (folder / LEDGER_FILE).is_file():  # or it would look like a run that was never approved
                    _clear(folder)


def _clear(folder: Path) -> None:
    with _lock_here(folder, 0):
        _empty(folder)
    rmtree(folder, ignore_errors=True)


def share(folder: Path, store: Store, *, new: bool = False) -> None:
    """Ship what a ledger commits to all hosts, if they share the state; of a `new` run also what it has.

    The caller holds `lock_run`. Raises CampaignLockedError, UnavailableError, StorageError.
    """
    shared = shared_of(folder.parents[1])
    if shared is not None and store.ship is None and (new or _shared_at(folder) is not None):
        length = max(0, _length_here(shared, folder))
        _keep_at(shared, folder, 0 if length else -1)
        shared.share(store, folder.name, length)
        _keep_at(shared, folder, 0)


def account_of(state_dir: Path, host: str, user: str, ceiling: float, run: str) -> AccountCeiling | SharedAccount:
    """Return a run's part in the limit of all runs of an API user, to be entered. Raises StorageError."""
    if (shared := shared_of(state_dir)) is not None:
        return shared.account(host, user, ceiling)
    from bulk_remove.sending.gate import AccountCeiling  # noqa: PLC0415 - help does not pay for it

    return AccountCeiling(account_file(state_dir, host, user), ceiling, run)


def delete_run(folder: Path) -> None:
    """Delete a run's folder and everything in it. Raises RunLockedError if the run is under way, StorageError."""
    try:
        with lock_run(folder):
            if shared := shared_of(folder.parents[1]):
                shared.delete(folder.name)
            _empty(folder)
        rmtree(folder)
    except OSError as error:
        raise StorageError(
            phrase(
                "The folder {folder} cannot be deleted completely: {problem}.", folder=folder, problem=error.strerror
            ),
            "Check its permissions, then prune again; what is left of it may hold phone numbers.",
        ) from None


def _empty(folder: Path) -> None:
    """Delete all but the lock. It goes last, after it is released: some systems cannot delete an open file."""
    for path in [path for path in folder.iterdir() if path.name != RUN_LOCK]:
        if path.is_dir() and not path.is_symlink():
            rmtree(path)
        else:
            path.unlink()


def account_file(state_dir: Path, host: str, user: str) -> Path:
    """Return the file in which all runs of an API user note their requests to a host. Raises StorageError."""
    folder = make_private(state_dir, "accounts")
    # A user's name may hold characters that a file name cannot.
    return folder / f"{_as_file_name(host)}-{sha256(user.encode()).hexdigest()[:16]}.sqlite"


def run_folders(state_dir: Path) -> list[Path]:
    """Return the folders of all runs, oldest first. Raises StorageError for a state folder that is not the user's own.

    Others could have put runs there that this user never started.
    """
    runs = state_dir / "runs"
    try:
        if shared := shared_of(state_dir):
            _bring_all(state_dir, shared)
        if not runs.is_dir():
            return []
        for folder in (state_dir, runs):
            check_own(folder, folder.stat())
        return sorted(folder for folder in runs.iterdir() if folder.is_dir())
    except OSError as error:
        raise _storage_error(state_dir, error) from None


@contextmanager
def lock_campaigns(state_dir: Path, host: str, campaigns: Iterable[str]) -> Iterator[None]:
    """Lock campaigns for this process, always in the same order. Raises CampaignLockedError, StorageError."""
    wanted = sorted(campaigns)

    def taken(holder: str) -> CampaignLockedError:
        return CampaignLockedError(
            phrase("Another run holds campaign {campaigns} ({holder}).", campaigns=", ".join(wanted), holder=holder),
            "Wait for it to end, then run again.",
        )

    with ExitStack() as stack:
        for campaign in wanted:
            here = phrase("Another run on this machine is using campaign {campaign}.", campaign=campaign)
            stack.enter_context(_lock_name(state_dir, f"{_as_file_name(host)}-{campaign}", here))
        if wanted and (shared := shared_of(state_dir)):
            stack.enter_context(shared.lease([f"campaign:{host}/{campaign}" for campaign in wanted], taken))
        yield


@contextmanager
def lock_inbox(state_dir: Path, inbox: Path) -> Iterator[None]:
    """Lock a drop folder for this process. Raises the same errors as `lock_campaigns`."""
    digest = sha256(os.fsencode(inbox)).hexdigest()[:16]

    def taken(holder: str) -> CampaignLockedError:
        return CampaignLockedError(
            phrase("Another run is using {inbox} ({holder}).", inbox=inbox, holder=holder),
            "Wait for it to end, then run again.",
        )

    with ExitStack() as stack:
        here = phrase("Another run on this machine is using {inbox}.", inbox=inbox)
        stack.enter_context(_lock_name(state_dir, f"inbox-{digest}", here))
        if shared := shared_of(state_dir):
            stack.enter_context(shared.lease([f"inbox:{digest}"], taken))
        yield


def _lock_name(state_dir: Path, name: str, taken: str) -> AbstractContextManager[None]:
    hint = "Wait for it to end, then run again. To see the runs of this machine: bulk-remove runs list"
    return _locked(make_private(state_dir, "locks") / f"{name}.lock", 0, CampaignLockedError(taken, hint))


def make_private(state_dir: Path, *below: str) -> Path:
    """Make the state folder and a folder in it, if missing, and return the inner one. Only the owner has access.

    Raises StorageError if a folder cannot be written to, belongs to another user, or is writable by others.
    """
    try:
        return make_folders(state_dir, *below)
    except OSError as error:
        raise _storage_error(state_dir.joinpath(*below), error) from None


def _storage_error(folder: Path, error: OSError) -> StorageError:
    return StorageError(
        phrase("The folder {folder} cannot be used: {problem}.", folder=folder, problem=ours(str(error.strerror))),
        error.hint if isinstance(error, NotOwnError) else "Choose another one with --state-dir.",
    )
