"""Files in the state folder: one folder per run, one lock per campaign, and what was learned about each host.

Only their owner can read them.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from typing import Any, NamedTuple, TypeVar

from filelock import FileLock, Timeout
from platformdirs import user_config_path, user_state_path

from bulk_remove.core.model import Brackets
from bulk_remove.core.throttle import Learned, fresh
from bulk_remove.disk import NotOwnError, check_own, make_new, private, written
from bulk_remove.disk import make_private as make_folders
from bulk_remove.errors import CampaignLockedError, RunLockedError, StorageError
from bulk_remove.language import ours, phrase

T = TypeVar("T")
RUN_LOCK = "run.lock"
_REPORTS = "reports.jsonl"
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
    try:
        known = json.loads(_host_file(state_dir, host).read_text(encoding="utf-8"))
        learned = Learned(
            _optional(int, known.get("max_request_line")),
            float(known.get("learned_at_s", 0)),
            _optional(float, known.get("requests_per_second")),
            _optional(int, known.get("numbers_per_request")),
            float(known.get("pace_learned_at_s", 0)),
            _optional(Brackets, known.get("brackets")),
            float(known.get("brackets_learned_at_s", 0)),
        )
    except (OSError, ValueError, AttributeError, TypeError):
        return Learned()  # the run learns it again
    return fresh(learned, now_s)


def _optional(kind: Callable[[Any], T], value: object) -> T | None:
    return None if value is None else kind(value)


def keep_learned(state_dir: Path, host: str, learned: Learned) -> None:
    """Keep what was learned about a host for later runs. Raises StorageError."""
    path = _host_file(state_dir, host)
    make_private(state_dir, path.parent.name)
    known = {
        "max_request_line": learned.longest_line,
        "learned_at_s": learned.line_at_s,
        "requests_per_second": learned.rate,
        "numbers_per_request": learned.numbers,
        "pace_learned_at_s": learned.pace_at_s,
        "brackets": learned.brackets,
        "brackets_learned_at_s": learned.brackets_at_s,
    }
    try:
        with written(path) as aside:
            aside.file.write(json.dumps(known).encode())
    except OSError as error:
        raise _storage_error(path.parent, error) from None


def _host_file(state_dir: Path, host: str) -> Path:
    return state_dir / "hosts" / f"{_as_file_name(host)}.json"


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
        with open(folder / _REPORTS, "a", encoding="utf-8", opener=private) as file:
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


def is_marked(folder: Path, as_what: Mark) -> bool:
    """Return whether a run has this mark."""
    return (folder / as_what.value).exists()


@contextmanager
def lock_run(folder: Path) -> Iterator[None]:
    """Lock a run's folder for this process. The lock ends with the context or with the process.

    Another thread may leave the context. Raises RunLockedError if another process holds the lock, StorageError if it
    cannot be made.
    """
    lock = FileLock(folder / RUN_LOCK, mode=0o600, fallback_to_soft=False, thread_local=False)
    try:
        lock.acquire(timeout=_LOOKED_AT_S)
    except Timeout:
        raise RunLockedError(
            phrase("Run {name} is under way.", name=folder.name), "Wait for it to end, then try again."
        ) from None
    except OSError as error:
        raise _storage_error(folder, error) from None
    try:
        yield
    finally:
        lock.release()


def under_way(folder: Path) -> bool:
    """Return whether another process works on a run."""
    try:
        with lock_run(folder):
            return False
    except RunLockedError:
        return True


def delete_run(folder: Path) -> None:
    """Delete a run's folder and everything in it. Raises RunLockedError if the run is under way, StorageError."""
    try:
        with lock_run(folder):
            # The lock goes last, after it is released: some systems cannot delete an open file.
            for path in [path for path in folder.iterdir() if path.name != RUN_LOCK]:
                if path.is_dir() and not path.is_symlink():
                    rmtree(path)
                else:
                    path.unlink()
        rmtree(folder)
    except OSError as error:
        raise StorageError(
            phrase(
                "The folder {folder} cannot be deleted completely: {problem}.", folder=folder, problem=error.strerror
            ),
            "Check its permissions, then prune again; what is left of it may hold phone numbers.",
        ) from None


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
    if not runs.is_dir():
        return []
    try:
        for folder in (state_dir, runs):
            check_own(folder, folder.stat())
        return sorted(folder for folder in runs.iterdir() if folder.is_dir())
    except OSError as error:
        raise _storage_error(state_dir, error) from None


@contextmanager
def lock_campaigns(state_dir: Path, host: str, campaigns: Iterable[str]) -> Iterator[None]:
    """Lock several campaigns, in a fixed order. Raises the same errors as `lock_campaign`."""
    with ExitStack() as stack:
        for campaign in sorted(campaigns):
            stack.enter_context(lock_campaign(state_dir, host, campaign))
        yield


@contextmanager
def lock_inbox(state_dir: Path, inbox: Path) -> Iterator[None]:
    """Lock a drop folder for this process. Raises the same errors as `lock_campaign`."""
    digest = sha256(os.fsencode(inbox)).hexdigest()[:16]
    with _held(state_dir, f"inbox-{digest}", phrase("Another run on this machine is using {inbox}.", inbox=inbox)):
        yield


@contextmanager
def lock_campaign(state_dir: Path, host: str, campaign: str) -> Iterator[None]:
    """Lock a campaign for this process. The lock ends with the context or with the process.

    Raises CampaignLockedError if another run holds it, StorageError if the lock cannot be made.
    """
    name = f"{_as_file_name(host)}-{campaign}"
    with _held(state_dir, name, phrase("Another run on this machine is using campaign {campaign}.", campaign=campaign)):
        yield


@contextmanager
def _held(state_dir: Path, name: str, taken: str) -> Iterator[None]:
    folder = make_private(state_dir, "locks")
    lock = FileLock(folder / f"{name}.lock", mode=0o600, fallback_to_soft=False, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise CampaignLockedError(taken, "Wait for it to end, then run again.") from None
    except OSError as error:
        raise _storage_error(folder, error) from None
    try:
        yield
    finally:
        lock.release()


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
